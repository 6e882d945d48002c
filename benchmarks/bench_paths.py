"""How long does it take to choose a strength, and how good is the choice?

With a hidden layer: the estimators that choose along cross-validated paths, against
`GridSearchCV` of the same network over the same strengths and folds, on the public
tables of `_tabular.py`. Without one: the same estimator as a Lasso, against
scikit-learn's `LassoCV` and, where it is installed, that of celer, over the same 100
strengths. Everything runs on one thread; contenders take turns.

    python benchmarks/bench_paths.py [--repeats 3] [--quick]

writes ``results/paths.csv`` (every repetition), ``paths.md``, ``paths_lasso.md`` and
``paths.png``.
"""

import time
import warnings

import matplotlib.pyplot as plt
import numpy as np
from _linear import problems
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
from sklearn.linear_model import LassoCV
from sklearn.metrics import log_loss
from sklearn.model_selection import (
    GridSearchCV,
    KFold,
    StratifiedKFold,
    train_test_split,
)
from threadpoolctl import threadpool_limits

from skreg import RegularizedMLPClassifierCV, RegularizedMLPRegressorCV

TRAIN_ROWS, TEST_ROWS = 2000, 10_000
FOLDS, STRENGTHS, LASSO_STRENGTHS = 5, 20, 100
PARAMS = ["l1", "l2"]
NETWORK = {
    "hidden_layer_sizes": (100,),
    "learning_rate_init": 0.003,
    "max_iter": 200,
    "tol": 1e-4,
}
PATH, SEARCH = "path", "grid search"
LASSO = "Lasso"


def draw(table, seed, rows):
    """Training and test part of a table, as numbers."""
    X, y = table.load()
    classifier = table.task == CLASSIFICATION
    X, X_test, y, y_test = train_test_split(
        X,
        np.asarray(y),
        train_size=min(rows, len(X) // 2),
        test_size=min(TEST_ROWS, len(X) // 2),
        stratify=y if classifier else None,
        random_state=seed,
    )
    prepared = preprocessing().fit(X)
    return prepared.transform(X), prepared.transform(X_test), y, y_test


def timed(model, X, y):
    """The fitted model and the seconds that it took."""
    with threadpool_limits(1):
        start = time.perf_counter()
        model.fit(X, y)
        return model, time.perf_counter() - start


def choices(table, param, seed, strengths, X, y):
    """(Contender, fitted model, seconds, strength) of both ways to choose."""
    classifier = table.task == CLASSIFICATION
    folds = (StratifiedKFold if classifier else KFold)(
        FOLDS, shuffle=True, random_state=seed
    )
    network = RegularizedMLPClassifier if classifier else RegularizedMLPRegressor
    chooser = RegularizedMLPClassifierCV if classifier else RegularizedMLPRegressorCV
    settings = NETWORK | {"random_state": seed}
    path, seconds = timed(
        chooser(param=param, alphas=strengths, cv=folds, **settings), X, y
    )
    yield PATH, path, seconds, path.alpha_
    search, seconds = timed(
        GridSearchCV(
            network(**settings),
            {param: path.alphas_},
            cv=folds,
            scoring="neg_log_loss" if classifier else "neg_mean_squared_error",
            error_score="raise",
        ),
        X,
        y,
    )
    yield SEARCH, search.best_estimator_, seconds, search.best_params_[param]


def compare(table, seed, options):
    """Rows of the CSV for one draw of a table."""
    rows = 300 if options.quick else TRAIN_ROWS
    X, X_test, y, y_test = draw(table, seed, rows)
    for param in PARAMS:
        strengths = 4 if options.quick else STRENGTHS
        for contender, model, seconds, strength in choices(
            table, param, seed, strengths, X, y
        ):
            loss = ""
            if table.task == CLASSIFICATION:
                loss = f"{log_loss(y_test, model.predict_proba(X_test)):.5f}"
            yield {
                "problem": table.name,
                "param": param,
                "contender": contender,
                "repetition": seed,
                "seconds": f"{seconds:.4g}",
                "strength": f"{strength:.4g}",
                "score": f"{model.score(X_test, y_test):.5f}",
                "log_loss": loss,
            }


def lassos(alphas):
    """The contenders without a hidden layer."""
    found = {
        "skreg": RegularizedMLPRegressorCV(
            (),
            solver="lbfgs",
            alphas=alphas,
            cv=FOLDS,
            l2=0.0,
            standardize_target=False,
            dtype="float64",
            max_iter=10_000,
        ),
        "scikit-learn": LassoCV(alphas=alphas, cv=FOLDS, max_iter=10_000),
    }
    try:
        from celer import LassoCV as CelerCV

        # celer 0.7 passes what scikit-learn's linear models no longer take
        return found | {"celer": CelerCV(alphas=alphas, cv=FOLDS)}
    except (ImportError, TypeError):
        return found


def compare_lassos(options):
    """Rows of the CSV, all contenders once for each problem and repetition."""
    for case in problems(options.quick):
        largest = np.abs(case.X.T @ case.y).max() / len(case.y)
        number = 10 if options.quick else LASSO_STRENGTHS
        alphas = np.geomspace(largest, 1e-3 * largest, number)
        for repetition in range(options.repeats):
            for name, model in lassos(alphas).items():
                fitted, seconds = timed(model, case.X, case.y)
                error = fitted.mse_path_.mean(axis=1).min()
                yield {
                    "problem": case.name,
                    "param": LASSO,
                    "contender": name,
                    "repetition": repetition,
                    "seconds": f"{seconds:.4g}",
                    "strength": f"{fitted.alpha_:.4g}",
                    # of the targets, whose variance is one
                    "score": f"{1 - error:.5f}",
                    "log_loss": "",
                }


def measure(options):
    """Every repetition as a row of the CSV."""
    rows = []
    chosen = [t for t in TABLES if not options.only or t.name in options.only]
    with warnings.catch_warnings():
        # a budget of epochs is no convergence
        warnings.simplefilter("ignore")
        for table in chosen:
            for seed in range(options.repeats):
                rows += compare(table, seed, options)
                print(f"{table.name}, {seed}", flush=True)
        if not options.only or LASSO in options.only:
            rows += compare_lassos(options)
    return rows


def values(rows, column):
    """(Problem, param, contender) -> the column's figures, one per repetition."""
    found = {}
    for row in rows:
        key = row["problem"], row["param"], row["contender"]
        found.setdefault(key, []).append(float(row[column]))
    return found


def table_of_networks(rows):
    """A line for each table and parameter: medians of times, means of scores."""
    rows = [row for row in rows if row["param"] != LASSO]
    seconds, scores = values(rows, "seconds"), values(rows, "score")
    lines, ratios = [], []
    for problem, param in dict.fromkeys((r["problem"], r["param"]) for r in rows):
        path, search = (np.median(seconds[problem, param, c]) for c in (PATH, SEARCH))
        ours, theirs = (
            100 * np.array(scores[problem, param, c]) for c in (PATH, SEARCH)
        )
        ratios.append(search / path)
        lines.append(
            [
                f"{problem}, `{param}`",
                three_digits(path),
                three_digits(search),
                f"{ratios[-1]:.1f}",
                f"{ours.mean():.2f}",
                f"{theirs.mean():.2f}",
                f"{(ours - theirs).mean():+.2f} ± {(ours - theirs).std():.2f}",
            ]
        )
    header = ["table", "path, s", "search, s", "ratio", "path", "search", "gain"]
    middle = f"{np.exp(np.mean(np.log(ratios))):.1f}"
    lines.append(["geometric mean", "", "", middle, "", "", ""])
    return markdown_table(header, lines)


def table_of_lassos(rows):
    """A line for each problem and library; the fastest of the repetitions."""
    rows = [row for row in rows if row["param"] == LASSO]
    seconds = values(rows, "seconds")
    lines = [
        [
            f"{row['problem']}, {row['contender']}",
            three_digits(min(seconds[row["problem"], row["param"], row["contender"]])),
            row["strength"],
            f"{100 * float(row['score']):.2f}",
        ]
        for row in rows
        if row["repetition"] == 0
    ]
    return markdown_table(["problem", "s", "strength", "100 R² of the folds"], lines)


def plot(rows, path):
    """How much faster, against how much better; a dot for each table."""
    rows = [row for row in rows if row["param"] != LASSO]
    seconds, scores = values(rows, "seconds"), values(rows, "score")
    fig, ax = plt.subplots(figsize=(7, 4.5), layout="constrained")
    for colour, param in enumerate(PARAMS):
        for n, problem in enumerate(dict.fromkeys(row["problem"] for row in rows)):
            path_key, search_key = (problem, param, PATH), (problem, param, SEARCH)
            ratio = np.median(seconds[search_key]) / np.median(seconds[path_key])
            gain = 100 * (np.mean(scores[path_key]) - np.mean(scores[search_key]))
            label = param if n == 0 else None
            ax.plot(ratio, gain, "o", color=f"C{colour}", label=label)
            ax.annotate(
                problem, (ratio, gain), (4, 4), textcoords="offset points", fontsize=8
            )
    ax.axhline(0, color="black", linewidth=0.8)
    ax.axvline(1, color="black", linewidth=0.8)
    ax.set(
        xlabel="time of the grid search / time of the paths",
        ylabel="gain in accuracy or 100 R²",
    )
    ax.legend()
    fig.savefig(path, dpi=120)


def main():
    """Measure, and write what there is to write."""
    parser = arguments(__doc__, repeats=3)
    choose(parser, [*(table.name for table in TABLES), LASSO])
    options = parser.parse_args()
    if options.quick:
        options.repeats = 1
    folder = output_folder(options)
    rows = measure(options)
    write_csv(folder, "paths.csv", rows)
    start = f"{QUICK} " if options.quick else ""
    if any(row["param"] != LASSO for row in rows):
        write_table(
            folder,
            "paths.md",
            table_of_networks(rows),
            f"{start}Seconds to choose one of about {STRENGTHS} strengths by {FOLDS} "
            "folds on one thread, the refit included: along paths, and by a grid "
            "search over the same strengths; medians. Accuracy or 100 R² on up to "
            f"{TEST_ROWS} other rows, means of {options.repeats} draws of "
            f"{TRAIN_ROWS} training rows, and the gain of paths ± its standard "
            f"deviation. {machine('pandas')}",
        )
        if folder:
            plot(rows, folder / "paths.png")
    if any(row["param"] == LASSO for row in rows):
        write_table(
            folder,
            "paths_lasso.md",
            table_of_lassos(rows),
            f"{start}Seconds to choose one of {LASSO_STRENGTHS} strengths of the Lasso "
            f"by {FOLDS} folds on one thread, each library at its default tolerance; "
            f"the fastest of {options.repeats}. {machine('celer')}",
        )


if __name__ == "__main__":
    main()
