"""fine_tune: what is trained, what stays, new classes, and adaptations."""

import copy
import pickle
from functools import cache

import numpy as np
import pytest
from common import (
    assert_refused,
    assert_same_fit,
    diabetes,
    few_epochs,
    iris,
)
from numpy.testing import assert_allclose, assert_array_equal
from plain import RegularizedMLPClassifier, RegularizedMLPRegressor
from scipy import sparse
from scipy.special import logsumexp
from sklearn.base import clone
from sklearn.datasets import load_digits, make_multilabel_classification
from sklearn.exceptions import NotFittedError
from threadpoolctl import threadpool_limits

from skreg import RegularizedMLPClassifierCV
from skreg._network.fine_tuning import METHODS
from skreg.adversarial import AdversarialTraining
from skreg.augmentation import Mixup

pytestmark = few_epochs

all_methods = pytest.mark.parametrize("method", METHODS)
# those that lbfgs can do too
exact_methods = pytest.mark.parametrize(
    "method", [method for method in METHODS if method != "lora"]
)

SETTINGS = {"batch_size": 32, "learning_rate_init": 0.01, "max_iter": 4}


def fit(Estimator, data, hidden=(12, 12), **settings):
    return Estimator(hidden, **SETTINGS | {"random_state": 0} | settings).fit(*data)


@cache
def shared_classifier():
    return fit(RegularizedMLPClassifier, iris())


@cache
def shared_regressor():
    return fit(RegularizedMLPRegressor, diabetes())


@cache
def skipping_classifier():
    return fit(RegularizedMLPClassifier, iris(), skip=True)


@cache
def skipping_regressor():
    return fit(RegularizedMLPRegressor, diabetes(), skip=True)


def shifted(data):
    X, y = data
    return X + 0.5, y


def state_of(estimator):
    """All that there is of an estimator, as bytes."""
    return pickle.dumps(vars(estimator))


def parameters(estimator):
    arrays = [*estimator.coefs_, *estimator.intercepts_]
    return [*arrays, estimator.skip_coef_] if estimator.skip else arrays


both_bases = pytest.mark.parametrize(
    ("base", "data"),
    [
        (shared_classifier, iris),
        (shared_regressor, diabetes),
        (skipping_classifier, iris),
        (skipping_regressor, diabetes),
    ],
    ids=["classifier", "regressor", "skipping classifier", "skipping regressor"],
)


# ------------------------------------------------------------------- what is trained


@both_bases
@all_methods
def test_base_is_left_alone_and_result_is_another(base, data, method):
    base = base()
    before = state_of(base)
    adapted = base.fine_tune(*shifted(data()), method=method)
    assert state_of(base) == before
    assert type(adapted) is type(base)
    assert adapted.n_iter_ == 4
    for ours in parameters(adapted):
        for theirs in parameters(base):
            assert not np.shares_memory(ours, theirs)


@both_bases
@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
@pytest.mark.parametrize(
    ("method", "coefs", "intercepts", "theta"),
    [
        ("head", [False, False, True], [False, False, True], True),
        ("bias", [False, False, False], [True, True, True], False),
        ("full", [True, True, True], [True, True, True], True),
    ],
)
def test_frozen_parameters_keep_their_bits(
    base, data, solver, method, coefs, intercepts, theta
):
    base = base()
    adapted = base.fine_tune(
        *shifted(data()), method=method, solver=solver, l1=1e-3, weight_decay=0.0
    )
    changed = [
        not np.array_equal(ours, theirs)
        for ours, theirs in zip(parameters(adapted), parameters(base), strict=True)
    ]
    assert changed == coefs + intercepts + [theta] * base.skip
    trained = [a.size for a, c in zip(parameters(base), changed, strict=True) if c]
    assert adapted.n_trained_parameters_ == sum(trained)


def test_all_regularizers_leave_frozen_parameters():
    X, y = shifted(iris())
    base = shared_classifier()
    adapted = base.fine_tune(
        X,
        y,
        method="head",
        l1=1e-3,
        l2=1e-2,
        weight_decay=0.1,
        max_norm=0.1,
        max_grad_norm=0.5,
        dropout=0.3,
        input_dropout=0.1,
        label_smoothing=0.1,
        weight_averaging="ema",
    )
    for l in (0, 1):
        assert_array_equal(adapted.coefs_[l], base.coefs_[l])
        assert_array_equal(adapted.intercepts_[l], base.intercepts_[l])
    assert np.linalg.norm(adapted.coefs_[2], axis=0).max() < 0.11


def test_adapters_stand_behind_hidden_layers():
    base = shared_classifier()
    adapted = base.fine_tune(*shifted(iris()), method="adapter", width=3)
    shapes = [(4, 12), (12, 3), (3, 12), (12, 12), (12, 3), (3, 12), (12, 3)]
    assert [W.shape for W in adapted.coefs_] == shapes
    for l, k in [(0, 0), (3, 1)]:
        assert_array_equal(adapted.coefs_[l], base.coefs_[k])
        assert_array_equal(adapted.intercepts_[l], base.intercepts_[k])
    in_one = 12 * 3 + 3 + 3 * 12 + 12
    assert adapted.n_trained_parameters_ == 2 * in_one + 12 * 3 + 3


def relu(z):
    return np.maximum(z, 0)


@pytest.mark.parametrize("skip", [False, True])
@pytest.mark.parametrize("residual", [False, True])
def test_adapter_formula(residual, skip):
    X, y = diabetes()
    base = fit(
        RegularizedMLPRegressor,
        (X, y),
        residual=residual,
        skip=skip,
        dtype="float64",
        standardize_target=False,
    )
    adapted = base.fine_tune(X, y + 50, method="adapter", width=2)
    (W0, D0, U0, W1, D1, U1, w), (a0, d0, u0, a1, d1, u1, c) = (
        adapted.coefs_,
        adapted.intercepts_,
    )
    h = relu(X @ W0 + a0)
    h = h + relu(h @ D0 + d0) @ U0 + u0
    g = relu(h @ W1 + a1) + (h if residual else 0)
    g = g + relu(g @ D1 + d1) @ U1 + u1
    f = g @ w + c
    if skip:
        # adapters leave the line from the inputs
        assert_array_equal(adapted.skip_coef_, base.skip_coef_)
        f = f + X @ base.skip_coef_
    assert_allclose(adapted.predict(X), f.ravel(), rtol=1e-10)


@all_methods
def test_training_starts_from_what_the_base_predicts(method):
    X, y = diabetes()
    for settings in [
        {},
        {"batch_norm": True},
        {"batch_norm": "after"},
        {"skip": True},
        {"skip": True, "batch_norm": True},
    ]:
        base = fit(RegularizedMLPRegressor, (X, y), dtype="float64", **settings)
        adapted = base.fine_tune(
            X, y, method=method, learning_rate_init=1e-12, max_iter=1
        )
        assert_allclose(adapted.predict(X), base.predict(X), rtol=1e-6)


@all_methods
def test_batch_norm_is_folded(method):
    base = fit(RegularizedMLPClassifier, iris(), batch_norm=True)
    adapted = base.fine_tune(*shifted(iris()), method=method)
    if method in ("head", "bias"):
        assert_array_equal(adapted.coefs_[0], base.folded_coefs_[0])
    assert_array_equal(adapted.coefs_[0], adapted.folded_coefs_[0])
    assert adapted.batch_norm is True
    assert clone(adapted).fit(*iris()).n_trained_parameters_ == 12 * (
        4 + 12 + 2 + 4
    ) + (13 * 3)


@all_methods
def test_it_learns(method):
    X, y = load_digits(return_X_y=True)
    X = X / 16
    base = fit(RegularizedMLPClassifier, (X[:900], y[:900]), (40,), max_iter=20)
    moved = np.roll(X.reshape(-1, 8, 8), 1, axis=2).reshape(len(X), -1)
    adapted = base.fine_tune(moved[:900], y[:900], method=method, max_iter=20)
    # biases alone move least
    gain = 0.02 if method == "bias" else 0.2
    assert adapted.score(moved[900:], y[900:]) > base.score(moved[900:], y[900:]) + gain


def test_full_without_changes_is_more_training():
    """From the same start, with the same key, `full` is what partial_fit does."""
    X, y = iris()
    base = RegularizedMLPClassifier(random_state=0, l2=0.0, **SETTINGS).fit(X, y)
    adapted = base.fine_tune(X, y, method="full", max_iter=1)
    again = copy.deepcopy(base)
    again._state.optimizer = None
    again._state.history.epochs_ever = 0
    assert_array_equal(again.partial_fit(X, y).coefs_[0], adapted.coefs_[0])


# ------------------------------------------------------------------------ the pull


@exact_methods
def test_infinite_pull_keeps_the_weights(method):
    X, y = shifted(diabetes())
    base = fit(RegularizedMLPRegressor, (X, y), solver="lbfgs", dtype="float64")
    free = base.fine_tune(X, y + 100, method=method)
    kept = base.fine_tune(X, y + 100, method=method, l2_sp=1e8, l2=0.0)
    assert_allclose(kept.predict(X), base.predict(X), rtol=1e-4)
    assert not np.allclose(free.predict(X), base.predict(X), rtol=1e-2)


def test_pull_of_a_linear_model_is_ridge_around_the_old_weights():
    """min 1/2n ||y - Xw - b||^2 + a/2 (||w - w0||^2 + (b - b0)^2), in closed form."""
    X, y = diabetes()
    settings = {"l2": 0.0, "standardize_target": False, "dtype": "float64"}
    base = fit(
        RegularizedMLPRegressor, (X, y), (), solver="lbfgs", **settings, tol=1e-10
    )
    a, n, t = 0.3, len(X), y[::-1]
    base.set_params(max_iter=500)
    adapted = base.fine_tune(X, t, method="full", l2_sp=a)
    Z = np.column_stack([X, np.ones(n)])
    start = np.append(base.coefs_[0], base.intercepts_[0])
    best = np.linalg.solve(Z.T @ Z / n + a * np.eye(11), Z.T @ t / n + a * start)
    assert_allclose(
        np.append(adapted.coefs_[0], adapted.intercepts_[0]), best, rtol=1e-6
    )
    value = np.mean((t - Z @ best) ** 2) / 2 + a / 2 * np.sum((best - start) ** 2)
    assert_allclose(adapted.loss_, value)


@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_stochastic_solvers_pull_too(solver):
    X, y = shifted(diabetes())
    base = shared_regressor()

    def moved(l2_sp):
        adapted = base.fine_tune(
            X,
            y + 100,
            method="full",
            l2_sp=l2_sp,
            solver=solver,
            learning_rate="one_cycle",
            max_iter=20,
        )
        return sum(
            np.sum((a - b) ** 2.0)
            for a, b in zip(parameters(adapted), parameters(base), strict=True)
        )

    assert moved(10.0) < 0.05 * moved(0.0)


# -------------------------------------------------------------------------- low rank


def test_low_rank_changes():
    X, y = load_digits(return_X_y=True)
    base = fit(RegularizedMLPClassifier, (X / 16, y), (50, 2), max_iter=2)
    adapted = base.fine_tune(X / 16, y[::-1], method="lora", rank=3)
    changes = [a - b for a, b in zip(adapted.coefs_, base.coefs_, strict=True)]
    # the factors of the narrow layer would have more numbers than it has
    assert [np.linalg.matrix_rank(c, tol=1e-5) for c in changes] == [3, 2, 2]
    for ours, theirs in zip(adapted.intercepts_[:2], base.intercepts_[:2], strict=True):
        assert_array_equal(ours, theirs)
    assert adapted.n_trained_parameters_ == 3 * (64 + 50) + 50 * 2 + 2 * 10 + 10


def test_low_rank_is_merged():
    X, y = shifted(diabetes())
    base = shared_regressor()
    adapted = base.fine_tune(X, y, method="lora", rank=2, scale=6.0)
    low_rank = adapted._fine_tuning.low_rank
    for l, (A, B) in low_rank.by_layer().items():
        assert A.shape == (base.coefs_[l].shape[0], 2)
        assert B.shape == (2, base.coefs_[l].shape[1])
        assert_allclose(
            adapted.coefs_[l], base.coefs_[l] + 3.0 * (A @ B), rtol=1e-5, atol=1e-6
        )
    assert list(low_rank.by_layer()) == [0, 1]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("early_stopping", [False, True])
def test_weights_are_the_bits_of_one_merge(dtype, early_stopping):
    """Those of the sums in a fixed order, which attach makes too; not the kernels'."""
    X, y = shifted(diabetes())
    base = fit(RegularizedMLPRegressor, (X, y), (40, 30), dtype=dtype, skip=True)
    adapted = base.fine_tune(
        X, -y, method="lora", scale=3.0, early_stopping=early_stopping
    )
    for _ in range(2):
        for l, (A, B) in adapted._fine_tuning.low_rank.by_layer().items():
            change = np.zeros(base.coefs_[l].shape)
            for k in range(A.shape[1]):
                change += A[:, k, None].astype(float) * B[k].astype(float)
            merged = (base.coefs_[l] + 0.75 * change).astype(dtype)
            assert_array_equal(adapted.coefs_[l], merged, strict=True)
        adapted.set_params(early_stopping=False).partial_fit(X, y)


def test_low_rank_trains_the_line_as_a_whole():
    X, y = shifted(diabetes())
    base = fit(RegularizedMLPRegressor, (X, y), (40, 40), skip=True)
    adapted = base.fine_tune(X, -y, method="lora", rank=2)
    low_rank = adapted._fine_tuning.low_rank
    assert low_rank.ranks == [2, 2, 0]
    in_factors = 2 * (10 + 40) + 2 * (40 + 40)
    assert adapted.n_trained_parameters_ == in_factors + 40 + 1 + 10
    assert (adapted.skip_coef_ != base.skip_coef_).all()


# --------------------------------------------------------- the line from the inputs


def test_strengths_of_the_line():
    """The last of l1, l2 and max_norm is its own, however many layers come in."""
    X, y = shifted(iris())
    base = fit(RegularizedMLPClassifier, (X, y), skip=True)
    of_layers, of_line = [0.0, 0.0, 1e-3], 10.0
    given = {"l1": [*of_layers, of_line], "max_norm": [1.0, 2.0, 3.0, np.inf]}
    adapted = base.fine_tune(X, y, method="head", **given, max_iter=20)
    assert adapted.coefs_[-1].any()
    assert not adapted.skip_coef_.any()
    # where it is frozen it is not penalised
    adapted = base.fine_tune(X, y, method="adapter", **given, l2=[0, 0, 0, 1e6])
    assert_array_equal(adapted.skip_coef_, base.skip_coef_)
    assert adapted.l1_ == [0, 0, 0, 0, 0, 0, 1e-3, of_line]
    settings = adapted._read_settings(True)
    assert settings.max_norm == [1, 1, 1, 2, 2, 2, 3, np.inf]
    last = 1e-3 * np.abs(adapted.coefs_[-1], dtype=float).sum()
    penalty = adapted._fine_tuning.penalty(adapted._network, settings)
    assert_allclose(penalty, last, rtol=1e-6)


@exact_methods
def test_pull_holds_the_line_too(method):
    X, y = shifted(diabetes())
    base = fit(RegularizedMLPRegressor, (X, y), dtype="float64", skip=True)
    given = {"method": method, "l2": 0.0, "solver": "lbfgs"}
    kept = base.fine_tune(X, -y, l2_sp=1e8, **given)
    assert_allclose(kept.skip_coef_, base.skip_coef_, atol=1e-6)
    free = base.fine_tune(X, -y, **given)
    moves = method in ("head", "full")
    assert np.allclose(free.skip_coef_, base.skip_coef_, atol=1e-3) != moves


@all_methods
def test_new_classes_of_a_base_with_a_line(method):
    """Their columns start at zero; all are trained, as the last layer is."""
    X, y = load_digits(return_X_y=True)
    X, y = X[:400] / 16, y[:400]
    for known in [[0, 1], [2, 5, 7]]:
        rows = np.isin(y, known)
        base = fit(RegularizedMLPClassifier, (X[rows], y[rows]), (20,), skip=True)
        given = {"method": method, "l2": 0.0}
        start = base.fine_tune(X, y, learning_rate_init=1e-12, max_iter=1, **given)
        p = start.predict_proba(X)[:, known]
        assert_allclose(
            p / p.sum(axis=1, keepdims=True), base.predict_proba(X), atol=1e-5
        )
        new = np.setdiff1d(np.arange(10), known)
        assert_allclose(start.skip_coef_[:, new], 0, atol=1e-9)
        adapted = base.fine_tune(X, y, **given)
        assert np.abs(adapted.skip_coef_ - start.skip_coef_).max(axis=0).min() > 0
        again = adapted.adaptation_.attach(base)
        assert_same_fit(again, adapted)


def test_base_with_another_line_is_refused():
    base = skipping_classifier()
    adaptation = base.fine_tune(*iris(), method="bias").adaptation_
    other = copy.deepcopy(base)
    other.skip_coef_[0, 0] = np.nextafter(other.skip_coef_[0, 0], np.float32(9))
    assert_refused(lambda: adaptation.attach(other), ValueError, "belongs to")
    adapted = adaptation.attach(base)
    adapted.set_params(skip=False)
    assert_refused(lambda: adapted.partial_fit(*iris()), ValueError, "skip", "True")


# ---------------------------------------------------------------- groups of features


def outgoing(estimator):
    """Weights that lead out of the features, side by side."""
    W = estimator.coefs_[0]
    return np.hstack([W, estimator.skip_coef_]) if estimator.skip else W


@both_bases
def test_groups_of_features_drop_out(base, data):
    X, y = shifted(data())
    labels = np.arange(X.shape[1]) // 2
    base = base()
    given = {"method": "full", "feature_groups": labels, "l2": 0.0, "max_iter": 30}
    adapted = base.fine_tune(X, y, group_l1=0.1, **given)
    W = outgoing(adapted).astype(float)
    lengths = np.sqrt([np.sum(W[labels == g] ** 2) for g in np.unique(labels)])
    sizes = np.bincount(labels) * W.shape[1]
    penalty = 0.1 * np.sqrt(sizes) @ lengths
    settings = adapted._for_features(adapted._read_settings(True), X.shape[1])
    assert_allclose(adapted._fine_tuning.penalty(adapted._network, settings), penalty)
    gone = base.fine_tune(X, y, group_l1=10.0, **given)
    assert not outgoing(gone).any()
    again = gone.adaptation_.attach(base)
    assert_same_fit(again, gone)


@pytest.mark.parametrize(
    ("method", "skip"),
    [
        ("head", False),
        ("bias", False),
        ("bias", True),
        ("adapter", False),
        ("adapter", True),
    ],
)
@pytest.mark.parametrize("solver", ["adam", "sgd"])
@pytest.mark.parametrize("csr", [False, True])
@pytest.mark.parametrize("max_grad_norm", [None, 0.5])
def test_groups_of_frozen_weights_are_left_alone(
    method, skip, solver, csr, max_grad_norm
):
    X, y = shifted(iris())
    base = skipping_classifier() if skip else shared_classifier()
    X = sparse.csr_array(X) if csr else X
    given = {"method": method, "solver": solver, "max_grad_norm": max_grad_norm}
    given |= {"max_norm": 5.0, "l2": 0.0, "weight_averaging": "ema"}
    free = base.fine_tune(X, y, **given)
    bound = {"hierarchy": 1e-6, "max_norm": None} if skip else {}
    adapted = base.fine_tune(X, y, **given | bound, group_l1=100.0)
    assert_array_equal(outgoing(adapted), outgoing(base))
    # no step has another size, and no penalty is counted
    if not skip:
        assert_same_fit(adapted, free)
    assert adapted.loss_ < 10


def test_hierarchy_holds_for_what_is_fine_tuned():
    X, y = shifted(iris())
    base = fit(RegularizedMLPClassifier, (X, y), skip=True, hierarchy=2.0)
    for rows in [y >= 0, y < 2]:
        adapted = base.fine_tune(
            X[rows], y[rows], method="full", group_l1=0.05, max_iter=20
        )
        bound = 2.0 * np.linalg.norm(adapted.skip_coef_, axis=1)
        largest = np.abs(adapted.coefs_[0]).max(axis=1)
        assert (largest <= bound * (1 + 1e-6)).all()
        assert largest.max() > 0


@pytest.mark.parametrize("given", [{"group_l1": 0.1}, {"hierarchy": 1.0}], ids=str)
def test_groups_that_are_trained_in_part_are_refused(given):
    (name,) = given
    X, y = iris()
    base = skipping_classifier()
    for method in ("head", "lora"):
        assert_refused(
            lambda method=method: base.fine_tune(X, y, method=method, **given),
            ValueError,
            f"{name}={given[name]}",
            f"method='{method}'",
        )
    # new classes need the line, and the first matrix stays
    known = fit(RegularizedMLPClassifier, (X[y < 2], y[y < 2]), skip=True)
    assert_refused(
        lambda: known.fine_tune(X, y, method="bias", **given), ValueError, name, "full"
    )
    assert known.fine_tune(X, y, method="full", **given).score(X, y) > 0
    # what goes on is checked too
    adapted = base.fine_tune(X, y, method="head").set_params(**given)
    assert_refused(lambda: adapted.partial_fit(X, y), ValueError, name, "full")
    low = base.fine_tune(X, y, method="lora").set_params(max_norm=1.0)
    assert_refused(lambda: low.partial_fit(X, y), ValueError, "lora", "max_norm")


# ----------------------------------------------------------------------- new classes


@pytest.mark.parametrize("known", [[0, 1], [0, 2], [1, 2]])
@all_methods
def test_new_class_of_a_binary_base(known, method):
    X, y = iris()
    rows = np.isin(y, known)
    base = fit(RegularizedMLPClassifier, (X[rows], y[rows]))
    adapted = base.fine_tune(X, y, method=method)
    assert_array_equal(adapted.classes_, [0, 1, 2])
    assert adapted.predict_proba(X).shape == (150, 3)
    assert adapted.out_activation_ == "softmax"
    longer = adapted.fine_tune(
        X, y, method=method, max_iter=60, learning_rate_init=0.05
    )
    # two classes are two thirds
    assert longer.score(X, y) > 0.7


@pytest.mark.parametrize("known", [[0, 1], [2, 5, 7], [1, 9]])
def test_old_classes_keep_their_odds_and_new_ones_start_at_their_shares(known):
    X, y = load_digits(return_X_y=True)
    X = X / 16
    rows = np.isin(y, known)
    base = fit(RegularizedMLPClassifier, (X[rows], y[rows]), (20,), dtype="float64")
    weights = np.random.default_rng(0).uniform(0, 2, len(y)).round()
    start = base.fine_tune(X, y, weights, learning_rate_init=1e-12, max_iter=1, l2=0.0)
    p = start.predict_proba(X)
    old = p[:, known]
    assert_allclose(
        old / old.sum(axis=1, keepdims=True), base.predict_proba(X), atol=1e-7
    )
    # the mean log odds of a new class against the old
    odds = np.log(p) - np.log(old.sum(axis=1, keepdims=True))
    mean = np.average(odds, axis=0, weights=weights)
    shares = np.bincount(y, weights=weights)
    expected = np.log(shares / shares[known].sum())
    new = np.setdiff1d(np.arange(10), known)
    assert_allclose(mean[new], expected[new], atol=1e-6)


def test_only_new_rows_and_texts():
    X, y = iris()
    names = np.array(["b", "d", "a"])[y]
    base = fit(RegularizedMLPClassifier, (X[y < 2], names[y < 2]))
    adapted = base.fine_tune(X[y == 2], names[y == 2], max_iter=50)
    assert adapted.classes_.tolist() == ["a", "b", "d"]
    assert (adapted.predict(X[y == 2]) == "a").all()
    assert_array_equal(base.classes_, ["b", "d"])


def test_rows_without_weight_bring_a_class_too():
    """y alone defines the classes; what has no rows in use is not predicted."""
    X, y = iris()
    base = fit(RegularizedMLPClassifier, (X[y < 2], y[y < 2]))
    adapted = base.fine_tune(X, y, (y < 2) * 1.0)
    assert_array_equal(adapted.classes_, [0, 1, 2])
    assert adapted.predict_proba(X)[y < 2, 2].max() < 0.01


def test_class_weight_and_fewer_classes():
    X, y = iris()
    base = shared_classifier()
    adapted = base.fine_tune(X[y > 0], y[y > 0], class_weight="balanced")
    assert_array_equal(adapted.classes_, [0, 1, 2])


def test_multilabel():
    X, Y = make_multilabel_classification(80, random_state=0)
    base = fit(RegularizedMLPClassifier, (X, Y))
    adapted = base.fine_tune(X, Y, method="bias")
    assert adapted.predict(X).shape == Y.shape
    assert_refused(lambda: base.fine_tune(X, Y[:, :3]), ValueError, "(80, 3)")
    assert_refused(lambda: base.fine_tune(X, Y[:, 0]), ValueError, "(80,)")


# ------------------------------------------------------------------------ regressors


def test_regressor_keeps_scale_and_outputs():
    X, y = diabetes()
    Y = np.column_stack([y, -y])
    base = fit(RegularizedMLPRegressor, (X, Y))
    adapted = base.fine_tune(X, 2 * Y, method="full")
    assert_array_equal(adapted._target_scale.mean, Y.mean(axis=0))
    assert adapted.predict(X).shape == Y.shape
    assert_refused(lambda: base.fine_tune(X, y), ValueError, "1 outputs, but 2")


@pytest.mark.parametrize("loss", ["poisson", "gamma", "huber", "quantile"])
def test_losses(loss):
    X, y = diabetes()
    base = fit(RegularizedMLPRegressor, (X, y), loss=loss)
    assert base.fine_tune(X, y + 1, method="bias").score(X, y) > -1


# ------------------------------------------------------- strengths chosen by a path


def test_network_of_a_cross_validated_choice():
    X, y = iris()
    chosen = RegularizedMLPClassifierCV(
        (8,), alphas=[1e-3, 1e-2], cv=2, **SETTINGS, random_state=0
    ).fit(X, y)
    assert not hasattr(chosen, "fine_tune")
    assert not hasattr(chosen, "adaptation_")
    base = chosen.path_.estimator(chosen.best_index_)
    adapted = base.fine_tune(*shifted((X, y)), method="bias")
    assert_array_equal(adapted.coefs_[0], chosen.coefs_[0])
    assert adapted.l1 == chosen.alpha_
    # it makes a network like its base, which the other is not
    adaptation = adapted.adaptation_
    assert_refused(lambda: adaptation.attach(chosen), ValueError, "belongs to")
    assert_same_fit(adaptation.attach(base), adapted)


# ------------------------------------------------------------ all that may go with it


@all_methods
@pytest.mark.parametrize("skip", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_sparse_X_gives_what_dense_X_gives(method, dtype, skip):
    X, y = load_digits(return_X_y=True)
    X, y = X[:300] / 16, y[:300]
    base = fit(RegularizedMLPClassifier, (X, y), (20,), dtype=dtype, skip=skip)
    dense = base.fine_tune(X, y, method=method)
    from_csr = base.fine_tune(sparse.csr_matrix(X), y, method=method)
    tolerance = 1e-3 if dtype == "float32" else 1e-9
    assert_allclose(from_csr.predict_proba(X), dense.predict_proba(X), atol=tolerance)
    assert dense.coefs_[0].dtype == dtype


@all_methods
def test_early_stopping_keeps_the_best_epoch(method):
    X, y = iris()
    base = shared_classifier()
    for given in [{}, {"X_val": X[::2], "y_val": y[::2]}]:
        adapted = base.fine_tune(
            X, y, method=method, early_stopping=True, max_iter=10, **given
        )
        assert len(adapted.validation_scores_) == adapted.n_iter_
    # the weights are those of the best epoch
    codes = np.log(adapted.predict_proba(X[::2]))[np.arange(75), y[::2]]
    assert_allclose(-codes.mean(), -adapted.best_validation_score_, rtol=1e-4)


@all_methods
def test_adversarial_and_augmented(method):
    adapted = shared_classifier().fine_tune(
        *iris(),
        method=method,
        adversarial=AdversarialTraining(0.1, clean_weight=0.5),
        augmentation=Mixup(0.2),
    )
    assert np.isfinite(adapted.loss_)


@all_methods
def test_threads_do_not_matter(method):
    X, y = load_digits(return_X_y=True)
    base = fit(RegularizedMLPClassifier, (X / 16, y), (200,), batch_size=600, skip=True)
    with threadpool_limits(1):
        one = base.fine_tune(X / 16, y, method=method)
    assert_same_fit(base.fine_tune(X / 16, y, method=method), one)


def test_regularizers_that_tune_themselves():
    base = shared_classifier()
    adapted = base.fine_tune(*iris(), method="head", l2="auto", early_stopping=True)
    assert len(adapted.l2_) == 3


@pytest.mark.parametrize("name", ["ema", "swa"])
@exact_methods
def test_averages(method, name):
    base = shared_classifier()
    adapted = base.fine_tune(*iris(), method=method, weight_averaging=name)
    assert adapted.n_iter_ == 4


# ----------------------------------------------------------------------- afterwards


@both_bases
@all_methods
def test_partial_fit_goes_on_adapting(base, data, method):
    X, y = shifted(data())
    base = base()
    uninterrupted = base.fine_tune(X, y, method=method)
    interrupted = pickle.loads(pickle.dumps(uninterrupted))
    for _ in range(2):
        uninterrupted.partial_fit(X, y)
        interrupted = pickle.loads(pickle.dumps(interrupted.partial_fit(X, y)))
    assert_same_fit(interrupted, uninterrupted)
    if method == "head":
        assert_array_equal(interrupted.coefs_[0], base.coefs_[0])


@both_bases
@all_methods
def test_warm_start_goes_on_and_fit_starts_anew(base, data, method):
    X, y = data()
    adapted = base().fine_tune(X, y, method=method, warm_start=True)
    n_trained = adapted.n_trained_parameters_
    adapted.fit(X, y)
    assert adapted.n_trained_parameters_ == n_trained
    assert len(adapted.loss_curve_) == 8
    adapted.set_params(warm_start=False).fit(X, y)
    assert not hasattr(adapted, "adaptation_")
    assert_same_fit(adapted, clone(adapted).fit(X, y))


@all_methods
@pytest.mark.parametrize("base", [shared_classifier, skipping_classifier])
def test_chained(method, base):
    X, y = iris()
    first = base().fine_tune(X, y, method="adapter", width=2)
    second = first.fine_tune(X, y, method=method, width=3)
    assert second.adaptation_.attach(first).score(X, y) == second.score(X, y)
    if method == "adapter":
        widths = [W.shape[1] for W in second.coefs_]
        assert widths == [12, 2, 12, 3, 12, 12, 2, 12, 3, 12, 3]
    else:
        assert len(second.coefs_) == len(first.coefs_)


def test_clone_has_the_parameters_only():
    adapted = shared_classifier().fine_tune(*iris(), max_iter=3, dropout=0.2)
    cloned = clone(adapted)
    assert (cloned.max_iter, cloned.dropout) == (3, 0.2)
    assert_refused(lambda: cloned.predict(iris()[0]), NotFittedError)


# ----------------------------------------------------------------------- adaptations


@both_bases
@all_methods
def test_attached_adaptation_predicts_the_same_bits(base, data, method):
    X, y = data()
    base = base()
    adapted = base.fine_tune(X + 1, y, method=method, dropout=0.1, l2_sp=0.1)
    adaptation = pickle.loads(pickle.dumps(adapted.adaptation_))
    assert adaptation.n_parameters == adapted.n_trained_parameters_
    again = adaptation.attach(pickle.loads(pickle.dumps(base)))
    assert_same_fit(again, adapted)
    assert_array_equal(again.predict(X), adapted.predict(X))
    assert again.get_params() == adapted.get_params()
    assert {name for name in vars(adapted) if name.endswith("_")} == {
        name for name in vars(again) if name.endswith("_")
    }
    # training goes on from the same place with the same pull
    assert_array_equal(again._fine_tuning.start, adapted._fine_tuning.start)
    assert np.isfinite(again.partial_fit(X, y).loss_)
    assert pickle.dumps(again.adaptation_) != pickle.dumps(adaptation)


@all_methods
def test_attached_with_new_classes_and_norms(method):
    X, y = iris()
    base = fit(RegularizedMLPClassifier, (X[y < 2], y[y < 2]), batch_norm="after")
    adapted = base.fine_tune(X, y, method=method)
    again = adapted.adaptation_.attach(base)
    assert_array_equal(again.predict_proba(X), adapted.predict_proba(X))
    assert_array_equal(again.classes_, [0, 1, 2])
    assert_array_equal(base.classes_, [0, 1])


def test_adaptation_is_small():
    X, y = load_digits(return_X_y=True)
    base = fit(RegularizedMLPClassifier, (X / 16, y), (256, 256), max_iter=1)
    of_base = len(pickle.dumps(base))
    sizes = {
        method: len(pickle.dumps(base.fine_tune(X / 16, y, method=method).adaptation_))
        for method in ("head", "bias", "lora", "adapter")
    }
    # four bytes per number, and what says which they are
    assert sizes["bias"] < 4 * (512 + 10) + 4000
    assert sizes["head"] < 4 * 257 * 10 + 4000
    assert max(sizes.values()) < 0.2 * of_base


def test_adaptation_shares_nothing():
    adapted = shared_classifier().fine_tune(*iris(), method="bias")
    adaptation = adapted.adaptation_
    before = pickle.dumps(adaptation)
    adapted.partial_fit(*iris())
    assert pickle.dumps(adaptation) == before
    attached = adaptation.attach(shared_classifier())
    attached.partial_fit(*iris())
    assert pickle.dumps(adaptation) == before


def test_another_base_is_refused():
    X, y = iris()
    base = shared_classifier()
    adaptation = base.fine_tune(X, y).adaptation_
    others = [
        fit(RegularizedMLPClassifier, (X, y), random_state=1),
        shared_regressor(),
        copy.deepcopy(base).partial_fit(X, y),
        fit(RegularizedMLPClassifier, (X, y + 1)),
    ]
    for other in others:
        assert_refused(
            lambda other=other: adaptation.attach(other), ValueError, "belongs to"
        )
    assert_refused(lambda: adaptation.attach(clone(base)), NotFittedError, "not fitted")


# -------------------------------------------------------------------------- refusals


def test_unfitted_is_refused():
    assert_refused(
        lambda: RegularizedMLPClassifier().fine_tune(*iris()), NotFittedError
    )
    assert not hasattr(shared_classifier(), "adaptation_")
    assert not hasattr(RegularizedMLPClassifier(), "adaptation_")


@pytest.mark.parametrize(
    ("given", "parts"),
    [
        ({"method": "prompt"}, ["method", "'prompt'", "lora"]),
        ({"rank": 0}, ["rank", ">= 1", "0"]),
        ({"rank": 2.0}, ["rank", "2.0"]),
        ({"scale": 0.0}, ["scale", "> 0", "0.0"]),
        ({"scale": np.inf}, ["scale", "inf"]),
        ({"width": 0}, ["width", "0"]),
        ({"l2_sp": -1.0}, ["l2_sp", ">= 0", "-1.0"]),
        ({"l2_sp": np.nan}, ["l2_sp", "nan"]),
        ({"hidden_layer_sizes": (5,)}, ["hidden_layer_sizes", "(12, 12)", "(5,)"]),
        ({"dtype": "float64"}, ["dtype", "float32", "float64"]),
        ({"activation": "tanh"}, ["activation", "relu", "tanh"]),
        ({"skip": True}, ["skip", "False", "True"]),
        ({"batch_norm": True}, ["batch_norm"]),
        ({"max_iter": 0}, ["max_iter"]),
        ({"no_such": 0}, ["no_such"]),
        ({"X_val": np.ones((2, 4))}, ["X_val", "y_val"]),
        ({"method": "lora", "solver": "lbfgs"}, ["lora", "lbfgs", "adam"]),
        ({"method": "lora", "max_norm": 1.0}, ["lora", "max_norm"]),
        ({"method": "lora", "weight_averaging": "ema"}, ["lora", "weight_averaging"]),
        (
            {"method": "lora", "l2": "auto", "early_stopping": True},
            ["lora", "l2='auto'"],
        ),
    ],
    ids=str,
)
def test_bad_parameters_are_refused(given, parts):
    base = shared_classifier()
    before = state_of(base)
    assert_refused(lambda: base.fine_tune(*iris(), **given), ValueError, *parts)
    assert state_of(base) == before


def test_changed_base_is_refused():
    base = copy.deepcopy(shared_regressor())
    base.set_params(hidden_layer_sizes=(3,))
    assert_refused(
        lambda: base.fine_tune(*diabetes()), ValueError, "hidden_layer_sizes", "[3]"
    )
    base = copy.deepcopy(shared_regressor())
    base.set_params(loss="poisson")
    assert_refused(lambda: base.fine_tune(*diabetes()), ValueError, "loss", "poisson")
    adapted = shared_regressor().fine_tune(*diabetes(), method="bias")
    adapted.set_params(activation="tanh")
    assert_refused(
        lambda: adapted.partial_fit(*diabetes()), ValueError, "activation", "tanh"
    )


def test_bad_data_is_refused():
    X, y = iris()
    base = shared_classifier()
    assert_refused(lambda: base.fine_tune(X[:, :3], y), ValueError, "3 features")
    assert_refused(
        lambda: base.fine_tune(X, y.astype(str)), ValueError, "numbers", "texts"
    )
    assert_refused(lambda: base.fine_tune(X, y + 0.5), ValueError, "continuous")
    linear = fit(RegularizedMLPClassifier, iris(), ())
    assert_refused(
        lambda: linear.fine_tune(X, y, method="adapter"), ValueError, "adapter", "full"
    )


def test_logsumexp_level():
    """The biases of new outputs, against the formula written out."""
    X, y = iris()
    base = shared_classifier()
    Y = np.where(np.arange(150) % 5 == 0, 7, y)
    adapted = base.fine_tune(X, Y, learning_rate_init=1e-12, max_iter=1, l2=0.0)
    raw = base._network.predict(np.float32(X), raw=True).astype(float)
    expected = np.log(30 / 120) + logsumexp(raw, axis=1).mean()
    assert_allclose(adapted.intercepts_[-1][3], expected, rtol=1e-5)
    assert_allclose(adapted.coefs_[-1][:, 3], 0, atol=1e-9)


@all_methods
def test_sparse_weights_of_an_adapted_network(method):
    X, y = iris()
    adapted = shared_classifier().fine_tune(*shifted((X, y)), method=method)
    thin = copy.deepcopy(adapted).sparsify_weights()
    assert_allclose(thin.predict_proba(X), adapted.predict_proba(X), rtol=1e-4)
    assert thin.n_trained_parameters_ == adapted.n_trained_parameters_
    attached = thin.adaptation_.attach(shared_classifier())
    assert_array_equal(attached.predict_proba(X), adapted.predict_proba(X))
    # training goes on from the weights, of the same parameters
    again = thin.densify().partial_fit(X, y)
    assert np.isfinite(again.loss_)
    if method in ("head", "bias"):
        assert_array_equal(again.coefs_[0], shared_classifier().coefs_[0])
    smaller = adapted.prune()
    assert_allclose(smaller.predict_proba(X), adapted.predict_proba(X), rtol=1e-4)
    assert not hasattr(smaller, "adaptation_")


def test_sparse_weights_are_as_many_parameters():
    base = copy.deepcopy(skipping_classifier())
    n_trained = base.n_trained_parameters_
    assert base.sparsify_weights().n_trained_parameters_ == n_trained


@pytest.mark.parametrize(
    ("change", "remedy"),
    [
        (lambda base: base.sparsify_weights(), "densify"),
        (lambda base: base.prune(), "pruned"),
    ],
)
def test_sparse_and_pruned_networks_are_no_base(change, remedy):
    X, y = iris()
    adaptation = shared_classifier().fine_tune(X, y).adaptation_
    base = change(copy.deepcopy(shared_classifier()))
    assert_refused(lambda: base.fine_tune(X, y), ValueError, remedy)
    assert_refused(lambda: adaptation.attach(base), ValueError, remedy)
