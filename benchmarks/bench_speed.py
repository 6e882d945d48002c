"""How long do an epoch and a prediction take, and how long do they take elsewhere?

Everybody trains the same network with Adam on batches of the same size, in a new order
in each epoch, in float32 unless a column says otherwise, and without penalties unless a
row says so:

- skreg and scikit-learn's MLP by whole fits, divided by their epochs, so that checks of
  the data and initial weights count; no data is converted;
- PyTorch eagerly, with the fused Adam, from tensors;
- JAX with the whole epoch in one compiled call (``lax.scan``), without the time of
  compilation.

Predictions go from NumPy to NumPy, with the same weights everywhere, and onnxruntime is
there too; that all predict the same is checked. Every library has processes of its own,
bound to as many cores as it may use threads (``_contest.py``), and they take turns; of
all repetitions the fastest counts, because whatever else the machine does can only add
time. skreg has the number of threads that the row says; of the others the best number
up to that counts. Peers that are not installed (the extra ``peers``) leave their cells
empty.

The share of the peak is that of the products of matrices that must be done (forward,
for the weights' gradients and for the inputs'), not of what skreg does besides them.

    python benchmarks/bench_speed.py [--repeats 7] [--rows SUBSTRING] [--quick]

writes ``results/speed.csv`` (every repetition), ``speed.md`` (epochs) and
``speed_predict.md``, ``speed.png``, and for the Lasso (``_estimators/linear.py``)
``speed_lasso.csv`` and ``speed_lasso.md``. With ``--rows`` or ``--quick`` nothing is
written unless ``--output`` says where.
"""

from dataclasses import replace

import _linear
import matplotlib.pyplot as plt
from _contest import Contender, Contest, fastest
from _peak import Peak
from _peers import PEERS
from _report import (
    QUICK,
    arguments,
    machine,
    markdown_table,
    milliseconds,
    output_folder,
    three_digits,
    write_csv,
    write_table,
)
from _workloads import ONE_ROW, PREDICT, TRAIN, Workload

SECONDS = 0.5  # of a turn
OWN = "skreg"
PEER_LABELS = ["scikit-learn", "scikit-learn float64", "PyTorch", "JAX", "onnxruntime"]
VALIDATION = "validate_data alone"
PENALTIES = {"l1": 1e-5, "l2": 1e-4, "dropout": 0.5}
PACKAGES = ("torch", "jax", "onnxruntime")


def workloads():
    """The rows, each with what skreg does there besides: its contenders."""
    small = Workload(10_000, 54, (64, 64), 7, batch=32)
    wide = Workload(20_000, 784, (1024, 1024), 10, batch=256, threads=2)
    one = Contender(OWN, 1, note="1 thread")
    penalties = Contender(OWN, 1, settings=PENALTIES, note="l1, l2 and dropout")
    return {
        Workload(1797, 64, (100,), 10, digits=True): [],
        small: [penalties],
        replace(small, dropout=0.5): [],
        Workload(20_000, 100, (), 2, batch=64): [],
        Workload(20_000, 784, (256, 256), 10, batch=128, threads=2): [one],
        wide: [one],
        replace(wide, dropout=0.5): [one],
        Workload(20_000, 10, (32, 32, 32), batch=64, activation="tanh"): [],
        Workload(
            12_000, 20_000, (64,), 20, batch=128, density=0.005, threads=2
        ): [one],
        replace(small, rows=100_000, threads=2, task=PREDICT): [one],
        replace(small, task=ONE_ROW): [],
    }  # fmt: skip


def contenders(workload, more):
    """skreg, and all peers on all numbers of threads that they may have."""
    result = [Contender(OWN, workload.threads), *more]
    for name, peer in PEERS.items():
        if name != OWN and peer.can(workload) and not peer.missing():
            dtypes = ["float32"]
            if name == "scikit-learn" and workload.task == TRAIN:
                dtypes.append("float64")
            result += [
                Contender(name, threads, dtype)
                for dtype in dtypes
                for threads in range(1, workload.threads + 1)
            ]
    return result


def measure(cases, options, peak):
    """Every repetition as a row of the CSV."""
    rows = []
    with Contest() as contest:
        for workload, more in cases.items():
            for threads in range(1, workload.threads + 1):
                peak.measure(threads, repeats=1 if options.quick else 5)
            own = len(rows)
            rows += contest.run(
                workload,
                contenders(workload, more),
                repeats=options.repeats,
                seconds=0.05 if options.quick else SECONDS,
                least=1 if options.quick else 2,
            )
            best = fastest(rows[own:])
            times = (f"{who} {time_text(t)} ({n})" for (_, who), (t, n) in best.items())
            print(f"{workload.name}: {', '.join(times)}", flush=True)
    return rows


def time_text(seconds):
    """With its unit."""
    if seconds < 1e-3:
        return f"{three_digits(1e6 * seconds)} µs"
    return f"{milliseconds(seconds)} ms"


def share_text(workload, seconds, peak):
    """The share of the peak; a single row is not about arithmetic."""
    if workload.task == ONE_ROW:
        return "-"
    return f"{workload.flops / seconds / peak:.0%}"


def table(cases, best, peak, labels, text, unit=""):
    """One line for each workload, and below it one for each way of skreg's own."""
    header = ["workload", "threads", f"skreg{unit}", "of the peak"]
    header += [label + unit for label in labels]
    lines = []
    for workload in cases:
        own = [who for name, who in best if name == workload.name and OWN in who]
        for who in own:
            seconds, threads = best[workload.name, who]
            line = [
                workload.name if who == OWN else f"the same, {who}",
                str(threads),
                text(seconds),
                share_text(workload, seconds, peak.of(threads)),
            ]
            for label in labels:
                peer, used = best.get((workload.name, label), (None, 0))
                if peer is None or who != OWN:
                    line.append("-")
                elif workload.threads > 1:
                    line.append(f"{text(peer)} ({used})")
                else:
                    line.append(text(peer))
            lines.append(line)
    return markdown_table(header, lines)


def remark(what, options, peak, cases):
    """How the figures were made."""
    missing = sorted({module for peer in PEERS.values() for module in peer.missing()})
    numbers = range(1, max(workload.threads for workload in cases) + 1)
    rates = " and ".join(
        f"{peak.of(number) / 1e9:.0f} GFLOP/s on {number} "
        f"{'thread' if number == 1 else 'threads'}"
        for number in numbers
    )
    sentences = [
        QUICK if options.quick else "",
        f"{what}, the fastest of {options.repeats} turns each; in brackets the number "
        "of threads with which a peer was fastest, where it may have several.",
        f"The peak, {rates}, is the best rate of {peak.source}.",
        f"Not installed: {', '.join(missing)}." if missing else "",
        machine(*PACKAGES),
    ]
    return " ".join(filter(None, sentences))


def plot(cases, best, path):
    """How many times as long as skreg the others take, as points on a line each."""
    names = [workload.name for workload in cases]
    fig, ax = plt.subplots(figsize=(9, 0.8 + 0.42 * len(names)), layout="constrained")
    for label, marker in zip(PEER_LABELS, "os^Dv", strict=True):
        points = [
            (best[name, label][0] / best[name, OWN][0], line)
            for line, name in enumerate(names)
            if (name, label) in best
        ]
        if points:
            ax.plot(*zip(*points, strict=True), marker, label=label, alpha=0.85)
    ax.axvline(1, color="black", linewidth=0.8)
    ax.set_xscale("log")
    ticks = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50]
    ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    ax.minorticks_off()
    ax.set_yticks(range(len(names)), names)
    ax.invert_yaxis()
    ax.grid(axis="x", alpha=0.4)
    ax.set_xlabel("time / time of skreg")
    fig.legend(loc="outside upper center", ncols=len(PEER_LABELS))
    fig.savefig(path, dpi=120)


def main():
    """Measure, and write what there is to write."""
    parser = arguments(__doc__, repeats=7)
    parser.add_argument(
        "--rows", default="", help="only the workloads whose name has this in it"
    )
    options = parser.parse_args()
    if options.quick:
        options.repeats = 1
    for peer in PEERS.values():
        if peer.missing():
            print(f"{peer.name} is not installed: its cells stay empty.")

    cases = {
        workload.smaller() if options.quick else workload: more
        for workload, more in workloads().items()
        if options.rows in workload.name
    }
    peak = Peak()
    rows = measure(cases, options, peak) if cases else []
    lasso = options.rows.lower() in "lasso"
    lasso_rows = _linear.measure(options.repeats, options.quick) if lasso else []
    report(cases, rows, lasso_rows, options, peak, output_folder(options))


def report(cases, rows, lasso_rows, options, peak, folder):
    """Show the tables, and write everything to the folder unless it is None."""
    best = fastest(rows)
    tables = {
        "speed.md": (
            {TRAIN},
            [label for label in PEER_LABELS if label != "onnxruntime"],
            milliseconds,
            ", ms",
            "Milliseconds per epoch",
        ),
        "speed_predict.md": (
            {PREDICT, ONE_ROW},
            ["scikit-learn", "PyTorch", "onnxruntime", VALIDATION],
            time_text,
            "",
            "Time of one call",
        ),
    }
    if rows and folder:
        write_csv(folder, "speed.csv", rows)
        plot(cases, best, folder / "speed.png")
    for name, (kinds, labels, text, unit, what) in tables.items():
        chosen = {case: more for case, more in cases.items() if case.task in kinds}
        if chosen:
            write_table(
                folder,
                name,
                table(chosen, best, peak, labels, text, unit),
                remark(what, options, peak, chosen),
            )
    if lasso_rows:
        write_csv(folder, "speed_lasso.csv", lasso_rows)
        quick = f"{QUICK} " if options.quick else ""
        write_table(
            folder,
            "speed_lasso.md",
            _linear.table(lasso_rows),
            f"{quick}Milliseconds of a fit, the fastest of {options.repeats}, one "
            f"thread, in float64, both with the loosest tolerance (a power of ten) "
            f"that reaches the best known objective but for a share of "
            f"{_linear.CLOSE:g}. {machine()}",
        )


if __name__ == "__main__":
    main()
