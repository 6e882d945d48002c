"""Random cases: those that found faults before, and some that nobody has seen.

`python tests/fuzz` runs more of them, and prints the smallest case that shows a fault.
"""

import json

import pytest
from fuzz.check import corpus, fault_of
from fuzz.generator import random_case

pytestmark = pytest.mark.filterwarnings("default")

CORPUS = corpus()
SEEDS = range(40)


def reproducer(case):
    return f"python tests/fuzz --case '{json.dumps(case)}'"


@pytest.mark.parametrize(
    ("found", "case"), CORPUS, ids=[f"{i}-{name}" for i, (name, _) in enumerate(CORPUS)]
)
def test_what_was_found_before(found, case):
    fault = fault_of(case, repeat=True)
    assert fault is None, f"{fault} (found as {found!r}): {reproducer(case)}"


@pytest.mark.parametrize("seed", SEEDS)
def test_the_first_cases(seed):
    case = random_case(seed)
    fault = fault_of(case, repeat=seed % 4 == 0)
    assert fault is None, f"{fault}: {reproducer(case)}"
