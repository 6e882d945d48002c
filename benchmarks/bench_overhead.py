"""How much longer does an epoch take with each regularizer than without?

Two shapes of data and network, a small one on one thread and a wide one on two. Whole
fits of a fixed number of epochs are divided by it, so that what a regularizer does
before and after the epochs counts. All take turns in one process, and a repetition is
one turn of each: of the times the least counts, and as a second figure the median of
the ratios to the turn without a regularizer in the same repetition.

    python benchmarks/bench_overhead.py [--repeats 15] [--only NAME ...] [--quick]

writes ``results/overhead_turns.csv`` (every turn), ``overhead.csv`` and ``overhead.md``
(each regularizer, with the aim that we set for it), and ``overhead.png``; and
``overhead_ends.csv`` and ``overhead_ends.md``: what whole fits of few epochs cost
beyond these, for a fit is judged by its predictions and norms gather averages. With
``--only`` or ``--quick`` nothing is written unless ``--output`` says where.
"""

import math
import time
import warnings

import matplotlib.pyplot as plt
import numpy as np
from _contest import Contender, Contest
from _peers import Skreg
from _regularizers import IMAGE, IMAGE_REGULARIZERS, NONE, REGULARIZERS, Regularizer
from _report import (
    QUICK,
    arguments,
    choose,
    machine,
    markdown_table,
    milliseconds,
    output_folder,
    write_csv,
    write_table,
)
from _workloads import Workload

from skreg.adversarial import AdversarialTraining

SECONDS = 0.5  # of a turn
# Epochs of short fits, in which what comes before and after the epochs counts most, and
# of longer ones, from which the time of an epoch follows.
FEW, MORE_EPOCHS = 3, 9
SMALL = Workload(10_000, 54, (64, 64), 7, batch=32)
WIDE = Workload(20_000, 784, (256, 256), 10, batch=128, threads=2)
STEPS = 5
# What no aim is set for, and what other benchmarks have no use for.
MORE = {
    "max_grad_norm": Regularizer({"max_grad_norm": 1.0}),
    f"PGD, {STEPS} steps": Regularizer(
        {"adversarial": AdversarialTraining(epsilon=0.1, n_steps=STEPS)}
    ),
}


def contenders(workload, only):
    """name -> skreg with each regularizer that the rows allow, and without."""
    chosen = REGULARIZERS | MORE
    if workload.features == math.prod(IMAGE):
        chosen |= IMAGE_REGULARIZERS
    return {
        name: Contender(
            "skreg", workload.threads, settings=regularizer.settings, note=name
        )
        for name, regularizer in chosen.items()
        if not only or name in (NONE, *only)
    }


def measure(workloads, options):
    """Every turn as a row of a CSV."""
    rows = []
    with Contest() as contest:
        for workload in workloads:
            names = {
                contender.label: name
                for name, contender in contenders(workload, options.only).items()
            }
            turns = contest.run(
                workload,
                list(contenders(workload, options.only).values()),
                repeats=options.repeats,
                seconds=0.05 if options.quick else SECONDS,
                least=1 if options.quick else 2,
            )
            for turn in turns:
                rows.append(
                    {
                        "regularizer": names[turn["contender"]],
                        "shape": workload.name,
                        "threads": turn["threads"],
                        "repetition": turn["repetition"],
                        "epochs": turn["units"],
                        "seconds": turn["seconds_per_unit"],
                    }
                )
            print(f"{workload.name}: done", flush=True)
    return rows


def summary(rows):
    """One row for each regularizer and shape: the least time, and ratios."""
    aims = {
        name: regularizer.aim
        for name, regularizer in (REGULARIZERS | MORE | IMAGE_REGULARIZERS).items()
    }
    times = {}
    for row in rows:
        key = row["regularizer"], row["shape"]
        times.setdefault(key, []).append(float(row["seconds"]))
    result = []
    for (name, shape), seconds in times.items():
        without = times[NONE, shape]
        ratios = np.divide(seconds, without)  # turn by turn
        result.append(
            {
                "regularizer": name,
                "shape": shape,
                "seconds": f"{min(seconds):.4g}",
                "relative": f"{min(seconds) / min(without):.3f}",
                "relative_median": f"{np.median(ratios):.3f}",
                "aim": "" if aims[name] is None else f"{aims[name]:.2f}",
            }
        )
    return result


def table(rows):
    """One line for each regularizer, with two columns for each shape."""
    shapes = list(dict.fromkeys(row["shape"] for row in rows))
    found = {(row["regularizer"], row["shape"]): row for row in rows}
    aims = {row["regularizer"]: row["aim"] for row in rows}
    header = ["regularizer"]
    for shape in shapes:
        header += [f"{shape}: ms", "relative (median)"]
    lines = []
    for name, aim in aims.items():
        line = [f"`{name}`"]
        for shape in shapes:
            row = found.get((name, shape))
            line += (
                ["-", "-"]
                if row is None
                else [
                    milliseconds(float(row["seconds"])),
                    f"{row['relative']} ({row['relative_median']})",
                ]
            )
        lines.append([*line, aim or "-"])
    return markdown_table([*header, "aim"], lines)


def ends(workloads, repeats):
    """What a fit costs beyond its epochs, without and with norms."""
    rows = []
    for workload in workloads:
        X, y = workload.data()
        for name, settings in [
            (NONE, {}),
            ("batch_norm", {"batch_norm": True}),
            ("early_stopping", {"early_stopping": True}),
            ("both", {"batch_norm": True, "early_stopping": True}),
        ]:
            times = {
                epochs: min(
                    seconds_of_fit(workload, X, y, epochs, settings)
                    for _ in range(repeats)
                )
                for epochs in (FEW, MORE_EPOCHS)
            }
            epoch = (times[MORE_EPOCHS] - times[FEW]) / (MORE_EPOCHS - FEW)
            rows.append(
                {
                    "settings": name,
                    "shape": workload.name,
                    "fit": f"{times[FEW]:.4g}",
                    "epoch": f"{epoch:.4g}",
                    "beyond": f"{times[FEW] / epoch - FEW:.2f}",
                }
            )
    return rows


def seconds_of_fit(workload, X, y, epochs, settings):
    """Of one fit of so many epochs."""
    model = Skreg.estimator(
        workload, max_iter=epochs, n_iter_no_change=epochs + 1, **settings
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        start = time.perf_counter()
        model.fit(X, y)
        return time.perf_counter() - start


def plot(rows, path):
    """Points on a line each: an epoch's time relative to that without, and the aim."""
    names = list(dict.fromkeys(row["regularizer"] for row in rows))
    fig, ax = plt.subplots(figsize=(9, 0.8 + 0.32 * len(names)), layout="constrained")
    shapes = list(dict.fromkeys(row["shape"] for row in rows))
    for shape, marker in zip(shapes, "os", strict=False):
        chosen = [row for row in rows if row["shape"] == shape]
        ax.plot(
            [float(row["relative"]) for row in chosen],
            [names.index(row["regularizer"]) for row in chosen],
            marker,
            alpha=0.85,
            label=shape,
        )
    aims = {row["regularizer"]: float(row["aim"]) for row in rows if row["aim"]}
    ax.plot(
        list(aims.values()),
        [names.index(name) for name in aims],
        "k|",
        markersize=14,
        label="aim",
    )
    ax.axvline(1, color="black", linewidth=0.8)
    ax.set_xscale("log")
    ticks = [0.8, 1, 1.2, 1.5, 2, 3, 5]
    ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    ax.minorticks_off()
    ax.set_yticks(range(len(names)), names)
    ax.invert_yaxis()
    ax.grid(axis="x", alpha=0.4)
    ax.set_xlabel("time of an epoch / time without a regularizer")
    fig.legend(loc="outside upper center", ncols=len(shapes) + 1)
    fig.savefig(path, dpi=120)


def main():
    """Measure, and write what there is to write."""
    parser = arguments(__doc__, repeats=15)
    choose(parser, [*REGULARIZERS, *MORE, *IMAGE_REGULARIZERS])
    options = parser.parse_args()
    if options.quick:
        options.repeats = 1
    folder = output_folder(options)
    workloads = [w.smaller() if options.quick else w for w in (SMALL, WIDE)]
    rows = measure(workloads, options)
    summarised = summary(rows)
    write_csv(folder, "overhead_turns.csv", rows)
    write_csv(folder, "overhead.csv", summarised)
    write_table(
        folder,
        "overhead.md",
        table(summarised),
        f"{QUICK + ' ' if options.quick else ''}Milliseconds per epoch, the fastest of "
        f"{options.repeats} turns, on {SMALL.threads} thread and on {WIDE.threads} "
        "threads; beside them how many times as long that is as without a regularizer, "
        "and in brackets the median of the ratios turn by turn. The aim is ours, for "
        f"both shapes. {machine()}",
    )
    rows = ends(workloads, min(options.repeats, 5))
    write_csv(folder, "overhead_ends.csv", rows)
    write_table(
        folder,
        "overhead_ends.md",
        markdown_table(
            ["shape", "", f"fit of {FEW} epochs, ms", "epoch, ms", "beyond, epochs"],
            [
                [
                    row["shape"],
                    f"`{row['settings']}`",
                    milliseconds(float(row["fit"])),
                    milliseconds(float(row["epoch"])),
                    row["beyond"],
                ]
                for row in rows
            ],
        ),
        f"Whole fits of {FEW} epochs; the time of one more epoch; and how many epochs' "
        f"time the fit takes beyond its own: reading the data, judging the "
        f"predictions, and with batch_norm gathering the averages. {machine()}",
    )
    if folder:
        plot(summarised, folder / "overhead.png")


if __name__ == "__main__":
    main()
