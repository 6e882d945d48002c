"""The HTML representation: its links lead to pages, its parameters are described."""

import importlib
import inspect
import re
import tomllib
from pathlib import Path

import pytest
from common import learns_nothing
from sklearn.base import BaseEstimator
from sklearn.datasets import load_iris
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import estimator_html_repr

from skreg import RegularizedMLPClassifier, RegularizedMLPRegressor, _documentation

pytestmark = learns_nothing

ROOT = Path(__file__).resolve().parent.parent


def pages():
    """(Module, name) of each page that Sphinx makes from docs/api.rst."""
    module, made = None, []
    listed = False
    for line in (ROOT / "docs" / "api.rst").read_text("utf-8").splitlines():
        if line.startswith(".. currentmodule::"):
            module = line.split("::")[1].strip()
        elif line.startswith(".. autosummary::"):
            listed = True
        elif line and not line.startswith(" "):
            listed = False
        elif listed and re.fullmatch(r"   \w+", line):
            made.append((module, line.strip()))
    return made


CLASSES = [
    public
    for module, name in pages()
    if inspect.isclass(public := getattr(importlib.import_module(module), name))
    and issubclass(public, BaseEstimator)
    and not inspect.isabstract(public)
]


def test_pages_are_found():
    assert {RegularizedMLPClassifier, RegularizedMLPRegressor} < set(CLASSES)
    assert len(CLASSES) > 15


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_link_leads_to_a_page_of_the_documentation(cls):
    # the link depends on the class, not on its parameters
    start, page = object.__new__(cls)._get_doc_link().split("/generated/")
    assert start == _documentation.ADDRESS
    module, name, suffix = page.rsplit(".", 2)
    assert (module, name) in pages()
    assert (name, suffix) == (cls.__name__, "html")


def test_address_is_the_projects():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["urls"]["Documentation"] == _documentation.ADDRESS


def test_representation_has_the_link():
    link = re.escape(
        f"{_documentation.ADDRESS}/generated/skreg.RegularizedMLPClassifier.html"
    )
    net = RegularizedMLPClassifier((5,), max_iter=1, learning_rate="cosine")
    for shown in [net, make_pipeline(StandardScaler(), net)]:
        assert re.search(f'href="{link}"', estimator_html_repr(shown))
    X, y = load_iris(return_X_y=True)
    assert re.search(f'href="{link}"', estimator_html_repr(net.fit(X, y)))


def test_no_link_for_a_class_from_elsewhere():
    class Derived(RegularizedMLPClassifier):
        pass

    assert Derived()._get_doc_link() == ""
    assert "generated/" not in estimator_html_repr(Derived())


def described(cls, section):
    """Type and text by name, as scikit-learn's representation reads a docstring."""
    docscrape = pytest.importorskip(
        "sklearn.externals._numpydoc.docscrape",
        reason="scikit-learn shows descriptions since 1.8",
    )
    sections = docscrape.NumpyDocString(inspect.getdoc(cls))
    return {name: (kind, text) for name, kind, text in sections[section]}


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_every_parameter_is_described(cls):
    parameters = described(cls, "Parameters")
    names = [name for name in inspect.signature(cls).parameters if name != "self"]
    assert list(parameters) == names
    for name, (kind, text) in parameters.items():
        assert kind, f"{name} has no type"
        assert text, f"{name} has no description"
        # The link is to the first line that looks like the parameter's own.
        first = re.search(f"{name} : (.+)\n", cls.__doc__)[1]
        assert first == kind, f"the link of {name} leads to another entry"


@pytest.mark.parametrize("cls", [RegularizedMLPClassifier, RegularizedMLPRegressor])
def test_every_fitted_attribute_is_described(cls):
    X, y = load_iris(return_X_y=True)
    fitted = cls((3,), max_iter=1, learning_rate="cosine").fit(X, y)
    several = cls((30,), n_members=2, random_state=0).fit(X, y)
    attributes = described(cls, "Attributes")
    shown = {
        name
        for name in (vars(fitted) | vars(several))
        if name.endswith("_") and name[0] != "_"
    }
    assert not shown - set(attributes)
    # those of networks without hidden layers
    linear = {"coef_", "intercept_"}
    of_names = {"feature_names_in_", "selected_feature_names_"}
    assert len(several.members_) == 2
    for name in attributes.keys() - of_names - {"members_"}:
        assert hasattr(fitted, name) != (name in linear), f"{name} is not set"
    model = cls((), max_iter=1, learning_rate="cosine").fit(X, y)
    assert all(hasattr(model, name) for name in linear)
