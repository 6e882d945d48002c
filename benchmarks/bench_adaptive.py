"""What does "auto" cost and bring, compared with a search over the strength?

One network, batches and learning rate for all; every fit stops early on the same
validation part. Compared are the default ``l2=1e-4``; a search over eight values of
``l2``, or of ``l1``, a decade apart, over the range in which "auto" moves, of which the
best by validation loss counts; and one fit with ``l2="auto"``, ``l1="auto"`` or both.
The data are split anew with every seed, and the loss is that on the test part.

    python benchmarks/bench_adaptive.py [--repeats 10] [--quick] [--file PATH TARGET]

Data are scikit-learn's own, and made ones. ``--file`` adds a CSV or Parquet file of
your own, and may be given several times. Writes ``results/adaptive.csv`` (every
contender, data set and seed), ``adaptive.md`` (losses) and ``adaptive_time.md``.
"""

import time
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from _plain import RegularizedMLPClassifier, RegularizedMLPRegressor
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
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.datasets import (
    load_breast_cancer,
    load_diabetes,
    load_digits,
    load_wine,
    make_classification,
    make_friedman1,
    make_regression,
)
from sklearn.metrics import log_loss, mean_squared_error
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skreg._training.adaptive import LARGEST, SMALLEST

GRID = np.geomspace(SMALLEST, LARGEST, 8).tolist()
SETTINGS = {
    "hidden_layer_sizes": (100,),
    "batch_size": 32,
    "learning_rate_init": 0.002,
    "max_iter": 300,
    "n_iter_no_change": 20,
    "early_stopping": True,
}
# Settings of the candidates, of which the best by validation loss counts.
CONTENDERS = {
    "default": [{"l2": 1e-4}],
    "search l2": [{"l2": value} for value in GRID],
    "auto l2": [{"l2": "auto"}],
    "search l1": [{"l1": value, "l2": 0.0} for value in GRID],
    "auto l1": [{"l1": "auto", "l2": 0.0}],
    "auto both": [{"l1": "auto", "l2": "auto"}],
}


@dataclass
class Task:
    """A data set, of which at most so many rows are used, a fifth to validate on."""

    name: str
    load: object  # seed -> X, y
    classifies: bool
    rows: int = 400

    def parts(self, seed):
        """(X, y) to train on, to validate on and to test on, scaled."""
        X, y = self.load(seed)
        rows = min(self.rows, len(y) * 3 // 4)
        labels = y if self.classifies else None
        X, X_test, y, y_test = train_test_split(
            X,
            y,
            train_size=rows,
            test_size=min(len(y) - rows, 4000),
            stratify=labels,
            random_state=seed,
        )
        X, X_val, y, y_val = train_test_split(
            X,
            y,
            test_size=0.2,
            stratify=y if self.classifies else None,
            random_state=seed,
        )
        scaler = StandardScaler().fit(X)
        # values far outside would make single rows decide over the squared error
        X, X_val, X_test = (
            np.clip(scaler.transform(part), -5, 5) for part in (X, X_val, X_test)
        )
        if not self.classifies:
            y, y_val, y_test = ((v - y.mean()) / y.std() for v in (y, y_val, y_test))
        return (X, y), (X_val, y_val), (X_test, y_test)


def bundled(load):
    """A loader of data that are the same for all seeds."""
    return lambda seed: load(return_X_y=True)


def noise(seed):
    """Targets that have nothing to do with the features."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(1600, 30)), rng.normal(size=1600)


TASKS = [
    Task("diabetes", bundled(load_diabetes), False),
    Task("breast_cancer", bundled(load_breast_cancer), True),
    Task("wine", bundled(load_wine), True),
    Task("digits, 300 rows", bundled(load_digits), True, 300),
    Task("digits, 1200 rows", bundled(load_digits), True, 1200),
    Task(
        "friedman1",
        lambda seed: make_friedman1(1600, noise=1.0, random_state=seed),
        False,
    ),
    Task(
        "linear, 10 of 100 features",
        lambda seed: make_regression(
            1600, 100, n_informative=10, noise=60, random_state=seed
        ),
        False,
    ),
    Task(
        "classes, 5 of 50 features",
        lambda seed: make_classification(
            1600, 50, n_informative=5, n_redundant=0, flip_y=0.1, random_state=seed
        ),
        True,
    ),
    Task("noise", noise, False),
]


def task_of_file(path, target):
    """A task of 2000 rows of a CSV or Parquet file; words are one-hot encoded."""
    import pandas as pd

    path = Path(path)
    read = pd.read_parquet if path.suffix == ".parquet" else pd.read_csv
    table = read(path)
    y = table.pop(target).to_numpy()
    classifies = y.dtype.kind not in "fiu" or len(np.unique(y)) < 20
    if classifies:
        _, y = np.unique(y.astype(str), return_inverse=True)

    def load(seed):
        chosen = np.random.default_rng(seed).permutation(len(y))[:6000]
        words = OneHotEncoder(
            min_frequency=20,
            handle_unknown="infrequent_if_exist",
            sparse_output=False,
        )
        numbers = make_column_selector(dtype_include=np.number)
        others = make_column_selector(dtype_exclude=np.number)
        X = make_pipeline(
            make_column_transformer((words, others), ("passthrough", numbers))
        ).fit_transform(table.iloc[chosen])
        return np.asarray(X, float), y[chosen]

    return Task(f"{path.stem}, 2000 rows", load, classifies, 2000)


def contend(task, seed, candidates):
    """Loss on the test part of the best candidate, all seconds, its epochs."""
    train, validation, (X_test, y_test) = task.parts(seed)
    best, seconds = None, 0.0
    for settings in candidates:
        kind = RegularizedMLPClassifier if task.classifies else RegularizedMLPRegressor
        model = kind(random_state=seed, **SETTINGS, **settings)
        start = time.process_time()
        model.fit(*train, X_val=validation[0], y_val=validation[1])
        seconds += time.process_time() - start
        if best is None or model.best_validation_score_ > best.best_validation_score_:
            best = model
    if task.classifies:
        loss = log_loss(y_test, best.predict_proba(X_test))
    else:
        loss = mean_squared_error(y_test, best.predict(X_test)) / 2
    return loss, seconds, best


def measure(tasks, repeats):
    """Every task, seed and contender as a row of the CSV."""
    rows = []
    for task in tasks:
        for seed in range(repeats):
            for contender, candidates in CONTENDERS.items():
                loss, seconds, best = contend(task, seed, candidates)
                rows.append(
                    {
                        "data": task.name,
                        "seed": seed,
                        "contender": contender,
                        "fits": len(candidates),
                        "test_loss": f"{loss:.6g}",
                        "validation_loss": f"{-best.best_validation_score_:.6g}",
                        "seconds": f"{seconds:.4g}",
                        "epochs": best.n_iter_,
                        "l1": " ".join(f"{value:.3g}" for value in best.l1_),
                        "l2": " ".join(f"{value:.3g}" for value in best.l2_),
                    }
                )
        print(f"{task.name}: done", flush=True)
    return rows


def logarithms(rows, column):
    """By contender, the logarithms of a column: one row per data set and seed."""
    found = {name: {} for name in CONTENDERS}
    for row in rows:
        found[row["contender"]].setdefault(row["data"], []).append(
            np.log(float(row[column]))
        )
    return {
        contender: {data: np.array(values) for data, values in by_data.items()}
        for contender, by_data in found.items()
    }


def loss_table(rows):
    """Losses of the default, and those of the others over them."""
    logs = logarithms(rows, "test_loss")
    others = [name for name in CONTENDERS if name != "default"]
    lines, differences = [], {name: [] for name in others}
    for data, default in logs["default"].items():
        line = [data, three_digits(np.exp(default.mean()))]
        for name in others:
            difference = (logs[name][data] - default).mean()
            differences[name].append(difference)
            line.append(f"{np.exp(difference):.2f}")
        lines.append(line)
    lines.append(
        ["all", ""] + [f"{np.exp(np.mean(differences[name])):.2f}" for name in others]
    )
    return markdown_table(["data", "default", *others], lines)


def time_table(rows):
    """Seconds of a fit by default, and those of the others over them."""
    logs = logarithms(rows, "seconds")
    others = [name for name in CONTENDERS if name != "default"]
    lines = []
    for data, default in logs["default"].items():
        ratios = [np.exp((logs[name][data] - default).mean()) for name in others]
        lines.append(
            [data, f"{1e3 * np.exp(default.mean()):.0f}", *map(three_digits, ratios)]
        )
    return markdown_table(["data", "default, ms", *others], lines)


def wins(rows, contender, other):
    """How often, in percent of data sets and seeds, a contender's loss is lower."""
    logs = logarithms(rows, "test_loss")
    lower = [logs[contender][data] < logs[other][data] for data in logs[other]]
    return f"{np.mean(np.concatenate(lower)):.0%}"


def main():
    """Measure and write the three files."""
    parser = arguments(__doc__, repeats=10)
    parser.add_argument(
        "--file",
        nargs=2,
        action="append",
        default=[],
        metavar=("PATH", "TARGET"),
        help="a CSV or Parquet file and the column to predict",
    )
    options = parser.parse_args()
    tasks = TASKS + [task_of_file(*given) for given in options.file]
    if options.quick:
        options.repeats, tasks = 1, tasks[:2]
    folder = output_folder(options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that some fits end at max_iter
        rows = measure(tasks, options.repeats)
    quick = f"{QUICK} " if options.quick else ""
    files = ", ".join(Path(path).stem for path, _ in options.file)
    losses = (
        f"{quick}Loss on test data (log loss, or half the squared error of the "
        "standardized target): of l2=1e-4, the default, and how many times as large it "
        "is otherwise; below 1 is better. Geometric means over "
        f"{options.repeats} splits. Lower than the default in this share of data sets "
        "and splits: "
        + ", ".join(
            f"{name} {wins(rows, name, 'default')}"
            for name in CONTENDERS
            if name != "default"
        )
        + f"; auto l2 lower than search l2: {wins(rows, 'auto l2', 'search l2')}, "
        f"auto l1 lower than search l1: {wins(rows, 'auto l1', 'search l1')}. "
        + (f"From files, by --file: {files}. " if files else "")
        + machine()
    )
    times = (
        f"{quick}Processor time of a fit with l2=1e-4, in milliseconds, and how many "
        "times as long the others take, all eight fits of a search together. "
        f"Geometric means over {options.repeats} splits. {machine()}"
    )
    write_csv(folder, "adaptive.csv", rows)
    write_table(folder, "adaptive.md", loss_table(rows), losses)
    write_table(folder, "adaptive_time.md", time_table(rows), times)


if __name__ == "__main__":
    main()
