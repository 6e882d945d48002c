"""Ctrl-C ends a fit soon, keeps what was learnt, and is raised again."""

import signal
import threading
import time

import numpy as np
import pytest
from common import all_weights, assert_same_fit, diabetes, few_epochs
from plain import RegularizedMLPRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV

from skreg import RegularizedMLPRegressorCV
from skreg._problem.schedules import SCHEDULES

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
    with pytest.raises(
        KeyboardInterrupt, match=r"interrupted.*keeps what it has learnt"
    ):
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
        with pytest.raises(
            KeyboardInterrupt, match=r"after 3 epochs and part"
        ) as caught:
            model.fit(X, y)
    assert caught.value.estimator is model
    assert model.n_iter_ == len(model.loss_curve_) == 3
    short = RegularizedMLPRegressor(random_state=0, max_iter=3)
    with pytest.warns(ConvergenceWarning):
        short.fit(X, y)
    np.testing.assert_array_equal(all_weights(model), all_weights(short))
    model.partial_fit(X, y)
    assert model.loss_curve_[-1] < model.loss_curve_[0]


class Pressed:
    """A scorer in whose n-th call, from 0, Ctrl-C is pressed."""

    def __init__(self, n, error=KeyboardInterrupt):
        self.n, self.error, self.calls = n, error, 0

    def __call__(self, estimator, X, y):
        self.calls += 1
        if self.calls == self.n + 1:
            raise self.error("pressed")
        return float(self.calls)

    def __deepcopy__(self, memo):
        # searches clone, and all clones count together
        return self


def small(scoring, **given):
    return RegularizedMLPRegressor(
        (8,), early_stopping=True, scoring=scoring, random_state=0, **given
    )


@few_epochs
@pytest.mark.parametrize("error_score", ["raise", np.nan])
def test_a_search_ends_instead_of_scoring_half_a_fit(error_score):
    X, y = diabetes()
    scoring = Pressed(3)
    search = GridSearchCV(
        small(scoring, max_iter=4), {"l1": [0.0, 0.01]}, error_score=error_score
    )
    with pytest.raises(KeyboardInterrupt):
        search.fit(X, y)
    assert scoring.calls == 4
    assert not hasattr(search, "best_params_")


@few_epochs
def test_weights_with_the_best_score_are_kept_and_training_goes_on():
    X, y = diabetes()
    model = small(Pressed(4), warm_start=True)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y)
    assert model.n_iter_ == len(model.validation_scores_) == 3
    kept = small(Pressed(99), max_iter=3).fit(X, y)
    np.testing.assert_array_equal(all_weights(model), all_weights(kept))
    model.set_params(max_iter=2, scoring="loss").fit(X, y)
    assert len(model.loss_curve_) == 5


@few_epochs
def test_what_fine_tuning_had_learnt_comes_with_the_exception():
    X, y = diabetes()
    base = RegularizedMLPRegressor((8,), max_iter=2, random_state=0).fit(X, y)
    weights = all_weights(base)
    with pytest.raises(KeyboardInterrupt) as caught:
        base.fine_tune(X, y, early_stopping=True, scoring=Pressed(2))
    adapted = caught.value.estimator
    assert adapted.n_iter_ == 1
    assert np.isfinite(adapted.predict(X)).all()
    np.testing.assert_array_equal(all_weights(base), weights)


@few_epochs
@pytest.mark.parametrize("n_jobs", [1, 3])
@pytest.mark.parametrize("again", [False, True])
def test_the_folds_of_a_choice_end_and_leave_it_as_it_was(n_jobs, again):
    X, y = diabetes()
    model = RegularizedMLPRegressorCV(
        (8,), alphas=[0.1, 0.01], cv=3, max_iter=3, n_jobs=n_jobs, random_state=0
    )
    names = set(vars(model))
    before = model.fit(X, y).predict(X) if again else None
    # its three folds try the scorer out before any of them is trained
    scoring = Pressed(3 + 1)
    model.set_params(early_stopping=False, scoring=scoring)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y)
    if again:
        np.testing.assert_array_equal(model.predict(X), before)
    else:
        assert set(vars(model)) == names
    if n_jobs == 1:
        assert scoring.calls == 5


@few_epochs
def test_paths_in_other_threads_end_before_their_next_epoch():
    from skreg._estimators.callbacks import EndFromOutside

    ended = threading.Event()
    callbacks = EndFromOutside(ended)
    assert callbacks.epoch_ends(callbacks.epoch_begins()) is False
    ended.set()
    with pytest.raises(KeyboardInterrupt):
        callbacks.epoch_begins()


def test_before_training_nothing_has_changed():
    X, y = diabetes()
    model = RegularizedMLPRegressor((8,), max_iter=2, random_state=0)
    with pytest.warns(ConvergenceWarning):
        model.fit(X, y)
    expected = RegularizedMLPRegressor((8,), max_iter=2, random_state=0)
    with pytest.warns(ConvergenceWarning):
        expected.fit(X, y)

    def pressed(X, rng):
        raise KeyboardInterrupt

    model.set_params(augmentation=pressed)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y)
    assert_same_fit(model, expected)
