"""What does fine-tuning bring when there are few rows of a new kind?

Four public tables (``_tabular.py``) are cut into an old part, on which a network of two
hidden layers of 100 units is trained, and a new part that differs:

- digits: images as they are, and others turned by 30 degrees;
- adult: incomes of men, then of women;
- california: houses in the north, then in the south (by latitude);
- diamonds: those below one carat, then those above, which cost more.

Of the new part 50, 200 or 1000 rows are learnt from, and up to 5000 others are tested
on. Compared are the network as it is, one trained on the new rows alone, and each
method of `fine_tune`. Each but the first chooses its learning rate among six by a
three-fold cross-validation within the new rows; "full, l2_sp" its strength among four,
too. The seconds are those of one fit with what was chosen.

    python benchmarks/bench_fine_tuning.py [--repeats 5] [--only NAME ...] [--quick]
        [--jobs 2]

`--repeats` is the number of seeds, each with other rows and other initial weights.
Writes ``results/fine_tuning.csv`` (every seed), ``fine_tuning.md`` and
``fine_tuning.png``; with ``--only`` or ``--quick`` nothing unless ``--output`` says
where.
"""

import os
import time
import warnings
from dataclasses import dataclass
from itertools import product

import matplotlib.pyplot as plt
import numpy as np
from _plain import RegularizedMLPClassifier, RegularizedMLPRegressor
from _report import (
    QUICK,
    arguments,
    choose,
    machine,
    markdown_table,
    output_folder,
    three_digits,
    write_csv,
    write_table,
)
from _tabular import CLASSIFICATION, TABLES, preprocessing
from joblib import Parallel, delayed, parallel_config
from scipy.ndimage import rotate
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import KFold, StratifiedKFold, train_test_split

SIZES = (50, 200, 1000)
OLD_ROWS, TEST_ROWS, FOLDS = 5000, 5000, 3
NETWORK = {
    "hidden_layer_sizes": (100, 100),
    "l2": 1e-4,
    "batch_size": 32,
    "learning_rate": "one_cycle",
    "learning_rate_init": 0.003,
    "max_iter": 40,
}
RATES = (0.0003, 0.001, 0.003, 0.01, 0.03, 0.1)
AS_IT_IS, FROM_SCRATCH = "as it is", "from scratch"


@dataclass(frozen=True)
class Shift:
    """A table whose rows are old or new: `parts` gives X, y and which rows are new."""

    name: str
    task: str
    parts: callable


def load(name):
    """X and y of one of the tables."""
    (table,) = (table for table in TABLES if table.name == name)
    X, y = table.load()
    return X, np.asarray(y)


def turned_digits():
    X, y = load("digits")
    new = np.random.default_rng(0).permutation(len(X)) < 1400
    images = X.to_numpy(float).reshape(-1, 8, 8)
    turned = rotate(images, 30, axes=(1, 2), reshape=False, order=1)
    X = X.copy()
    X[:] = np.where(new[:, None, None], turned, images).reshape(len(X), -1)
    return X, y, new


def incomes_of_women():
    X, y = load("adult")
    return X.drop(columns="gender"), y, (X["gender"] == "Female").to_numpy()


def houses_in_the_south():
    X, y = load("california")
    return X, y, (X["Latitude"] < 36).to_numpy()


def large_diamonds():
    X, y = load("diamonds")
    return X, y, (X["carat"] >= 1).to_numpy()


SHIFTS = [
    Shift("digits", CLASSIFICATION, turned_digits),
    Shift("adult", CLASSIFICATION, incomes_of_women),
    Shift("california", "regression", houses_in_the_south),
    Shift("diamonds", "regression", large_diamonds),
]

# What each way may choose from besides the learning rate.
WAYS = {
    AS_IT_IS: None,
    FROM_SCRATCH: {},
    "head": {"method": ["head"]},
    "bias": {"method": ["bias"]},
    "lora": {"method": ["lora"]},
    "adapter": {"method": ["adapter"]},
    "full": {"method": ["full"]},
    "full, l2_sp": {"method": ["full"], "l2_sp": [0.0001, 0.001, 0.01, 0.1]},
}


def candidates(choices):
    """All settings of a way."""
    grid = {"learning_rate_init": RATES} | choices
    return [dict(zip(grid, values, strict=True)) for values in product(*grid.values())]


def fitted(base, settings, X, y):
    """A network adapted, or trained from scratch where no method is named."""
    if "method" in settings:
        return base.fine_tune(X, y, **settings)
    return clone(base).set_params(**settings).fit(X, y)


def error(model, task, X, y):
    """Share of wrong classes, or root mean squared error over the spread of y."""
    score = model.score(X, y)
    return 1 - score if task == CLASSIFICATION else np.sqrt(1 - score)


def chosen(base, task, ways, X, y, seed):
    """The settings of the least cross-validated error."""
    if task == CLASSIFICATION:
        folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    else:
        folds = KFold(FOLDS, shuffle=True, random_state=seed)
    splits = list(folds.split(X, y))

    def validated(settings):
        return np.mean(
            [
                error(fitted(base, settings, X[train], y[train]), task, X[val], y[val])
                for train, val in splits
            ]
        )

    return min(ways, key=validated)


def prepared(shift, seed, old_rows, most):
    """Old rows, new rows to learn from and new rows to test on, as arrays."""
    X, y, new = shift.parts()
    stratify = shift.task == CLASSIFICATION
    old = np.flatnonzero(~new)
    if len(old) > old_rows:
        old, _ = train_test_split(
            old,
            train_size=old_rows,
            stratify=y[old] if stratify else None,
            random_state=seed,
        )
    new = np.flatnonzero(new)
    learn, test = train_test_split(
        new,
        train_size=most,
        test_size=min(TEST_ROWS, len(new) - most),
        stratify=y[new] if stratify else None,
        random_state=seed,
    )
    transform = preprocessing().fit(X.iloc[old])
    return [(transform.transform(X.iloc[r]), y[r]) for r in (old, learn, test)]


def compare(shift, seed, names, sizes, old_rows):
    """The rows of the CSV of one seed."""
    result = []
    with warnings.catch_warnings():
        # a category that only new rows have
        warnings.filterwarnings("ignore", "Found unknown categories")
        warnings.simplefilter("ignore", ConvergenceWarning)
        old, learn, test = prepared(shift, seed, old_rows, max(sizes))
        kind = (
            RegularizedMLPClassifier
            if shift.task == CLASSIFICATION
            else RegularizedMLPRegressor
        )
        base = kind(random_state=seed, **NETWORK).fit(*old)
        for size in sizes:
            if size == max(sizes):
                X, y = learn
            else:
                X, _, y, _ = train_test_split(
                    *learn,
                    train_size=size,
                    stratify=learn[1] if shift.task == CLASSIFICATION else None,
                    random_state=seed,
                )
            for name in names:
                row = measured(base, name, shift.task, X, y, test, seed)
                result.append({"dataset": shift.name, "seed": seed, "rows": size} | row)
    return result


def measured(base, name, task, X, y, test, seed):
    """What one way gives."""
    settings, model, seconds, trained = {}, base, 0.0, 0
    if name != AS_IT_IS:
        settings = chosen(base, task, candidates(WAYS[name]), X, y, seed)
        start = time.perf_counter()
        model = fitted(base, settings, X, y)
        seconds = time.perf_counter() - start
        trained = model.n_trained_parameters_
    return {
        "way": name,
        "learning_rate": settings.get("learning_rate_init", ""),
        "l2_sp": settings.get("l2_sp", ""),
        "measure": "wrong" if task == CLASSIFICATION else "RMSE / spread",
        "error": f"{error(model, task, *test):.5f}",
        "trained": trained,
        "seconds": f"{seconds:.4f}",
    }


def measure(options):
    """All rows of the CSV."""
    names = [name for name in WAYS if name in options.only] or list(WAYS)
    sizes, old_rows = (SIZES[:1], 300) if options.quick else (SIZES, OLD_ROWS)
    for shift in SHIFTS:
        shift.parts()  # downloads once, not in each process
    with parallel_config("loky", inner_max_num_threads=1):
        parts = Parallel(n_jobs=options.jobs, verbose=5)(
            delayed(compare)(shift, seed, names, sizes, old_rows)
            for shift in SHIFTS
            for seed in range(options.repeats)
        )
    return [row for part in parts for row in part]


def by_cell(rows, column):
    """(way, data set, rows) -> the figures of the seeds."""
    found = {}
    for row in rows:
        key = row["way"], row["dataset"], row["rows"]
        found.setdefault(key, []).append(float(row[column]))
    return found


def markdown(rows):
    """A line for each way and size; a column for each data set."""
    errors, trained = by_cell(rows, "error"), by_cell(rows, "trained")
    seconds = by_cell(rows, "seconds")
    header = ["way", "rows", *(f"{shift.name}, error %" for shift in SHIFTS)]
    header += ["parameters", "seconds"]
    lines = []
    for size in sorted({row["rows"] for row in rows}):
        for name in dict.fromkeys(row["way"] for row in rows):
            cells = [errors[name, shift.name, size] for shift in SHIFTS]
            of_all = [np.mean(trained[name, shift.name, size]) for shift in SHIFTS]
            times = [np.mean(seconds[name, shift.name, size]) for shift in SHIFTS]
            lines.append(
                [
                    f"`{name}`",
                    str(size),
                    *(mean_and_spread(cell) for cell in cells),
                    f"{min(of_all):.0f} to {max(of_all):.0f}",
                    three_digits(np.mean(times)) if max(times) else "0",
                ]
            )
    return markdown_table(header, lines)


def mean_and_spread(values):
    """In percent; the standard deviation among seeds stands behind."""
    spread = np.std(values, ddof=len(values) > 1)
    return f"{100 * np.mean(values):.1f} ± {100 * spread:.1f}"


def plot(rows, path):
    """A panel for each data set: error against rows, a line for each way."""
    errors = by_cell(rows, "error")
    names = list(dict.fromkeys(row["way"] for row in rows))
    sizes = sorted({row["rows"] for row in rows})
    fig, axes = plt.subplots(1, 4, figsize=(13, 3.6), layout="constrained")
    for ax, shift in zip(axes, SHIFTS, strict=True):
        for number, name in enumerate(names):
            cells = [errors[name, shift.name, size] for size in sizes]
            ax.plot(
                sizes,
                [100 * np.mean(cell) for cell in cells],
                color="black" if name == AS_IT_IS else f"C{number}",
                linestyle=":" if name in (AS_IT_IS, FROM_SCRATCH) else "-",
                marker="o",
                markersize=3,
                label=name,
            )
        ax.set_xscale("log")
        ax.set_xticks(sizes, sizes)
        ax.minorticks_off()
        ax.set_title(shift.name, fontsize=10)
        ax.set_xlabel("new rows")
        ax.grid(alpha=0.4)
    axes[0].set_ylabel("error, %")
    axes[-1].legend(fontsize="small", loc="center left", bbox_to_anchor=(1, 0.5))
    fig.savefig(path, dpi=120)


def main():
    """Measure, and write what there is to write."""
    parser = arguments(__doc__, repeats=5)
    choose(parser, list(WAYS))
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    options = parser.parse_args()
    if options.quick:
        options.repeats = 1
    folder = output_folder(options)
    rows = measure(options)
    write_csv(folder, "fine_tuning.csv", rows)
    write_table(
        folder,
        "fine_tuning.md",
        markdown(rows),
        f"{QUICK + ' ' if options.quick else ''}Error on rows of the new kind, mean ± "
        f"standard deviation of {options.repeats} seeds: the share of wrong classes of "
        "digits and adult, the root mean squared error over the standard deviation of "
        "california and diamonds. Parameters are those trained, from the data set with "
        "the fewest to that with the most; seconds are those of one fit on one core, "
        "the mean of the data sets, while others ran. "
        f"{machine('pandas')}",
    )
    if folder:
        plot(rows, folder / "fine_tuning.png")


if __name__ == "__main__":
    main()
