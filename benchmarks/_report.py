"""What the benchmarks share: where results go, the machine, tables in Markdown."""

import csv
import os
import platform
from importlib.metadata import version
from pathlib import Path

from skreg import _kernels

RESULTS = Path(__file__).resolve().parent / "results"
PACKAGES = ("skreg", "scikit-learn", "numpy", "scipy")


def processor():
    """The processor's name, as far as the system tells it."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def machine():
    """One sentence on what the figures were measured with."""
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return (
        f"{processor()}, {os.cpu_count()} cores, {platform.system()}; "
        f"Python {platform.python_version()}, {versions}; "
        f"skreg's kernels for {_kernels.ISA}."
    )


def write_csv(name, rows):
    """Write a list of dicts with equal keys."""
    with open(RESULTS / name, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def markdown_table(header, rows):
    """A table whose first column is text and whose others are figures."""
    rule = ["---", *["---:"] * (len(header) - 1)]
    lines = [f"| {' | '.join(row)} |" for row in [header, rule, *rows]]
    return "\n".join(lines) + "\n"
