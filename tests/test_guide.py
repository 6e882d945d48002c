"""The examples of the first pages and of the user guide are true."""

import doctest
from pathlib import Path

import pytest
import sklearn
from sklearn.utils.fixes import parse_version

GUIDE = Path(__file__).resolve().parent.parent / "docs" / "guide"
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@pytest.mark.parametrize(
    "page",
    [GUIDE.parent / "start.rst", *sorted(GUIDE.glob("*.rst"))],
    ids=lambda path: path.stem,
)
def test_examples_run(page):
    if page.stem == "mappings" and parse_version(sklearn.__version__) < parse_version(
        "1.8"
    ):
        pytest.skip("LogisticRegression chooses the L1 penalty by l1_ratio since 1.8")
    results = doctest.testfile(
        str(page), module_relative=False, optionflags=FLAGS, encoding="utf-8"
    )
    assert results.failed == 0
