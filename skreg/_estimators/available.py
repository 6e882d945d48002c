"""Methods that exist under conditions, and say why they do not."""

from functools import update_wrapper, wraps
from types import MethodType


class _Conditional:
    """scikit-learn's `available_if`, with the reason in the error's own message."""

    def __init__(self, method, check):
        self.method, self.check = method, check
        update_wrapper(self, method)

    def __get__(self, estimator, owner=None):
        if estimator is not None:
            self.check(estimator)
            return MethodType(self.method, estimator)

        # a function, for whoever reads its signature from the class
        @wraps(self.method)
        def checked(estimator, *args, **kwargs):
            self.check(estimator)
            return self.method(estimator, *args, **kwargs)

        return checked


def available_unless_it_raises(check):
    """Make a method available where `check` raises no AttributeError."""
    return lambda method: _Conditional(method, check)
