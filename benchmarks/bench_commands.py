"""How long do the README's two commands take?

Each runs in a fresh clone of the last commit, word for word, without ccache. Packages
that pip has in its cache are not downloaded again.

    python benchmarks/bench_commands.py [--output FOLDER]

Writes ``commands.csv`` and ``commands.md``.
"""

import os
import re
import subprocess
import tempfile
import time
from pathlib import Path

from _report import (
    arguments,
    machine,
    markdown_table,
    output_folder,
    write_csv,
    write_table,
)

ROOT = Path(__file__).resolve().parent.parent
DOES = ("install, and `skreg compare`", "install, and the tests")


def commands():
    """The first two blocks of shell in the README."""
    text = (ROOT / "README.md").read_text("utf-8")
    blocks = re.findall(r"^```bash\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [block.strip() for block in blocks[:2]]


def minutes_of(command):
    """Minutes that a command takes in a clone of its own."""
    environment = os.environ | {"CCACHE_DISABLE": "1"}
    for name in ("PYTHONPATH", "VIRTUAL_ENV"):
        environment.pop(name, None)
    with tempfile.TemporaryDirectory() as folder:
        clone = Path(folder) / "skreg"
        subprocess.run(["git", "clone", "--quiet", ROOT, clone], check=True)
        start = time.perf_counter()
        subprocess.run(
            ["bash", "-euo", "pipefail", "-c", command],
            cwd=clone,
            env=environment,
            check=True,
        )
        return (time.perf_counter() - start) / 60


def main():
    """Run both, and write how long they took."""
    folder = output_folder(arguments(__doc__).parse_args())
    rows = [
        {"does": does, "minutes": f"{minutes_of(command):.1f}"}
        for does, command in zip(DOES, commands(), strict=True)
    ]
    write_csv(folder, "commands.csv", rows)
    write_table(
        folder,
        "commands.md",
        markdown_table(["command", "minutes"], [list(row.values()) for row in rows]),
        f"The README's two commands in a fresh clone, without ccache. {machine()}",
    )


if __name__ == "__main__":
    main()
