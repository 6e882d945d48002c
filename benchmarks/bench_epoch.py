"""How long does one epoch take, compared with scikit-learn's MLP?

Both train the same network with Adam on the same batches in the same order
(``shuffle=False``), in one thread, in float32 and in float64. A time is that of a whole
`fit` divided by its epochs, so that validation of the data counts. The two take turns;
of all repetitions the fastest counts, because whatever else the machine does can only
add time.

    python benchmarks/bench_epoch.py [--repeats 7]

writes ``results/epoch.csv`` (every repetition), ``epoch.md`` and ``epoch.png``.
"""

import argparse
import time
import warnings
from dataclasses import dataclass, field

import matplotlib.pyplot as plt
import numpy as np
from _report import RESULTS, machine, markdown_table, write_csv
from scipy import sparse
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier, MLPRegressor
from threadpoolctl import threadpool_limits

from skreg import RegularizedMLPClassifier, RegularizedMLPRegressor

SECONDS_PER_FIT = 0.5
MAX_EPOCHS = 200
PEER, OWN = "scikit-learn", "skreg"


@dataclass
class Workload:
    """A shape of data and network."""

    name: str
    X: object
    y: np.ndarray
    settings: dict
    n_classes: int = 0  # 0: regression
    models: dict = field(init=False)

    def __post_init__(self):
        pair = (
            (MLPClassifier, RegularizedMLPClassifier)
            if self.n_classes
            else (MLPRegressor, RegularizedMLPRegressor)
        )
        self.models = dict(zip((PEER, OWN), pair, strict=True))

    def seconds(self, library, dtype, epochs):
        """Seconds per epoch of one fit."""
        X = self.X.astype(dtype)
        # neither library stops before max_iter
        settings = self.settings | {
            "max_iter": epochs,
            "n_iter_no_change": epochs + 1,
            "shuffle": False,
            "random_state": 0,
        }
        if library == OWN:
            settings["dtype"] = dtype
        model = self.models[library](**settings)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            start = time.perf_counter()
            model.fit(X, self.y)
            seconds = time.perf_counter() - start
        assert model.n_iter_ == epochs
        return seconds / epochs

    def epochs(self, library, dtype):
        """Epochs that make a fit take about SECONDS_PER_FIT."""
        return int(
            np.clip(SECONDS_PER_FIT / self.seconds(library, dtype, 2), 2, MAX_EPOCHS)
        )


def workloads():
    """The shapes, from small and shallow to wide; the data matter little for time."""
    rng = np.random.default_rng(0)
    digits = load_digits()

    def normal(n, p):
        return rng.standard_normal((n, p))

    def text_like(n, p, density):
        return sparse.random_array((n, p), density=density, format="csr", rng=rng)

    return [
        Workload(
            "digits, 1797 x 64, (100,), batch 200",
            digits.data / 16,
            digits.target,
            {"hidden_layer_sizes": (100,), "batch_size": 200},
            n_classes=10,
        ),
        Workload(
            "7 classes, 10000 x 54, (64, 64), batch 32",
            normal(10_000, 54),
            rng.integers(7, size=10_000),
            {"hidden_layer_sizes": (64, 64), "batch_size": 32},
            n_classes=7,
        ),
        Workload(
            "regression, 20000 x 10, (32, 32, 32) tanh, batch 64",
            normal(20_000, 10),
            normal(20_000, 1).ravel(),
            {
                "hidden_layer_sizes": (32, 32, 32),
                "activation": "tanh",
                "batch_size": 64,
            },
        ),
        Workload(
            "10 classes, 20000 x 784, (256, 256), batch 128",
            normal(20_000, 784),
            rng.integers(10, size=20_000),
            {"hidden_layer_sizes": (256, 256), "batch_size": 128},
            n_classes=10,
        ),
        Workload(
            "2 classes, sparse 10000 x 5000 (1 %), (64,), batch 128",
            text_like(10_000, 5_000, 0.01),
            rng.integers(2, size=10_000),
            {"hidden_layer_sizes": (64,), "batch_size": 128},
            n_classes=2,
        ),
    ]


def measure(repeats):
    """Every repetition as a row of the CSV."""
    rows = []
    for workload in workloads():
        for dtype in ("float32", "float64"):
            epochs = {lib: workload.epochs(lib, dtype) for lib in (PEER, OWN)}
            for repetition in range(repeats):
                for library in (PEER, OWN):
                    seconds = workload.seconds(library, dtype, epochs[library])
                    rows.append(
                        {
                            "workload": workload.name,
                            "dtype": dtype,
                            "library": library,
                            "repetition": repetition,
                            "epochs": epochs[library],
                            "seconds_per_epoch": f"{seconds:.4g}",
                        }
                    )
            print(table(summary(fastest(rows[-2 * repeats :]))).splitlines()[-1])
    return rows


def fastest(rows):
    """(workload, dtype, library) -> least seconds per epoch."""
    best = {}
    for row in rows:
        key = row["workload"], row["dtype"], row["library"]
        best[key] = min(float(row["seconds_per_epoch"]), best.get(key, np.inf))
    return best


def summary(best):
    """(workload, dtype, scikit-learn's time, skreg's time) for each pair."""
    pairs = dict.fromkeys((workload, dtype) for workload, dtype, _ in best)
    return [
        (name, dtype, best[name, dtype, PEER], best[name, dtype, OWN])
        for name, dtype in pairs
    ]


def milliseconds(seconds):
    """Three significant digits."""
    return f"{1e3 * seconds:.0f}" if seconds > 0.1 else f"{1e3 * seconds:#.3g}"


def table(pairs):
    """The summary in Markdown."""
    header = ["workload", "dtype", "scikit-learn MLP, ms", "skreg, ms", "ratio"]
    rows = [
        [name, dtype, milliseconds(peer), milliseconds(own), f"{peer / own:.1f}"]
        for name, dtype, peer, own in pairs
    ]
    return markdown_table(header, rows)


def plot(pairs):
    """How many times as fast, as bars."""
    names = list(dict.fromkeys(name for name, *_ in pairs))
    fig, ax = plt.subplots(figsize=(8, 3.6), layout="constrained")
    for offset, dtype in [(-0.2, "float32"), (0.2, "float64")]:
        ratios = [peer / own for _, kind, peer, own in pairs if kind == dtype]
        bars = ax.barh(np.arange(len(names)) + offset, ratios, 0.38, label=dtype)
        ax.bar_label(bars, fmt="%.1f", padding=3)
    ax.axvline(1, color="black", linewidth=0.8)
    ax.set_yticks(range(len(names)), names)
    ax.invert_yaxis()
    ax.set_xlabel("time of scikit-learn's MLP / time of skreg, one epoch, one thread")
    ax.margins(x=0.12)
    ax.legend(loc="lower right")
    fig.savefig(RESULTS / "epoch.png", dpi=120)


def main():
    """Measure and write the three files."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=7)
    repeats = parser.parse_args().repeats
    with threadpool_limits(1):
        rows = measure(repeats)
    pairs = summary(fastest(rows))
    write_csv("epoch.csv", rows)
    text = (
        f"{table(pairs)}\nMilliseconds per epoch, the fastest of {repeats} fits each, "
        f"one thread. {machine()}\n"
    )
    (RESULTS / "epoch.md").write_text(text, encoding="utf-8")
    plot(pairs)
    print(text)


if __name__ == "__main__":
    main()
