"""Networks without hidden layers have what scikit-learn's linear models have."""

import copy
import pickle

import numpy as np
import pytest
from common import (
    assert_refused,
    both_estimators,
    breast_cancer,
    data_for,
    diabetes,
    few_epochs,
    iris,
)
from numpy.testing import assert_allclose, assert_array_equal
from plain import RegularizedMLPClassifier, RegularizedMLPRegressor
from scipy import sparse
from scipy.special import logit
from sklearn.exceptions import NotFittedError
from sklearn.feature_selection import RFE, SelectFromModel
from sklearn.linear_model import LogisticRegression, PoissonRegressor, Ridge

from skreg import RegularizedMLPClassifierCV, RegularizedMLPRegressorCV

EXACT = {
    "hidden_layer_sizes": (),
    "solver": "lbfgs",
    "dtype": "float64",
    "tol": 1e-9,
    "max_iter": 2000,
}


def regressor(**given):
    return RegularizedMLPRegressor(**EXACT | given)


def classifier(**given):
    return RegularizedMLPClassifier(**EXACT | given)


@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize("outputs", [None, 3])
def test_shapes_and_values_of_ridge(outputs, standardize):
    X, y = diabetes()
    if outputs is not None:
        y = np.column_stack([y, 1e3 * X[:, 0] + y, X[:, 1]])[:, :outputs]
    # the penalty is on the weights of the standardized target: none here
    model = regressor(l2=0.0, standardize_target=standardize).fit(X, y)
    ridge = Ridge(alpha=0.0, solver="svd").fit(X, y)
    assert np.shape(model.coef_) == np.shape(ridge.coef_)
    assert np.shape(model.intercept_) == np.shape(ridge.intercept_)
    assert_allclose(np.ravel(model.coef_), np.ravel(ridge.coef_), rtol=1e-3, atol=1e-2)
    assert_allclose(model.intercept_, ridge.intercept_, rtol=1e-6, atol=1e-9)
    predicted = X @ np.transpose(model.coef_) + model.intercept_
    assert_allclose(predicted, model.predict(X).reshape(predicted.shape), rtol=1e-8)


@pytest.mark.parametrize("loss", ["poisson", "gamma"])
def test_the_link_scale_of_positive_targets(loss):
    X, y = diabetes()
    model = regressor(loss=loss, l2=0.01).fit(X, y)
    logs = X @ model.coef_ + model.intercept_
    assert_allclose(np.exp(logs), model.predict(X), rtol=1e-8)
    if loss == "poisson":
        expected = PoissonRegressor(alpha=0.01, tol=1e-9, max_iter=1000).fit(X, y)
        assert_allclose(model.coef_, expected.coef_, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("kind", ["binary", "multinomial"])
def test_shapes_and_values_of_logistic_regression(kind):
    X, y = breast_cancer() if kind == "binary" else iris()
    model = classifier(l2=1 / len(y)).fit(X, y)
    expected = LogisticRegression(C=1.0, tol=1e-9, max_iter=5000).fit(X, y)
    assert model.coef_.shape == expected.coef_.shape
    assert model.intercept_.shape == expected.intercept_.shape
    assert_allclose(model.coef_, expected.coef_, atol=1e-3)
    scores = X @ model.coef_.T + model.intercept_
    if kind == "binary":
        scores = logit(model.predict_proba(X)[:, 1:]) - scores
        assert_allclose(scores, 0.0, atol=1e-3)
    else:
        assert_array_equal(scores.argmax(axis=1), model.predict(X))


def test_multilabel():
    X, y = iris()
    Y = np.column_stack([y == 0, y > 0, y == 2]).astype(int)
    model = classifier(l2=0.1).fit(X, Y)
    assert model.coef_.shape == (3, 4)
    assert model.intercept_.shape == (3,)
    scores = X @ model.coef_.T + model.intercept_
    assert_allclose(scores, logit(model.predict_proba(X)), rtol=1e-6)


@few_epochs
@pytest.mark.parametrize("solver", ["adam", "sgd"])
@both_estimators
def test_of_any_solver_and_in_float32(Estimator, solver):
    model = Estimator((), solver=solver, max_iter=3, random_state=0)
    X, y = data_for(model)
    model.fit(sparse.csr_array(X), y)
    if Estimator is RegularizedMLPRegressor:
        predicted = X @ model.coef_ + model.intercept_
        assert_allclose(predicted, model.predict(X), rtol=1e-4)
    else:
        assert model.coef_.shape == (3, 4)


@few_epochs
@pytest.mark.parametrize(
    "Estimator", [RegularizedMLPClassifierCV, RegularizedMLPRegressorCV]
)
def test_of_estimators_that_choose_their_strength(Estimator):
    model = Estimator((), alphas=[0.1, 0.01], cv=2, max_iter=3, random_state=0)
    X, y = data_for(model)
    model.fit(X, y)
    shape = (10,) if Estimator is RegularizedMLPRegressorCV else (3, 4)
    assert model.coef_.shape == shape
    assert sparse.issparse(model.sparsify().coef_)


@few_epochs
@both_estimators
def test_with_hidden_layers_the_reason_is_said(Estimator):
    model = Estimator((5,), max_iter=2, random_state=0)
    for name in ["coef_", "intercept_"]:
        with pytest.raises(NotFittedError):
            getattr(model, name)
    model.fit(*data_for(model))
    for name, part in [
        ("coef_", "coefs_"),
        ("intercept_", "intercepts_"),
        ("sparsify", "sparsify_weights"),
    ]:
        assert not hasattr(model, name)
        assert_refused(
            lambda name=name: getattr(model, name),
            AttributeError,
            name,
            "without hidden layers",
            "hidden_layer_sizes=(5,)",
            part,
        )
    assert not hasattr(Estimator(), "sparsify")
    for sizes in [(), [], np.array([], dtype=int)]:
        assert hasattr(Estimator(sizes), "sparsify")


@both_estimators
def test_sparsify_makes_it_sparse_in_place_and_densify_dense(Estimator):
    model = Estimator((), solver="lbfgs", l1=0.1)
    X, y = data_for(model)
    coef, predicted = model.fit(X, y).coef_, model.predict(X)
    intercept = model.intercept_
    assert (coef == 0).any()
    assert model.sparsify() is model
    assert sparse.issparse(model.coef_)
    assert model.coef_.format == "csr"
    assert model.coef_.nnz == np.count_nonzero(coef)
    assert_array_equal(model.coef_.toarray(), np.atleast_2d(coef))
    assert_array_equal(model.intercept_, intercept)
    again = pickle.loads(pickle.dumps(model))
    assert_allclose(again.predict(X), predicted, rtol=1e-4)
    assert_array_equal(model.densify().coef_, coef)


@few_epochs
def test_a_pruned_network_has_a_weight_for_every_feature():
    X, y = diabetes()
    model = regressor(l1=0.2).fit(X, y)
    pruned = model.prune()
    assert pruned.coefs_[0].shape[0] < X.shape[1]
    assert_allclose(pruned.coef_, model.coef_, rtol=1e-12)
    thin = copy.deepcopy(pruned).sparsify()
    assert_allclose(thin.coef_.toarray()[0], model.coef_, rtol=1e-12)


def test_rfe_and_select_from_model_rank_as_by_ridge():
    X, y = diabetes()
    scaled = {"standardize_target": False, "l2": 1.0 / len(y)}
    ours, theirs = regressor(**scaled), Ridge(alpha=1.0)
    rfe = [RFE(model, n_features_to_select=4).fit(X, y) for model in (ours, theirs)]
    assert_array_equal(rfe[0].ranking_, rfe[1].ranking_)
    chosen = [
        SelectFromModel(model).fit(X, y).get_support() for model in (ours, theirs)
    ]
    assert_array_equal(*chosen)
