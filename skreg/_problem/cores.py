"""How many threads a fit or a prediction takes.

Results have the same bits for any number, so it is chosen anew for every call: as many
as OMP_NUM_THREADS, threadpoolctl and joblib leave to the caller and the machine has
cores, but no more than the work pays for, nor than other fits of this process leave.
"""

import os
import threading
from contextlib import contextmanager
from functools import cache

from skreg._kernels import engine

# Below so many operations for each thread, in what they do between two meetings of the
# team, the meetings cost more than is gained.
OPERATIONS_PER_THREAD = 4e6

_lock = threading.Lock()
_in_use = 0
_forked = False


@cache
def _cores():
    """Cores that this process may use: by affinity, and by the quota of a container."""
    from joblib import cpu_count

    return cpu_count()


def limit():
    """The most threads that a call may take now."""
    # a process that was forked has none of OpenMP's threads, and cannot make them
    return 1 if _forked else min(engine.max_threads(), _cores())


def wanted(operations):
    """Threads that so many operations in one go pay for."""
    most = int(operations // OPERATIONS_PER_THREAD)
    return max(1, min(most, limit())) if most > 1 else 1


@contextmanager
def borrowed(number):
    """Up to `number` threads, at least one, that no other fit has."""
    global _in_use
    if number == 1:
        yield 1
        return
    with _lock:
        granted = max(1, min(number, _cores() - _in_use))
        _in_use += granted
    try:
        yield granted
    finally:
        with _lock:
            _in_use -= granted


def _after_fork():
    global _lock, _in_use, _forked
    _lock, _in_use, _forked = threading.Lock(), 0, True


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
