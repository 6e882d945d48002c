"""The ``skreg`` command."""

import os
import sys
import time
from importlib.util import find_spec
from pathlib import Path

NEEDED = ("matplotlib", "pandas", "pyarrow", "rich", "typer")


def main():
    """Run the command, or say what to install for it."""
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        print(
            f"Error: the skreg command needs {', '.join(missing)}. "
            'Install what is missing: pip install "skreg[cli]"',
            file=sys.stderr,
        )
        raise SystemExit(2)
    # A time limit counts from the start of Python, whose imports take seconds.
    start = _start_of_process()
    from skreg._compare.command import app

    app(obj={"start": start})


def _start_of_process():
    """Return when this process began, by the clock of `time.time`."""
    try:
        # The 22nd field; the second, in brackets, may hold spaces.
        fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
        age = time.clock_gettime(time.CLOCK_BOOTTIME)
        age -= int(fields[19]) / os.sysconf("SC_CLK_TCK")
    except (AttributeError, OSError):  # not Linux
        age = time.process_time()
    return time.time() - age
