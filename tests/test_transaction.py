"""A call that trains: whole or not at all, and one at a time."""

import copy
import os
import pickle
import threading
import warnings

import numpy as np
import pytest
from common import (
    FIGURES,
    all_weights,
    assert_same_fit,
    both_estimators,
    data_for,
    diabetes,
    few_epochs,
)
from numpy.testing import assert_array_equal
from plain import RegularizedMLPClassifier, RegularizedMLPRegressor
from sklearn.base import clone, is_classifier
from sklearn.exceptions import ConvergenceWarning

from skreg import (
    RegularizedMLPClassifierCV,
    RegularizedMLPRegressorCV,
    regularization_path,
)
from skreg._estimators.callbacks import HAVE_CALLBACKS
from skreg._training.stochastic import History

pytestmark = few_epochs


class Broken:
    """Raises in its n-th call, from 0; a scorer, a row function and a callback."""

    def __init__(self, n, error=RuntimeError):
        self.n, self.error, self.calls = n, error, 0

    def tick(self):
        self.calls += 1
        if self.calls == self.n + 1:
            raise self.error("on purpose")

    def score(self, estimator, X, y):
        self.tick()
        return float(self.calls)

    def rows(self, X, rng):
        self.tick()
        return X + 1.0

    def __deepcopy__(self, memo):
        return self


class BrokenCallback(Broken):
    def __init__(self, hook, n=0, error=RuntimeError):
        super().__init__(n, error)
        self.hook = hook

    def setup(self, estimator, context):
        self.called("setup")

    def teardown(self, estimator, context):
        self.called("teardown")

    def on_fit_task_begin(self, estimator, context):
        self.called("begin")

    def on_fit_task_end(self, estimator, context):
        self.called("end")

    def called(self, hook):
        if hook == self.hook:
            self.tick()


KINDS = {
    "adam": {},
    "sgd": {"solver": "sgd", "learning_rate": "adaptive"},
    "lbfgs": {"solver": "lbfgs"},
    "norm and average": {"batch_norm": True, "weight_averaging": "ema"},
    "swa": {"weight_averaging": "swa", "batch_norm": True, "dropout": 0.2},
    "hierarchy": {"skip": True, "hierarchy": 10.0, "group_l1": 1e-3},
    "auto": {"l1": "auto", "early_stopping": True},
    "early stopping": {"early_stopping": True},
}
kinds = pytest.mark.parametrize("kind", KINDS)


def fitted(Estimator, kind, **given):
    model = Estimator((6,), max_iter=3, random_state=0, batch_size=32)
    model.set_params(**KINDS[kind], **given)
    X, y = data_for(model)
    return model.fit(X, y), X, y


def learnt(model):
    """All that the estimator has beside its parameters, in bytes."""
    given = [*model.get_params(deep=False), "_skl_callbacks"]
    return pickle.dumps({k: v for k, v in vars(model).items() if k not in given})


def assert_unchanged(model, call, error=RuntimeError):
    """The call fails, and not a bit of the estimator is another."""
    weights, before = all_weights(model), learnt(model)
    attributes = dict(vars(model))
    views, lists = model.coefs_, [model.loss_curve_, list(model.loss_curve_)]
    with pytest.raises(error):
        call()
    assert vars(model).keys() == attributes.keys()
    assert all(vars(model)[name] is value for name, value in attributes.items())
    assert learnt(model) == before
    assert_array_equal(all_weights(model), weights)
    assert all(
        np.shares_memory(*pair) for pair in zip(views, model.coefs_, strict=True)
    )
    assert lists[0] == lists[1] == model.loss_curve_


@kinds
@both_estimators
@pytest.mark.parametrize("warm_start", [False, True])
@pytest.mark.parametrize("n", [0, 1, 2])
def test_a_row_function_that_fails(Estimator, kind, warm_start, n):
    if kind == "lbfgs":
        pytest.skip("it takes the rows as they are")
    model, X, y = fitted(Estimator, kind, warm_start=warm_start)
    model.set_params(augmentation=Broken(n).rows)
    model.set_params(l2=0.1)
    params = model.get_params()
    assert_unchanged(model, lambda: model.fit(X[:100], y[:100]))
    assert model.get_params() == params


@kinds
@both_estimators
@pytest.mark.parametrize("warm_start", [False, True])
def test_a_scorer_that_fails(Estimator, kind, warm_start):
    if kind == "lbfgs":
        pytest.skip("it does not stop early")
    model, X, y = fitted(Estimator, kind, warm_start=warm_start)
    model.set_params(early_stopping=True, scoring=Broken(3).score)
    assert_unchanged(model, lambda: model.fit(X, y))


@pytest.mark.skipif(not HAVE_CALLBACKS, reason="scikit-learn before 1.9")
@kinds
@pytest.mark.parametrize("warm_start", [False, True])
@pytest.mark.parametrize("hook", ["setup", "begin", "end", "teardown"])
def test_a_callback_that_fails(kind, warm_start, hook):
    model, X, y = fitted(RegularizedMLPRegressor, kind, warm_start=warm_start)
    model.set_callbacks(BrokenCallback(hook, n=int(hook in ("begin", "end"))))
    assert_unchanged(model, lambda: model.fit(X, y))
    if hasattr(model, "partial_fit"):
        model.set_callbacks(BrokenCallback(hook))
        assert_unchanged(model, lambda: model.partial_fit(X, y))


@pytest.mark.skipif(not HAVE_CALLBACKS, reason="scikit-learn before 1.9")
@pytest.mark.parametrize(
    "error", [RuntimeError, MemoryError, SystemExit, GeneratorExit]
)
def test_errors_of_all_kinds(error):
    model, X, y = fitted(RegularizedMLPRegressor, "adam", warm_start=True)
    model.set_callbacks(BrokenCallback("end", 1, error))
    assert_unchanged(model, lambda: model.fit(X, y), error)


@kinds
@pytest.mark.parametrize("warm_start", [False, True])
def test_a_warning_that_is_an_error(kind, warm_start):
    model, X, y = fitted(RegularizedMLPRegressor, kind, warm_start=warm_start)
    if KINDS[kind].get("early_stopping") or kind == "swa":
        pytest.skip("there is nothing to warn of")
    model.set_params(max_iter=1)

    def fit_strictly():
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            model.fit(X, y)

    assert_unchanged(model, fit_strictly, ConvergenceWarning)


@pytest.fixture
def after_an_epoch(monkeypatch):
    """Make every training fail once weights have moved and figures are noted."""

    def broken(self, *figures, add=History.add):
        add(self, *figures)
        raise RuntimeError("on purpose")

    return lambda: monkeypatch.setattr(History, "add", broken)


@both_estimators
@pytest.mark.parametrize("kind", ["adam", "sgd", "norm and average", "hierarchy"])
def test_partial_fit(Estimator, kind, after_an_epoch, monkeypatch):
    model, X, y = fitted(Estimator, kind)
    same = copy.deepcopy(model)
    after_an_epoch()
    assert_unchanged(model, lambda: model.partial_fit(X, y))
    monkeypatch.undo()
    # and goes on as if nothing had been
    assert_array_equal(
        all_weights(model.partial_fit(X, y)), all_weights(same.partial_fit(X, y))
    )
    assert model.loss_curve_ == same.loss_curve_


@both_estimators
def test_a_first_call_that_fails_leaves_nothing(Estimator):
    model = Estimator((6,), max_iter=3, augmentation=Broken(2).rows)
    X, y = data_for(model)
    names = set(vars(model))
    with pytest.raises(RuntimeError):
        model.fit(X, y)
    assert set(vars(model)) == names


@both_estimators
@pytest.mark.parametrize("method", ["head", "bias", "lora", "adapter", "full"])
def test_fine_tuning(Estimator, method, after_an_epoch):
    base, X, y = fitted(Estimator, "adam")
    assert_unchanged(
        base, lambda: base.fine_tune(X, y, method=method, augmentation=Broken(2).rows)
    )
    adapted = base.fine_tune(X, y, method=method, l2_sp=0.1, warm_start=True)
    adapted.set_params(augmentation=Broken(2).rows)
    assert_unchanged(adapted, lambda: adapted.fit(X, y))
    adapted.set_params(augmentation=None)
    after_an_epoch()
    assert_unchanged(adapted, lambda: adapted.partial_fit(X, y))


@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.parametrize(
    "Estimator", [RegularizedMLPClassifierCV, RegularizedMLPRegressorCV]
)
def test_estimators_that_choose_their_strength(Estimator, n_jobs):
    model = Estimator(
        (6,), alphas=[0.1, 0.01], cv=2, max_iter=2, random_state=0, n_jobs=n_jobs
    )
    X, y = data_for(model)
    model.fit(X, y)
    for n in [0, 2, 3]:
        model.set_params(scoring=Broken(n).score)
        if n == 0:
            model.set_params(scoring=lambda *_: 1 / 0)
        error = ZeroDivisionError if n == 0 else RuntimeError
        assert_unchanged(model, lambda: model.fit(X, y), error)


def test_a_path_leaves_its_estimator_alone():
    model, X, y = fitted(RegularizedMLPRegressor, "adam")
    model.set_params(augmentation=Broken(3).rows)
    assert_unchanged(model, lambda: regularization_path(model, X, y, alphas=[0.1, 1.0]))


@pytest.mark.parametrize("call", ["sparsify_weights", "densify", "prune"])
def test_without_memory(call, monkeypatch):
    from skreg._estimators import fitted as what_a_fitted_one_can
    from skreg._network.sparse_network import SparseNetwork
    from skreg._training.state import TrainingState

    def full(*_):
        raise MemoryError

    model, *_ = fitted(RegularizedMLPRegressor, "adam")
    if call == "densify":
        model.sparsify_weights()
        monkeypatch.setattr(SparseNetwork, "dense", full)
        before = pickle.dumps(model)
        with pytest.raises(MemoryError):
            model.densify()
        assert pickle.dumps(model) == before
        return
    if call == "sparsify_weights":
        monkeypatch.setattr(TrainingState, "without_memory", full)
    else:
        monkeypatch.setattr(what_a_fitted_one_can, "pruned_network", full)
    assert_unchanged(model, getattr(model, call), MemoryError)


def test_views_of_weights_and_figures_are_of_their_call():
    """What a user has read does not change under the user's hands."""
    model, X, y = fitted(RegularizedMLPRegressor, "adam")
    coefs = model.coefs_
    kept = [W.copy() for W in coefs]
    model.partial_fit(X, y)
    for W, before, now in zip(coefs, kept, model.coefs_, strict=True):
        assert_array_equal(W, before)
        assert not np.array_equal(W, now)


# --------------------------------------------------------------- one at a time


class Waiting:
    """A row function that waits in its n-th call until it may go on."""

    def __init__(self, n=2):
        self.n, self.calls = n, 0
        self.reached, self.go_on = threading.Event(), threading.Event()

    def __deepcopy__(self, memo):
        return self

    def __reduce__(self):
        return Waiting, ()

    def __call__(self, X, rng):
        self.calls += 1
        if self.calls == self.n:
            self.reached.set()
            assert self.go_on.wait(60)
        return X


class Training:
    """A call in another thread that stands in the middle of its training."""

    def __init__(self, model, call):
        self.wait = Waiting()
        self.error = None
        model.set_params(augmentation=self.wait)

        def run():
            try:
                call()
            except Exception as error:
                self.error = error

        self.thread = threading.Thread(target=run)

    def __enter__(self):
        self.thread.start()
        assert self.wait.reached.wait(60)
        return self

    def __exit__(self, *_):
        self.wait.go_on.set()
        self.thread.join()
        assert self.error is None


@both_estimators
@pytest.mark.parametrize("other", ["fit", "partial_fit", "sparsify_weights", "densify"])
def test_a_second_call_is_refused(Estimator, other):
    model, X, y = fitted(Estimator, "adam")
    expected = clone(model).fit(X, y)
    data = () if other in ("sparsify_weights", "densify") else (X, y)
    with (
        Training(model, lambda: model.fit(X, y)),
        pytest.raises(RuntimeError, match=r"another call is training.*clone"),
    ):
        getattr(model, other)(*data)
    assert_array_equal(all_weights(model), all_weights(expected))
    # and afterwards there is nothing left of it
    model.set_params(augmentation=None)
    assert_array_equal(all_weights(model.fit(X, y)), all_weights(expected))


def test_other_estimators_train_at_the_same_time():
    model, X, y = fitted(RegularizedMLPRegressor, "adam")
    with Training(model, lambda: model.fit(X, y)):
        for other in [clone(model), copy.deepcopy(model), copy.copy(model)]:
            other.set_params(augmentation=None)
            again = pickle.loads(pickle.dumps(other))
            assert_array_equal(again.fit(X, y).predict(X), other.fit(X, y).predict(X))


@both_estimators
@pytest.mark.parametrize("warm_start", [False, True])
def test_predictions_during_a_fit_are_those_of_before(Estimator, warm_start):
    model, X, y = fitted(Estimator, "adam", warm_start=warm_start)
    expected = model.predict(X)
    # another unit, or other classes
    other = y if is_classifier(model) or warm_start else 100 * y
    base = clone(model).fit(X, y)
    with Training(model, lambda: model.fit(X, other)):
        assert_array_equal(model.predict(X), expected)
        if is_classifier(model):
            assert_array_equal(model.predict_proba(X), base.predict_proba(X))
            assert_array_equal(model.predict_log_proba(X), base.predict_log_proba(X))
        assert model.score(X, y) == base.score(X, y)
        gradient = base.input_gradient(X, y)
        assert_array_equal(model.input_gradient(X, y), gradient)
    assert not np.array_equal(model.predict(X), expected) or is_classifier(model)


COPIES = {
    "deepcopy": copy.deepcopy,
    "copy": copy.copy,
    "pickle": lambda model: pickle.loads(pickle.dumps(model)),
    "prune": lambda model: model.prune(),
}


@both_estimators
@pytest.mark.parametrize("method", ["fit", "warm_start", "partial_fit"])
@pytest.mark.parametrize("way", COPIES)
def test_copies_during_a_fit_are_of_before(Estimator, method, way):
    """Weights, figures and targets' scale, in the first and in a later epoch."""
    model, X, y = fitted(Estimator, "adam", warm_start=method == "warm_start")
    base = copy.deepcopy(model)
    other = y if is_classifier(model) else 100 * y
    training = Training(
        model,
        lambda: (model.partial_fit if method == "partial_fit" else model.fit)(X, other),
    )
    # the last look at it comes after an epoch, where there is more than one
    training.wait.n = 1 if method == "partial_fit" else 3
    with training:
        found = COPIES[way](model)
        assert found.loss_curve_ == found._state.history.loss_curve
        for name in FIGURES:
            assert getattr(found, name) == getattr(base, name), name
        assert_array_equal(found.predict(X), base.predict(X))
    for name in FIGURES:
        assert getattr(found, name) == getattr(base, name), name
    if way != "prune":
        for each in (found, base):
            each.set_params(augmentation=None, warm_start=True)
        assert_same_fit(found.fit(X, y), base.fit(X, y))


def test_copies_during_a_first_fit_are_not_fitted():
    X, y = diabetes()
    model = RegularizedMLPRegressor((6,), max_iter=3)
    with Training(model, lambda: model.fit(X, y)):
        found = [copy.deepcopy(model), pickle.loads(pickle.dumps(model)), clone(model)]
    for each in found:
        assert not hasattr(each, "_network")
        assert not hasattr(each, "n_features_in_")


def test_a_callers_own_thread_copies_what_is_there_now():
    """A scorer keeps the network of each epoch."""
    X, y = diabetes()
    found = []

    def score(model, X, y):
        found.append(copy.deepcopy(model))
        return -float(len(found))

    RegularizedMLPRegressor(
        (6,), max_iter=4, early_stopping=True, scoring=score, random_state=0
    ).fit(X, y)
    weights = [all_weights(each) for each in found[-2:]]
    assert not np.array_equal(*weights)


def test_a_copy_shares_no_list_that_grows():
    model, X, y = fitted(RegularizedMLPRegressor, "adam")
    found = copy.copy(model)
    before = list(found.loss_curve_)
    model.partial_fit(X, y)
    assert found.loss_curve_ == before
    assert found.learning_rates_ == found._state.history.learning_rates
    assert len(found.learning_rates_) == len(before)


def test_before_a_first_fit_is_done_there_is_none():
    from sklearn.exceptions import NotFittedError

    X, y = diabetes()
    model = RegularizedMLPRegressor((6,), max_iter=3)
    with (
        Training(model, lambda: model.fit(X, y)),
        pytest.raises(NotFittedError),
    ):
        model.predict(X)
    assert np.isfinite(model.predict(X)).all()


def test_a_function_that_fits_its_own_estimator_is_refused():
    X, y = diabetes()
    model = RegularizedMLPRegressor((6,), max_iter=3)

    def again(X, rng):
        model.fit(X, y)

    with pytest.raises(RuntimeError, match="another call is training"):
        model.set_params(augmentation=again).fit(X, y)
    assert not hasattr(model, "coefs_")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_process_knows_nothing_of_other_threads():
    model, X, y = fitted(RegularizedMLPRegressor, "adam")
    with Training(model, lambda: model.fit(X, y)):
        child = os.fork()
        if child == 0:
            try:
                model.set_params(augmentation=None).fit(X, y)
            except BaseException:
                os._exit(1)
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0


def test_classes_of_a_first_partial_fit_that_failed_are_forgotten():
    X, y = data_for(RegularizedMLPClassifier())
    model = RegularizedMLPClassifier((6,), augmentation=Broken(0).rows)
    with pytest.raises(RuntimeError):
        model.partial_fit(X, y, classes=[0, 1, 2, 3])
    with pytest.raises(ValueError, match="classes must be passed on the first call"):
        model.partial_fit(X, y)
