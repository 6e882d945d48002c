"""Every public name has an example, and the examples say what is true."""

import doctest
import importlib
import inspect
import pkgutil

import pytest

import skreg

MODULES = sorted(
    ["skreg"]
    + [module.name for module in pkgutil.walk_packages(skreg.__path__, "skreg.")]
)
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
PUBLIC = [
    (module, name)
    for module in MODULES
    if "._" not in module
    for name in getattr(importlib.import_module(module), "__all__", [])
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name):
    module = importlib.import_module(name)
    assert doctest.testmod(module, optionflags=FLAGS).failed == 0


@pytest.mark.parametrize(("module", "name"), PUBLIC)
def test_public_name_has_an_example(module, name):
    docstring = inspect.getdoc(getattr(importlib.import_module(module), name)) or ""
    assert "Examples\n--------" in docstring
    assert ">>>" in docstring
