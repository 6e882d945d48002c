"""How do an epoch's time and a fit's memory grow with the data and the network?

The time: one shape of data and network, of which one thing at a time varies (rows,
features, width, depth, batch size), on one thread and on two. Whole fits are divided by
their epochs, the numbers of threads take turns, and the fastest of all counts.

The memory: what the peak of one fit is above the memory before it, when the data (in
float32, C-contiguous) are there already, against the number of rows, beside
scikit-learn's MLP. Every fit has a process of its own; a fit on few rows has gone
before, so that what libraries set up once does not count.

    python benchmarks/bench_scaling.py [--repeats 5] [--quick]

writes ``results/scaling.csv``, ``scaling_memory.csv``, ``scaling.md`` (the memory, and
what doubling each thing multiplies an epoch's time by) and ``scaling.png``.
"""

import multiprocessing
import os
import sys
import warnings
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from _contest import Contender, Contest, fastest
from _peers import PEERS
from _report import (
    QUICK,
    arguments,
    machine,
    markdown_table,
    output_folder,
    write_csv,
    write_table,
)
from _workloads import Workload

SECONDS = 0.3  # of a turn
BASE = Workload(10_000, 54, (64, 64), 7, batch=64, threads=2)
LIBRARIES = ("skreg", "scikit-learn")
MEGABYTE = 2**20


def sweeps():
    """What varies -> its values and the workloads that have them."""
    values = {
        "rows": [1000, 3000, 10_000, 30_000, 100_000],
        "features": [10, 30, 100, 300, 1000],
        "width": [16, 32, 64, 128, 256, 512, 1024],
        "depth": [1, 2, 4, 8],
        "batch size": [8, 32, 128, 512, 2048],
    }
    makers = {
        "rows": lambda n: replace(BASE, rows=n),
        "features": lambda n: replace(BASE, features=n),
        "width": lambda n: replace(BASE, hidden=(n, n)),
        "depth": lambda n: replace(BASE, hidden=(64,) * n),
        "batch size": lambda n: replace(BASE, batch=n),
    }
    return {
        what: {number: makers[what](number) for number in numbers}
        for what, numbers in values.items()
    }


def measure_times(options):
    """Every repetition as a row of the CSV."""
    threads = [1, 2] if (os.cpu_count() or 1) > 1 else [1]
    contenders = [Contender("skreg", number, note=f"{number}") for number in threads]
    rows = []
    with Contest() as contest:
        for what, cases in sweeps().items():
            for number, workload in cases.items():
                case = workload.smaller() if options.quick else workload
                turns = contest.run(
                    case,
                    contenders,
                    repeats=options.repeats,
                    seconds=0.05 if options.quick else SECONDS,
                )
                rows += [{"varies": what, "value": number} | turn for turn in turns]
            print(f"{what}: done", flush=True)
    return rows


def best_times(rows):
    """(what varies, threads) -> values, least seconds per epoch."""
    curves = {}
    for what in dict.fromkeys(row["varies"] for row in rows):
        for threads in sorted({row["threads"] for row in rows}):
            values, times = [], []
            for value in dict.fromkeys(r["value"] for r in rows if r["varies"] == what):
                chosen = [
                    row
                    for row in rows
                    if (row["varies"], row["value"], row["threads"])
                    == (what, value, threads)
                ]
                ((seconds, _),) = fastest(chosen).values()
                values.append(value)
                times.append(seconds)
            curves[what, threads] = np.array(values), np.array(times)
    return curves


def memory(which):
    """This process's resident memory in bytes: "VmRSS" now, "VmHWM" at its peak.

    On Linux not by `resource`, whose peak begins with that of the process that started
    this one. Elsewhere the peak so far stands for both.
    """
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith(which):
                return int(line.split()[1]) * 1024
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


def fit_memory(connection, library, workload):
    """Send what one fit takes: memory of the data, and of the fit above it."""
    peer = PEERS[library](1)
    settings = {"max_iter": 1}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that one epoch is few
        few = replace(workload, rows=1000)
        peer.estimator(few, **settings).fit(*few.data())
        X, y = workload.data()
        before = memory("VmRSS")
        # what making the data took at its peak is no part of the fit
        reset = Path("/proc/self/clear_refs")
        if reset.exists():
            reset.write_text("5")
        model = peer.estimator(workload, **settings).fit(X, y)
    above = memory("VmHWM") - before
    assert model.n_iter_ == 1
    connection.send((X.nbytes + y.nbytes, max(above, 0)))


def measure_memory(options):
    """A row of the CSV for each library, number of rows and repetition."""
    sizes = [1000, 3000] if options.quick else [10_000, 30_000, 100_000, 300_000, 10**6]
    context = multiprocessing.get_context("spawn")
    rows = []
    for size in sizes:
        workload = replace(BASE, rows=size, batch=200)
        # memory repeats itself, unlike time
        for repetition in range(min(options.repeats, 2)):
            for library in LIBRARIES:
                ours, theirs = context.Pipe()
                process = context.Process(
                    target=fit_memory, args=(theirs, library, workload), daemon=True
                )
                process.start()
                theirs.close()
                data, above = ours.recv()
                process.join()
                rows.append(
                    {
                        "rows": size,
                        "library": library,
                        "repetition": repetition,
                        "data_bytes": data,
                        "fit_bytes": above,
                    }
                )
        print(f"memory of {size} rows: done", flush=True)
    return rows


def memory_curves(rows):
    """Numbers of rows, megabytes of the data, library -> megabytes of a fit."""
    sizes = list(dict.fromkeys(row["rows"] for row in rows))
    data = {row["rows"]: row["data_bytes"] / MEGABYTE for row in rows}
    fits = {
        library: [
            min(
                row["fit_bytes"] / MEGABYTE
                for row in rows
                if (row["rows"], row["library"]) == (size, library)
            )
            for size in sizes
        ]
        for library in LIBRARIES
    }
    return sizes, [data[size] for size in sizes], fits


def table(curves, memory_rows):
    """Both questions' answers as one table: what, of what, and figures."""
    lines = []
    for what, threads in curves:
        values, times = curves[what, threads]
        # from one end to the other; near the small end overhead hides the growth
        last = np.log(times[-1] / times[-2]) / np.log(values[-1] / values[-2])
        whole = np.log(times[-1] / times[0]) / np.log(values[-1] / values[0])
        lines.append(
            [
                f"epoch, {what} {values[0]} to {values[-1]}, "
                f"{threads} {'thread' if threads == 1 else 'threads'}",
                f"{1e3 * times[0]:#.3g} ms",
                f"{1e3 * times[-1]:.4g} ms",
                f"{2**whole:.2f}",
                f"{2**last:.2f}",
            ]
        )
    sizes, data, fits = memory_curves(memory_rows)
    for library, figures in {"data": data, **fits}.items():
        name = "data" if library == "data" else f"fit above it, {library}"
        line = [f"memory, rows {sizes[0]} to {sizes[-1]}, {name}"]
        line += [f"{figures[0]:.1f} MiB", f"{figures[-1]:.1f} MiB"]
        for first in (0, -2):
            ratio = max(figures[-1], 0.1) / max(figures[first], 0.1)
            slope = np.log(ratio) / np.log(sizes[-1] / sizes[first])
            line.append(f"{2**slope:.2f}")
        lines.append(line)
    header = ["what", "least", "most", "doubled: times", "at the end: times"]
    return markdown_table(header, lines)


def plot(curves, memory_rows, path):
    """One panel for each thing that varies, the memory last."""
    fig, axes = plt.subplots(2, 3, figsize=(11, 6.4), layout="constrained")
    *panels, last = axes.flat
    for ax, what in zip(panels, sweeps(), strict=True):
        for (name, threads), (values, times) in curves.items():
            if name == what:
                label = "1 thread" if threads == 1 else f"{threads} threads"
                ax.loglog(values, 1e3 * times, "o-", label=label)
        ax.set_xlabel(what)
        ax.set_ylabel("epoch, ms")
        values, _ = curves[what, 1]
        ax.set_xticks(values, [f"{value:g}" for value in values], fontsize=8)
        ax.xaxis.minorticks_off()
        ax.grid(alpha=0.4)
    panels[0].legend()
    sizes, data, fits = memory_curves(memory_rows)
    for library, figures in fits.items():
        last.loglog(sizes, np.maximum(figures, 0.1), "o-", label=library)
    last.loglog(sizes, data, "k--", label="the data")
    last.set_xlabel("rows")
    last.set_ylabel("memory above the data, MiB")
    last.legend()
    last.grid(alpha=0.4)
    fig.savefig(path, dpi=110)


def main():
    """Measure, and write what there is to write."""
    options = arguments(__doc__, repeats=5).parse_args()
    if options.quick:
        options.repeats = 1
    folder = output_folder(options)
    memory_rows = measure_memory(options)
    rows = measure_times(options)
    curves = best_times(rows)
    remark = (
        f"{QUICK + ' ' if options.quick else ''}{BASE.name} unless varied, in float32, "
        f"the fastest of {options.repeats} turns each. Times are those of the least "
        "and of the greatest value. Doubling a value multiplies the figure by what "
        "the last two columns say: from end to end, and between the two greatest. "
        f"{machine()}"
    )
    write_csv(folder, "scaling.csv", rows)
    write_csv(folder, "scaling_memory.csv", memory_rows)
    write_table(folder, "scaling.md", table(curves, memory_rows), remark)
    if folder:
        plot(curves, memory_rows, folder / "scaling.png")


if __name__ == "__main__":
    main()
