"""Everything that is public has an entry in the API reference."""

import importlib.util
import inspect
import pkgutil
import re
from importlib import import_module
from pathlib import Path

import pytest
from common import data_for, few_epochs

import skreg
from skreg._estimators.base import BaseRegularizedMLP
from skreg._estimators.members import OF_ONE_NETWORK

DOCS = Path(__file__).resolve().parent.parent / "docs"
REFERENCE = (DOCS / "api.rst").read_text("utf-8")
MODULES = ["skreg"] + [
    module.name
    for module in pkgutil.walk_packages(skreg.__path__, "skreg.")
    if "._" not in module.name
]
PUBLIC = {
    f"{module}.{name}": getattr(import_module(module), name)
    for module in MODULES
    for name in getattr(import_module(module), "__all__", [])
}
CLASSES = {name: value for name, value in PUBLIC.items() if inspect.isclass(value)}
every_class = pytest.mark.parametrize("name", CLASSES)


def documented_names():
    """Names in the autosummary tables of api.rst, with their modules."""
    module, found = None, []
    for line in REFERENCE.splitlines():
        if line.startswith(".. currentmodule:: "):
            module = line.split()[-1]
        elif re.fullmatch(r"   \w+", line):
            found.append(f"{module}.{line.strip()}")
    return found


@pytest.fixture(scope="module")
def members():
    """The function of the documentation that chooses a class's entries."""
    path = DOCS / "_ext/public_names.py"
    spec = importlib.util.spec_from_file_location("public_names", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.entries


def from_scikit_learn():
    said = REFERENCE.split("What is public\n")[1]
    return set(re.findall(r"`(\w+)`", said))


def test_every_public_name_has_a_page_and_no_other_has():
    assert sorted(documented_names()) == sorted(PUBLIC)


def test_the_template_lists_the_members():
    template = (DOCS / "_templates/autosummary/class.rst").read_text("utf-8")
    assert "entries(module, objname)" in template
    assert ".. automethod:: {{ method }}" in template
    assert ".. autoproperty:: {{ property }}" in template


@every_class
def test_every_public_member_has_an_entry_or_is_scikit_learns(name, members):
    cls = CLASSES[name]
    methods, properties = members(*name.rsplit(".", 1))
    public = {member for member in dir(cls) if not member.startswith("_")}
    if issubclass(cls, Exception):
        public -= set(dir(UserWarning))
    # what a dataclass or a fit stores is in the docstring: see below
    public -= set(getattr(cls, "__dataclass_fields__", ()))
    if issubclass(cls, BaseRegularizedMLP):
        assert all(name in cls.__doc__ for name in OF_ONE_NETWORK)
        public -= set(OF_ONE_NETWORK)
    withheld = {"fine_tune", "partial_fit"} if name.endswith("CV") else set()
    left = public - set(methods) - set(properties) - from_scikit_learn() - withheld
    assert left == set()
    assert not withheld & {*methods, *properties}


@every_class
def test_entries_have_the_sections_of_numpydoc(name, members):
    cls = CLASSES[name]
    methods, properties = members(*name.rsplit(".", 1))
    for member in properties:
        assert inspect.getdoc(getattr(cls, member)), member
    for member in methods:
        method = getattr(cls, member)
        docstring = inspect.getdoc(method)
        assert docstring, member
        # an entry that is described elsewhere links to it
        if elsewhere := re.match(r"See `(\w+)\.(\w+)`\.", docstring):
            base, method_of_base = elsewhere.groups()
            described = getattr(import_module(name.rsplit(".", 1)[0]), base)
            docstring = inspect.getdoc(getattr(described, method_of_base))
        parameters = [
            parameter
            for parameter in inspect.signature(method).parameters.values()
            if parameter.name not in ("self", "cls")
            and parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)
        ]
        if parameters:
            described = docstring.split("Parameters\n----------\n")[1]
            for parameter in parameters:
                assert re.search(rf"\b{parameter.name}\b", described), (
                    member,
                    parameter.name,
                )
        assert "Returns\n-------" in docstring, member


@few_epochs
@pytest.mark.parametrize(
    "name", [name for name, cls in CLASSES.items() if hasattr(cls, "fine_tune")]
)
def test_what_a_fit_sets_is_in_the_docstring(name):
    settings = {"alphas": 2, "cv": 2} if name.endswith("CV") else {}
    model = CLASSES[name]((3,), max_iter=2, early_stopping=True, **settings)
    model.fit(*data_for(model))
    described = inspect.getdoc(CLASSES[name]).split("Attributes\n----------\n")[1]
    for attribute in vars(model):
        if attribute.endswith("_") and not attribute.startswith("_"):
            assert re.search(rf"^{attribute} :", described, re.MULTILINE), attribute
