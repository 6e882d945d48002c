"""The examples of the first pages and of the user guide are true."""

import doctest
import textwrap
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


def test_example_of_the_first_page_runs(capsys):
    page = (GUIDE.parent / "index.rst").read_text("utf-8")
    block = page.split(".. code-block:: python\n")[1].split("\n- ")[0]
    exec(compile(textwrap.dedent(block), "index.rst", "exec"), {})
    assert float(capsys.readouterr().out) > 0.95
