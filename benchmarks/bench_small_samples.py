"""What does each regularizer bring when there are few rows to learn from?

Eight public tables (``_tabular.py``), of which 500 rows are trained on and up to 5000
of the others are tested on. A network of two hidden layers of 100 units is trained for
100 epochs, long enough to overfit, without a regularizer and with each. A regularizer
that has a strength gets one of three, chosen by a three-fold cross-validation within
the training rows (log loss, or R² of a regression); the three are the same for all
tables (``_regularizers.py``). scikit-learn's LogisticRegression and Ridge, chosen alike
among five strengths, tell where a network is of no use. A gain is a score less that of
the network without a regularizer on the same rows.

    python benchmarks/bench_small_samples.py [--repeats 10] [--only NAME ...] [--quick]
        [--jobs 2]

`--repeats` is the number of seeds, each with another draw of rows and other initial
weights. Writes ``results/small_samples.csv`` (every seed), ``small_samples.md`` and
``small_samples.png``; with ``--only`` or ``--quick`` nothing unless ``--output`` says
where.
"""

import os
import warnings

import matplotlib.pyplot as plt
import numpy as np
from _plain import RegularizedMLPClassifier, RegularizedMLPRegressor
from _regularizers import NONE, REGULARIZERS, Regularizer
from _report import (
    QUICK,
    arguments,
    choose,
    machine,
    markdown_table,
    output_folder,
    write_csv,
    write_table,
)
from _tabular import CLASSIFICATION, TABLES, preprocessing
from joblib import Parallel, delayed, parallel_config
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import log_loss
from sklearn.model_selection import (
    GridSearchCV,
    KFold,
    StratifiedKFold,
    train_test_split,
)
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

TRAIN_ROWS, TEST_ROWS, FOLDS = 500, 5000, 3
NETWORK = {
    "hidden_layer_sizes": (100, 100),
    "l2": 0.0,
    "batch_size": 32,
    "max_iter": 100,
    "tol": 0.0,
    "n_iter_no_change": np.inf,
}
# What the benchmark of overhead has no use for.
MORE = {
    "early_stopping": Regularizer({"early_stopping": True, "n_iter_no_change": 10}),
    "l2, auto": Regularizer({"l2": "auto", "early_stopping": True}),
}
COMPARED = REGULARIZERS | MORE
LINEAR = "linear"
LINEAR_NAME = "Ridge or LogisticRegression"
LINEAR_GRIDS = {
    "C": [0.01, 0.1, 1.0, 10.0, 100.0],
    "alpha": [0.1, 1.0, 10.0, 100.0, 1000.0],
}


def candidate(name, table, seed):
    """The model of a row and the strengths that it is searched over, or None."""
    classifier = table.task == CLASSIFICATION
    if name == LINEAR:
        model = LogisticRegression(max_iter=1000) if classifier else Ridge()
        strength = "C" if classifier else "alpha"
        grid = {strength: LINEAR_GRIDS[strength]}
    else:
        regularizer = COMPARED[name]
        if regularizer.classifier_only and not classifier:
            return None
        kind = RegularizedMLPClassifier if classifier else RegularizedMLPRegressor
        model = kind(random_state=seed, **NETWORK | regularizer.settings)
        grid = regularizer.grid
    pipeline = Pipeline([("preprocessing", preprocessing()), ("model", model)])
    if classifier:
        return pipeline, {f"model__{key}": value for key, value in grid.items()}
    # a strength means the same whatever the unit of the target
    return (
        TransformedTargetRegressor(pipeline, transformer=StandardScaler()),
        {f"regressor__model__{key}": value for key, value in grid.items()},
    )


def fitted(model, grid, task, X, y, seed):
    """The model, refitted with the best strength; and that strength."""
    if not grid:
        return clone(model).fit(X, y), ""
    folds = StratifiedKFold if task == CLASSIFICATION else KFold
    search = GridSearchCV(
        model,
        grid,
        cv=folds(FOLDS, shuffle=True, random_state=seed),
        scoring="neg_log_loss" if task == CLASSIFICATION else "r2",
        error_score="raise",
    ).fit(X, y)
    (strength,) = search.best_params_.values()
    return search.best_estimator_, strength


def draw(table, seed, rows):
    """Training and test part; classes as in the whole."""
    X, y = table.load()
    return train_test_split(
        X,
        np.asarray(y),
        train_size=rows,
        test_size=min(TEST_ROWS, len(X) - rows),
        stratify=y if table.task == CLASSIFICATION else None,
        random_state=seed,
    )


def compare(table, seed, names, rows):
    """A row of the CSV for each regularizer, the first of which is none."""
    X, X_test, y, y_test = draw(table, seed, rows)
    result = []
    for name in names:
        chosen = candidate(name, table, seed)
        if chosen is None:
            continue
        with warnings.catch_warnings():
            # a budget of epochs is no convergence
            warnings.simplefilter("ignore", ConvergenceWarning)
            # a category that only the rows tested on have
            warnings.filterwarnings("ignore", "Found unknown categories")
            model, strength = fitted(*chosen, table.task, X, y, seed)
            score, loss = model.score(X_test, y_test), np.nan
            if table.task == CLASSIFICATION:
                loss = log_loss(y_test, model.predict_proba(X_test))
        if name == NONE:
            score_without, loss_without = score, loss
        result.append(
            {
                "regularizer": name,
                "dataset": table.name,
                "seed": seed,
                "strength": strength,
                "metric": "accuracy" if table.task == CLASSIFICATION else "R2",
                "score": figure(score),
                "gain": figure(score - score_without),
                "log_loss": figure(loss),
                # less is better
                "log_loss_gain": figure(loss_without - loss),
            }
        )
    return result


def figure(value):
    """As it stands in the CSV; nothing where there is none."""
    return "" if np.isnan(value) else f"{value:.5f}"


def measure(options):
    """All rows of the CSV."""
    chosen = [name for name in (*COMPARED, LINEAR) if name in options.only]
    names = [NONE, *(name for name in chosen or (*COMPARED, LINEAR) if name != NONE)]
    seeds = range(options.repeats)
    rows = 100 if options.quick else TRAIN_ROWS
    for table in TABLES:
        table.load()  # downloads once, not in each process
    with parallel_config("loky", inner_max_num_threads=1):
        parts = Parallel(n_jobs=options.jobs, verbose=5)(
            delayed(compare)(table, seed, names, rows)
            for table in TABLES
            for seed in seeds
        )
    return [row for part in parts for row in part]


def gains(rows, column="gain"):
    """(regularizer, data set) -> the gain of each seed."""
    found = {}
    for row in rows:
        if row[column] != "":
            key = row["regularizer"], row["dataset"]
            found.setdefault(key, []).append(float(row[column]))
    return found


def markdown(rows):
    """A line for each regularizer, a column for each data set; without one: scores."""
    scores, found = gains(rows, "score"), gains(rows)
    losses = gains(rows, "log_loss_gain")
    header = ["regularizer"]
    header += [
        f"{table.name}, {'%' if table.task == CLASSIFICATION else '100 R²'}"
        for table in TABLES
    ]
    lines = []
    for name in dict.fromkeys(row["regularizer"] for row in rows):
        line = [f"`{name}`"]
        for table in TABLES:
            values = (scores if name == NONE else found).get((name, table.name))
            line.append("-" if values is None else mean_and_spread(values, name))
        per_set = [np.mean(v) for (who, _), v in losses.items() if who == name]
        line.append(f"{np.mean(per_set):+.2f}" if name != NONE and per_set else "-")
        lines.append(line)
    return markdown_table([*header, "log loss"], lines)


def mean_and_spread(values, name):
    """Of 100; the standard deviation among seeds stands behind."""
    mean, spread = 100 * np.mean(values), 100 * np.std(values, ddof=len(values) > 1)
    return (
        f"{mean:.1f} ± {spread:.1f}" if name == NONE else f"{mean:+.1f} ± {spread:.1f}"
    )


def plot(rows, path):
    """A panel for each data set: mean gain and standard deviation, in points."""
    found = gains(rows)
    names = [n for n in dict.fromkeys(r["regularizer"] for r in rows) if n != NONE]
    fig, axes = plt.subplots(
        2, 4, figsize=(12, 1.8 + 0.46 * len(names)), sharey=True, layout="constrained"
    )
    for ax, table in zip(axes.flat, TABLES, strict=True):
        for line, name in enumerate(names):
            values = found.get((name, table.name))
            if values is not None:
                mean, spread = 100 * np.mean(values), 100 * np.std(values)
                colour = "C7" if name == LINEAR else "C0" if mean > 0 else "C3"
                ax.errorbar(mean, line, xerr=spread, fmt="o", color=colour, capsize=2)
        ax.axvline(0, color="black", linewidth=0.8)
        unit = "accuracy" if table.task == CLASSIFICATION else "100 R²"
        ax.set_title(f"{table.name} ({unit})", fontsize=10)
        ax.set_yticks(range(len(names)), names)
        ax.set_ylim(len(names) - 0.5, -0.5)
        ax.grid(axis="x", alpha=0.4)
    fig.supxlabel("gain over the network without a regularizer, in points")
    fig.savefig(path, dpi=120)


def main():
    """Measure, and write what there is to write."""
    parser = arguments(__doc__, repeats=10)
    choose(parser, [*COMPARED, LINEAR])
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    options = parser.parse_args()
    if options.quick:
        options.repeats = 1
    folder = output_folder(options)
    rows = measure(options)
    write_csv(folder, "small_samples.csv", rows)
    write_table(
        folder,
        "small_samples.md",
        markdown(rows),
        f"{QUICK + ' ' if options.quick else ''}Points gained over the network without "
        "a regularizer, whose own scores are in the first line: accuracy of "
        f"classifiers, 100 R² of regressors, mean ± standard deviation of "
        f"{options.repeats} draws of {100 if options.quick else TRAIN_ROWS} training "
        f"rows. {LINEAR} is scikit-learn's {LINEAR_NAME}. The last column is what the "
        "log loss falls by, the mean of the four classifications. "
        f"{machine('pandas')}",
    )
    if folder:
        plot(rows, folder / "small_samples.png")


if __name__ == "__main__":
    main()
