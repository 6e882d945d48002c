"""What do zeros bring in production, by `sparsify_weights` and by `prune`?

Two networks, of which a share of the weights is set to zero: single weights anywhere,
as `l1` leaves them, which `sparsify_weights` skips; or whole features and units, as
`group_l1` leaves them, which `prune` takes out, so that a smaller dense network
remains. Compared are the time of a prediction, of many rows and of one, and the size of
the pickle. A fitted estimator also carries what its optimizer remembers, which
`sparsify_weights` and `prune` drop; from the dense one that they are compared with it
has been dropped, too.

    python benchmarks/bench_sparsify.py [--repeats 15] [--only NAME ...] [--quick]

The ways take turns, on one thread and on two; of the times of a way the least counts.
Writes ``results/sparsify.csv``, ``sparsify.md`` and ``sparsify.png``; with ``--only``
or ``--quick`` nothing unless ``--output`` says where.
"""

import copy
import math
import pickle
import time
import warnings
from dataclasses import dataclass, replace

import matplotlib.pyplot as plt
import numpy as np
from _plain import RegularizedMLPClassifier
from _report import (
    QUICK,
    arguments,
    choose,
    machine,
    markdown_table,
    milliseconds,
    output_folder,
    three_digits,
    write_csv,
    write_table,
)
from threadpoolctl import threadpool_limits

SECONDS = 0.2  # of a turn
SHARES = (0.0, 0.5, 0.8, 0.9, 0.95, 0.99)
THREADS = (1, 2)
DENSE, SPARSIFY, PRUNE = "dense", "sparsify", "prune"
CLASSES = 10


@dataclass(frozen=True)
class Shape:
    """Rows to predict, features, and units of the hidden layers."""

    name: str
    rows: int
    features: int
    hidden: tuple


SHAPES = [
    Shape("small", 10_000, 64, (64, 64)),
    Shape("wide", 10_000, 784, (512, 512)),
]


def trained(shape):
    """A fitted estimator, and rows to predict."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(shape.rows, shape.features)).astype(np.float32)
    y = np.arange(500) % CLASSES
    model = RegularizedMLPClassifier(shape.hidden, max_iter=1, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that one epoch is no convergence
        return model.fit(X[: len(y)], y), X


def with_zeros(model, share):
    """A copy in which any weight is zero with this probability."""
    model = copy.deepcopy(model)
    rng = np.random.default_rng(0)
    for W in model.coefs_:
        W[rng.random(W.shape) < share] = 0
    return model


def with_dead_units(model, share):
    """A copy in which so many weights are zero as rows or columns of the matrices.

    Of the features and of the units of each layer the same part is alive. Weights
    between two of these layers are left where both ends are alive, so that the part is
    the square root of the weights' share there; the outputs are all alive.
    """
    model = copy.deepcopy(model)
    rng = np.random.default_rng(0)
    *inner, last = model.coefs_
    dead = [
        rng.permutation(len(W))[round(math.sqrt(1 - share) * len(W)) :]
        for W in model.coefs_
    ]
    for W, before, behind in zip(inner, dead, dead[1:], strict=False):
        W[before] = 0
        W[:, behind] = 0
    last[dead[-1]] = 0
    return model


def ways(model, share):
    """(Name, estimator) of each way to predict; the zeros are its own kind."""
    # without the memory of the optimizer, as the others
    yield DENSE, with_zeros(model, share).sparsify_weights().densify()
    yield SPARSIFY, with_zeros(model, share).sparsify_weights()
    yield PRUNE, with_dead_units(model, share).prune()


def timed(model, X, seconds):
    """The least time of a call among those of a turn of so many seconds."""
    best, end = np.inf, time.perf_counter() + seconds
    while True:
        start = time.perf_counter()
        model.predict_proba(X)
        now = time.perf_counter()
        best = min(best, now - start)
        if now > end:
            return best


def measure(shapes, options):
    """A row of the CSV for each shape, share, number of threads and way."""
    rows = []
    seconds = 0.01 if options.quick else SECONDS
    for shape in shapes:
        model, X = trained(shape)
        for share in SHARES:
            contenders = dict(ways(model, share))
            for threads in THREADS:
                times = dict.fromkeys(contenders, (np.inf, np.inf))
                with threadpool_limits(threads):
                    for _ in range(options.repeats):
                        for name, contender in contenders.items():
                            turn = [
                                timed(contender, part, seconds) for part in (X, X[:1])
                            ]
                            times[name] = tuple(map(min, times[name], turn))
                for name, contender in contenders.items():
                    many, one = times[name]
                    rows.append(
                        {
                            "shape": shape.name,
                            "rows": shape.rows,
                            "zeros": share,
                            "threads": threads,
                            "way": name,
                            "seconds": f"{many:.4g}",
                            "seconds_one_row": f"{one:.4g}",
                            "bytes": len(pickle.dumps(contender)),
                        }
                    )
        print(f"{shape.name}: done", flush=True)
    return rows


def table(rows):
    """A line for each shape, number of threads and share."""
    found = {(r["shape"], r["threads"], r["zeros"], r["way"]): r for r in rows}
    lines = []
    for shape, threads, share in dict.fromkeys(key[:3] for key in found):
        line = [f"{shape}, {threads} thread{'s' * (threads > 1)}, {share:.0%}"]
        for column, form in (
            ("seconds", milliseconds),
            ("seconds_one_row", lambda s: three_digits(1e6 * s)),
            ("bytes", lambda b: three_digits(b / 1024)),
        ):
            line += [
                form(float(found[shape, threads, share, way][column]))
                for way in (DENSE, SPARSIFY, PRUNE)
            ]
        lines.append(line)
    header = ["network, zeros"]
    for unit in ("ms", "one row, µs", "KiB"):
        header += [f"{way}, {unit}" for way in (DENSE, SPARSIFY, PRUNE)]
    return markdown_table(header, lines)


def plot(rows, path):
    """Time relative to the dense network with as many zeros, and size."""
    shapes = list(dict.fromkeys(row["shape"] for row in rows))
    fig, axes = plt.subplots(
        1, 2 * len(shapes), figsize=(5.5 * len(shapes), 3.6), layout="constrained"
    )
    shares = sorted({row["zeros"] for row in rows})
    places = range(len(shares))
    for n, shape in enumerate(shapes):
        found = {
            (r["way"], r["threads"], r["zeros"]): r for r in rows if r["shape"] == shape
        }
        by_time, by_size = axes[2 * n : 2 * n + 2]
        for colour, way in (("C0", SPARSIFY), ("C1", PRUNE)):
            for threads, line in zip(THREADS, ("o-", "s--"), strict=True):
                ratios = [
                    float(found[way, threads, share]["seconds"])
                    / float(found[DENSE, threads, share]["seconds"])
                    for share in shares
                ]
                label = f"{way}, {threads} thread{'s' * (threads > 1)}"
                by_time.plot(places, ratios, line, color=colour, label=label)
            ratios = [
                found[way, 1, share]["bytes"] / found[DENSE, 1, share]["bytes"]
                for share in shares
            ]
            by_size.plot(places, ratios, "o-", color=colour)
        for ax, what in ((by_time, "time of a prediction"), (by_size, "pickle")):
            ax.set_title(f"{shape}: {what} / dense", fontsize=10)
            ax.axhline(1, color="black", linewidth=0.8)
            ax.set_yscale("log")
            ax.set_xticks(places, [f"{share:.0%}" for share in shares])
            ax.set_xlabel("zeros")
            ax.grid(alpha=0.4)
    fig.legend(
        *axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=4
    )
    fig.savefig(path, dpi=120)
    plt.close(fig)


def main():
    """Measure, and write what there is to write."""
    parser = arguments(__doc__, repeats=15)
    choose(parser, [shape.name for shape in SHAPES])
    options = parser.parse_args()
    shapes = [s for s in SHAPES if not options.only or s.name in options.only]
    if options.quick:
        options.repeats = 1
        shapes = [replace(shape, rows=1000) for shape in shapes]
    folder = output_folder(options)
    rows = measure(shapes, options)
    write_csv(folder, "sparsify.csv", rows)
    write_table(
        folder,
        "sparsify.md",
        table(rows),
        f"{QUICK + ' ' if options.quick else ''}Time of `predict_proba` of "
        f"{shapes[0].rows} rows and of one, and size of the pickle. "
        + "; ".join(
            f"{s.name}: {s.features} features, {'+'.join(map(str, s.hidden))} units"
            for s in SHAPES
        )
        + f"; {CLASSES} classes, float32. Zeros are anywhere for dense and sparsify, "
        "and whole features and units for prune; the share is that of the matrices "
        "between features and hidden units. The least of "
        f"{options.repeats} turns. {machine()}",
    )
    if folder:
        plot(rows, folder / "sparsify.png")


if __name__ == "__main__":
    main()
