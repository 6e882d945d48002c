"""Schedules: their formulas, ends and joints; rates, dropout and decay by epoch."""

import pickle

import numpy as np
import pytest
from common import (
    all_weights,
    assert_same_fit,
    both_estimators,
    data_for,
    few_epochs,
    iris,
    learns_nothing,
)
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from plain import RegularizedMLPClassifier, RegularizedMLPRegressor
from scipy import sparse
from sklearn.base import clone, is_classifier
from sklearn.model_selection import GridSearchCV

from skreg import schedules
from skreg._kernels import engine
from skreg._problem.schedules import (
    SCHEDULES,
    SMALLEST_ADAPTIVE_RATE,
    WITHOUT_END,
    has_end,
    new_schedule,
)
from skreg.adversarial import AdversarialTraining
from skreg.schedules import (
    Cosine,
    CosineWarmRestarts,
    CurriculumDropout,
    EarlyDropout,
    FlatThenCosine,
    Linear,
    OneCycle,
    Schedule,
)

pytestmark = learns_nothing

RATE = 0.02
EPOCHS = 20
STEPS = 7
ROWS = 100

NAMED = {
    "cosine": Cosine(),
    "cosine_restarts": CosineWarmRestarts(),
    "flat_cosine": FlatThenCosine(),
    "one_cycle": OneCycle(),
}
# Objects with other settings than those behind the names.
OBJECTS = [
    Cosine(final=0.1),
    CosineWarmRestarts(period=3, factor=1.5),
    CurriculumDropout(gamma=5),
    EarlyDropout(share=0.3),
    FlatThenCosine(flat=0.2),
    Linear(start=0.2, final=0.9),
    OneCycle(rise=0.5),
]

every_schedule = pytest.mark.parametrize("name", SCHEDULES)
every_object = pytest.mark.parametrize("schedule", OBJECTS, ids=repr)
shares = st.floats(0, 1)


def rates_of(learning_rate, *, power_t=0.5, max_iter=EPOCHS, warm_up=0.0):
    settings = {"power_t": power_t, "max_iter": max_iter, "warm_up": warm_up}
    return new_schedule(learning_rate, RATE, **settings)


def all_rates(learning_rate, **settings):
    """The rates of every step of a whole fit, (EPOCHS * STEPS,)."""
    made = rates_of(learning_rate, **settings)
    return np.concatenate(
        [made.rates(epoch, STEPS, epoch * ROWS) for epoch in range(EPOCHS)]
    )


def cosine(start, end, u):
    """From start at u = 0 to end at u = 1."""
    return end + (start - end) * (1 + np.cos(np.pi * u)) / 2


# ------------------------------------------------------------------------- formulas


@given(start=st.floats(0, 5), final=st.floats(0, 5), s=shares)
def test_linear(start, final, s):
    expected = (1 - s) * start + s * final
    assert_allclose(Linear(start, final).at(s), expected, rtol=1e-12, atol=1e-15)


@given(final=shares, s=shares)
def test_cosine(final, s):
    assert_allclose(Cosine(final).at(s), cosine(1, final, s), atol=1e-15)


@given(flat=st.floats(0, 0.99), final=shares, s=shares)
def test_flat_then_cosine(flat, final, s):
    expected = 1 if s < flat else cosine(1, final, (s - flat) / (1 - flat))
    assert_allclose(FlatThenCosine(flat, final).at(s), expected, atol=1e-12)


@given(rise=st.floats(0.01, 0.99), start=shares, final=shares, s=shares)
def test_one_cycle(rise, start, final, s):
    if s < rise:
        expected = cosine(start, 1, s / rise)
    else:
        expected = cosine(1, final, (s - rise) / (1 - rise))
    assert_allclose(OneCycle(rise, start, final).at(s), expected, atol=1e-12)


@given(gamma=st.floats(0.1, 50), s=shares)
def test_curriculum_dropout(gamma, s):
    assert_allclose(CurriculumDropout(gamma).at(s), 1 - np.exp(-gamma * s), atol=1e-15)


@given(share=st.floats(0.01, 1), s=shares)
def test_early_dropout(share, s):
    assert EarlyDropout(share).at(s) == (s < share)


@given(
    period=st.floats(0.5, 30),
    factor=st.floats(1, 4),
    final=shares,
    max_iter=st.integers(1, 300),
    s=shares,
)
def test_cosine_warm_restarts(period, factor, final, max_iter, s):
    epoch, length = s * max_iter, period
    while epoch >= length:
        epoch, length = epoch - length, length * factor
    near = min(epoch, length - epoch) / length
    if near < 1e-6:
        return  # rounding decides on which side of a restart this is: see below
    got = CosineWarmRestarts(period, factor, final).at(s, max_iter)
    assert_allclose(got, cosine(1, final, epoch / length), atol=1e-5)


@pytest.mark.parametrize(
    ("period", "factor", "restarts"),
    [
        (10, 2, [0, 10, 30, 70, 150]),
        (10, 1, range(0, 200, 10)),
        (7, 1, range(0, 200, 7)),
        (3, 3, [0, 3, 12, 39, 120]),
        (4, 1.5, [0, 4, 10, 19]),
        (1, 2, [0, 1, 3, 7, 15, 31, 63, 127]),
    ],
)
@pytest.mark.parametrize("max_iter", [39, 70, 150, 199, 1000])
@pytest.mark.parametrize("n_steps", [1, 7, 1000])
def test_restarts_are_at_the_beginnings_of_epochs(
    period, factor, restarts, max_iter, n_steps
):
    made = rates_of(CosineWarmRestarts(period, factor), max_iter=max_iter)
    for restart in [epoch for epoch in restarts if epoch < max_iter]:
        rates = made.rates(restart, n_steps, 0)
        assert rates[0] == RATE
        assert (np.diff(rates) < 0).all()
        if restart > 0:
            before = made.rates(restart - 1, n_steps, 0)
            # the last step of a period is one step short of its end
            last_period = restart - max(epoch for epoch in restarts if epoch < restart)
            expected = RATE * cosine(1, 0, 1 - 1 / (last_period * n_steps))
            assert_allclose(before[-1], expected, rtol=1e-6, atol=1e-9 * RATE)


def test_a_period_need_not_be_whole_epochs():
    got = CosineWarmRestarts(period=0.5, factor=1).at([0, 0.125, 0.25, 0.75, 1], 2)
    assert_allclose(got, [1, 0.5, 1, 1, 1])


@pytest.mark.parametrize("schedule", [*NAMED.values(), *OBJECTS], ids=repr)
def test_shapes_are_kept_and_factors_are_finite(schedule):
    grid = np.linspace(0, 1, 1001)
    factors = schedule.at(grid, EPOCHS)
    assert factors.dtype == np.float64
    assert np.isfinite(factors).all()
    assert 0 <= factors.min() < factors.max() <= 1
    assert schedule.at(grid.reshape(7, 143), EPOCHS).shape == (7, 143)
    assert schedule.at(0.25, EPOCHS) == factors[250]
    assert_array_equal(schedule.at(list(grid), EPOCHS), factors)


# ------------------------------------------------------------------ rates by the step


@every_schedule
def test_one_positive_rate_per_step(name):
    rates = all_rates(name)
    assert rates.shape == (EPOCHS * STEPS,)
    # as the kernels want them
    assert rates_of(name).rates(0, STEPS, 0).dtype == np.float64
    assert (rates > 0).all()
    assert rates.max() <= RATE * (1 + 1e-12)


@pytest.mark.parametrize("name", ["constant", "adaptive"])
def test_rate_stays_without_a_plateau(name):
    assert (all_rates(name) == RATE).all()


@pytest.mark.parametrize("power_t", [0.0, 0.5, 2.0])
def test_invscaling(power_t):
    expected = [RATE / (ROWS * epoch + 1) ** power_t for epoch in range(EPOCHS)]
    assert_allclose(
        all_rates("invscaling", power_t=power_t), np.repeat(expected, STEPS), rtol=1e-14
    )


def test_invscaling_goes_on_from_earlier_fits():
    assert_allclose(rates_of("invscaling").rates(0, 1, 399), RATE / 20)


@pytest.mark.parametrize("schedule", [*NAMED, *OBJECTS], ids=repr)
def test_rates_are_the_schedules_over_all_steps(schedule):
    done = np.arange(EPOCHS * STEPS) / (EPOCHS * STEPS)
    expected = RATE * NAMED.get(str(schedule), schedule).at(done, EPOCHS)
    assert_allclose(all_rates(schedule), expected, rtol=1e-8, atol=1e-12)


def test_cosine_falls_from_the_initial_rate_to_nothing():
    rates = all_rates("cosine")
    assert rates[0] == RATE
    assert (np.diff(rates) < 0).all()
    assert rates[-1] < 1e-3 * RATE
    assert Cosine().at(1.0) == pytest.approx(0, abs=1e-15)


def test_one_cycle_rises_then_falls():
    rates = all_rates("one_cycle")
    assert rates[0] == pytest.approx(RATE / 25)
    peak = rates.argmax()
    assert peak == round(0.3 * len(rates))
    assert (np.diff(rates[: peak + 1]) > 0).all()
    assert (np.diff(rates[peak:]) < 0).all()
    assert OneCycle().at(1.0) == pytest.approx(1 / 250_000)


@pytest.mark.parametrize("name", ["cosine", "one_cycle", "flat_cosine"])
def test_rates_have_no_jumps(name):
    # neither between epochs nor at a joint, where the slope is zero on both sides
    progress = np.linspace(0, 1, 100_001)
    slopes = np.diff(NAMED[name].at(progress)) / np.diff(progress)
    assert np.abs(slopes).max() < 6
    for joint in {"one_cycle": [0.3], "flat_cosine": [0.7]}.get(name, []):
        assert np.abs(slopes[np.abs(progress[1:] - joint) < 1e-4]).max() < 1e-2
    # two epochs join as two steps of one epoch do
    made = rates_of(name)
    ahead = np.concatenate([made.rates(0, STEPS, 0), made.rates(1, STEPS, 0)])
    whole = rates_of(name, max_iter=EPOCHS // 2).rates(0, 2 * STEPS, 0)
    assert_allclose(ahead, whole, rtol=1e-12)


def test_which_schedules_have_an_end():
    assert [name for name in SCHEDULES if not has_end(name)] == WITHOUT_END
    for learning_rate in [*SCHEDULES, *OBJECTS]:
        assert rates_of(learning_rate).has_end == has_end(learning_rate)


@pytest.mark.parametrize("name", [name for name in SCHEDULES if name != "adaptive"])
def test_a_plateau_stops_training(name):
    made = rates_of(name)
    assert made.stops_on_plateau()
    assert made.rate == RATE


def test_adaptive_divides_by_five_on_each_plateau():
    made = rates_of("adaptive")
    for times in range(1, 5):
        assert not made.stops_on_plateau()
        assert_allclose(made.rates(3, STEPS, 5), RATE / 5**times)


def test_adaptive_stops_when_its_rate_is_tiny():
    made = rates_of("adaptive")
    while not made.stops_on_plateau():
        assert made.rate > SMALLEST_ADAPTIVE_RATE / 5
    assert SMALLEST_ADAPTIVE_RATE / 5 < made.rate <= SMALLEST_ADAPTIVE_RATE


# -------------------------------------------------------------------------- warm-up


@every_schedule
@pytest.mark.parametrize("warm_up", [0.3, 1.0, 2.5, 30.0])
def test_warm_up_rises_step_by_step_and_multiplies(name, warm_up):
    steps_done = np.arange(1, EPOCHS * STEPS + 1)
    factor = np.minimum(steps_done / (warm_up * STEPS), 1.0)
    warm = all_rates(name, warm_up=warm_up)
    assert_allclose(warm, factor * all_rates(name), rtol=1e-12)
    assert warm[0] > 0


def test_a_warm_up_shorter_than_a_step_changes_nothing():
    assert_array_equal(all_rates("cosine", warm_up=0.1), all_rates("cosine"))


@few_epochs
@both_estimators
def test_each_fit_warms_up_anew(Estimator):
    model = Estimator((4,), warm_up=1.5, max_iter=3, warm_start=True, batch_size=50)
    X, y = data_for(model)
    model.fit(X, y).fit(X, y)
    n_steps = -(-len(y) // 50)
    last = 0.001 * np.minimum(np.arange(1, 4) * n_steps / (1.5 * n_steps), 1)
    assert_allclose(model.learning_rates_, [*last, *last], rtol=1e-12)


@few_epochs
@both_estimators
@pytest.mark.parametrize("learning_rate", WITHOUT_END)
def test_calls_of_partial_fit_warm_up_together(Estimator, learning_rate):
    at_once = Estimator((4,), warm_up=2.5, learning_rate=learning_rate)
    at_once.set_params(random_state=0, max_iter=5)
    by_epochs = clone(at_once)
    X, y = data_for(at_once)
    classes = {"classes": [0, 1, 2]} if is_classifier(at_once) else {}
    at_once.fit(X, y)
    for _ in range(5):
        by_epochs.partial_fit(X, y, **classes)
    assert by_epochs.learning_rates_ == at_once.learning_rates_
    assert_array_equal(all_weights(by_epochs), all_weights(at_once))


# ------------------------------------------------------------------- the estimators


@few_epochs
@both_estimators
@pytest.mark.parametrize("learning_rate", [*SCHEDULES, Linear(0.5, 2.0)], ids=str)
@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_the_estimator_keeps_the_last_rate_of_each_epoch(
    Estimator, learning_rate, solver
):
    model = Estimator((4,), solver=solver, learning_rate=learning_rate)
    # no epoch is progress: every second divides an adaptive rate
    model.set_params(max_iter=6, tol=10.0, n_iter_no_change=1, batch_size=32)
    # a penalty that leaves a constant only, at which no more is waited for
    model.set_params(learning_rate_init=RATE, l1=100.0)
    X, y = data_for(model)
    model.fit(X, y)
    assert len(model.learning_rates_) == len(model.loss_curve_)
    made = rates_of(learning_rate, max_iter=6)
    for epoch, rate in enumerate(model.learning_rates_):
        if learning_rate == "adaptive":
            expected = RATE / 5 ** ((epoch - 1) // 2 if epoch else 0)
        else:
            expected = made.rates(epoch, -(-len(y) // 32), epoch * len(y))[-1]
        assert rate == pytest.approx(expected)
        assert type(rate) is float


@few_epochs
@both_estimators
def test_rates_go_on_with_the_loss_curve(Estimator):
    model = Estimator((4,), max_iter=3, warm_start=True)
    X, y = data_for(model)
    model.fit(X, y).set_params(learning_rate_init=RATE).fit(X, y)
    assert model.learning_rates_ == [0.001] * 3 + [RATE] * 3
    assert model.set_params(solver="lbfgs").fit(X, y).learning_rates_ is None


@both_estimators
@pytest.mark.parametrize("name", NAMED)
def test_a_name_is_its_object(Estimator, name):
    by_name = Estimator((4,), learning_rate=name, max_iter=5, random_state=0)
    by_object = clone(by_name).set_params(learning_rate=NAMED[name])
    X, y = data_for(by_name)
    assert_same_fit(by_object.fit(X, y), by_name.fit(X, y))


REGULARIZED = {"dropout": [0.4, 0.0], "input_dropout": 0.1, "weight_decay": 0.5}


def by_hand(model, X, y, *, dropout=None, decay=None):
    """The fit with rates set epoch by epoch: calls of partial_fit."""
    n = model.max_iter
    given = model.get_params()
    model = clone(model).set_params(dropout_schedule=None, weight_decay_schedule=None)
    classes = {"classes": [0, 1, 2]} if is_classifier(model) else {}
    for epoch in range(n):
        if dropout is not None:
            factor = float(dropout.at(epoch / n, n))
            model.set_params(
                dropout=[factor * rate for rate in given["dropout"]],
                input_dropout=factor * given["input_dropout"],
            )
        if decay is not None:
            factor = float(decay.at(epoch / n, n))
            model.set_params(weight_decay=factor * given["weight_decay"])
        model.partial_fit(X, y, **classes)
    return model


@few_epochs
@both_estimators
@every_object
@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_a_fit_with_schedules_is_one_with_rates_set_by_hand(
    Estimator, schedule, solver
):
    model = Estimator((9, 5), solver=solver, max_iter=7, random_state=0, **REGULARIZED)
    other = Linear(0.3, 1.5)
    model.set_params(dropout_schedule=schedule, weight_decay_schedule=other)
    X, y = data_for(model)
    expected = by_hand(model, X, y, dropout=schedule, decay=other)
    assert_array_equal(all_weights(model.fit(X, y)), all_weights(expected))
    assert model.loss_curve_ == expected.loss_curve_
    # the parameters are what they were
    assert model.dropout == [0.4, 0.0]
    assert model.weight_decay == 0.5


@few_epochs
@both_estimators
@pytest.mark.parametrize("schedule", [CurriculumDropout(), EarlyDropout()], ids=repr)
def test_schedules_beside_other_regularizers(Estimator, schedule):
    # adversarial training reads the masks of the inputs too
    model = Estimator((9, 5), max_iter=6, random_state=0, batch_norm=True, max_norm=2)
    model.set_params(adversarial=AdversarialTraining(epsilon=0.1), **REGULARIZED)
    model.set_params(dropout_schedule=schedule, weight_decay_schedule=Linear())
    X, y = data_for(model)
    expected = by_hand(model, X, y, dropout=schedule, decay=Linear())
    assert_array_equal(all_weights(model.fit(X, y)), all_weights(expected))


@few_epochs
@both_estimators
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_schedules_on_sparse_data(Estimator, dtype):
    # dropout of inputs is not on in the first epoch
    model = Estimator((9, 5), dtype=dtype, max_iter=5, random_state=0, **REGULARIZED)
    model.set_params(
        dropout_schedule=CurriculumDropout(), weight_decay_schedule=Linear()
    )
    X, y = data_for(model)
    on_dense = clone(model).fit(X, y)
    on_sparse = model.fit(sparse.csr_array(X), y)
    tolerance = {"float32": 1e-3, "float64": 1e-9}[dtype]
    assert_allclose(all_weights(on_sparse), all_weights(on_dense), atol=tolerance)
    by_steps = by_hand(
        model, sparse.csr_array(X), y, dropout=CurriculumDropout(), decay=Linear()
    )
    assert_array_equal(all_weights(on_sparse), all_weights(by_steps))


@few_epochs
@both_estimators
def test_a_factor_of_one_changes_nothing(Estimator):
    plain = Estimator((9, 5), max_iter=4, random_state=0, **REGULARIZED)
    scheduled = clone(plain).set_params(
        dropout_schedule=Linear(1, 1), weight_decay_schedule=Linear(1, 1), warm_up=0
    )
    X, y = data_for(plain)
    assert_same_fit(scheduled.fit(X, y), plain.fit(X, y))


@few_epochs
@both_estimators
def test_without_dropout_in_the_end_the_loss_falls(Estimator):
    """What early dropout is for: the rest of the training fits without it."""
    model = Estimator((50,), dropout=0.8, max_iter=30, random_state=0, batch_size=32)
    model.set_params(dropout_schedule=EarlyDropout(0.5), learning_rate_init=0.01)
    X, y = data_for(model)
    losses = model.fit(X, y).loss_curve_
    assert losses[15] < 0.9 * losses[14]


@both_estimators
def test_schedules_begin_anew_with_each_fit(Estimator):
    model = Estimator((9,), dropout=0.5, learning_rate="cosine", max_iter=4)
    model.set_params(dropout_schedule=EarlyDropout(), random_state=0)
    X, y = data_for(model)
    once = clone(model).fit(X, y)
    assert_same_fit(model.fit(X, y).fit(X, y), once)
    model.set_params(warm_start=True).fit(X, y)
    assert_allclose(model.learning_rates_[:4], model.learning_rates_[4:])


@both_estimators
def test_clone_pickle_and_grid(Estimator):
    model = Estimator(
        (9,),
        dropout=0.5,
        weight_decay=0.1,
        learning_rate=FlatThenCosine(flat=0.3),
        dropout_schedule=EarlyDropout(),
        weight_decay_schedule=Linear(),
        max_iter=3,
        random_state=0,
    )
    X, y = data_for(model)
    model.fit(X, y)
    assert clone(model).get_params()["learning_rate__flat"] == 0.3
    assert_same_fit(clone(model).fit(X, y), model)
    copied = pickle.loads(pickle.dumps(model))
    assert repr(copied) == repr(model)
    assert_same_fit(copied.fit(X, y), model)
    grid = {
        "learning_rate__flat": [0.1, 0.8],
        "dropout_schedule": [None, EarlyDropout(), CurriculumDropout()],
        "weight_decay_schedule__final": [0.5],
    }
    search = GridSearchCV(model, grid, cv=2).fit(X, y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.best_estimator_.weight_decay_schedule.final == 0.5
    # the object that was given is the user's
    assert model.learning_rate.flat == 0.3


class Own(Schedule):
    """Gives what it was made with."""

    def __init__(self, factors):
        self.factors = factors

    def at(self, progress, max_iter=200):
        return self.factors


class Half(Schedule):
    """Without parameters."""

    def at(self, progress, max_iter=200):
        return np.full(np.shape(progress), 0.5)


@both_estimators
def test_a_schedule_of_ones_own(Estimator):
    model = Estimator((4,), learning_rate=Half(), learning_rate_init=0.01, max_iter=3)
    assert model.fit(*data_for(model)).learning_rates_ == [0.005] * 3


def test_every_public_schedule_is_tested():
    tested = {type(schedule).__name__ for schedule in OBJECTS}
    assert tested | {"Schedule"} == set(schedules.__all__)


# ------------------------------------------------------------------------ bad input

# (parameters, parts of the message)
BAD = [
    ({"learning_rate": Cosine(final=2.0)}, ["learning_rate", "'final'", "2.0"]),
    ({"learning_rate": Linear(start=-1)}, ["'start'", "-1"]),
    ({"learning_rate": Linear(final=np.nan)}, ["'final'", "nan"]),
    ({"learning_rate": OneCycle(rise=1.0)}, ["'rise'", "(0.0, 1.0)", "1.0"]),
    ({"learning_rate": OneCycle(start=-0.1)}, ["'start'", "-0.1"]),
    ({"learning_rate": FlatThenCosine(flat=1.0)}, ["'flat'", "[0.0, 1.0)", "1.0"]),
    ({"learning_rate": CosineWarmRestarts(period=0)}, ["'period'", "0"]),
    ({"learning_rate": CosineWarmRestarts(factor=0.5)}, ["'factor'", "0.5"]),
    ({"learning_rate": Cosine}, ["learning_rate", "'cosine'"]),
    ({"learning_rate": Own([1.0])}, ["`at`", "one finite factor"]),
    ({"learning_rate": Own(np.full(200, np.inf))}, ["finite factor >= 0", "inf"]),
    ({"learning_rate": Own(np.full(200, -1.0))}, ["finite factor >= 0", "-1."]),
    ({"warm_up": -1.0}, ["'warm_up'", "[0.0, inf)", "-1.0"]),
    ({"warm_up": np.inf}, ["'warm_up'", "inf"]),
    ({"warm_up": "1"}, ["'warm_up'", "'1'"]),
    (
        {"dropout": 0.5, "dropout_schedule": "cosine"},
        ["dropout_schedule", "Schedule", "'cosine'"],
    ),
    (
        {"dropout": 0.5, "dropout_schedule": CurriculumDropout(gamma=0)},
        ["dropout_schedule=CurriculumDropout(gamma=0)", "'gamma'", "(0.0, inf)"],
    ),
    (
        {"dropout": 0.5, "dropout_schedule": EarlyDropout(share=0)},
        ["'share'", "(0.0, 1.0]"],
    ),
    (
        {"dropout": 0.5, "dropout_schedule": Linear(0, 2.5)},
        ["dropout_schedule=Linear(final=2.5, start=0)", "2.48", "rate 0.5", "[0, 1)"],
    ),
    (
        {"input_dropout": 0.2, "dropout_schedule": Linear(5, 0)},
        ["reaches the factor 5", "rate 0.2"],
    ),
    (
        {"dropout_schedule": EarlyDropout()},
        ["dropout_schedule=EarlyDropout()", "nothing to act on", "None"],
    ),
    (
        {"weight_decay": 0.1, "weight_decay_schedule": 0.5},
        ["weight_decay_schedule", "Schedule", "0.5"],
    ),
    (
        {"weight_decay": 0.1, "weight_decay_schedule": Cosine(final=-1)},
        ["weight_decay_schedule=Cosine(final=-1)", "'final'", "-1"],
    ),
    (
        {"weight_decay_schedule": Linear()},
        ["weight_decay_schedule=Linear()", "nothing to act on", "None"],
    ),
    (
        {"solver": "lbfgs", "dropout_schedule": EarlyDropout()},
        ["solver='lbfgs'", "dropout_schedule=EarlyDropout()", "'adam'"],
    ),
    (
        {"solver": "lbfgs", "weight_decay_schedule": Linear()},
        ["solver='lbfgs'", "weight_decay_schedule=Linear()", "'adam'"],
    ),
]


@both_estimators
@pytest.mark.parametrize(("settings", "parts"), BAD, ids=str)
def test_bad_settings_are_refused(Estimator, settings, parts):
    model = Estimator(**settings)
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        model.fit(*data_for(model))
    for part in parts:
        assert part in str(caught.value)
    assert not hasattr(model, "_network")


@both_estimators
@pytest.mark.parametrize(
    "settings",
    [
        *({"learning_rate": name} for name in NAMED),
        {"learning_rate": Linear()},
        {"dropout": 0.5, "dropout_schedule": EarlyDropout()},
        {"weight_decay": 0.5, "weight_decay_schedule": Linear()},
    ],
    ids=str,
)
def test_partial_fit_refuses_what_has_an_end(Estimator, settings):
    model = Estimator(**settings)
    assert not hasattr(model, "partial_fit")
    name, value = list(settings.items())[-1]
    with pytest.raises(AttributeError) as caught:
        model.partial_fit(*data_for(model))
    message = str(caught.value)
    assert f"{name}={value!r}, which needs to know when training ends" in message
    assert f"Set {name}=" in message


def test_lbfgs_has_no_learning_rate_and_takes_any():
    X, y = iris()
    settings = {"solver": "lbfgs", "max_iter": 30, "l2": 0.1, "random_state": 0}
    plain = RegularizedMLPClassifier((), **settings).fit(X, y)
    settings |= {"learning_rate": Linear(), "warm_up": 3.0}
    assert_same_fit(RegularizedMLPClassifier((), **settings).fit(X, y), plain)


def test_dropout_without_a_hidden_layer_has_no_effect_with_a_schedule_either():
    # so that a grid may have hidden_layer_sizes=()
    X, y = data_for(RegularizedMLPRegressor())
    settings = {"learning_rate": "cosine", "max_iter": 3, "random_state": 0}
    plain = RegularizedMLPRegressor((), **settings).fit(X, y)
    settings |= {"dropout": 0.5, "dropout_schedule": EarlyDropout()}
    assert_same_fit(RegularizedMLPRegressor((), **settings).fit(X, y), plain)


@pytest.mark.parametrize(
    ("dropout", "input_dropout"),
    [([0.5, 0.0], 0.1), ([0.0, 0.1], 0.0), ([1.0, 0.0], 0.0), ([0.5], 0.0)],
)
def test_the_engine_takes_rates_only_where_it_has_masks(dropout, input_dropout):
    made = engine.Engine([3, 4, 5, 1], [0, 0], 0, 0.0, "float32", dropout=[0.3, 0.0])
    made.set_dropout([0.0, 0.0], 0.0)
    made.set_dropout([0.9, 0.0], 0.0)
    with pytest.raises(ValueError):  # noqa: PT011
        made.set_dropout(dropout, input_dropout)
