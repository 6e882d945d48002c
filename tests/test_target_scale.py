"""The scale of a regressor's targets: of any size, and when y comes in another."""

import copy
import pickle
import warnings

import numpy as np
import pytest
from common import all_weights, few_epochs
from numpy.testing import assert_allclose, assert_array_equal
from plain import RegularizedMLPClassifier, RegularizedMLPRegressor
from sklearn.metrics import d2_tweedie_score

from skreg import RegularizedMLPRegressorCV, regularization_path
from skreg._problem.target_scale import TargetMoments, TargetScale, last_calls

rng = np.random.default_rng(0)
X = rng.normal(size=(40, 4))
y = X @ [1, 2, 0, -1] + 0.1 * rng.normal(size=40)
TWO = np.column_stack([y, X[:, 0] - y])

# Tiny steps: what is predicted after a call is what was there before it.
STILL = {"learning_rate_init": 1e-20}

# ------------------------------------------------------------- one scale, of any size


@few_epochs
@pytest.mark.parametrize("unit", [2.0**515, 2.0**-560, 2.0**1000, 2.0**-1040])
@pytest.mark.parametrize("params", [{}, {"solver": "lbfgs"}, {"loss": "huber"}])
def test_target_of_extreme_scale(unit, params):
    """2**-1040 is subnormal: about 30 bits are left of y."""
    model = RegularizedMLPRegressor((8,), max_iter=20, random_state=0, **params)
    usual = model.fit(X, TWO).predict(X)
    extreme = model.fit(X, TWO * unit).predict(X) / unit
    assert_allclose(extreme, usual, rtol=1e-3, atol=1e-4)


@few_epochs
def test_target_near_the_largest_number():
    largest = np.finfo(np.float64).max
    model = RegularizedMLPRegressor((), solver="lbfgs", l2=0.0).fit(
        X, np.sign(y) * largest
    )
    assert np.isfinite(model.predict(X)).all()
    assert (np.sign(model.predict(X)) == np.sign(y)).mean() > 0.8


def test_moments_are_weighted_and_scaled():
    weights = rng.uniform(size=40)
    weights[:5] = 0
    found = TargetMoments.of(TWO * 2.0**600, weights)
    mean = np.average(TWO, axis=0, weights=weights)
    deviation = np.sqrt(np.average((TWO - mean) ** 2, axis=0, weights=weights))
    assert_allclose(found.mean / 2.0**600, mean, rtol=1e-12)
    assert_allclose(found.deviation / 2.0**600, deviation, rtol=1e-12)
    assert found.n == 35


def test_moments_of_parts_are_those_of_all():
    parts = [TargetMoments.of(part, None) for part in (TWO[:1], TWO[1:30], TWO[30:])]
    found, expected = TargetMoments.of_all(parts), TargetMoments.of(TWO, None)
    assert_allclose(found.mean, expected.mean)
    assert_allclose(found.deviation, expected.deviation)


@few_epochs
def test_row_of_weight_zero_may_have_any_target():
    weights = np.r_[np.ones(39), 0.0]
    far = np.r_[y[:39], 1e300]
    model = RegularizedMLPRegressor((4,), max_iter=3, random_state=0)
    without = model.fit(X[:39], y[:39]).predict(X)
    assert_array_equal(model.fit(X, far, weights).predict(X), without)


@few_epochs
@pytest.mark.parametrize("unit", [1e300, 1e155, 1e-170])
def test_cv_chooses_the_same_strength_at_any_scale(unit):
    model = RegularizedMLPRegressorCV(
        (), alphas=4, solver="lbfgs", l2=0.0, dtype="float64"
    )
    usual = model.fit(X, y).alpha_
    assert_allclose(model.fit(X, y * unit).alpha_, usual, rtol=1e-9)


@pytest.mark.parametrize(
    ("target", "params", "parts"),
    [
        (y * 1e155, {"loss": "poisson"}, ["y / abs(y).max()", "dtype='float64'"]),
        (y * 1e30, {"loss": "poisson"}, ["poisson", "1.84e+19"]),
        (y * 1e-30, {"loss": "poisson"}, ["poisson", "1.08e-19"]),
        (y * 1e-60, {"loss": "gamma"}, ["gamma", "1.18e-38"]),
        (y * 1e30, {"standardize_target": False}, ["set standardize_target=True"]),
        (y * 1e-30, {"standardize_target": False}, ["set standardize_target=True"]),
        (
            y * 1e200,
            {"standardize_target": False, "dtype": "float64"},
            ["set standardize_target=True", "1.34e+154"],
        ),
        (y * 1e60, {"standardize_target": False, "loss": "huber"}, ["huber"]),
    ],
)
def test_target_that_the_dtype_cannot_train_on(target, params, parts):
    model = RegularizedMLPRegressor(**params)
    with pytest.raises(ValueError, match="unit of y") as caught:
        model.fit(X, np.abs(target))
    for part in parts:
        assert part in str(caught.value)
    if model.loss in ("poisson", "gamma"):
        assert "standardize_target" not in str(caught.value)
    assert not hasattr(model, "coefs_")


@few_epochs
def test_gamma_of_any_size_in_float64():
    model = RegularizedMLPRegressor(
        (4,), loss="gamma", dtype="float64", max_iter=5, random_state=0
    )
    usual = model.fit(X, np.abs(y)).predict(X)
    for unit in (2.0**-700, 2.0**700):
        assert_allclose(model.fit(X, np.abs(y) * unit).predict(X) / unit, usual)


def test_validation_target_out_of_reach_is_refused_by_name():
    model = RegularizedMLPRegressor(early_stopping=True)
    with pytest.raises(ValueError, match="standard deviations"):
        model.fit(X, y, X_val=X, y_val=1e60 * y)


# ------------------------------------------------------------------- weights, rates, X

UNEVEN = rng.uniform(0.5, 1, 40)


@few_epochs
@pytest.mark.parametrize("unit", [2.0**1023, 2.0**-1060])
@pytest.mark.parametrize(
    ("Estimator", "params"),
    [
        (RegularizedMLPRegressor, {}),
        (RegularizedMLPRegressor, {"loss": "huber", "standardize_target": False}),
        (RegularizedMLPRegressor, {"loss": "quantile", "standardize_target": False}),
        (RegularizedMLPRegressor, {"early_stopping": True}),
        (RegularizedMLPClassifier, {"class_weight": "balanced"}),
        (RegularizedMLPClassifier, {"class_weight": {0: 2.0}}),
    ],
)
def test_weights_count_by_their_ratios(unit, Estimator, params):
    model = Estimator((4,), max_iter=5, random_state=0, **params)
    target = y if Estimator is RegularizedMLPRegressor else (y > 0).astype(int)
    usual = all_weights(model.fit(X, target, UNEVEN))
    extreme = all_weights(model.fit(X, target, UNEVEN * unit))
    assert_allclose(extreme, usual, rtol=1e-2, atol=1e-3)


@few_epochs
def test_class_weights_count_by_their_ratios():
    model = RegularizedMLPClassifier((4,), max_iter=3, random_state=0)
    model.set_params(class_weight={0: 1.0, 1: 0.5})
    usual = model.fit(X, y > 0, UNEVEN).predict_proba(X)
    model.set_params(class_weight={0: 1e308, 1: 0.5e308})
    assert_allclose(
        model.fit(X, y > 0, 1e3 * UNEVEN).predict_proba(X), usual, rtol=1e-4
    )


def test_weight_of_a_balanced_class_beyond_all_numbers():
    model = RegularizedMLPClassifier(class_weight="balanced")
    with pytest.raises(ValueError, match="weight beyond all numbers"):
        model.fit(X, y > 0, np.where(y > 0, 1.0, 1e-315))


@few_epochs
@pytest.mark.parametrize("power_t", [60.0, 60, 1e300])
def test_rate_of_a_power_beyond_all_numbers_is_zero(power_t):
    model = RegularizedMLPRegressor(
        (4,),
        solver="sgd",
        learning_rate="invscaling",
        power_t=power_t,
        batch_size=1,
        max_iter=3,
    )
    many = np.tile(X, (5000, 1))
    assert model.fit(many, np.tile(y, 5000)).learning_rates_[-1] == 0
    assert np.isfinite(model.predict(X)).all()


@few_epochs
def test_warm_up_of_hardly_any_length_is_none():
    model = RegularizedMLPRegressor((4,), max_iter=2, random_state=0)
    usual = all_weights(model.fit(X, y))
    assert_array_equal(all_weights(model.set_params(warm_up=1e-320).fit(X, y)), usual)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("learning_rate_init", 1e39),
        ("l2", 1e39),
        ("l2", [0.0, 1e300]),
        ("weight_decay", 1e39),
        ("epsilon", 1e-60),
    ],
)
def test_parameter_out_of_the_range_of_the_dtype(name, value):
    model = RegularizedMLPRegressor(**{name: value})
    with pytest.raises(ValueError, match=rf"{name} must .*float32") as caught:
        model.fit(X, y)
    assert repr(value) in str(caught.value)


@few_epochs
@pytest.mark.filterwarnings("ignore:Training diverged")
def test_no_warning_of_numpy_about_large_features():
    """Those of training are skreg's own; a RuntimeWarning would fail here."""
    model = RegularizedMLPRegressor((4,), max_iter=2)
    model.fit(X * 1e36, y).predict(np.where(X > 0, 3e38, -3e38))
    with pytest.raises(ValueError, match="too large for dtype"):
        model.fit(X * 1e39, y)


@few_epochs
def test_paths_of_large_features():
    linear = RegularizedMLPRegressor(
        (), solver="lbfgs", dtype="float64", max_iter=1, l2=0.0
    )
    linear.set_params(solver="adam")
    usual = regularization_path(linear, X, y, param="group_l1", alphas=2).alphas
    with pytest.raises(ValueError, match=r"largest l2 .*StandardScaler"):
        regularization_path(linear, X * 2.0**600, y, param="l2", alphas=2)
    large = regularization_path(linear, X * 2.0**600, y, param="group_l1", alphas=2)
    assert_allclose(large.alphas / 2.0**600, usual)


# ------------------------------------------------------------- y comes in another unit


def stream(*calls, **params):
    model = RegularizedMLPRegressor(random_state=0, **params)
    for rows, target in calls:
        model.partial_fit(rows, target)
    return model


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"solver": "sgd"},
        {"loss": "absolute_error"},
        {"batch_norm": True, "weight_averaging": "ema"},
        {"skip": True, "dtype": "float64"},
    ],
)
@pytest.mark.parametrize(
    ("first", "then"),
    [
        ((X[:1], TWO[:1]), 1e4 * TWO),
        ((X[:1], TWO[:1]), 1e-4 * TWO + 7),
        ((X, 0 * TWO + 5), 1e4 * TWO),
        ((X, TWO), TWO * [1e5, 1e-5]),
        ((X, 1e8 * TWO), TWO),
    ],
)
def test_partial_fit_follows_the_unit(first, then, params):
    params = {"hidden_layer_sizes": (30,), "learning_rate_init": 0.01, **params}
    model = stream(first, *[(X, then)] * 60, **params)
    fresh = stream(*[(X, then)] * 60, **params)
    assert model.score(X, then) > fresh.score(X, then) - 0.1


@few_epochs
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.parametrize("factor", [1e4, 1e-4, 1e60])
def test_warm_start_and_fine_tune_follow_the_unit(factor, solver):
    model = RegularizedMLPRegressor(
        (30,), solver=solver, learning_rate_init=0.01, random_state=0, warm_start=True
    ).fit(X, y)
    before = model.score(X, y)
    for method in ["head", "bias", "full"]:
        adapted = model.fine_tune(X, factor * y, method=method)
        assert adapted.score(X, factor * y) > before - 0.05
    assert model.fit(X, factor * y).score(X, factor * y) > before - 0.05


COUNTS = np.exp(TWO / 4)


def explained(model, target):
    """The share of the deviance of both losses with a log link."""
    predicted = model.predict(X)
    return d2_tweedie_score(target.ravel(), predicted.ravel(), power=1.5)


@few_epochs
@pytest.mark.parametrize(
    ("loss", "params", "unit"),
    [
        ("poisson", {}, 1e4),
        ("poisson", {"hidden_layer_sizes": ()}, 1e-3),
        ("gamma", {"skip": True}, 1e-3),
        ("gamma", {}, [1e3, 1.0]),
    ],
)
def test_log_link_follows_the_unit(loss, params, unit):
    params = {"loss": loss, "learning_rate_init": 0.01, **params}
    then = COUNTS * unit
    for first in ((X[:1], COUNTS[:1]), (X, COUNTS)):
        model = stream(*[first] * 20, *[(X, then)] * 60, **params)
        fresh = stream(*[(X, then)] * 60, **params)
        assert explained(model, then) > explained(fresh, then) - 0.1


@few_epochs
@pytest.mark.parametrize("loss", ["poisson", "gamma"])
@pytest.mark.parametrize("unit", [1e4, 1e-3])
def test_log_link_follows_with_warm_start_and_fine_tune(loss, unit):
    model = RegularizedMLPRegressor(
        (20,), loss=loss, learning_rate_init=0.01, random_state=0, warm_start=True
    ).fit(X, COUNTS)
    before = explained(model, COUNTS)
    for method in ["head", "bias", "lora", "adapter", "full"]:
        adapted = model.fine_tune(X, unit * COUNTS, method=method, max_iter=20)
        assert explained(adapted, unit * COUNTS) > before - 0.2
        # and back, as soon as most of the last calls are of it
        for _ in range(40):
            adapted.partial_fit(X, COUNTS)
        assert explained(adapted, COUNTS) > before - 0.2
    pulled = model.fine_tune(X, unit * COUNTS, method="bias", l2_sp=10.0)
    assert explained(pulled, unit * COUNTS) > before - 0.2
    assert explained(model, COUNTS) == before
    model.fit(X, unit * COUNTS)
    assert explained(model, unit * COUNTS) > before - 0.2


@few_epochs
def test_average_of_a_log_link_follows():
    model = RegularizedMLPRegressor(
        (20,),
        loss="gamma",
        weight_averaging="ema",
        learning_rate_init=0.01,
        random_state=0,
        warm_start=True,
    ).fit(X, COUNTS)
    params = model._state.iterate[0]
    kept = params.copy()
    model.set_params(max_iter=1, **STILL).fit(X, 1e4 * COUNTS)
    assert_array_equal(params, kept)
    assert explained(model, 1e4 * COUNTS) > 0.5
    model.fit(X, 1e4 * COUNTS)
    assert explained(model, 1e4 * COUNTS) > 0.5


@few_epochs
@pytest.mark.parametrize("loss", ["poisson", "gamma"])
def test_log_link_stays_where_predictions_are_right(loss):
    model = RegularizedMLPRegressor(
        (), loss=loss, solver="lbfgs", l2=0.0, warm_start=True, dtype="float64"
    ).fit(X, np.exp(2 * X[:, 0]))
    high = X[:, 0] > 0.8
    bias = model.intercepts_[0].copy()
    model.set_params(solver="adam", max_iter=1, **STILL)
    model.fit(X[high], np.exp(2 * X[high, 0]))
    assert_allclose(model.intercepts_[0], bias)


def test_zeros_alone_are_no_other_unit():
    model = RegularizedMLPRegressor((), loss="poisson", random_state=0, **STILL)
    model.partial_fit(X, COUNTS)
    bias = model.intercepts_[0].copy()
    model.partial_fit(X, 0 * COUNTS)
    model.partial_fit(X, [0.0, 1.0] * COUNTS)
    assert_allclose(model.intercepts_[0], bias, atol=1)


@few_epochs
@pytest.mark.parametrize("loss", ["squared_error", "huber", "absolute_error"])
@pytest.mark.parametrize("then", [1e4 * TWO, 1e-4 * TWO, TWO + 1e5, TWO * [1, 1e5]])
def test_other_unit_without_a_scale_is_said(loss, then):
    model = RegularizedMLPRegressor(
        (20,),
        loss=loss,
        standardize_target=False,
        learning_rate_init=0.01,
        random_state=0,
        warm_start=True,
        max_iter=50,
    ).fit(X, TWO)
    for call in (
        lambda: model.fine_tune(X, then, max_iter=1),
        lambda: copy.deepcopy(model).fit(X, then),
    ):
        with pytest.warns(UserWarning, match="y has changed its unit.*standardize_t"):
            call()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(30):
            model.partial_fit(X, then)
    # where some of the last calls are of it, and where all are
    assert 1 <= len(caught) <= 2


@few_epochs
@pytest.mark.parametrize("factor", [1e4, 1e-4])
@pytest.mark.parametrize("rows", [10, 200])
def test_other_unit_is_said_to_a_network_that_has_hardly_learnt(factor, rows):
    model = RegularizedMLPRegressor((20,), standardize_target=False, random_state=0)
    model.partial_fit(X[:rows], TWO[:rows])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(30):
            model.partial_fit(X, factor * TWO)
    assert any("y has changed its unit" in str(w.message) for w in caught)


@few_epochs
def test_lbfgs_reaches_any_unit_without_a_scale():
    model = RegularizedMLPRegressor(
        (), solver="lbfgs", standardize_target=False, warm_start=True
    ).fit(X, y)
    assert model.fit(X, 1e4 * y).score(X, 1e4 * y) > 0.99


@few_epochs
def test_targets_of_about_the_same_scale_change_nothing():
    """Bit for bit what training in the first scale gives."""
    model = stream((X, y), (X, 2 * y), (X[:3], y[:3] - 1))
    scale = model._target_scale
    assert_array_equal(scale.mean, y.mean())
    assert_array_equal(scale.scale, y.std())


@few_epochs
@pytest.mark.parametrize(
    "params", [{}, {"skip": True}, {"hidden_layer_sizes": ()}, {"solver": "lbfgs"}]
)
def test_following_changes_no_prediction_that_is_right(params):
    """The rows that are left vary little, and the network predicts them well."""
    model = RegularizedMLPRegressor(
        **{"hidden_layer_sizes": (20,), **params},
        dtype="float64",
        learning_rate_init=0.02,
        warm_start=True,
        random_state=0,
    ).fit(X, 100 * X[:, 0])
    close = np.abs(X[:, 0]) < 0.25
    before, target = model.predict(X), model.predict(X)[close]
    scale = model._target_scale
    model.set_params(max_iter=1, tol=1e9, **STILL).fit(X[close], target)
    assert (model._target_scale.scale < scale.scale / 4).all()
    assert_allclose(model.predict(X), before, rtol=1e-9)


@few_epochs
def test_average_and_what_is_trained_are_moved_together():
    model = RegularizedMLPRegressor(
        (8,),
        dtype="float64",
        weight_averaging="ema",
        learning_rate_init=0.02,
        random_state=0,
    ).fit(X, 100 * X[:, 0])
    iterate = copy.deepcopy(model)
    iterate._network.set_weights(model._state.iterate)
    close = np.abs(X[:, 0]) < 0.25
    old, before = model._target_scale, iterate.predict(X)
    model.warm_start = True
    model.set_params(max_iter=1, **STILL)
    model.fit(X[close], before[close])
    assert model._target_scale is not old
    iterate._network.set_weights(model._state.iterate)
    iterate._target_scale = model._target_scale
    assert_allclose(iterate.predict(X), before, rtol=1e-6)


def test_refused_call_leaves_scale_and_weights():
    model = RegularizedMLPRegressor((4,), early_stopping=False, random_state=0)
    model.partial_fit(X, y)
    before, scale = pickle.dumps(all_weights(model)), model._target_scale
    model.hidden_layer_sizes = (5,)
    with pytest.raises(ValueError, match="hidden_layer_sizes"):
        model.partial_fit(X, 1e4 * y)
    assert model._target_scale is scale
    assert pickle.dumps(all_weights(model)) == before


@few_epochs
@pytest.mark.parametrize("method", ["head", "bias", "lora"])
def test_adaptation_knows_its_scale(method):
    base = RegularizedMLPRegressor((8,), max_iter=20, random_state=0).fit(X, y)
    weights = all_weights(base).copy()
    adapted = base.fine_tune(X, 1e5 * y, method=method)
    again = pickle.loads(pickle.dumps(adapted.adaptation_)).attach(base)
    assert_array_equal(again.predict(X), adapted.predict(X))
    assert_array_equal(all_weights(base), weights)
    assert_array_equal(base._target_scale.scale, y.std())


def test_rule_of_following():
    scale = TargetScale(np.zeros(4), np.ones(4))
    moments = TargetMoments(9, np.array([0, 3.9, 5, 0]), np.array([0.26, 0.5, 0, 0.2]))
    new, farther = scale.followed(moments)
    assert farther
    assert_array_equal(new.mean, [0, 0, 5, 0])
    assert_array_equal(new.scale, [1, 1, 1, 0.2])
    assert scale.followed(TargetMoments(9, np.zeros(4), np.zeros(4)))[0] is scale


def test_window_of_calls():
    def lengths(*rows):
        calls = [TargetMoments(n, np.zeros(1), np.ones(1)) for n in rows]
        return [call.n for call in last_calls(calls)]

    assert lengths(*[1] * 150) == [1] * 150
    assert lengths(5000, *[40] * 10) == [40] * 10
    assert lengths(5000, *[10] * 10) == [5000, *[10] * 10]


def test_values_beyond_all_numbers_are_the_largest():
    scale = TargetScale(np.array([0.0]), np.array([1e100]))
    t = np.array([[1e300], [-1e300], [np.inf], [1.0]])
    largest = np.finfo(np.float64).max
    expected = [[largest], [-largest], [np.inf], [1e100]]
    assert_array_equal(scale.invert(t), expected)
