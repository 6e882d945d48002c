"""Tests see the installed package, never the source folder beside them."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parent.parent

# `python -m pytest` puts the current directory first on the path, and with it the
# source folder, which has no compiled modules in it.
sys.path[:] = [entry for entry in sys.path if Path(entry).resolve() != ROOT]

# The same for `python -c` and `python -m` in the processes that tests start.
os.environ["PYTHONSAFEPATH"] = "1"

# Threads that wait sleep, unless something else is asked for: where processes share the
# cores, waiting in a loop takes most of the time. Read when OpenMP is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

# A test that is slow because the machine is busy has not failed. In .ci/run, which
# decides over a landing, the examples are the same each time.
settings.register_profile(
    "skreg", settings.default, deadline=None, derandomize="CI" in os.environ
)
settings.load_profile("skreg")


@pytest.fixture(autouse=True)
def same_draws_without_a_seed():
    """Estimators with random_state=None draw from NumPy's global state."""
    np.random.seed(0)  # noqa: NPY002  # theirs is the legacy state


@pytest.fixture(autouse=True)
def close_figures():
    """Matplotlib warns of many open figures, and a warning is an error."""
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")


@pytest.fixture(autouse=bool(os.environ.get("SKREG_TEST_THREADS")))
def threads_for_the_smallest_fits(monkeypatch):
    """Every fit takes all threads that it may, if SKREG_TEST_THREADS is set."""
    from skreg._problem import cores

    monkeypatch.setattr(cores, "OPERATIONS_PER_THREAD", 1.0)
