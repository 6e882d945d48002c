"""What the benchmarks share: where results go, the machine, tables in Markdown."""

import argparse
import csv
import os
import platform
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from skreg import _kernels

RESULTS = Path(__file__).resolve().parent / "results"
PACKAGES = ("skreg", "scikit-learn", "numpy", "scipy")
QUICK = "A quick run on small data, to try the script: its figures say nothing."


def processor():
    """The processor's name, as far as the system tells it."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def machine(*packages):
    """What the figures were measured with, and when; `packages` besides our own."""
    versions = ", ".join(
        f"{name} {installed(name)}"
        for name in PACKAGES + packages
        if installed(name) is not None
    )
    return (
        f"{processor()}, {os.cpu_count()} cores, {platform.system()}; "
        f"Python {platform.python_version()}, {versions}; "
        f"skreg's kernels for {_kernels.ISA}; {date.today().isoformat()}."
    )


def installed(package):
    """The version of a package, or None."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def arguments(question, repeats=None):
    """The command line that all scripts have; its text is the first line of theirs."""
    parser = argparse.ArgumentParser(description=question.partition("\n")[0])
    if repeats is not None:
        parser.add_argument("--repeats", type=int, default=repeats)
    parser.add_argument(
        "--quick", action="store_true", help="small data, one repetition: a trial"
    )
    parser.add_argument(
        "--output",
        type=Path,
        help="folder for what is written; without it results/, and nothing is "
        "written of a part or of a quick run",
    )
    return parser


def choose(parser, names):
    """Let the command line choose some of the rows."""
    parser.add_argument(
        "--only",
        nargs="+",
        default=[],
        choices=names,
        metavar="NAME",
        help=f"only these rows: {', '.join(repr(name) for name in names)}",
    )


def output_folder(options):
    """Where results go, or None: they are only shown."""
    part = options.quick or getattr(options, "rows", "") or getattr(options, "only", [])
    folder = options.output or (None if part else RESULTS)
    if folder:
        folder.mkdir(parents=True, exist_ok=True)
    return folder


def read_csv(path):
    """The rows of a CSV as dicts of texts; none where there is no file."""
    if not path.exists():
        return []
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def write_csv(folder, name, rows):
    """Write a list of dicts with equal keys."""
    if folder is None:
        return
    with open(folder / name, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def write_table(folder, name, table, remark):
    """Show a table and, below it, one paragraph of text; and write them."""
    text = f"{table}\n{remark}\n"
    print(f"\n{text}")
    if folder is not None:
        (folder / name).write_text(text, encoding="utf-8")


def markdown_table(header, rows):
    """A table whose first column is text and whose others are figures."""
    rule = ["---", *["---:"] * (len(header) - 1)]
    lines = [f"| {' | '.join(row)} |" for row in [header, rule, *rows]]
    return "\n".join(lines) + "\n"


def three_digits(number):
    """Three significant digits, and no exponent."""
    return f"{number:.0f}" if abs(number) >= 100 else f"{number:#.3g}"


def milliseconds(seconds):
    """Three significant digits."""
    return three_digits(1e3 * seconds)
