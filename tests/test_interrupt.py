"""Ctrl-C ends a fit soon, keeps what was learnt, and warns."""

import signal
import threading
import time

import numpy as np
import pytest
from common import all_weights
from sklearn.exceptions import ConvergenceWarning

from skreg import RegularizedMLPRegressor
from skreg._schedules import SCHEDULES

# One epoch of this takes several seconds.
ROWS, FEATURES, HIDDEN = 100_000, 100, (1024, 1024)
# The promise is a second; a machine that is busy with other things gets some more.
PATIENCE = 5.0


@pytest.fixture(autouse=True)
def answer_to_ctrl_c():
    """Python's own: in a job that a shell starts in the background it is ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="module")
def long_problem():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((ROWS, FEATURES), dtype=np.float32)
    return X, X[:, 0] + rng.standard_normal(ROWS)


@pytest.mark.parametrize(
    "given",
    [{}, {"solver": "sgd"}, {"solver": "lbfgs"}, {"early_stopping": True}],
    ids=["adam", "sgd", "lbfgs", "early_stopping"],
)
def test_in_the_middle_of_an_epoch(long_problem, given):
    X, y = long_problem
    model = RegularizedMLPRegressor(HIDDEN, random_state=0, **given)
    pressed = []

    def press_when_training():
        # the network is there as soon as the checks are through
        while not hasattr(model, "_network"):
            time.sleep(0.01)
        time.sleep(1.0)
        pressed.append(time.perf_counter())
        signal.raise_signal(signal.SIGINT)

    threading.Thread(target=press_when_training, daemon=True).start()
    with pytest.warns(UserWarning, match="interrupted.*keeps what it has learnt"):
        model.fit(X, y)
    assert time.perf_counter() - pressed[0] < PATIENCE
    assert model.n_iter_ == 0
    assert np.isfinite(model.predict(X[:10])).all()


class Interrupting(SCHEDULES["constant"]):
    """A learning-rate schedule during whose fourth epoch Ctrl-C is pressed."""

    def rates(self, epoch, n_steps, n_seen):
        if epoch == 3:
            raise KeyboardInterrupt
        return super().rates(epoch, n_steps, n_seen)


def test_what_was_learnt_stays_and_training_goes_on(monkeypatch):
    X = np.random.default_rng(0).standard_normal((500, 5))
    y = X[:, 0]
    model = RegularizedMLPRegressor(random_state=0)
    with monkeypatch.context() as patch:
        patch.setitem(SCHEDULES, "constant", Interrupting)
        with pytest.warns(UserWarning, match="after 3 epochs and part of the next"):
            model.fit(X, y)
    assert model.n_iter_ == len(model.loss_curve_) == 3
    short = RegularizedMLPRegressor(random_state=0, max_iter=3)
    with pytest.warns(ConvergenceWarning):
        short.fit(X, y)
    np.testing.assert_array_equal(all_weights(model), all_weights(short))
    model.partial_fit(X, y)
    assert model.loss_curve_[-1] < model.loss_curve_[0]
