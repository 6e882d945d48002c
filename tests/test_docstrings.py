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
PUBLIC = [name for name in skreg.__all__ if not name.startswith("_")]


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name):
    module = importlib.import_module(name)
    assert doctest.testmod(module, optionflags=FLAGS).failed == 0


@pytest.mark.parametrize("name", PUBLIC)
def test_public_name_has_an_example(name):
    docstring = inspect.getdoc(getattr(skreg, name)) or ""
    assert "Examples\n--------" in docstring
    assert ">>>" in docstring
