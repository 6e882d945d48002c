"""What of a class has an entry in the API reference: all that skreg gives it.

The template of classes (``_templates/autosummary/class.rst``) lists these, and a test
compares them with what is public. What a class has from scikit-learn is documented
there, and named at the end of ``api.rst``.
"""

import inspect
from importlib import import_module

from skreg._estimators.members import OfOneNetwork


def entries(module, name):
    """Names of the methods and of the properties of a class, alphabetically."""
    cls = getattr(import_module(module), name)
    methods, properties = [], []
    for member in sorted(dir(cls)):
        if member.startswith("_") or not is_ours(cls, member):
            continue
        if member in getattr(cls, "__dataclass_fields__", ()):
            continue
        static = inspect.getattr_static(cls, member)
        # an attribute that fit sets, described in the class's docstring
        if isinstance(static, OfOneNetwork):
            continue
        if not isinstance(static, property):
            methods.append(member)
        elif not is_withheld(cls, member):
            properties.append(member)
    return methods, properties


def is_ours(cls, member):
    """Whether the first class that defines it is one of skreg, and does so itself."""
    owner = next(base for base in cls.__mro__ if member in vars(base))
    value = getattr(cls, member)
    module = getattr(value, "__module__", None) or owner.__module__
    # set_fit_request and the like are made by scikit-learn, on every class
    return owner.__module__.startswith("skreg") and module.startswith("skreg")


def is_withheld(cls, member):
    """Whether a base has it as a method, and this class a property that refuses it."""
    return any(
        callable(getattr(base, member)) for base in cls.__mro__ if member in vars(base)
    )


def setup(app):
    """Hand the function to the template."""
    app.config.autosummary_context = {"entries": entries}
    return {"parallel_read_safe": True}
