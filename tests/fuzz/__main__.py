"""Random cases for a time or a number, beside those that found faults before.

python tests/fuzz --seconds 120
python tests/fuzz --first 0 --cases 20000
python tests/fuzz --case '{"estimator": ...}'
"""

import argparse
import faulthandler
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

HERE = Path(__file__).resolve().parent
# as tests see it: the installed package, never a source folder beside them
sys.path[:] = [str(HERE.parent)] + [
    entry
    for entry in sys.path
    if Path(entry).resolve() not in (HERE, HERE.parent.parent)
]

# Longer than any case takes, also under sanitizers.
PATIENCE = 120
# Cases of one process; a crash takes only it down.
BATCH = 100


def options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--first", type=int, default=None, help="first seed")
    parser.add_argument("--cases", type=int, default=None, help="how many seeds")
    parser.add_argument("--seconds", type=float, default=120.0, help="time budget")
    parser.add_argument("--case", help="one case, as JSON")
    parser.add_argument("--all", action="store_true", help="go on after a fault")
    parser.add_argument("--found", help="file that faults are added to, as JSON lines")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    return parser.parse_args()


def child(first, cases, until, note):
    """Run cases in this process; print one JSON line per fault."""
    from fuzz.check import fault_of, reduced
    from fuzz.generator import random_case

    for seed in range(first, first + cases):
        if time.time() > until:
            return
        note.write_text(str(seed))
        faulthandler.dump_traceback_later(PATIENCE, exit=True)
        case = random_case(seed)
        # two more runs for one case in eight
        repeat = seed % 8 == 0
        fault = fault_of(case, repeat=repeat)
        if fault is not None:
            small = reduced(case, fault.kind, repeat=repeat)
            line = {"found": fault.kind, "seed": seed, "text": str(fault)[:300]}
            print(json.dumps(line | {"case": small}), flush=True)
    faulthandler.cancel_dump_traceback_later()
    note.write_text(str(first + cases))


def one_case(text):
    from fuzz.check import fault_of

    fault = fault_of(json.loads(text), repeat=True)
    print("holds" if fault is None else f"{fault}\n{fault.__cause__!r}")
    return fault is not None


def report(line):
    print(f"\n{line['found']}  (seed {line['seed']})\n  {line['text']}")
    print(f"  python tests/fuzz --case '{json.dumps(line['case'])}'", flush=True)


def main():
    given = options()
    if given.child:
        child(given.first, given.cases, given.seconds, Path(given.child))
        return 0
    if given.case:
        return one_case(given.case)
    first = given.first
    if first is None:
        # other cases every day; the seeds are printed
        first = int(time.time()) // 86400 * 1_000_000
    started = time.time()
    until = float("inf") if given.cases else started + given.seconds
    end = first + given.cases if given.cases else float("inf")
    kinds, seed = Counter(), first
    with tempfile.TemporaryDirectory() as folder:
        note = Path(folder) / "seed"
        while seed < end and time.time() < until and not (kinds and not given.all):
            cases = min(BATCH, end - seed)
            note.write_text(str(seed))
            done = subprocess.run(
                [
                    *(sys.executable, str(HERE), "--child", str(note)),
                    *("--first", str(seed), "--cases", str(cases)),
                    *("--seconds", str(until)),
                ],
                stdout=subprocess.PIPE,
                text=True,
            )
            lines = [json.loads(line) for line in done.stdout.splitlines()]
            seed = int(note.read_text())
            if done.returncode:
                from fuzz.generator import random_case

                crash = f"the process ended with {done.returncode}"
                lines.append(
                    {
                        "found": crash,
                        "seed": seed,
                        "text": "",
                        "case": random_case(seed),
                    }
                )
                seed += 1
            for line in lines:
                kinds[line["found"]] += 1
                if kinds[line["found"]] <= 3:
                    report(line)
                if given.found:
                    with open(given.found, "a") as file:
                        file.write(json.dumps(line) + "\n")
    seconds = time.time() - started
    print(f"\n{seed - first} cases from seed {first} on, in {seconds:.0f} s.")
    for kind, count in kinds.most_common():
        print(f"{count:6d}  {kind}")
    return bool(kinds)


if __name__ == "__main__":
    sys.exit(main())
