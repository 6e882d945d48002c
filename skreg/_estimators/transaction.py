"""A call that changes an estimator: whole or not at all, and one at a time.

`atomic` is around every such call. An error in it, whoever raised it, gives the
estimator back the attributes that it had. Their arrays are the old ones, too: a call
that goes on from what was learnt trains copies (`work_on_copies`), so that there is
nothing to undo. Only lists of figures are shared, for they are as long as all fits
together; what was appended to them is cut off.

An entry in a table marks an estimator as being changed, and no attribute does: copies
and pickles of the estimator know nothing of it. Those that another thread makes
meanwhile are of before the call, as predictions are.
"""

import copy
import os
import threading
import weakref
from functools import wraps
from typing import NamedTuple

import numpy as np

from skreg._problem.optimizers import WRITTEN


class TrainingInterrupted(KeyboardInterrupt):
    """Ctrl-C in training; the estimator has what it has learnt until then.

    Attributes
    ----------
    estimator : estimator or None
        Fitted.
    """

    def __init__(self, message="", estimator=None):
        super().__init__(message)
        self.estimator = estimator


class Call(NamedTuple):
    """A call that is changing an estimator."""

    estimator: weakref.ref
    thread: int
    before: dict  # the attributes
    lengths: list  # of the lists of figures


_lock = threading.Lock()
_calls = {}  # by the id of the estimator


def _after_fork():
    """A child process has one thread, and none of the calls of the others."""
    global _lock
    _lock = threading.Lock()
    _calls.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def _call_on(estimator):
    """The Call that is changing the estimator, or None; needs the lock."""
    call = _calls.get(id(estimator))
    return call if call is not None and call.estimator() is estimator else None


def _lists(attributes):
    """The lists that training appends to."""
    state = attributes.get("_state")
    return [] if state is None else state.history.lists()


def _begin(estimator, name):
    with _lock:
        if _call_on(estimator) is not None:
            raise RuntimeError(
                f"{type(estimator).__name__}.{name} was called while another call is "
                "training the same estimator: each would overwrite what the other has "
                "learnt. Wait for the end of the other call, or train a clone."
            )
        before = dict(vars(estimator))
        _calls[id(estimator)] = call = Call(
            weakref.ref(estimator),
            threading.get_ident(),
            before,
            [len(figures) for figures in _lists(before)],
        )
    return call


def _end(estimator, call, *, failed):
    with _lock:
        if failed:
            for figures, length in zip(_lists(call.before), call.lengths, strict=True):
                del figures[length:]
            # parameters are always there, for whoever reads them now
            attributes = vars(estimator)
            for name in attributes.keys() - call.before.keys():
                del attributes[name]
            attributes.update(call.before)
        _calls.pop(id(estimator), None)


def atomic(method):
    """Make a method leave its estimator as it was if it fails."""

    @wraps(method)
    def whole_or_nothing(self, *args, **kwargs):
        call = _begin(self, method.__name__)
        failed = True
        try:
            result = method(self, *args, **kwargs)
            failed = False
            return result
        except TrainingInterrupted:
            failed = False
            raise
        finally:
            _end(self, call, failed=failed)

    return whole_or_nothing


def work_on_copies(estimator):
    """Give an estimator that is trained on copies of what training changes.

    The copies take as long as some steps of the optimizer: weights, moments, statistics
    and averages are copied once per call.
    """
    # by the id of what is copied, for what refers to it
    memo = {}

    def copied(owner, *arrays):
        twin = memo[id(owner)] = copy.copy(owner)
        for name in arrays:
            array = getattr(owner, name)
            if array is not None:
                memo[id(array)] = np.array(array)
                setattr(twin, name, memo[id(array)])
        return twin

    network, state = estimator._network, estimator._state
    new = estimator._network = copied(network, "params")
    if network.statistics is not None:
        new.statistics = copied(network.statistics, "values")
    # the engine of the last prediction serves both
    new._idle = network._idle
    # what is appended to is shared; what is replaced as a whole, or read only, too
    new = estimator._state = copied(state)
    new.history = copied(state.history)
    if state.optimizer is not None:
        new.optimizer = copied(state.optimizer, *WRITTEN)
    if state.loss_progress is not None:
        new.loss_progress = copied(state.loss_progress)
    new.schedule = copy.deepcopy(state.schedule)
    new.tuner = copy.deepcopy(state.tuner)
    if estimator._fine_tuning is not None:
        memo[id(network.loss)] = network.loss
        estimator._fine_tuning = copy.deepcopy(estimator._fine_tuning, memo)


def settled(estimator):
    """A view of an estimator that no call in another thread changes.

    While another thread trains the estimator, the view is what it was before.
    """
    with _lock:
        call = _call_of_another_thread(estimator)
        attributes = dict(vars(estimator)) if call is None else _before(call)
    view = object.__new__(type(estimator))
    view.__dict__ = attributes
    return view


def settled_state(estimator):
    """The attributes of that view, to be copied or pickled.

    That takes its time, in which another thread may begin to train: the lists of
    figures are none that grow.
    """
    with _lock:
        call = _call_of_another_thread(estimator)
        if call is not None:
            return _before(call)
        attributes = dict(vars(estimator))
        return _cut(attributes, [len(figures) for figures in _lists(attributes)])


def _call_of_another_thread(estimator):
    call = _call_on(estimator)
    if call is None or call.thread == threading.get_ident():
        return None
    return call


def _before(call):
    """The attributes before a call, with lists of their own."""
    return _cut(call.before, call.lengths)


def _cut(attributes, lengths):
    """Attributes with copies of the lists of figures, of these lengths."""
    state = attributes.get("_state")
    if state is None:
        return dict(attributes)
    lists = {
        id(figures): figures[:length]
        for figures, length in zip(_lists(attributes), lengths, strict=True)
    }

    def with_own_lists(values):
        return {name: lists.get(id(value), value) for name, value in values.items()}

    history, own = copy.copy(state.history), copy.copy(state)
    vars(history).update(with_own_lists(vars(history)))
    own.history = history
    return with_own_lists(attributes) | {"_state": own}
