"""One list of strengths: what searches, benchmarks and the guide say comes from it."""

import importlib.util
import re
from pathlib import Path
from types import SimpleNamespace

import pytest

from skreg._problem.strengths import STRENGTHS

ROOT = Path(__file__).resolve().parent.parent
GUIDE = sorted((ROOT / "docs/guide").glob("*.rst"))
ROLE = re.compile(r":(?:range|grid):`([^`]+)`")


@pytest.mark.parametrize("name", STRENGTHS)
def test_grids_lie_within_the_range(name):
    strength = STRENGTHS[name]
    assert strength.low < strength.high
    for grid in (strength.grid, strength.few_rows):
        assert list(grid) == sorted(set(grid))
        assert all(strength.low <= value <= strength.high for value in grid)
    drawn = strength.distribution().rvs(size=300, random_state=0)
    assert strength.low <= drawn.min() < drawn.max() <= strength.high


@pytest.mark.parametrize("n", [1, 50, 1000, 10**7])
@pytest.mark.parametrize("name", STRENGTHS)
def test_grid_for_rows_lies_within_the_range(name, n):
    strength = STRENGTHS[name]
    grid = strength.for_rows(n)
    assert grid == sorted(set(grid))
    assert strength.low <= grid[0] <= grid[-1] <= strength.high


def test_penalties_weaken_with_the_rows():
    assert STRENGTHS["l2"].for_rows(1000) == [1e-3, 1e-2, 1e-1]
    assert STRENGTHS["dropout"].for_rows(1000) == STRENGTHS["dropout"].for_rows(10)


def test_compare_searches_the_list():
    pytest.importorskip("pandas")
    from skreg._compare.candidates import regularizers

    grid = regularizers(SimpleNamespace(y=range(1000)))
    for name in ("l1", "l2", "weight_decay", "dropout"):
        assert {name: STRENGTHS[name].for_rows(1000)} in grid
    for part in grid:
        for name in set(part) & set(STRENGTHS):
            low, high = STRENGTHS[name].low, STRENGTHS[name].high
            assert all(low <= value <= high for value in part[name])


def test_benchmarks_search_the_list():
    path = ROOT / "benchmarks/_regularizers.py"
    spec = importlib.util.spec_from_file_location("_regularizers_of_benchmarks", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    tried = [
        tuple(grid)
        for regularizer in module.REGULARIZERS.values()
        for grid in regularizer.grid.values()
    ]
    assert sorted(tried) == sorted(
        strength.few_rows for strength in STRENGTHS.values() if strength.few_rows
    )


def test_the_guide_takes_its_numbers_from_the_list():
    named = {name for page in GUIDE for name in ROLE.findall(page.read_text("utf-8"))}
    assert named == set(STRENGTHS)


def test_tables_of_regularizers_type_no_range_by_hand():
    source = (ROOT / "docs/_ext/regularizers.py").read_text("utf-8")
    assert not re.findall(r"[\d.e-]+ to [\d.e-]+", source)
    # the third column of the table, from each `* -` to the next
    table = (ROOT / "docs/guide/choosing.rst").read_text("utf-8").split("* - ")
    for row in table:
        name = row.split("\n")[0].strip("`")
        if name in STRENGTHS:
            assert f":grid:`{name}`" in row
            assert f":range:`{name}`" in row
