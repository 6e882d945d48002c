"""The estimators with plain defaults: one network, a constant rate, nothing held out.

Most tests are about one thing that is set, beside nothing else that would act. They
import the estimators from here; what "auto" stands for is tested in test_automatic.py.
"""

import inspect

import skreg
from skreg._problem.automatic import PLAIN


def with_plain_defaults(cls):
    """Give a subclass the plain values as defaults."""
    (base,) = cls.__bases__
    signature = inspect.signature(base.__init__)
    parameters = [
        p.replace(default=PLAIN.get(name, p.default))
        for name, p in signature.parameters.items()
    ]
    plain = signature.replace(parameters=parameters)

    def __init__(self, *args, **kwargs):
        bound = plain.bind(self, *args, **kwargs)
        bound.apply_defaults()
        base.__init__(*bound.args, **bound.kwargs)

    __init__.__signature__ = plain
    cls.__init__ = __init__
    return cls


@with_plain_defaults
class RegularizedMLPClassifier(skreg.RegularizedMLPClassifier):
    """See `skreg.RegularizedMLPClassifier`."""


@with_plain_defaults
class RegularizedMLPRegressor(skreg.RegularizedMLPRegressor):
    """See `skreg.RegularizedMLPRegressor`."""
