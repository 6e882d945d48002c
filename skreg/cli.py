"""The ``skreg`` command."""

import sys
import time
from importlib.util import find_spec

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
    start = time.time() - time.process_time()
    from skreg._compare.command import app

    app(obj={"start": start})
