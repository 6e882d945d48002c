"""The linear connection from the inputs to the outputs: f(x) = net(x) + x theta.

Its gradients, steps and epochs are compared with the oracle in test_gradients.py and
test_training_step.py, and test_combinations.py has it with every other regularizer.
"""

import numpy as np
import pytest
from common import (
    all_weights,
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
from sklearn.base import clone
from sklearn.linear_model import Lasso, LogisticRegression, Ridge

pytestmark = few_epochs

SOLVED = {
    "solver": "lbfgs",
    "skip": True,
    "tol": 1e-11,
    "max_iter": 50_000,
    "max_fun": 100_000,
    "dtype": "float64",
    "random_state": 0,
}


def net_and_line(model, X):
    """Raw outputs by hand: a folded network of ReLUs, and the line."""
    x = X
    *hidden, (W, b) = zip(model.folded_coefs_, model.folded_intercepts_, strict=True)
    for V, c in hidden:
        x = np.maximum(x @ V + c, 0)
    return x @ W + b, X @ model.skip_coef_


# ------------------------------------------------------------- the function and start


@pytest.mark.parametrize("n_outputs", [1, 3])
@pytest.mark.parametrize("csr", [False, True], ids=["dense", "csr"])
@pytest.mark.parametrize("batch_norm", [False, "before"])
def test_predictions_are_those_of_the_network_plus_the_line(n_outputs, csr, batch_norm):
    X, y = diabetes()
    y = np.outer(y, np.arange(1, n_outputs + 1)) + X[:, :n_outputs]
    model = RegularizedMLPRegressor(
        (9, 8),
        skip=True,
        batch_norm=batch_norm,
        standardize_target=False,
        learning_rate_init=0.01,
        max_iter=5,
        dtype="float64",
    )
    given = sparse.csr_array(X) if csr else X
    model.fit(given, np.squeeze(y))
    net, line = net_and_line(model, X)
    assert np.abs(line).max() > 0.01
    got = model.predict(given).reshape(len(X), n_outputs)
    assert_allclose(got, net + line, rtol=1e-9, atol=1e-9)


@both_estimators
def test_it_starts_at_zero_so_the_network_starts_as_without(Estimator):
    model = Estimator((7,), learning_rate_init=1e-300, max_iter=1, random_state=0)
    X, y = data_for(model)
    skipping = clone(model).set_params(skip=True).fit(X, y)
    model.fit(X, y)
    assert not skipping.skip_coef_.any()
    assert_array_equal(skipping.coefs_[0], model.coefs_[0])
    assert_array_equal(skipping.predict(X), model.predict(X))
    assert model.skip_coef_ is None


def test_an_estimator_pickled_before_there_was_a_connection_has_none():
    X, y = iris()
    model = RegularizedMLPClassifier((7,), max_iter=1, random_state=0).fit(X, y)
    expected = model.predict_proba(X)
    del model._network.__dict__["skip"]
    assert model.skip_coef_ is None
    assert_array_equal(model.predict_proba(X), expected)


# ------------------------------------------------- a linear model, where nothing hides

# So strong on the matrices of the network that these are zero.
NONE_HIDDEN = [1e3, 1e3]


@pytest.mark.parametrize("alpha", [0.1, 100.0])
def test_with_the_hidden_part_at_zero_it_is_ridge(alpha):
    X, y = diabetes()
    model = RegularizedMLPRegressor(
        (5,),
        l1=[*NONE_HIDDEN, 0.0],
        l2=[0.0, 0.0, alpha / len(X)],
        standardize_target=False,
        **SOLVED,
    ).fit(X, y)
    assert not any(W.any() for W in model.coefs_)
    ridge = Ridge(alpha=alpha).fit(X, y)
    assert_allclose(model.skip_coef_[:, 0], ridge.coef_, rtol=1e-6, atol=1e-6)
    assert_allclose(model.intercepts_[-1], ridge.intercept_, rtol=1e-9)


def test_with_the_hidden_part_at_zero_it_is_the_lasso():
    X, y = diabetes()
    model = RegularizedMLPRegressor(
        (5,), l1=[*NONE_HIDDEN, 5.0], l2=0.0, standardize_target=False, **SOLVED
    ).fit(X, y)
    lasso = Lasso(alpha=5.0, tol=1e-12, max_iter=100_000).fit(X, y)
    assert_array_equal(model.skip_coef_[:, 0] != 0, lasso.coef_ != 0)
    assert_allclose(model.skip_coef_[:, 0], lasso.coef_, rtol=1e-6, atol=1e-8)


def test_with_the_hidden_part_at_zero_it_is_logistic_regression():
    X, y = breast_cancer()
    model = RegularizedMLPClassifier(
        (5,), l1=[*NONE_HIDDEN, 0.0], l2=[0.0, 0.0, 1 / len(X)], **SOLVED
    ).fit(X, y)
    logistic = LogisticRegression(C=1.0, tol=1e-12, max_iter=100_000).fit(X, y)
    assert_allclose(model.skip_coef_[:, 0], logistic.coef_[0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_without_an_active_unit_it_trains_as_a_network_without_hidden_layer(solver):
    """Units whose ReLU never lets anything through have no gradient, and pass none."""
    X, y = iris()
    given = {
        "solver": solver,
        "l1": 0.1,
        "l2": 0.0,
        "max_iter": 20,
        "batch_size": 16,
        "dtype": "float64",
        "random_state": 0,
        "learning_rate_init": 0.01,
        "warm_start": True,
    }
    linear = RegularizedMLPClassifier((), **given)
    model = RegularizedMLPClassifier((4,), skip=True, **given)
    for estimator in [linear, model]:
        estimator.set_params(learning_rate_init=1e-300, max_iter=1).fit(X, y)
        # the state of the optimizer is what a first step finds
        estimator._state.optimizer = None
        estimator.set_params(learning_rate_init=0.01, max_iter=20)
    for W in model.coefs_:
        W[:] = 0
    model.intercepts_[0][:] = -1e6
    linear.coefs_[0][:] = 0
    # the draws of the initial weights came before the key of the shuffles, which is
    # the same for both
    assert model._state.key == linear._state.key
    linear.fit(X, y), model.fit(X, y)
    assert_allclose(model.skip_coef_, linear.coefs_[0], rtol=1e-12, atol=1e-14)
    assert (model.skip_coef_ == 0).any()
    assert_allclose(model.intercepts_[1], linear.intercepts_[0], rtol=1e-12)


# ----------------------------------------------------------------------------- bits


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("n_outputs", [1, 2, 40])
@pytest.mark.parametrize("csr", [False, True], ids=["dense", "csr"])
def test_a_row_alone_is_predicted_with_the_same_bits(csr, n_outputs, dtype):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 60)).astype(dtype)
    model = RegularizedMLPRegressor((5,), skip=True, max_iter=1, dtype=dtype)
    model.fit(X, np.squeeze(rng.normal(size=(300, n_outputs))))
    model.skip_coef_[:] = rng.normal(size=model.skip_coef_.shape)
    given = sparse.csr_array(X) if csr else X
    together = model.predict(given)
    for rows in [slice(5, 6), slice(0, 7), slice(17, 280)]:
        assert_array_equal(model.predict(given[rows]), together[rows])


@both_estimators
@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
def test_csr_trains_as_dense_does(Estimator, solver):
    model = Estimator(
        (6,), skip=True, solver=solver, l1=1e-3, max_iter=5, batch_size=16,
        dtype="float64", random_state=0, weight_averaging=None,
    )  # fmt: skip
    X, y = data_for(model)
    X = X * (X > 0.3)
    dense = clone(model).fit(X, y)
    model.fit(sparse.csr_array(X), y)
    assert model.skip_coef_.any()
    assert_allclose(all_weights(model), all_weights(dense), rtol=1e-7, atol=1e-9)


# ----------------------------------------------------------- what else sees the weights


def test_the_objective_has_its_own_strengths_for_it():
    X, y = diabetes()
    y = (y - y.mean()) / y.std()
    model = RegularizedMLPRegressor(
        (4,), solver="lbfgs", skip=True, l1=[0.01, 0.02, 0.03], l2=[0.1, 0.2, 0.3],
        standardize_target=False, dtype="float64", max_iter=2000, random_state=0,
    ).fit(X, y)  # fmt: skip
    matrices = [*model.coefs_, model.skip_coef_]
    penalty = sum(
        a * np.abs(W).sum() + b / 2 * (W**2).sum()
        for W, a, b in zip(matrices, model.l1_, model.l2_, strict=True)
    )
    expected = np.mean((y - model.predict(X)) ** 2) / 2 + penalty
    assert model.loss_ == pytest.approx(expected, rel=1e-9)
    assert model.l1_ == [0.01, 0.02, 0.03]


@both_estimators
def test_bounds_and_strengths_reach_it_alone(Estimator):
    model = Estimator((4,), skip=True, max_iter=3, learning_rate_init=0.1)
    X, y = data_for(model)
    model.set_params(max_norm=[np.inf, np.inf, 0.01]).fit(X, y)
    assert np.linalg.norm(model.skip_coef_, axis=0).max() <= 0.01 * (1 + 1e-6)
    assert np.linalg.norm(model.coefs_[1], axis=0).max() > 0.1
    model.set_params(max_norm=None, l1=[0, 0, 1e6]).fit(X, y)
    assert not model.skip_coef_.any()
    assert all(W.all() for W in model.coefs_)


@both_estimators
def test_strengths_that_tune_themselves_have_one_for_it(Estimator):
    model = Estimator(
        (4,), skip=True, l2="auto", early_stopping=True, max_iter=3, random_state=0
    )
    model.fit(*data_for(model))
    assert len(model.l2_) == 3
    assert model.l2_[2] != 1e-4


@both_estimators
@pytest.mark.parametrize("batch_norm", [False, "before", "after"])
def test_the_gradient_by_the_inputs_goes_through_it(Estimator, batch_norm):
    model = Estimator(
        (5,), "tanh", skip=True, batch_norm=batch_norm, max_iter=3, dtype="float64"
    )
    X, y = data_for(model)
    model.fit(X, y)
    X, y = X[:3], y[:3]

    def losses(X):
        if Estimator is RegularizedMLPClassifier:
            return -model.predict_log_proba(X)[np.arange(len(X)), y]
        return ((model.predict(X) - y) / model._target_scale.scale) ** 2 / 2

    h = 1e-6
    expected = np.transpose(
        [(losses(X + h * e) - losses(X - h * e)) / (2 * h) for e in np.eye(X.shape[1])]
    )
    assert_allclose(model.input_gradient(X, y), expected, rtol=1e-5, atol=1e-7)
    model.skip_coef_[:] = 0
    model._network.changed()
    assert not np.allclose(model.input_gradient(X, y), expected, rtol=1e-3)


def test_importances_and_zeros_count_it():
    X, y = iris()
    model = RegularizedMLPClassifier((5,), skip=True, max_iter=2).fit(X, y)
    model.coefs_[0][:] = 0
    model.coefs_[0][0, :2] = 3.0
    model.skip_coef_[:] = 0
    model.skip_coef_[0, 1] = 4.0
    model.skip_coef_[2, 2] = -2.0
    assert_allclose(model.feature_importances_, [np.sqrt(34), 0, 2, 0], rtol=1e-6)
    assert model.zero_share_ == pytest.approx((18 + 10) / (20 + 15 + 12))


# ------------------------------------------------------------------------- refusals


@both_estimators
def test_it_needs_a_hidden_layer(Estimator):
    model = Estimator((), skip=True)
    parts = ["skip=True", "hidden_layer_sizes=()", "Set skip=False"]
    assert_refused(lambda: model.fit(*data_for(model)), ValueError, *parts)


@both_estimators
@pytest.mark.parametrize("name", ["l1", "l2", "max_norm"])
def test_a_sequence_has_one_entry_for_it(Estimator, name):
    model = Estimator((5,), skip=True, **{name: [1.0, 1.0]})
    parts = [f"{name} must be", "the last for skip=True, here 3", "with 2"]
    assert_refused(lambda: model.fit(*data_for(model)), ValueError, *parts)
