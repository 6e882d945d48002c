"""BLAS on one thread, for the sums whose bits would depend on the number."""

from contextlib import contextmanager
from threading import Lock

from threadpoolctl import threadpool_limits

_lock = Lock()
_users = 0
_limits = None


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
            _limits = threadpool_limits(limits=1, user_api="blas")
        _users += 1
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            if _users == 0:
                _limits.restore_original_limits()
                _limits = None
