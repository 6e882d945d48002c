"""Which features are selected, and what are 50 of them worth?

*A made regression*, of which the features that matter are known: six of a hundred, most
with a nonlinear effect, among copies with an error and correlated noise. Every method
selects by its own rule; precision is the share of the selected that matter, recall the
share of those that matter that is selected, against the number of rows.

*Public classifications*: MNIST and four wide tables (``_tabular.py``). Every method
selects at most 50 features of the training rows. One network, the same for all, is then
trained on these features; accuracy and the area under the ROC curve (AUC), which does
not depend on a threshold and is the mean over the classes against the others, are taken
on the test rows.

    python benchmarks/bench_selection.py [--repeats 5] [--only NAME ...] [--quick]

`--repeats` is the number of seeds; each draws rows and initial weights anew, the same
for all methods, and the two tables with fewer than a hundred rows are split twice as
often. Seconds are those of the selection alone, on one thread. LassoNet runs where
it is installed (``pip install lassonet``, on PyTorch); otherwise its cells stay empty.

Writes ``results/selection_synthetic.csv`` and ``selection.csv`` (every selection), a
table (``.md``) and a plot (``.png``) of each. A CSV is written after every selection,
and selections that it holds with the same settings are not done again: a run can be
interrupted and resumed, and made of parts.
"""

import time
import warnings
from dataclasses import dataclass, replace
from functools import cache

import matplotlib.pyplot as plt
import numpy as np
from _mnist import load_mnist
from _plain import RegularizedMLPClassifier
from _report import (
    QUICK,
    RESULTS,
    arguments,
    choose,
    machine,
    markdown_table,
    read_csv,
    three_digits,
    write_csv,
    write_table,
)
from _selectors import CLASSIFICATION_METHODS, REGRESSION_METHODS, epochs
from _tabular import WIDE_TABLES, preprocessing
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import LabelEncoder, scale
from threadpoolctl import threadpool_limits

SYNTHETIC, MNIST = "synthetic", "mnist"
DATASETS = [MNIST, *(table.name for table in WIDE_TABLES)]
ROWS = (100, 200, 500, 1000, 2000)
RELEVANT, COPIES, NOISE, QUICK_NOISE = 6, 18, 76, 12
NUMBER = 50
# Of the 60,000 images, so that seeds are draws, and LassoNet ends within minutes.
MNIST_ROWS = 10_000
MOST_ROWS = 5000  # of the others
FEW_ROWS, MORE_SPLITS = 100, 2
CLASSIFIER = {
    "hidden_layer_sizes": (100,),
    "l2": 1e-3,
    "learning_rate": "cosine",
    "learning_rate_init": 1e-3,
}
BATCH_SIZE, UPDATES = 128, 5000  # of the classifier


@dataclass(frozen=True)
class Split:
    """Training and test part; classes are 0, 1, 2, ..."""

    X: np.ndarray
    y: np.ndarray
    X_test: np.ndarray
    y_test: np.ndarray


def made(n, seed, noise=NOISE):
    """A regression; the first `RELEVANT` features matter, and all are normal.

        y = x_0 + sqrt(2) sin(2 x_1) + (x_2^2 - 1) / sqrt(2) + x_3 x_4 + sign(x_5) + e

    The terms are uncorrelated and have variance 1 (the second 1 - exp(-8)), and so has
    the error e. Every feature that matters has three copies, 0.7 x_j + sqrt(0.51) z.
    The noise is a series in which neighbours correlate by 0.5.
    """
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, RELEVANT))
    y = (
        x[:, 0]
        + np.sqrt(2) * np.sin(2 * x[:, 1])
        + (x[:, 2] ** 2 - 1) / np.sqrt(2)
        + x[:, 3] * x[:, 4]
        + np.sign(x[:, 5])
        + rng.normal(size=n)
    )
    copies = np.tile(x, COPIES // RELEVANT)
    copies = 0.7 * copies + np.sqrt(0.51) * rng.normal(size=copies.shape)
    series = rng.normal(size=(n, noise))
    for j in range(1, noise):
        series[:, j] = 0.5 * series[:, j - 1] + np.sqrt(0.75) * series[:, j]
    return scale(np.hstack([x, copies, series])), scale(y)


@cache
def loaded(name):
    """A public data set, read once."""
    if name == MNIST:
        return load_mnist()
    (table,) = [table for table in WIDE_TABLES if table.name == name]
    X, y = table.load()
    return X, LabelEncoder().fit_transform(y)


def split(name, seed, quick):
    """What the methods see of a data set, and what they are judged by."""
    if name == MNIST:
        mnist = loaded(name)
        X, _, y, _ = train_test_split(
            mnist.X_train,
            mnist.y_train.astype(int),
            train_size=500 if quick else MNIST_ROWS,
            stratify=mnist.y_train,
            random_state=seed,
        )
        # pixels have a common scale; those that are always zero have no other
        return Split(X, y, mnist.X_test, mnist.y_test.astype(int))
    X, y = loaded(name)
    if quick:
        X = X.iloc[:, :200]
    X, X_test, y, y_test = train_test_split(
        X,
        y,
        train_size=min(500 if quick else MOST_ROWS, 2 * len(y) // 3),
        stratify=y,
        random_state=seed,
    )
    prepared = preprocessing().fit(X)
    return Split(
        *(
            prepared.transform(X).astype(np.float32),
            y,
            prepared.transform(X_test).astype(np.float32),
            y_test,
        )
    )


def timed(method, *arguments):
    """What a method selects, and the seconds that it takes."""
    with threadpool_limits(1), warnings.catch_warnings():
        # a budget of epochs is no convergence; columns that do not vary
        warnings.simplefilter("ignore")
        start = time.perf_counter()
        selected = method(*arguments)
        return selected, time.perf_counter() - start


def recovery(method, n, seed, quick):
    """A row's figures of the made regression."""
    X, y = made(n, seed, QUICK_NOISE if quick else NOISE)
    mask, seconds = timed(method, X, y, seed)
    right = np.count_nonzero(mask[:RELEVANT])
    number = np.count_nonzero(mask)
    return {
        "selected": number,
        "precision": f"{right / number:.4f}" if number else "",
        "recall": f"{right / RELEVANT:.4f}",
        "seconds": f"{seconds:.4g}",
    }


def worth(method, name, seed, quick):
    """A row's figures of a public data set."""
    data = split(name, seed, quick)
    columns, seconds = timed(method, data.X, data.y, NUMBER, seed)
    batch_size = min(BATCH_SIZE, len(data.y))
    model = RegularizedMLPClassifier(
        batch_size=batch_size,
        max_iter=epochs(len(data.y), batch_size, 100 if quick else UPDATES),
        random_state=seed,
        **CLASSIFIER,
    )
    if len(columns):
        with threadpool_limits(1), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.fit(data.X[:, columns], data.y)
        shares = model.predict_proba(data.X_test[:, columns])
    else:
        shares = np.tile(np.bincount(data.y) / len(data.y), (len(data.y_test), 1))
    area = roc_auc_score(
        data.y_test, shares[:, 1] if shares.shape[1] == 2 else shares, multi_class="ovr"
    )
    return {
        "selected": len(columns),
        "accuracy": f"{np.mean(shares.argmax(axis=1) == data.y_test):.5f}",
        "auc": f"{area:.5f}",
        "seconds": f"{seconds:.4g}",
    }


def quickly(method):
    """The same with less of all that takes time."""
    less = {"alphas": 20, "max_iter": 100, "updates": 500, "path_multiplier": 3.0}
    less = {name: less[name] for name in less if name in method.settings}
    return replace(method, settings=method.settings | less)


def chosen(methods, options):
    """The methods to run."""
    if options.quick:
        return {name: quickly(method) for name, method in methods.items()}
    return methods


def in_words(settings):
    """Settings as in a call."""
    return ", ".join(f"{name}={value!r}" for name, value in settings.items())


def complete(rows, path, methods, cases, figures):
    """Add what is missing to the rows of a CSV, and write it after each.

    Parameters
    ----------
    rows : list of dict
        What there is.
    path : Path or None
    methods : dict of str to Method
    cases : list of dict
        First columns of the CSV, the seed among them.
    figures : callable
        Of a method and the columns of a case, for the others.
    """
    for name, method in methods.items():
        if method.missing:
            print(f"{name} needs {', '.join(method.missing)}, not installed: left out")
    for case in cases:
        for name, method in methods.items():
            if method.missing:
                continue
            identity = {key: str(value) for key, value in case.items()} | {
                "method": name,
                "settings": in_words(method.settings),
            }
            if any(identity.items() <= row.items() for row in rows):
                continue
            row = identity | figures(method, *case.values())
            shown = (f"{key}={row[key]}" for key in row if key != "settings")
            print(*shown, flush=True)
            # another setting's result makes way
            key = [*case, "method"]
            rows = [r for r in rows if any(r[k] != row[k] for k in key)] + [row]
            if path:
                write_csv(path.parent, path.name, rows)
    return rows


def mean_and_spread(values, form):
    """The mean and the standard deviation among seeds."""
    values = [float(value) for value in values if value != ""]
    if not values:
        return "-"
    spread = np.std(values, ddof=len(values) > 1)
    return f"{form.format(np.mean(values))} ± {form.format(spread)}"


def by(rows, *keys):
    """Values of the keys -> rows, in the order of the rows."""
    found = {}
    for row in rows:
        found.setdefault(tuple(row[key] for key in keys), []).append(row)
    return found


def found_in(rows):
    """The data sets that there are rows of."""
    return [name for name in DATASETS if any(row["dataset"] == name for row in rows)]


def table_of_recovery(rows):
    """Precision / recall of each method, a column for each number of rows."""
    groups = by(rows, "method", "n")
    sizes = sorted({row["n"] for row in rows}, key=int)
    lines = []
    for method in REGRESSION_METHODS:
        line = [method]
        for n in sizes:
            found = groups.get((method, n), [])
            line.append(
                " / ".join(
                    mean_and_spread([r[what] for r in found], "{:.2f}")
                    for what in ("precision", "recall")
                )
                if found
                else "-"
            )
        last = groups.get((method, sizes[-1]), [])
        line += ["-", "-"]
        line.insert(1, str(max(len(groups.get((method, n), [])) for n in sizes)))
        if last:
            line[-2] = f"{np.mean([float(r['selected']) for r in last]):.1f}"
            line[-1] = three_digits(np.median([float(r["seconds"]) for r in last]))
        lines.append(line)
    header = ["precision / recall", "draws", *(f"{n} rows" for n in sizes)]
    return markdown_table([*header, "selected", "seconds"], lines)


def table_of_worth(rows):
    """A line for each data set and method."""
    lines = []
    groups = by(rows, "dataset", "method")
    for dataset in found_in(rows):
        for method in CLASSIFICATION_METHODS:
            found = groups.get((dataset, method))
            if not found:
                lines.append([f"{dataset}, {method}", "0", "-", "-", "-", "-"])
                continue
            percents = [
                [100 * float(r[what]) for r in found] for what in ("accuracy", "auc")
            ]
            lines.append(
                [
                    f"{dataset}, {method}",
                    str(len(found)),
                    f"{np.mean([int(r['selected']) for r in found]):.0f}",
                    *(mean_and_spread(values, "{:.1f}") for values in percents),
                    three_digits(np.median([float(r["seconds"]) for r in found])),
                ]
            )
    header = ["data, method", "splits", "selected", "accuracy", "AUC", "s"]
    return markdown_table(header, lines)


def plot_recovery(rows, path):
    """Precision and recall against the number of rows."""
    groups = by(rows, "method", "n")
    sizes = sorted({row["n"] for row in rows}, key=int)
    fig, axes = plt.subplots(1, 2, figsize=(10, 4), sharey=True, layout="constrained")
    for ax, what in zip(axes, ("precision", "recall"), strict=True):
        for place, method in enumerate(REGRESSION_METHODS):
            points = []
            for n in sizes:
                values = [r[what] for r in groups.get((method, n), []) if r[what] != ""]
                if values:
                    points.append((int(n), np.mean([float(v) for v in values])))
            if points:
                ax.plot(
                    *zip(*points, strict=True), "o-", color=f"C{place}", label=method
                )
        ax.set(xscale="log", xlabel="rows", title=what, ylim=(-0.03, 1.03))
        ax.set_xticks([int(n) for n in sizes], sizes)
        ax.minorticks_off()
        ax.grid(alpha=0.4)
    handles, labels = axes[0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside right center")
    fig.savefig(path, dpi=120)
    plt.close(fig)


def plot_worth(rows, path):
    """A panel for each data set: accuracy of each method, every split a dot."""
    datasets = found_in(rows)
    groups = by(rows, "dataset", "method")
    names = list(CLASSIFICATION_METHODS)
    fig, axes = plt.subplots(
        1,
        len(datasets),
        figsize=(2.4 * len(datasets) + 1, 3.2),
        sharey=True,
        squeeze=False,
        layout="constrained",
    )
    for ax, dataset in zip(axes[0], datasets, strict=True):
        for line, method in enumerate(names):
            found = groups.get((dataset, method), [])
            values = [100 * float(row["accuracy"]) for row in found]
            colour = "C7" if method in ("random", "all") else "C0"
            if values:
                ax.plot(values, [line] * len(values), ".", color=colour, alpha=0.5)
                ax.plot(np.mean(values), line, "|", color="black", markersize=14)
        ax.set_title(dataset, fontsize=10)
        ax.set_yticks(range(len(names)), names)
        ax.set_ylim(len(names) - 0.5, -0.5)
        ax.grid(axis="x", alpha=0.4)
    fig.supxlabel("accuracy with at most 50 features, %")
    fig.savefig(path, dpi=120)
    plt.close(fig)


def csv_path(folder, name, options):
    """Where a CSV is; that of a quick run is not gone on with by any other."""
    if folder is None:
        return None
    return folder / (f"quick_{name}" if options.quick else name)


def run_synthetic(folder, options):
    """The made regression: CSV, table and plot."""
    path = csv_path(folder, "selection_synthetic.csv", options)
    sizes = (300,) if options.quick else ROWS
    rows = complete(
        read_csv(path) if path else [],
        path,
        chosen(REGRESSION_METHODS, options),
        [{"n": n, "seed": seed} for seed in range(options.repeats) for n in sizes],
        lambda method, n, seed: recovery(method, n, seed, options.quick),
    )
    write_table(
        folder,
        "selection_synthetic.md",
        table_of_recovery(rows),
        f"{QUICK + ' ' if options.quick else ''}Of "
        f"{RELEVANT + COPIES + (QUICK_NOISE if options.quick else NOISE)} "
        f"features {RELEVANT} matter. Precision and recall, mean ± standard deviation "
        "of the draws; features selected and seconds on one thread at "
        "the most rows. Strengths of `group_l1`, `hierarchy`, LassoNet and Lasso are "
        "those of the one-standard-error rule over five folds. A permutation counts "
        "if it makes a network without penalties worse by two standard deviations; "
        "univariate is an F test with false discoveries bounded by 5 %; stable are the "
        "features that are among the first 20 of a path on three of four halves of the "
        "rows. Precision is "
        "the mean over the draws in which anything was selected. "
        f"{machine('lassonet')}",
    )
    if folder:
        plot_recovery(rows, folder / "selection_synthetic.png")


def run_public(names, folder, options):
    """The public data sets: CSV, table and plot."""
    path = csv_path(folder, "selection.csv", options)
    cases = []
    for name in names:
        few = name != MNIST and len(loaded(name)[1]) < FEW_ROWS and not options.quick
        repeats = options.repeats * (MORE_SPLITS if few else 1)
        cases += [{"dataset": name, "seed": seed} for seed in range(repeats)]
    rows = complete(
        read_csv(path) if path else [],
        path,
        chosen(CLASSIFICATION_METHODS, options),
        cases,
        lambda method, name, seed: worth(method, name, seed, options.quick),
    )
    write_table(
        folder,
        "selection.md",
        table_of_worth(rows),
        f"{QUICK + ' ' if options.quick else ''}At most {NUMBER} features selected on "
        "the training rows, how many there were, and accuracy and area under the ROC "
        "curve, of 100, of one network trained on these features: mean ± standard "
        "deviation of the splits, the first ones of all methods being the same. "
        "Seconds of the "
        "selection on one thread, medians. MNIST with "
        f"{MNIST_ROWS} of its training images. {machine('pandas', 'lassonet')}",
    )
    if folder:
        plot_worth(rows, folder / "selection.png")


def main():
    """Read the command line, and do what is missing."""
    parser = arguments(__doc__, repeats=5)
    choose(parser, [SYNTHETIC, *DATASETS])
    options = parser.parse_args()
    if options.quick:
        options.repeats = 1
    # a part of the rows is written, too: it is merged
    folder = options.output or (None if options.quick else RESULTS)
    if folder:
        folder.mkdir(parents=True, exist_ok=True)
    wanted = options.only or [SYNTHETIC, *DATASETS]
    if SYNTHETIC in wanted:
        run_synthetic(folder, options)
    if set(wanted) - {SYNTHETIC}:
        run_public([name for name in DATASETS if name in wanted], folder, options)


if __name__ == "__main__":
    main()
