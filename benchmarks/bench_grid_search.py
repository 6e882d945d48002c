"""How long does a grid search take, compared with scikit-learn's MLP?

`GridSearchCV` over 24 candidates and 3 folds of the same network, batches and epochs,
with one thread in each fit: one fit after the other, and two at a time (``n_jobs=2``,
in joblib's processes). The processes are started anew each time, and their start
counts, as it does in a script. Searches take turns, and the fastest of each counts.

    python benchmarks/bench_grid_search.py [--repeats 3] [--quick]

writes ``results/grid_search.csv`` (every repetition) and ``grid_search.md``.
"""

import os
import time
import warnings

import numpy as np
from _contest import fastest
from _peers import PEERS
from _report import (
    QUICK,
    arguments,
    machine,
    markdown_table,
    output_folder,
    three_digits,
    write_csv,
    write_table,
)
from _workloads import Workload
from joblib import parallel_config
from joblib.externals.loky import get_reusable_executor
from sklearn.model_selection import GridSearchCV
from threadpoolctl import threadpool_limits

EPOCHS, FOLDS = 10, 3
RATES = [1e-4, 3e-4, 1e-3, 3e-3]
STRENGTHS = [0.0, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1]
L2 = {"skreg": "l2", "scikit-learn": "alpha"}
WORKLOAD = Workload(10_000, 54, (64, 64), 7, batch=32)
SEARCHES = [("skreg", 1), ("skreg", 2), ("scikit-learn", 1), ("scikit-learn", 2)]


def search_seconds(library, n_jobs, X, y, grid):
    """Wall time of one search, the start of its processes included."""
    model = PEERS[library].estimator(
        WORKLOAD, max_iter=EPOCHS, n_iter_no_change=EPOCHS + 1
    )
    search = GridSearchCV(
        model, grid, cv=FOLDS, n_jobs=n_jobs, refit=False, error_score="raise"
    )
    get_reusable_executor().shutdown(wait=True)
    with threadpool_limits(1), parallel_config("loky", inner_max_num_threads=1):
        start = time.perf_counter()
        search.fit(X, y)
        return time.perf_counter() - start


def measure(options):
    """Every repetition as a row of the CSV."""
    workload = WORKLOAD.smaller() if options.quick else WORKLOAD
    X, y = workload.data()
    rows = []
    for repetition in range(options.repeats):
        for library, n_jobs in SEARCHES:
            grid = {"learning_rate_init": RATES, L2[library]: STRENGTHS}
            if options.quick:
                grid = {name: values[:2] for name, values in grid.items()}
            seconds = search_seconds(library, n_jobs, X, y, grid)
            rows.append(
                {
                    "workload": workload.name,
                    "contender": library,
                    "threads": n_jobs,
                    "repetition": repetition,
                    "fits": FOLDS * int(np.prod([len(v) for v in grid.values()])),
                    "seconds_per_unit": f"{seconds:.4g}",
                }
            )
            print(f"{library}, n_jobs={n_jobs}: {seconds:.1f} s", flush=True)
    return rows


def table(rows):
    """Seconds of each search, and how many times as long as skreg's it takes."""
    best = {}
    for n_jobs in (1, 2):
        for (_, library), (seconds, _) in fastest(
            row for row in rows if row["threads"] == n_jobs
        ).items():
            best[library, n_jobs] = seconds
    lines = []
    for n_jobs in (1, 2):
        own, peer = best["skreg", n_jobs], best["scikit-learn", n_jobs]
        lines.append(
            [
                f"n_jobs={n_jobs}",
                three_digits(own),
                three_digits(peer),
                f"{peer / own:.1f}",
            ]
        )
    return markdown_table(["search", "skreg, s", "scikit-learn MLP, s", "ratio"], lines)


def main():
    """Measure and write both files."""
    options = arguments(__doc__, repeats=3).parse_args()
    if options.quick:
        options.repeats = 1
    folder = output_folder(options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that ten epochs are few
        # in the processes that joblib starts, too
        os.environ["PYTHONWARNINGS"] = "ignore"
        rows = measure(options)
    fits = rows[0]["fits"]
    remark = (
        f"{QUICK + ' ' if options.quick else ''}Seconds of a grid search of {fits} "
        f"fits ({fits // FOLDS} candidates, {FOLDS} folds), {EPOCHS} epochs each, in "
        f"float32, the fastest of {options.repeats}: {rows[0]['workload']}. One thread "
        f"in each fit. {machine()}"
    )
    write_csv(folder, "grid_search.csv", rows)
    write_table(folder, "grid_search.md", table(rows), remark)


if __name__ == "__main__":
    main()
