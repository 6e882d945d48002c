"""The installed package is whole: modules, stubs, the marker for type checkers."""

import ast
import inspect
import json
import re
import subprocess
import sys
import tomllib
from importlib.metadata import distribution
from pathlib import Path

import pytest

import skreg
from skreg import _kernels

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


def described_by_stub(nodes):
    """Names, and for functions their parameters, of a stub's or a class's body."""
    described = {}
    for node in nodes:
        if isinstance(node, ast.FunctionDef):
            arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            described[node.name] = [argument.arg for argument in arguments]
        elif isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            described[node.name] = described_by_stub(node.body)
    return described


def described_by_module(module):
    described = {}
    for name, value in vars(module).items():
        if name.startswith("_") or getattr(value, "__module__", "") != module.__name__:
            continue
        if inspect.isclass(value):
            described[name] = {
                key: list(inspect.signature(method).parameters)
                for key, method in vars(value).items()
                if not key.startswith("_") and callable(method)
            }
        else:
            described[name] = list(inspect.signature(value).parameters)
    return described


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.pyx")), ids=lambda p: p.stem)
def test_stub_says_what_the_compiled_module_has(path):
    modules = {
        "_cpu": _kernels._cpu,
        "_engine": _kernels.engine,
        "_sparse_weights": _kernels.sparse_weights,
        "_units": _kernels.units,
    }
    stub = described_by_stub(
        ast.parse(path.with_suffix(".pyi").read_text("utf-8")).body
    )
    for members in stub.values():
        if isinstance(members, dict):
            # Cython keeps no signature of a constructor
            del members["__init__"]
    assert stub == described_by_module(modules[path.stem])


def test_version_is_the_distributions():
    assert skreg.__version__ == distribution("skreg").version


IMPORTS = """
import sys
import sklearn.base, sklearn.utils.validation
already = set(sys.modules)
import skreg
print(*sorted(set(sys.modules) - already))
"""


def test_import_is_light():
    """It brings what the estimators are made of, not what some calls need."""
    imported = subprocess.run(
        [sys.executable, "-c", IMPORTS], capture_output=True, text=True, check=True
    ).stdout.split()
    assert "skreg" in imported
    heavy = {
        "matplotlib",
        "pandas",
        "typer",
        "sklearn.linear_model",
        "sklearn.metrics",
        "sklearn.model_selection",
        "sklearn.neural_network",
    }
    assert not heavy.intersection(imported)


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
