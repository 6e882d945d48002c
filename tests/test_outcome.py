"""What a fit has come to: predictions declare success, and failure is said."""

import re
import warnings

import numpy as np
import pytest
from common import breast_cancer, diabetes, iris
from numpy.testing import assert_allclose, assert_array_equal
from plain import RegularizedMLPClassifier, RegularizedMLPRegressor
from scipy import sparse
from sklearn.datasets import load_diabetes, load_wine, make_regression
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import (
    d2_absolute_error_score,
    d2_log_loss_score,
    d2_pinball_score,
    d2_tweedie_score,
    r2_score,
)
from sklearn.preprocessing import scale

import skreg
from skreg import (
    RegularizedMLPClassifierCV,
    RegularizedMLPRegressorCV,
    regularization_path,
)
from skreg._training.baseline import Baseline
from skreg._training.finiteness import bound_of_outputs
from skreg._training.session import Session
from skreg._training.stochastic import Problem
from skreg.averaging import StochasticWeightAveraging

unconverged = pytest.mark.filterwarnings(
    "ignore:(Training|lbfgs) has not converged after .{1,200}$"
)


def far_off(n=60):
    """Features around 270, and a target that is linear in the first."""
    rng = np.random.default_rng(0)
    X = 270 + 4 * rng.normal(size=(n, 3))
    return X, 0.3 * (X[:, 0] - 270) + 0.1 * rng.normal(size=n)


def near(n=200, p=4, seed=0):
    """The same of order one."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p))
    return X, X[:, 0] + 0.1 * rng.normal(size=n)


def warnings_of(fit):
    """The messages of a fit's ConvergenceWarnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit()
    return [str(w.message) for w in caught if w.category is ConvergenceWarning]


# -------------------------------------------------------------------------- the figures


def baseline(model, X, y):
    """Of an estimator's problem."""
    settings = model._read_settings(False)
    training, settings = model._build(*model._read(X, y, reset=True), None, settings)
    return Baseline(Session(model).problem(training, None, settings)), model._network


@pytest.mark.parametrize(
    ("params", "d2"),
    [
        ({}, r2_score),
        ({"loss": "absolute_error"}, d2_absolute_error_score),
        ({"loss": "quantile", "quantile": 0.9}, d2_pinball_score),
        ({"loss": "poisson"}, d2_tweedie_score),
        ({"loss": "gamma"}, d2_tweedie_score),
    ],
)
def test_share_of_the_constant_s_loss_is_d2_of_scikit_learn(params, d2):
    rng = np.random.default_rng(0)
    y = rng.gamma(2.0, size=30)
    X = rng.normal(size=(30, 2))
    model = RegularizedMLPRegressor((), dtype="float64", **params)
    judge, network = baseline(model, X, y)
    raw = rng.normal(size=(30, 1)) / 2
    predicted = model._target_scale.invert(raw).ravel()
    given = {}
    if network.loss.out_activation == "exp":
        predicted = np.exp(predicted)
        given = {"power": 1 if params["loss"] == "poisson" else 2}
    if "quantile" in params:
        given = {"alpha": 0.9}
    expected = d2(y, predicted, **given)
    # of the quantiles of 30 values there are several
    assert_allclose(judge.explained(judge.of_outputs(raw)), expected, rtol=2e-3)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_share_for_classes_heeds_smoothing(n_classes, smoothing):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 2))
    y = np.arange(40) % n_classes * (rng.random(40) > 0.3)
    model = RegularizedMLPClassifier((), dtype="float64", label_smoothing=smoothing)
    judge, network = baseline(model, X, y)
    raw = rng.normal(size=(40, network.layer_sizes[-1]))
    z = np.hstack([-raw, raw]) / 2 if n_classes == 2 else raw
    log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
    share = (1 - smoothing) * np.eye(n_classes)[y] + smoothing / n_classes
    mean = share.mean(axis=0)
    constant = -(share * np.log(mean)).sum(axis=1).mean()
    entropy = -(share * np.log(np.where(share > 0, share, 1))).sum(axis=1).mean()
    loss = -(share * log_p).sum(axis=1).mean()
    expected = (constant - loss) / (constant - entropy)
    assert_allclose(judge.explained(judge.of_outputs(raw)), expected, rtol=1e-9)
    if not smoothing:
        assert_allclose(expected, d2_log_loss_score(y, np.exp(log_p)), rtol=1e-9)


@unconverged
@pytest.mark.parametrize(
    "params",
    [
        {"hidden_layer_sizes": ()},
        {"activation": "selu", "hidden_layer_sizes": (7, 5)},
        {"residual": True, "hidden_layer_sizes": (6, 6, 6), "skip": True},
        {"batch_norm": True, "activation": "logistic"},
    ],
)
def test_bound_is_one(params):
    X, y = near(50)
    model = RegularizedMLPRegressor(max_iter=3, random_state=0, **params)
    warnings_of(lambda: model.fit(X, y))
    network = model._network
    raw = network.predict(X.astype(np.float32), raw=True)
    assert np.abs(raw).max() <= bound_of_outputs(network, np.abs(X).max()) < 1e6


# --------------------------------------------------------------- failures that are said


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    "params",
    [
        {},
        {"solver": "sgd", "learning_rate_init": 1e-6},
        {"early_stopping": True},
        {"weight_averaging": StochasticWeightAveraging()},
        {"dtype": "float64"},
        {"loss": "huber"},
    ],
)
def test_far_off_features_are_said(seed, params):
    X, y = far_off()
    model = RegularizedMLPRegressor(random_state=seed, **params)
    messages = warnings_of(lambda: model.fit(X, y))
    if model.score(X, y) < 0.8:
        assert len(messages) == 1
        assert re.search("predictions .* are (no better|worse)", messages[0])
        assert re.search("far from zero.*StandardScaler", messages[0])
    assert np.isfinite(model.predict(X)).all()


@pytest.mark.parametrize("make", [np.asarray, sparse.csr_matrix])
def test_one_far_off_column_is_named(make):
    X, y = near(p=5)
    X = make(np.c_[X, np.full(len(X), 2020.0)])
    with pytest.warns(ConvergenceWarning, match=r"Feature 5 \(mean 2.02e\+03.*is far"):
        RegularizedMLPRegressor(random_state=0, max_iter=30).fit(X, y)


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_tiny_features_are_said(solver):
    """Their slopes are weights that the default l2 forbids; scaling mends it."""
    X, y = near()
    model = RegularizedMLPRegressor((8,), solver=solver, random_state=0)
    [said] = warnings_of(lambda: model.fit(1e-4 * X, y))
    assert "All features vary little" in said
    assert "StandardScaler" in said
    scaled = model.set_params(max_iter=1000).fit(scale(1e-4 * X), y)
    assert scaled.score(scale(1e-4 * X), y) > 0.9


def test_features_are_named_by_their_names():
    pandas = pytest.importorskip("pandas")
    X, y = near(p=2)
    X = pandas.DataFrame({"size": X[:, 0], "year": 2000 + X[:, 1]})
    with pytest.warns(ConvergenceWarning, match="'year'"):
        RegularizedMLPRegressor(random_state=0).fit(X, 10 * y)


@pytest.mark.parametrize("seed", range(3))
def test_raw_tables_fit_or_are_said(seed):
    X, y = load_diabetes(return_X_y=True, scaled=False)
    model = RegularizedMLPRegressor(random_state=seed)
    assert warnings_of(lambda: model.fit(X, y)) or model.score(X, y) > 0.4
    X, y = load_wine(return_X_y=True)
    model = RegularizedMLPClassifier(random_state=seed)
    assert warnings_of(lambda: model.fit(X, y)) or model.score(X, y) > 0.9


def test_far_off_features_of_several_outputs_paths_and_fine_tuning_are_said():
    X, y = far_off()
    model = RegularizedMLPRegressor(random_state=1, max_iter=40, learning_rate="cosine")
    assert warnings_of(lambda: model.fit(X, np.c_[y, -y, y]))
    for fit in [
        lambda: regularization_path(model, X, y, alphas=[1e-3, 1e-2, 1e-1]),
        lambda: RegularizedMLPRegressorCV(
            alphas=[1e-3, 1e-2], cv=2, random_state=1, max_iter=40
        ).fit(X, y),
    ]:
        said = [text for text in warnings_of(fit) if "far from zero" in text]
        assert len(said) == 1
    base = RegularizedMLPRegressor(random_state=0).fit(scale(X), y)
    assert any(
        "far from zero" in text
        for text in warnings_of(lambda: base.fine_tune(X, y, method="bias"))
    )


@pytest.mark.parametrize("scales", [(1, 1e3, 1e6), (1e3, 1e4, 1)])
@pytest.mark.parametrize("penalty", ["l1", "group_l1"])
def test_scales_that_a_penalty_of_zeros_does_not_excuse_are_said(penalty, scales):
    X = np.random.default_rng(0).normal(size=(500, 3))
    y = X.sum(axis=1)
    X *= scales
    for hidden in [(), (20,)]:
        model = RegularizedMLPRegressor(hidden, random_state=0, **{penalty: 1e-3})
        messages = warnings_of(lambda model=model: model.fit(X, y))
        assert model.score(X, y) > 0.8 or "StandardScaler" in messages[0]


def test_a_small_feature_that_a_penalty_of_zeros_leaves_out_is_no_fault():
    """A weight of 1e4 would cost more than it is worth."""
    X, y = near(1000)
    y = y + 0.3 * X[:, 1]
    X[:, 1] *= 1e-4
    model = RegularizedMLPRegressor((), solver="lbfgs", l1=1e-3)
    assert not warnings_of(lambda: model.fit(X, y))
    assert model.coef_[1] == 0


@pytest.mark.parametrize("param", ["l1", "group_l1", "l2"])
def test_a_path_of_its_own_range_on_far_off_features_says_so(param):
    X, y = far_off()
    model = RegularizedMLPRegressor((20,), random_state=1, max_iter=40)
    messages = warnings_of(
        lambda: regularization_path(model, X, y, param=param, alphas=4)
    )
    assert ["far from zero" in text for text in messages] == [True]


def test_one_warning_says_both():
    X, y = far_off()
    model = RegularizedMLPRegressor(random_state=2, max_iter=5)
    (message,) = warnings_of(lambda: model.fit(X, y))
    assert "has not converged after max_iter=5" in message
    assert "no better than the best constant" in message


def test_advice_to_train_for_longer_is_given_once():
    X, y = near()
    model = RegularizedMLPRegressor(learning_rate_init=1e-6, max_iter=5, random_state=0)
    (message,) = warnings_of(lambda: model.fit(X, y))
    assert "The network's predictions" in message
    assert message.count("Raise max_iter") == 1


@pytest.mark.parametrize("share", [1e-3, 1e-5, 1e-30])
@pytest.mark.parametrize("early_stopping", [False, True])
def test_a_small_feature_that_is_missed_is_said(share, early_stopping):
    X, y = near(1000)
    y = y - X[:, 1]
    X[:, 0] *= share
    model = RegularizedMLPRegressor(random_state=0, early_stopping=early_stopping)
    (message,) = warnings_of(lambda: model.fit(X, y))
    assert "worse than those of a linear model" in message
    assert "Standard deviations differ by a factor" in message
    assert "StandardScaler" in message


def test_a_small_feature_that_does_not_matter_is_no_fault():
    X, y = near(1000)
    X[:, 1] *= 1e-5
    model = RegularizedMLPRegressor(random_state=0)
    assert not warnings_of(lambda: model.fit(X, y))


@pytest.mark.parametrize("param", ["l1", "l2", "group_l1"])
@pytest.mark.parametrize(
    "Estimator", [RegularizedMLPRegressorCV, RegularizedMLPClassifierCV]
)
def test_the_strength_that_is_chosen_is_judged(Estimator, param):
    X, y = far_off()
    if Estimator is RegularizedMLPClassifierCV:
        y = y > 0
    # a schedule with an end, so that epochs are no excuse
    model = Estimator(
        param=param, alphas=3, cv=3, learning_rate="one_cycle", max_iter=30
    )
    messages = warnings_of(lambda: model.fit(X, y))
    judged = [text for text in messages if text.startswith("The network's predictions")]
    assert len(judged) == 1
    assert "StandardScaler" in judged[0]
    # to be judged, the path's network had other weights for a while
    chosen = model.path_.estimator(model.best_index_)
    assert_array_equal(model.coefs_[0], chosen.coefs_[0])


def test_a_constant_that_is_chosen_for_noise_is_no_fault():
    X = near()[0]
    y = np.random.default_rng(1).normal(size=len(X))
    model = RegularizedMLPRegressorCV(
        alphas=3, cv=3, learning_rate="one_cycle", max_iter=30, random_state=0
    )
    assert not warnings_of(lambda: model.fit(X, y))


def test_what_predictions_are_worth_is_said_first():
    X, y = far_off()
    model = RegularizedMLPRegressor(max_iter=5, random_state=0)
    (message,) = warnings_of(lambda: model.fit(X, y))
    assert message.startswith("The network's predictions")
    assert message.index("StandardScaler") < message.index("has not converged")


@pytest.mark.parametrize("params", [{}, {"solver": "lbfgs"}, {"batch_norm": True}])
def test_targets_that_are_all_the_same_are_predicted_exactly(params):
    X, y = near(100)
    model = RegularizedMLPRegressor(random_state=0, max_iter=1000, **params)
    assert (model.fit(X, np.ones(100)).predict(X) == 1).all()
    model.fit(X, np.c_[y, np.full(100, 7.0)])
    # nothing of it is held where something else is to be learnt
    assert_allclose(model.predict(X)[:, 1], 7, atol=0.2)
    assert r2_score(y, model.predict(X)[:, 0]) > 0.9


@pytest.mark.parametrize("where", ["verdict", "finiteness"])
def test_ctrl_c_after_the_last_epoch_keeps_the_fit(where, monkeypatch):
    X, y = near()
    asked = []

    def interrupted(*given, **named):
        asked.append(given)
        if len(asked) == 1:
            raise KeyboardInterrupt
        return 0

    name = {
        "verdict": "skreg._estimators.base.Verdict",
        "finiteness": "skreg._training.stochastic.keep_finite",
    }
    monkeypatch.setattr(name[where], interrupted)
    model = RegularizedMLPRegressor(max_iter=20, learning_rate="one_cycle")
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y)
    assert asked
    assert model.n_iter_ == 20
    assert np.isfinite(model.predict(X)).all()


def test_the_parameter_to_change_is_named():
    X, y = near()
    model = RegularizedMLPRegressor(
        learning_rate="cosine", learning_rate_init=1e-6, random_state=0
    )
    with pytest.warns(ConvergenceWarning, match=r"learning_rate_init \(now 1e-06\)"):
        model.fit(X, y)


def test_poisson_of_large_features_is_said():
    X, y = near(40)
    X = 255 * (X - X.min()) / np.ptp(X)
    for seed in range(3):
        model = RegularizedMLPRegressor(loss="poisson", random_state=seed)
        messages = warnings_of(lambda model=model: model.fit(X, np.abs(y)))
        assert np.isfinite(model.predict(X)).all()
        assert messages


# ------------------------------------------------------------- no alarms that are false


@unconverged
@pytest.mark.parametrize("load", [diabetes, iris, breast_cancer])
@pytest.mark.parametrize(
    "params",
    [
        {},
        {"early_stopping": True},
        {"learning_rate": "one_cycle", "learning_rate_init": 0.01, "max_iter": 20},
        {"dropout": 0.3},
        {"batch_norm": True},
        {"solver": "lbfgs", "l2": 1e-2},
        {"hidden_layer_sizes": ()},
        # penalties that leave little or nothing
        {"l1": 0.1},
        {"l1": 1.0},
        {"l2": 1.0},
        {"l2": 1e3},
        {"group_l1": 1.0},
        {"weight_decay": 30.0},
        {"max_norm": 1e-3},
        {"l1": 0.3, "hidden_layer_sizes": ()},
        {"l1": 1.0, "solver": "lbfgs"},
        {"l2": 10.0, "early_stopping": True},
        {"l1": 1.0, "skip": True},
    ],
)
def test_sound_fits_are_silent(load, params):
    X, y = load()
    Estimator = RegularizedMLPClassifier
    if load is diabetes:
        Estimator = RegularizedMLPRegressor
    Estimator(random_state=0, **params).fit(X, y)


def explained(model, X, y):
    """R2 or D2 of the log loss, on the rows that are given."""
    if isinstance(model, RegularizedMLPRegressor):
        return r2_score(y, model.predict(X))
    return d2_log_loss_score(y, model.predict_proba(X))


@pytest.mark.parametrize("params", [{}, {"early_stopping": True}, {"dropout": 0.5}])
@pytest.mark.parametrize("n", [30, 1000])
def test_noise_ends_and_is_said_where_a_constant_is_left(params, n):
    """What is fitted of it is silent; no more than a constant is the honest answer."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, 5))
    for Estimator, y in [
        (RegularizedMLPRegressor, rng.normal(size=n)),
        (RegularizedMLPClassifier, rng.integers(0, 2, n)),
    ]:
        model = Estimator(random_state=0, max_iter=1000, **params)
        messages = warnings_of(lambda m=model, y=y: m.fit(X, y))
        said = [text for text in messages if "no better than" in text]
        if said:
            assert "X may say nothing about y" in said[0]
            assert explained(model, X, y) < 0.1
        else:
            assert explained(model, X, y) > 0
        if "early_stopping" in params:
            assert model.n_iter_ <= 200


@unconverged
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("target", ["abs", "product", "sine", "noise"])
def test_a_plateau_that_early_stopping_keeps_is_said(target, seed):
    """No linear model says that there is something to be learnt."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(500, 3))
    y = {
        "abs": np.abs(X[:, 0]),
        "product": X[:, 0] * X[:, 1],
        "sine": np.sin(3 * X[:, 0]),
        "noise": rng.normal(size=500),
    }[target]
    model = RegularizedMLPRegressor(
        (32, 32, 32),
        "logistic",
        learning_rate_init=0.003,
        early_stopping=True,
        random_state=seed,
    )
    messages = warnings_of(lambda: model.fit(X, y))
    said = [text for text in messages if "no better than the best constant" in text]
    # the validation rows have a mean of their own
    assert said or model.score(X, y) > 0


@pytest.mark.parametrize(
    "strength", [{"l2": 0.3}, {"l1": 0.05}, {"weight_decay": 30.0}]
)
@pytest.mark.parametrize("hidden", [(), (16,), (16, 16)])
def test_a_constant_that_penalties_ask_for_is_no_fault(strength, hidden):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(300, 5)), rng.normal(size=300)
    model = RegularizedMLPRegressor(
        hidden, learning_rate_init=0.01, max_iter=1000, random_state=0, **strength
    )
    assert not any("no better" in text for text in warnings_of(lambda: model.fit(X, y)))


def test_a_linear_model_that_finds_next_to_nothing_is_no_fault():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(1000, 5)), rng.normal(size=1000)
    model = RegularizedMLPRegressor((), solver="lbfgs").fit(X, y)
    assert 0 < model.score(X, y) < 0.01


@pytest.mark.parametrize("max_iter", [1, 2, 30])
def test_a_schedule_that_ends_too_early_is_said(max_iter):
    """Half of what a linear model explains is promised, and half of that is too little.

    Nothing else says that max_iter was too small, for the schedule ends there.
    """
    X, y = make_regression(500, 10, noise=5, random_state=0)
    model = RegularizedMLPRegressor(
        (32,),
        max_iter=max_iter,
        batch_size=64,
        learning_rate="one_cycle",
        learning_rate_init=0.003,
        random_state=0,
    )
    messages = warnings_of(lambda: model.fit(scale(X), y))
    if max_iter == 30:
        assert not messages
        return
    [said] = messages
    assert re.search("no better than the best constant|worse than those of a li", said)
    assert "Raise max_iter" in said


@unconverged
def test_odd_targets_are_fitted_in_silence():
    X, y = near(100)
    rng = np.random.default_rng(0)
    RegularizedMLPRegressor(random_state=0).fit(X, np.full(100, 3.0))
    RegularizedMLPClassifier(random_state=0).fit(X, y > 0)
    RegularizedMLPClassifier(random_state=0).fit(X, np.arange(100) == 0)
    RegularizedMLPClassifier(random_state=0, label_smoothing=0.5).fit(
        X, y > np.quantile(y, 0.95)
    )
    RegularizedMLPRegressor(random_state=0).fit(X[:3], y[:3])
    RegularizedMLPRegressor(random_state=0).fit(
        X, y, sample_weight=rng.integers(0, 3, 100)
    )


@pytest.mark.parametrize("light", [0.0, 1e-300, 1e-12, 1e-6])
@pytest.mark.parametrize("heavy", ["class", "row"])
def test_weight_on_one_class_or_row_leaves_nothing_to_explain(heavy, light):
    """The other rows together weigh less than one, and so does their D2."""
    X, y = near(300)
    labels = (y > 0).astype(int)
    is_heavy = labels == 0 if heavy == "class" else np.arange(300) == 3
    weights = np.where(is_heavy, 1.0, light)
    model = RegularizedMLPClassifier(
        (20,),
        max_iter=30,
        learning_rate="one_cycle",
        learning_rate_init=0.01,
        random_state=0,
    )
    model.fit(X, labels, weights)
    assert (model.predict(X[is_heavy]) == labels[is_heavy]).all()


def test_few_weights_of_the_other_class_are_still_something_to_explain():
    """Two rows of 300 in weight, which a rate that is too small does not learn."""
    X, y = near(300)
    y = y > 0
    weights = np.where(y, 2 / y.sum(), 1.0)
    model = RegularizedMLPClassifier(
        (20,), max_iter=2, learning_rate_init=1e-6, random_state=0
    )
    with pytest.warns(ConvergenceWarning, match="no better than the best constant"):
        model.fit(X, y, weights)


def test_grid_ends_in_silence_where_the_penalty_leaves_nothing():
    X, y = diabetes()
    for strength in ({"l1": 3.0}, {"weight_decay": 30.0}, {"group_l1": 3.0}):
        model = RegularizedMLPRegressor(random_state=0, **strength).fit(X, y)
        assert model.n_iter_ < model.max_iter


# ----------------------------------------------------------------------------- plateaus


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("params", [{}, {"early_stopping": True}])
def test_a_plateau_at_the_constant_is_no_convergence(seed, params):
    X, y = make_regression(200, 8, n_informative=5, noise=5, random_state=0)
    model = RegularizedMLPRegressor(
        (32, 32, 32), "logistic", learning_rate_init=0.003, random_state=seed, **params
    )
    warnings_of(lambda: model.fit(X, y))
    assert model.score(X, y) > 0.9


def test_a_rate_that_adapts_waits_at_the_constant_too():
    X, y = make_regression(200, 8, n_informative=5, noise=5, random_state=0)
    model = RegularizedMLPRegressor(
        (32, 32, 32),
        "logistic",
        learning_rate="adaptive",
        learning_rate_init=0.003,
        random_state=0,
    )
    warnings_of(lambda: model.fit(X, y))
    assert model.score(X, y) > 0.9


# --------------------------------------------------------------------- running averages


@unconverged
@pytest.mark.parametrize("position", ["before", "after"])
@pytest.mark.parametrize("seed", range(3))
def test_batch_norm_predicts_what_it_has_learnt(position, seed):
    X, y = far_off()
    model = RegularizedMLPRegressor(batch_norm=position, random_state=seed)
    model.fit(X, y)
    assert model.score(X, y) > 0.9


@pytest.mark.parametrize("params", [{}, {"early_stopping": True}])
def test_batch_norm_predicts_well_after_few_epochs(params):
    X, y = near(1000)
    model = RegularizedMLPRegressor(
        batch_norm=True,
        learning_rate="one_cycle",
        learning_rate_init=0.01,
        max_iter=5,
        random_state=0,
        **params,
    )
    model.fit(X, y)
    assert model.score(X, y) > 0.9
    if params:
        # half the squared error of the standardised target
        assert max(model.validation_scores_) > -0.1


@unconverged
def test_rows_in_order_do_not_mislead_the_averages():
    # in batches of rows in order hardly anything varies
    X, y = near(400)
    order = np.argsort(y)
    scores = [
        RegularizedMLPRegressor(
            batch_norm=True, batch_size=20, max_iter=30, random_state=0
        )
        .fit(X[rows], y[rows])
        .score(X, y)
        for rows in (order, np.arange(400))
    ]
    assert min(scores) > 0.95


# ------------------------------------------------------------------------------- finite


X4, y4 = near(40)


@pytest.mark.parametrize(
    ("params", "remedy"),
    [
        (
            {
                "hidden_layer_sizes": (50, 50),
                "solver": "sgd",
                "learning_rate_init": 10.0,
                "batch_size": 4,
                "weight_averaging": "ema",
                "early_stopping": True,
            },
            "Lower learning_rate_init",
        ),
        (
            {"hidden_layer_sizes": (16, 16), "weight_decay": 1e6, "max_iter": 5},
            "Lower weight_decay",
        ),
        (
            {"weight_decay": 1e6, "max_iter": 6, "weight_averaging": "ema"},
            "Lower weight_decay",
        ),
        ({"solver": "sgd", "l2": 1e4, "learning_rate_init": 0.1}, "Lower l2"),
        ({"loss": "gamma", "learning_rate_init": 1e3}, "Lower learning_rate_init"),
    ],
)
def test_what_is_kept_predicts_finite_values(params, remedy):
    for Estimator, y in [
        (RegularizedMLPRegressor, np.abs(y4) + 0.1),
        (RegularizedMLPClassifier, y4 > 0),
    ]:
        if "loss" in params and Estimator is RegularizedMLPClassifier:
            continue
        for max_iter in (1, 2, params.get("max_iter", 4)):
            model = Estimator(random_state=0, **(params | {"max_iter": max_iter}))
            messages = warnings_of(lambda model=model, y=y: model.fit(X4, y))
            assert np.isfinite(model._network_outputs(X4)).all()
            assert len(messages) == 1
    assert remedy in messages[0]


@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("partial", [False, True])
def test_values_beyond_the_dtype_are_said(batch_norm, partial):
    X = X4 * 1e30
    model = RegularizedMLPRegressor(batch_norm=batch_norm, random_state=0)
    if partial:
        warnings_of(lambda: model.partial_fit(X, y4))
    else:
        with pytest.warns(ConvergenceWarning, match="large.*StandardScaler"):
            model.fit(X, y4)
    assert np.isfinite(model.predict(X)).all()


def test_nothing_finite_is_an_error():
    X = 1e4 * np.abs(X4)
    for seed in range(4):
        model = RegularizedMLPRegressor(loss="poisson", random_state=seed)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)
                model.fit(X, np.abs(y4))
        except ValueError as error:
            assert re.search("initial weights.*StandardScaler", str(error))  # noqa: PT017
        else:
            assert np.isfinite(model.predict(X)).all()


def test_a_step_of_partial_fit_that_diverges_is_taken_back():
    model = RegularizedMLPRegressor(
        solver="sgd", learning_rate_init=1e-3, hidden_layer_sizes=(8, 8), random_state=0
    )
    model.partial_fit(X4, y4)
    before = model.predict(X4)
    model.set_params(learning_rate_init=1e30)
    with pytest.warns(ConvergenceWarning, match="diverged"):
        model.partial_fit(X4, y4)
    assert_allclose(model.predict(X4), before)


def test_problem_knows_its_largest_input():
    X = np.array([[1.0, -3.0], [2.0, 0.0]], dtype=np.float32)
    network = RegularizedMLPRegressor((), random_state=0)
    settings = network._read_settings(False)
    training, settings = network._build(X, np.arange(2.0), None, settings)
    for rows in (X, sparse.csr_matrix(X)):
        data = network._network.data(rows, training.targets)
        assert Problem(network._network, data, settings).largest_input == 3


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.parametrize("unit", [1e-200, 1e-310])
def test_features_of_any_tiny_scale_are_named(solver, unit):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 3))
    model = RegularizedMLPRegressor(
        (4,), solver=solver, dtype="float64", max_iter=30, random_state=0
    )
    with pytest.warns(ConvergenceWarning, match="All features vary little.*Scale the"):
        model.fit(X * unit, X[:, 0])


# ---------------------------------------------------- where there is little to explain


@pytest.mark.parametrize("loss", ["poisson", "gamma"])
def test_small_variation_about_a_high_level_under_a_log_link(loss):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 3))
    y = 1e6 * (1 + 1e-5 * X[:, 0])
    with pytest.warns(ConvergenceWarning, match="no better than the best constant"):
        skreg.RegularizedMLPRegressor(loss=loss, random_state=0).fit(X, y)


def test_predictions_far_from_the_only_target():
    rng = np.random.default_rng(0)
    X = 1e3 * rng.normal(size=(60, 3))
    given = {"preprocessing": None, "early_stopping": False, "max_iter": 20}
    given |= {"learning_rate_init": 1e-3, "random_state": 0}
    model = skreg.RegularizedMLPRegressor((8,), warm_start=True, **given)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(X, X[:, 0])
    with pytest.warns(ConvergenceWarning, match="have the same target"):
        model.fit(X, np.full(60, 5.0))
    classes = (X[:, 0] > 0).astype(int)
    with pytest.warns(ConvergenceWarning, match="have the same target"):
        skreg.RegularizedMLPClassifier((8,), class_weight={1: 0}, **given).fit(
            X, classes
        )


def test_the_only_target_found_says_nothing(recwarn):
    X = np.random.default_rng(0).normal(size=(60, 3))
    skreg.RegularizedMLPRegressor(random_state=0).fit(X, np.full(60, 5.0))
    given = {"class_weight": {1: 0}, "random_state": 0}
    skreg.RegularizedMLPClassifier(**given).fit(X, X[:, 0] > 0)
    assert not [w for w in recwarn if "same target" in str(w.message)]


def test_a_strength_that_cross_validation_chose_for_tiny_features():
    X = np.random.default_rng(0).normal(size=(60, 3))
    choice = RegularizedMLPRegressorCV((), solver="lbfgs", cv=2, alphas=3)
    with pytest.warns(ConvergenceWarning, match="All features vary little"):
        choice.fit(1e-8 * X, X[:, 0])
