"""The installed package is whole: modules, stubs, the marker for type checkers."""

import ast
import importlib
import json
import re
import tomllib
from importlib.metadata import distribution
from pathlib import Path

import pytest
import skreg

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "skreg"
INSTALLED = Path(skreg.__file__).parent


def relative(pattern):
    return sorted(str(path.relative_to(SOURCE)) for path in SOURCE.rglob(pattern))


def is_editable():
    record = distribution("skreg").read_text("direct_url.json")
    return record is not None and "editable" in json.loads(record).get("dir_info", {})


not_editable = pytest.mark.skipif(
    is_editable(), reason="an editable install has no files of its own"
)


@not_editable
def test_the_installed_package_is_tested():
    assert INSTALLED != SOURCE


@not_editable
@pytest.mark.parametrize(
    "name", [*relative("*.py"), *relative("*.pyi"), *relative("py.typed")]
)
def test_file_is_installed(name):
    assert (INSTALLED / name).is_file(), (
        f"skreg/{name} is not installed: add it to py.install_sources in "
        f"{Path('skreg', name).parent / 'meson.build'}"
    )


@pytest.mark.parametrize("name", relative("*.pyx"))
def test_stub_names_what_the_compiled_module_has(name):
    path = SOURCE / name
    module = importlib.import_module(
        ".".join(["skreg", *Path(name).with_suffix("").parts])
    )
    compiled = {
        key
        for key, value in vars(module).items()
        if not key.startswith("_") and getattr(value, "__module__", "") == module.__name__
    }
    stub = ast.parse(path.with_suffix(".pyi").read_text("utf-8"))
    declared = {
        node.name
        for node in stub.body
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
    }
    assert declared == compiled


def test_version_is_the_distributions():
    assert skreg.__version__ == distribution("skreg").version


def test_oldest_versions_are_the_lower_bounds():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    bounds = dict(
        requirement.split(">=")
        for requirement in [*project["dependencies"], *extras["cli"], *extras["test"]]
        if ">=" in requirement
    )
    pins = re.findall(
        r"^([\w-]+)==(.+)$", (ROOT / ".ci/oldest.txt").read_text("utf-8"), re.MULTILINE
    )
    assert pins
    for name, version in pins:
        assert f"{version}.".startswith(f"{bounds[name]}."), name
