"""What a fitted network tells of its zeros, and scikit-learn's tools that read it."""

import numpy as np
import pytest
import sklearn
from common import both_estimators, data_for, diabetes, few_epochs, iris
from numpy.testing import assert_allclose, assert_array_equal
from plain import RegularizedMLPClassifier, RegularizedMLPRegressor
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.feature_selection import SelectFromModel
from sklearn.linear_model import Lasso
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.utils.fixes import parse_version

from skreg import RegularizedMLPRegressorCV

pytestmark = few_epochs


def lasso(l1=0.1, **given):
    return RegularizedMLPRegressor((), solver="lbfgs", l1=l1, l2=0.0, **given)


@both_estimators
@pytest.mark.parametrize("skip", [False, True])
def test_attributes_agree_with_the_weights(Estimator, skip):
    model = Estimator((12,), skip=skip, l1=0.02, max_iter=30, learning_rate_init=0.01)
    X, y = data_for(model)
    model.set_params(random_state=0).fit(X, y)
    model.coefs_[0][1] = 0
    model.coefs_[0][2] = 1e-30  # whose square is 0 in float32
    matrices = list(model.coefs_)
    if skip:
        model.skip_coef_[:3] = 0
        model.skip_coef_[3] = 1e-30
        model.coefs_[0][3] = 0
        matrices.append(model.skip_coef_)
    zeros = [int((W == 0).sum()) for W in matrices]
    sizes = [W.size for W in matrices]
    assert 0 < sum(zeros) < sum(sizes)
    assert model.sparsity_ == pytest.approx(np.divide(zeros, sizes))
    assert all(isinstance(share, float) for share in model.sparsity_)
    assert model.zero_share_ == pytest.approx(sum(zeros) / sum(sizes))
    assert model.selected_features_.dtype == bool
    outgoing = np.hstack([model.coefs_[0], *matrices[2:]])
    assert_array_equal(model.selected_features_, (outgoing != 0).any(axis=1))
    assert_array_equal(model.selected_features_[[1, 2]], [False, True])
    importances = model.feature_importances_
    assert_allclose(importances, np.linalg.norm(outgoing.astype(float), axis=1))
    assert_array_equal(importances > 0, model.selected_features_)
    # sparse weights tell the same
    figures = [importances, model.sparsity_, model.zero_share_]
    model.sparsify_weights()
    sparse_figures = [model.feature_importances_, model.sparsity_, model.zero_share_]
    for actual, expected in zip(sparse_figures, figures, strict=True):
        assert_allclose(actual, expected, rtol=1e-14)


def test_names_where_X_has_them():
    pd = pytest.importorskip("pandas")
    X, y = diabetes()
    frame = pd.DataFrame(X).add_prefix("x")
    model = lasso().fit(frame, y)
    assert 0 < model.selected_features_.sum() < X.shape[1]
    assert_array_equal(
        model.selected_feature_names_, frame.columns[model.selected_features_]
    )
    assert_array_equal(
        model.prune().selected_feature_names_, model.selected_feature_names_
    )
    assert not hasattr(lasso().fit(X, y), "selected_feature_names_")


@both_estimators
def test_unfitted(Estimator):
    for name in ["selected_features_", "selected_feature_names_", "sparsity_"]:
        with pytest.raises(NotFittedError):
            getattr(Estimator(), name)


def test_select_from_model_keeps_the_features_of_the_lasso():
    X, y = diabetes()
    scale = y.std()
    expected = SelectFromModel(Lasso(alpha=0.1 * scale)).fit(X, y)
    selector = SelectFromModel(lasso(tol=1e-8)).fit(X, y)
    assert_array_equal(selector.get_support(), expected.get_support())
    assert_array_equal(selector.get_support(), selector.estimator_.selected_features_)
    assert 0 < selector.get_support().sum() < X.shape[1]
    prefit = SelectFromModel(selector.estimator_, prefit=True)
    assert_array_equal(prefit.fit(X, y).get_support(), selector.get_support())
    if parse_version(sklearn.__version__) >= parse_version("1.8"):
        # before, SelectFromModel takes no sparse coef_
        prefit = SelectFromModel(selector.estimator_.sparsify_weights(), prefit=True)
        assert_array_equal(prefit.fit(X, y).get_support(), selector.get_support())


@both_estimators
@pytest.mark.parametrize("feature_groups", [None, [0, 0, 1, 1]])
def test_select_from_model_keeps_the_features_of_the_group_lasso(
    Estimator, feature_groups
):
    model = Estimator(
        (8,), group_l1=0.1, l2=[0, 0.03], feature_groups=feature_groups, batch_size=32,
        learning_rate="cosine", learning_rate_init=0.02, max_iter=60, random_state=0,
    )  # fmt: skip
    X, y = data_for(model)
    X = X[:, :4]
    selector = SelectFromModel(model).fit(X, y)
    selected = selector.estimator_.selected_features_
    assert selector.threshold_ == 1e-5
    assert_array_equal(selector.get_support(), selected)
    assert 0 < selected.sum() < 4
    if feature_groups is not None:
        assert selected[0] == selected[1]
        assert selected[2] == selected[3]
    # a feature is out as a whole, or in with every weight to a unit that is there;
    # those of units that die become zero one by one, as they leave the range of numbers
    smaller = selector.estimator_.prune()
    assert len(smaller.coefs_[0]) == selected.sum()
    alive = np.abs(smaller.coefs_[0]).max(axis=0) > 1e-30
    assert alive.any()
    assert smaller.coefs_[0][:, alive].all()
    assert_allclose(smaller.predict(X), selector.estimator_.predict(X), rtol=1e-3)


@pytest.mark.parametrize(
    ("given", "penalty"),
    [
        ({}, "l2"),
        ({"l1": 0}, "l2"),
        ({"l1": 0.1}, "l1"),
        ({"l1": "auto"}, "l1"),
        ({"l1": [0.1, 0.0]}, "l1"),
        ({"l1": [0.0, 0.1]}, "l2"),
        ({"group_l1": 0.1}, "l1"),
        ({"l1": 0.1, "skip": True}, "l1"),
        ({"l1": [0.1, 0.0, 0.1], "skip": True}, "l1"),
        ({"l1": [0.1, 0.1, 0.0], "skip": True}, "l2"),
    ],
)
def test_the_default_threshold_follows_the_penalty(given, penalty):
    model = RegularizedMLPClassifier(**given)
    assert model.penalty == penalty
    assert "penalty" not in model.get_params()
    assert clone(model).penalty == penalty
    X, y = iris()
    if given.get("l1") == "auto":
        return
    selector = SelectFromModel(model.set_params(max_iter=1)).fit(X, y)
    mean = selector.estimator_.feature_importances_.mean()
    assert selector.threshold_ == pytest.approx(1e-5 if penalty == "l1" else mean)


@pytest.mark.parametrize(
    ("given", "penalty"),
    [
        ({}, "l1"),
        ({"param": "l2"}, "l2"),
        ({"param": "l2", "l1": 0.1}, "l1"),
        ({"param": "group_l1"}, "l1"),
        ({"param": "l1", "skip": True}, "l1"),
    ],
)
def test_a_chosen_strength_is_a_penalty_too(given, penalty):
    assert RegularizedMLPRegressorCV(**given).penalty == penalty


def test_estimators_that_choose_their_strength_become_sparse_and_smaller():
    X, y = diabetes()
    model = RegularizedMLPRegressorCV((), solver="lbfgs", alphas=[1.0, 0.2], cv=3)
    expected = model.fit(X, y).predict(X)
    selected = model.selected_features_
    assert 0 < selected.sum() < X.shape[1]
    selector = SelectFromModel(model, prefit=True).fit(X, y)
    assert_array_equal(selector.get_support(), selected)
    smaller = model.prune()
    assert smaller.coefs_[0].shape == (selected.sum(), 1)
    assert smaller.alpha_ == model.alpha_
    for either in [smaller, model.sparsify_weights(), smaller.sparsify_weights()]:
        assert_allclose(either.predict(X), expected, rtol=1e-4)
    # a new fit is as any
    assert_allclose(smaller.fit(X, y).predict(X), expected)


def test_threshold_and_max_features():
    X, y = diabetes()
    model = lasso(l1=0.01).fit(X, y)
    # in the unit of y, as those of the Lasso
    importances = np.abs(model.coef_)
    largest = np.sort(np.argsort(importances)[-3:])
    selector = SelectFromModel(lasso(l1=0.01), max_features=3).fit(X, y)
    assert_array_equal(selector.get_support(indices=True), largest)
    selector = SelectFromModel(lasso(l1=0.01), threshold="median").fit(X, y)
    assert_array_equal(selector.get_support(), importances >= np.median(importances))
    threshold = float(np.sort(importances)[-2])
    selector = SelectFromModel(lasso(l1=0.01), threshold=threshold).fit(X, y)
    assert selector.get_support().sum() == 2


def test_in_a_pipeline_that_is_searched():
    X, y = diabetes()
    pipeline = make_pipeline(
        SelectFromModel(lasso()), RegularizedMLPRegressor((), solver="lbfgs")
    )
    search = GridSearchCV(
        pipeline, {"selectfrommodel__estimator__l1": [0.01, 0.1, 0.3]}, cv=3
    ).fit(X, y)
    selected = search.best_estimator_[0].get_support().sum()
    assert search.best_estimator_[1].n_features_in_ == selected
    assert search.best_score_ > 0.4


def test_importances_are_norms_of_rows():
    X, y = iris()
    model = RegularizedMLPClassifier((5,), max_iter=2, random_state=0).fit(X, y)
    assert_allclose(
        model.feature_importances_, np.linalg.norm(model.coefs_[0], axis=1), rtol=1e-6
    )
