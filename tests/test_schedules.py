"""Learning-rate schedules: their formulas, ends and joints."""

import numpy as np
import pytest
from common import both_estimators, data_for, few_epochs

from skreg._schedules import SCHEDULES, SMALLEST_ADAPTIVE_RATE

RATE = 0.02
EPOCHS = 20
STEPS = 7
ROWS = 100

every_schedule = pytest.mark.parametrize("name", SCHEDULES)


def schedule(name, power_t=0.5, max_iter=EPOCHS):
    return SCHEDULES[name](RATE, power_t=power_t, max_iter=max_iter)


def all_rates(name, **settings):
    """The rates of every step of a whole fit, (EPOCHS * STEPS,)."""
    made = schedule(name, **settings)
    return np.concatenate(
        [made.rates(epoch, STEPS, epoch * ROWS) for epoch in range(EPOCHS)]
    )


@every_schedule
def test_one_positive_rate_per_step(name):
    rates = all_rates(name)
    assert rates.shape == (EPOCHS * STEPS,)
    # as the kernels want them
    assert schedule(name).rates(0, STEPS, 0).dtype == np.float64
    assert (rates > 0).all()
    assert rates.max() <= RATE * (1 + 1e-12)


@pytest.mark.parametrize("name", ["constant", "adaptive"])
def test_rate_stays_without_a_plateau(name):
    assert (all_rates(name) == RATE).all()


@pytest.mark.parametrize("power_t", [0.0, 0.5, 2.0])
def test_invscaling(power_t):
    expected = [RATE / (ROWS * epoch + 1) ** power_t for epoch in range(EPOCHS)]
    np.testing.assert_allclose(
        all_rates("invscaling", power_t=power_t), np.repeat(expected, STEPS), rtol=1e-14
    )


def test_invscaling_goes_on_from_earlier_fits():
    made = schedule("invscaling")
    np.testing.assert_allclose(made.rates(0, 1, 399), RATE / 20)


def test_cosine():
    done = np.arange(EPOCHS * STEPS) / (EPOCHS * STEPS)
    expected = RATE * (1 + np.cos(np.pi * done)) / 2
    np.testing.assert_allclose(all_rates("cosine"), expected, rtol=1e-12)


def test_cosine_falls_from_the_initial_rate_to_nothing():
    rates = all_rates("cosine")
    assert rates[0] == RATE
    assert (np.diff(rates) < 0).all()
    assert rates[-1] < 1e-3 * RATE
    assert schedule("cosine").shape(np.array([1.0])) == pytest.approx(0, abs=1e-15)


@pytest.mark.parametrize(
    ("progress", "share"),
    [
        (0.0, 1 / 25),
        (0.15, (1 + 1 / 25) / 2),
        (0.3, 1.0),
        (0.65, (1 + 1 / 250_000) / 2),
        (1.0, 1 / 250_000),
    ],
)
def test_one_cycle_at_its_ends_its_peak_and_half_way(progress, share):
    got = schedule("one_cycle").shape(np.array([progress]))
    np.testing.assert_allclose(got, share, rtol=1e-12)


def test_one_cycle_rises_then_falls():
    rates = all_rates("one_cycle")
    assert rates[0] == pytest.approx(RATE / 25)
    peak = rates.argmax()
    assert peak == round(0.3 * len(rates))
    assert (np.diff(rates[: peak + 1]) > 0).all()
    assert (np.diff(rates[peak:]) < 0).all()


@pytest.mark.parametrize("name", ["cosine", "one_cycle"])
def test_rates_have_no_jumps(name):
    # neither between epochs nor at the peak, where the slope is zero on both sides
    progress = np.linspace(0, 1, 100_001)
    shares = schedule(name).shape(progress)
    slopes = np.diff(shares) / np.diff(progress)
    assert np.abs(slopes).max() < 6
    peak = np.abs(progress[1:] - 0.3) < 1e-4
    if name == "one_cycle":
        assert np.abs(slopes[peak]).max() < 1e-2
    # two epochs join as two steps of one epoch do
    made = schedule(name)
    ahead = np.concatenate([made.rates(0, STEPS, 0), made.rates(1, STEPS, 0)])
    whole = schedule(name, max_iter=EPOCHS // 2).rates(0, 2 * STEPS, 0)
    np.testing.assert_allclose(ahead, whole, rtol=1e-12)


@pytest.mark.parametrize(
    ("name", "has_end"),
    [
        ("constant", False),
        ("invscaling", False),
        ("adaptive", False),
        ("cosine", True),
        ("one_cycle", True),
    ],
)
def test_which_schedules_have_an_end(name, has_end):
    assert SCHEDULES[name].has_end == has_end


@pytest.mark.parametrize("name", [name for name in SCHEDULES if name != "adaptive"])
def test_a_plateau_stops_training(name):
    made = schedule(name)
    assert made.stops_on_plateau()
    assert made.rate == RATE


def test_adaptive_divides_by_five_on_each_plateau():
    made = schedule("adaptive")
    for times in range(1, 5):
        assert not made.stops_on_plateau()
        np.testing.assert_allclose(made.rates(3, STEPS, 5), RATE / 5**times)


def test_adaptive_stops_when_its_rate_is_tiny():
    made = schedule("adaptive")
    while not made.stops_on_plateau():
        assert made.rate > SMALLEST_ADAPTIVE_RATE / 5
    assert SMALLEST_ADAPTIVE_RATE / 5 < made.rate <= SMALLEST_ADAPTIVE_RATE


@few_epochs
@both_estimators
@every_schedule
@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_the_estimator_keeps_the_last_rate_of_each_epoch(Estimator, name, solver):
    model = Estimator((4,), solver=solver, learning_rate=name, learning_rate_init=RATE)
    # no epoch is progress: every second divides an adaptive rate
    model.set_params(max_iter=6, tol=10.0, n_iter_no_change=1, batch_size=32)
    X, y = data_for(model)
    model.fit(X, y)
    assert len(model.learning_rates_) == len(model.loss_curve_)
    made = SCHEDULES[name](RATE, power_t=0.5, max_iter=6)
    for epoch, rate in enumerate(model.learning_rates_):
        if name == "adaptive":
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
