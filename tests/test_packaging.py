"""The installed package is whole: modules, stubs; and says no more than it has."""

import ast
import inspect
import json
import os
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
@pytest.mark.parametrize("name", [*relative("*.py"), *relative("*.pyi")])
def test_file_is_installed(name):
    assert (INSTALLED / name).is_file(), (
        f"skreg/{name} is not installed: add it to py.install_sources in a meson.build"
    )


# From the ground up. What is in no folder stands on the second, beside the doors that
# use estimators.
FLOORS = ["_kernels", "", "_problem", "_network", "_training", "_estimators", "doors"]
DOORS = {"__init__", "cli", "fine_tuning", "inspection", "_compare"}


def floor(module):
    """Of the module with these parts of its name, without that of the package."""
    first = module[0] if module else "__init__"
    if first in DOORS:
        return FLOORS.index("doors")
    return FLOORS.index(first if first in FLOORS else "")


@pytest.mark.parametrize("name", relative("*.py"))
def test_no_module_imports_one_of_a_higher_floor(name):
    """At its head; an import in a function is for what comes later."""
    path = SOURCE / name
    own = floor(Path(name).with_suffix("").parts)
    for node in ast.parse(path.read_text("utf-8")).body:
        if not isinstance(node, ast.ImportFrom) or node.level:
            continue
        package, *parts = node.module.split(".")
        if package == "skreg":
            for module in [parts] if parts else [[alias.name] for alias in node.names]:
                assert floor(module) <= own, f"{name} imports {'.'.join(module)}"


def described_by_stub(nodes):
    """Names, and for functions their parameters, of a stub's or a class's body.

    A class in it is described likewise, down to its attributes.
    """
    described = {}
    for node in nodes:
        if isinstance(node, ast.AnnAssign) and not node.target.id.startswith("_"):
            described[node.target.id] = "attribute"
        elif isinstance(node, ast.FunctionDef):
            if node.name.startswith("_") and node.name != "__init__":
                continue
            arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            described[node.name] = [argument.arg for argument in arguments]
        elif isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            described[node.name] = described_by_stub(node.body)
    return described


def constructors_in(source):
    """Parameters of each class's constructor in a .pyx: Cython keeps no signature."""
    found = {}
    for part in re.split(r"^cdef class ", source, flags=re.MULTILINE)[1:]:
        (name,) = re.findall(r"\A\w+", part)
        (signature,) = re.findall(r"    def __c?init__\((.*?)\):\n", part, re.DOTALL)
        arguments = [text.split("=")[0].split() for text in signature.split(",")]
        found[name] = [words[-1] for words in arguments if words and words[-1] != "*"]
    return found


def described_by_module(module, own, source):
    """`own` is the source's name; there is a module for each instruction set."""
    constructors = constructors_in(source)
    described = {}
    for name, value in vars(module).items():
        if name.startswith("_"):
            continue
        if name.isupper():
            described[name] = "attribute"
        elif getattr(value, "__module__", "") != f"skreg._kernels.{own}":
            continue
        elif inspect.isclass(value):
            described[name] = {"__init__": constructors[name]}
            described[name] |= {
                key: list(inspect.signature(method).parameters)
                if callable(method)
                else "attribute"
                for key, method in vars(value).items()
                if not key.startswith("_")
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
        "_tables": _kernels._tables,
        "_units": _kernels.units,
    }
    stub = described_by_stub(
        ast.parse(path.with_suffix(".pyi").read_text("utf-8")).body
    )
    source = path.read_text("utf-8")
    assert stub == described_by_module(modules[path.stem], path.stem, source)


def test_import_from_the_source_folder_says_what_to_do():
    """As from the clone's root, where Python finds the folder before the package."""
    # -S: without the hook of an editable install, which compiles the folder
    imported = subprocess.run(
        [sys.executable, "-S", "-c", "import skreg"],
        cwd=ROOT,
        env=os.environ | {"PYTHONSAFEPATH": ""},
        capture_output=True,
        text=True,
    )
    assert imported.returncode == 1
    last = imported.stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError: ")
    for part in [str(SOURCE), "pip install .", "tools/develop.py", "-P"]:
        assert part in last


def test_kernels_that_the_processor_lacks_are_refused_in_words(monkeypatch):
    monkeypatch.setattr(_kernels, "_available", list)
    with pytest.raises(ImportError, match=r"-Dinstruction_sets"):
        _kernels._chosen()


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


def test_types_are_not_claimed_without_annotations():
    """With py.typed a checker takes inference from defaults for what is allowed.

    ``l2=1e-4`` then refuses ``l2="auto"``. Without the marker it checks nothing.
    """
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    parameters = inspect.signature(skreg.RegularizedMLPRegressor).parameters.values()
    typed = all(each.annotation is not each.empty for each in parameters)
    assert (SOURCE / "py.typed").exists() == typed
    assert ("Typing :: Typed" in project["classifiers"]) == typed


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
