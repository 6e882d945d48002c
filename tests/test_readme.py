"""The README says what is true: its code runs, its tables are those of the results."""

import re
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text("utf-8")
NUMBER = re.compile(r"-?\d+\.\d+")


def block(language):
    (found,) = re.findall(
        rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL
    )
    return found


def test_example_prints_what_the_readme_shows():
    output = StringIO()
    with redirect_stdout(output):
        exec(compile(block("python"), "README.md", "exec"), {})
    printed, shown = output.getvalue(), block("text")
    assert NUMBER.sub("#", printed) == NUMBER.sub("#", shown)
    # to one unit of the last of two digits: training amplifies rounding
    numbers = [[float(n) for n in NUMBER.findall(text)] for text in (printed, shown)]
    assert numbers[0] == pytest.approx(numbers[1], abs=0.0101)


def test_tables_are_those_of_the_benchmarks():
    quoted = re.findall(r"<!-- (\S+\.md) -->\n(.*?)\n<!-- end -->", README, re.DOTALL)
    assert [path for path, _ in quoted] == [
        "benchmarks/results/tables_reporting.md",
        "benchmarks/results/speed.md",
    ]
    for path, text in quoted:
        assert text == (ROOT / path).read_text("utf-8").strip(), path


@pytest.mark.parametrize("path", re.findall(r"\]\(([^)#:]+)\)", README))
def test_link_leads_somewhere(path):
    assert (ROOT / path).exists()
