"""Time that may be spent: what is still worth starting, and the end of what is not."""

import ctypes
import math
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass

# Seconds between two looks at the clock while work is watched.
GLANCE = 0.05
# Seconds until work that went on regardless is stopped again.
PATIENCE = 2.0
# Seconds after which processes that do not stop by themselves are ended: some import
# what they need, some are in a compiled call.
GRACE = 0.5


class OutOfTime(BaseException):
    """The time limit was reached in the middle of work.

    Not an Exception: a search that catches those of its fits must stop as well.
    """


def now():
    """Return the seconds of a clock that all processes share."""
    return time.time()


# What is left is for the final fits and the files.
SHARE_OF_FOLDS = 0.75
SHARE_OF_FITS = 0.95
# The files take this share of the time that the start has taken, imports and all: on a
# machine with other work, both take longer.
SHARE_OF_START = 0.3


@dataclass(frozen=True)
class Budget:
    """When what must be over.

    Attributes
    ----------
    folds : float
        The time by which the cross-validation ends.
    fits : float
        The time by which the fits on all rows end.
    """

    folds: float = math.inf
    fits: float = math.inf

    @classmethod
    def of(cls, start, limit):
        """Divide the seconds after a start; None for as many as it takes."""
        if limit is None:
            return cls()
        late = SHARE_OF_START * (now() - start)
        fits = start + min(SHARE_OF_FITS * limit, limit - late)
        return cls(min(start + SHARE_OF_FOLDS * limit, fits), fits)


@contextmanager
def stop_at(deadline):
    """Raise OutOfTime in this thread when the clock reaches a deadline.

    The exception comes between two steps of Python, and so after the epoch, the tree
    or the iteration that is being computed.

    Parameters
    ----------
    deadline : float
        As `now` has it; infinite for none.
    """
    if deadline == math.inf:
        yield
        return
    if now() >= deadline:
        raise OutOfTime
    over, lock = threading.Event(), threading.Lock()
    worker = threading.get_ident()

    def watch():
        while not over.wait(GLANCE):
            if now() < deadline:
                continue
            with lock:
                if not over.is_set():
                    _raise_in(worker, ctypes.py_object(OutOfTime))
            # A callback may have swallowed the exception: it is raised again then.
            over.wait(PATIENCE)

    try:
        threading.Thread(target=watch, daemon=True).start()
        yield
    finally:
        try:
            with lock:
                over.set()
        finally:
            over.set()
            _raise_in(worker, None)  # what is on its way must not arrive outside


def _raise_in(thread, exception):
    """Raise an exception in a thread at its next step of Python, or (None) do not."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), exception)
