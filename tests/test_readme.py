"""The README says what is true: its code runs, its tables are those of the results."""

import html
import re
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text("utf-8")
NUMBER = re.compile(r"-?\d+\.\d+")


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize(
    ("example", "shown"), [*zip(blocks("python"), blocks("text"), strict=True)]
)
def test_example_prints_what_the_readme_shows(example, shown):
    output = StringIO()
    with redirect_stdout(output):
        exec(compile(example, "README.md", "exec"), {})
    printed = output.getvalue()
    assert NUMBER.sub("#", printed) == NUMBER.sub("#", shown)
    # to one unit of the last of two digits: training amplifies rounding
    numbers = [[float(n) for n in NUMBER.findall(text)] for text in (printed, shown)]
    assert numbers[0] == pytest.approx(numbers[1], abs=0.0101)


def test_picture_has_the_wins_of_the_benchmark():
    picture = (ROOT / "benchmarks/results/tables_reporting_wins.svg").read_text("utf-8")
    assert "](benchmarks/results/tables_reporting_wins.svg)" in README
    table = (ROOT / "benchmarks/results/tables_reporting_wins.md").read_text("utf-8")
    header, _, skreg = (
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in table.splitlines()[:3]
    )
    assert (header[1], skreg[0]) == ("skreg", "skreg")
    drawn = re.findall(r">([^<>]+)</text>", picture)
    shares = [text.partition(" %")[0] for text in drawn if " % of " in text]
    assert shares == [cell.partition(" [")[0] for cell in skreg[2:]]
    assert [html.unescape(text) for text in drawn if html.unescape(text) in header] == (
        header[2:]
    )


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
