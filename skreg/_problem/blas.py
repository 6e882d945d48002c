"""BLAS on one thread, for the sums whose bits would depend on the number."""

from contextlib import contextmanager
from functools import cache
from threading import Lock

from threadpoolctl import ThreadpoolController

_lock = Lock()
_users = 0
_limits = None


@cache
def blas_of_the_process():
    """The BLAS libraries, looked for once: that takes longer than many a fit.

    SciPy's is among them, for importing scipy.optimize has loaded it.
    """
    return ThreadpoolController().select(user_api="blas")


@contextmanager
def one_blas_thread():
    """Hold every BLAS of this process to one thread.

    SciPy's L-BFGS-B adds up by BLAS, which cuts a long sum into one part per thread.
    The limit holds for the whole process: the first of several fits that run at the
    same time sets it and the last one lifts it.
    """
    global _users, _limits
    with _lock:
        if _users == 0:
            _limits = blas_of_the_process().limit(limits=1)
        _users += 1
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            if _users == 0:
                _limits.restore_original_limits()
                _limits = None
