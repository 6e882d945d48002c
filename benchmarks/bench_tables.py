"""What is a model worth on real tables by its defaults, and how long does it take?

43 public tables in two lists (``_tabular.py``): defaults of skreg are chosen on the
first, `choosing`; the second, `reporting`, says what they are worth, and no choice
looks at it. At most 8000 rows are trained on, at most 20,000 others tested on; numbers
are standardised, categories one-hot, targets of regressions standardised. Each model
(``_models.py``) gets the same arrays and one thread, in a process of its own that is
ended after five minutes of the processor's time.

    python benchmarks/bench_tables.py [--tables choosing|reporting|all] [--repeats 3]
        [--only MODEL ...] [--again MODEL ...] [--most-rows N] [--jobs 1]
        [--quick] [--draw]

`--repeats` is the number of seeds, each with other rows. ``results/tables.csv`` has a
line for each fit, with the versions and the machine; only what is missing there, or was
measured with another version, is run. `--again skreg` runs skreg's part again,
`--most-rows` leaves out tables of more training rows, for slow models. Seconds are
those of the processor, which on one thread are the clock's where nothing else runs.
Also writes, for each list, ``tables_LIST.md`` (a line for each model),
``tables_LIST_wins.md`` (each against each), ``tables_LIST_sets.md`` (a line for each
table), ``tables_LIST.png`` (error against seconds, and ranks) and
``tables_LIST_wins.svg`` (skreg's line of the wins). `--draw` runs nothing and draws the
plots of what is there.
"""

import multiprocessing
import os
import resource
import signal
import tempfile
import time
import traceback
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
from _models import BOOSTING, LISTED, MODELS, SKREG
from _report import (
    QUICK,
    RESULTS,
    arguments,
    choose,
    machine,
    markdown_table,
    processor,
    read_csv,
    three_digits,
    write_csv,
    write_table,
)
from _tabular import ALL, CHOOSING, CLASSIFICATION, REPORTING, preprocessing
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import LabelEncoder

LISTS = {"choosing": CHOOSING, "reporting": REPORTING, "all": ALL}
TRAIN_ROWS, TEST_ROWS, TRAIN_SHARE = 8000, 20_000, 0.75
FEWEST_OF_A_CLASS = 10  # training rows
TIME_LIMIT = 300  # seconds of the processor
BINS = 15  # of the calibration error
FITTED, TOO_SLOW = "fitted", f"over {TIME_LIMIT} s"
RESAMPLES = 10_000


# ------------------------------------------------------------------------------ arrays


def arrays(table, seed, train_rows):
    """Training and test part of a table as every model gets them."""
    X, y = table.load()
    y = np.asarray(y)
    is_class = table.task == CLASSIFICATION
    n_train = min(train_rows, int(TRAIN_SHARE * len(X)))
    X, X_test, y, y_test = train_test_split(
        X,
        y,
        train_size=n_train,
        test_size=min(TEST_ROWS, len(X) - n_train),
        stratify=y if is_class else None,
        random_state=seed,
    )
    if is_class:
        classes, counts = np.unique(y, return_counts=True)
        classes = classes[counts >= FEWEST_OF_A_CLASS]
        kept, kept_test = np.isin(y, classes), np.isin(y_test, classes)
        X, y, X_test, y_test = X[kept], y[kept], X_test[kept_test], y_test[kept_test]
        encoder = LabelEncoder().fit(classes)
        y, y_test = encoder.transform(y), encoder.transform(y_test)
    else:
        mean, deviation = y.mean(dtype=float), y.std(dtype=float)
        y, y_test = (y - mean) / deviation, (y_test - mean) / deviation
    prepared = preprocessing(clip=False).fit(X)
    with warnings.catch_warnings():
        # a category that only the rows tested on have
        warnings.filterwarnings("ignore", "Found unknown categories")
        X, X_test = prepared.transform(X), prepared.transform(X_test)
    return {"X": X, "y": y, "X_test": X_test, "y_test": y_test}


# ----------------------------------------------------------------------------- one fit


def calibration_error(y, probabilities):
    """Expected calibration error of the likeliest class (Guo et al. 2017).

    The mean over rows of |accuracy - mean confidence| of the row's bin of confidence.
    """
    confidence = probabilities.max(axis=1)
    hit = probabilities.argmax(axis=1) == y
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    gap = np.bincount(bins, weights=hit - confidence, minlength=BINS)
    return np.abs(gap).sum() / len(y)


def memory(field):
    """VmRSS or VmHWM of this process in MB; None where the system does not say."""
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return None
    (line,) = [line for line in status.splitlines() if line.startswith(field)]
    return int(line.split()[1]) / 1024


def forget_peak():
    """Let VmHWM begin anew; the MB in use now, or None."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return None
    return memory("VmRSS")


def fit_and_score(model, path, seed):
    """The figures of one fit, for the CSV."""
    from threadpoolctl import threadpool_limits

    with np.load(path) as file:
        X, y, X_test, y_test = (file[key] for key in ("X", "y", "X_test", "y_test"))
    classifier = y.dtype.kind == "i"
    model = model.make(classifier, seed)
    with threadpool_limits(1), warnings.catch_warnings():
        # none of them has converged, and most say so
        warnings.simplefilter("ignore")
        before = forget_peak()
        start = time.process_time()
        model.fit(X, y)
        fitted = time.process_time()
        peak = None if before is None else memory("VmHWM") - before
        predict = model.predict_proba if classifier else model.predict
        start_predict = time.process_time()
        predicted = np.asarray(predict(X_test), dtype=float)
        predicted_at = time.process_time()
    if classifier:
        # float32 sums up to one but for rounding, of which log_loss warns
        predicted /= predicted.sum(axis=1, keepdims=True)
        scores = {
            "error": np.mean(predicted.argmax(axis=1) != y_test),
            "log_loss": log_loss(y_test, predicted, labels=range(predicted.shape[1])),
            "calibration_error": calibration_error(y_test, predicted),
        }
    else:
        squares = np.mean((predicted.ravel() - y_test) ** 2)
        scores = {"error": np.sqrt(squares), "R2": 1 - squares / y_test.var()}
    return scores | {
        "fit_seconds": fitted - start,
        "predict_seconds": predicted_at - start_predict,
        "peak_MB": peak,
    }


def serve(connection, *arguments):
    """What the process of a fit does, until it has used its seconds."""
    resource.setrlimit(resource.RLIMIT_CPU, (TIME_LIMIT, TIME_LIMIT + 5))
    try:
        connection.send((fit_and_score(*arguments), None))
    except BaseException:
        connection.send((None, traceback.format_exc()))


def in_process(context, model, path, seed):
    """The status of a fit in a process of its own, and its figures."""
    ours, theirs = context.Pipe()
    process = context.Process(
        target=serve, args=(theirs, model, path, seed), daemon=True
    )
    process.start()
    theirs.close()
    try:
        figures, error = ours.recv()
    except EOFError:
        process.join()
        if process.exitcode in (-signal.SIGXCPU, -signal.SIGKILL):
            return TOO_SLOW, {}
        return f"ended by itself: {process.exitcode}", {}
    finally:
        process.kill()
        process.join()
    if error:
        raise RuntimeError(f"{model.name} failed:\n{error}")
    return FITTED, figures


# --------------------------------------------------------------------------------- CSV

FIGURES = [
    *("error", "R2", "log_loss", "calibration_error"),
    *("fit_seconds", "predict_seconds", "peak_MB"),
]


def as_text(figure):
    """Nothing where there is none."""
    return "" if figure is None else f"{figure:.5g}"


def key(row):
    """What there is one row of."""
    return row["table"], str(row["seed"]), row["model"]


def one_thread():
    """For all processes, whatever their libraries look at."""
    os.environ |= dict.fromkeys(
        ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"], "1"
    )


def missing(rows, models, tables, options):
    """(table, seed) -> models to be run, of those that are installed."""
    installed = [model for model in models if model.versions is not None]
    asked = [model for model in installed if model.name in options.only] or installed
    known = {key(row): row["versions"] for row in rows}
    found = {}
    for table in tables:
        for seed in range(options.repeats):
            todo = [
                model
                for model in asked
                if model.name in options.again
                or known.get((table.name, str(seed), model.name)) != model.versions
            ]
            if todo:
                found[table, seed] = todo
    return found


def measure(rows, models, tables, options, path, train_rows):
    """Add what is missing, a table at a time, and write it."""
    # each fit begins in a process that has loaded the modules, and nothing else
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["_tabular", "skreg", "sklearn.ensemble"])
    found = {key(row): row for row in rows}
    with (
        tempfile.TemporaryDirectory() as folder,
        ThreadPoolExecutor(options.jobs) as pool,
    ):
        for (table, seed), todo in missing(rows, models, tables, options).items():
            file = Path(folder) / "arrays.npz"
            data = arrays(table, seed, train_rows)
            if len(data["X"]) > options.most_rows:
                continue
            np.savez(file, **data)
            results = pool.map(
                lambda model, file=file, seed=seed: in_process(
                    context, model, file, seed
                ),
                todo,
            )
            for model, (status, figures) in zip(todo, results, strict=True):
                # texts, as they are read again
                row = {
                    "table": table.name,
                    "seed": str(seed),
                    "model": model.name,
                    "status": status,
                    "train_rows": str(len(data["X"])),
                    "test_rows": str(len(data["X_test"])),
                    "columns": str(data["X"].shape[1]),
                    **{column: as_text(figures.get(column)) for column in FIGURES},
                    "versions": model.versions,
                    "processor": processor(),
                }
                found[key(row)] = row
                print(
                    *(row[x] for x in ["table", "seed", "model", "error"]), flush=True
                )
            rows = [found[k] for k in sorted(found)]
            if path:
                write_csv(path.parent, path.name, rows)
    return rows


# ----------------------------------------------------------------------------- reading


def by_table(rows, column, tables, models=tuple(MODELS)):
    """Means over seeds: a line for each table, a column for each model.

    Nothing stands where a model was too slow for one of the seeds.
    """
    frame = pd.DataFrame(rows)
    frame = frame[frame["table"].isin([table.name for table in tables])]
    frame = frame.assign(**{column: pd.to_numeric(frame[column])})
    found = frame.pivot_table(
        column, "table", "model", aggfunc=lambda v: v.mean(skipna=False), dropna=False
    )
    return found.reindex(
        index=[table.name for table in tables if table.name in found.index],
        columns=[name for name in models if name in found.columns],
    )


def of_pair(rows, tables, name, other):
    """By table: the errors of two models, means over the seeds on which both ended.

    Where one of them has fewer seeds, both are compared on the same rows.
    """
    frame = pd.DataFrame(rows)
    frame = frame[frame["model"].isin([name, other])]
    frame = frame.assign(error=pd.to_numeric(frame["error"]))
    both = frame.pivot_table("error", ["table", "seed"], "model").dropna()
    both = both.reindex(columns=[name, other]).groupby("table").mean()
    return both.reindex([t.name for t in tables if t.name in both.index])


def resampled(values, statistic, generator):
    """2.5 and 97.5 % of a statistic of the tables, drawn again with replacement."""
    drawn = generator.integers(len(values), size=(RESAMPLES, len(values)))
    return np.percentile(statistic(values[drawn], axis=1), [2.5, 97.5])


def won(both):
    """By table: 1 where the first model has the smaller error, 1/2 where it is even."""
    first, second = both.dropna().to_numpy().T
    return (first < second) + 0.5 * (first == second)


def relative(rows, tables, name):
    """By table: the logarithm of the error as a multiple of boosting's.

    An error of zero counts as half a row's.
    """
    if name == BOOSTING:
        return np.zeros(len(by_table(rows, "error", tables, [BOOSTING]).dropna()))
    both = of_pair(rows, tables, name, BOOSTING)
    both = both.clip(lower=half_a_row(rows, both), axis=0)
    return np.log(both[name] / both[BOOSTING]).to_numpy()


def interval(bounds, form):
    """In brackets."""
    return f" [{form.format(bounds[0])}, {form.format(bounds[1])}]"


def overview(rows, tables):
    """A line for each model."""
    errors = by_table(rows, "error", tables)
    ranks = errors.dropna(axis=1).rank(axis=1)
    ended = pd.DataFrame(rows).query("status == @FITTED")
    seeds = ended.groupby(["model", "table"])["seed"].nunique()
    generator = np.random.default_rng(0)
    lines = []
    for name in errors:
        ratio = relative(rows, tables, name)
        most, fewest = seeds[name].max(), seeds[name].min()
        line = [name, str(len(ratio))]
        line.append(f"{most}" if most == fewest else f"{fewest} to {most}")
        bounds = np.exp(resampled(ratio, np.mean, generator))
        line.append(f"{np.exp(ratio.mean()):.3f}" + interval(bounds, "{:.3f}"))
        line.append(f"{ranks[name].mean():.2f}" if name in ranks else "-")
        for column, form in [
            ("log_loss", lambda v: f"{np.nanmean(v):.3f}"),
            ("calibration_error", lambda v: f"{np.nanmean(v):.3f}"),
            ("R2", lambda v: f"{np.nanmean(v):.3f}"),
            ("fit_seconds", lambda v: three_digits(np.nanmean(v))),
            ("predict_seconds", lambda v: three_digits(np.nanmean(v))),
            ("peak_MB", lambda v: f"{np.nanmax(v):.0f}"),
        ]:
            values = by_table(rows, column, of_column(column, tables))
            measured = name in values and values[name].notna().any()
            line.append(form(values[name]) if measured else "-")
        lines.append(line)
    header = [
        "model",
        "tables",
        "seeds",
        "error / boosting's",
        "rank",
        "log loss",
        "ECE",
        "R²",
    ]
    return markdown_table([*header, "fit, s", "predict, s", "peak, MB"], lines)


def of_column(column, tables):
    """The tables that have such a figure."""
    if column in ("log_loss", "calibration_error"):
        return [table for table in tables if table.task == CLASSIFICATION]
    if column == "R2":
        return [table for table in tables if table.task != CLASSIFICATION]
    return tables


def half_a_row(rows, errors):
    """By table: the share of half a row of those tested on."""
    tested = {row["table"]: int(row["test_rows"]) for row in rows}
    return pd.Series({table: 0.5 / tested[table] for table in errors.index})


def matrix(rows, tables):
    """Wins of the line's model over the column's, of 100 tables."""
    errors = by_table(rows, "error", tables)
    generator = np.random.default_rng(0)
    lines = []
    for name in errors:
        line = [name]
        for other in errors:
            if name == other:
                line.append("")
            else:
                wins = won(of_pair(rows, tables, name, other))
                bounds = 100 * resampled(wins, np.mean, generator)
                line.append(f"{100 * wins.mean():.0f}" + interval(bounds, "{:.0f}"))
        lines.append(line)
    return markdown_table(["wins of, over, %", *errors], lines)


def sets(rows, tables):
    """A line for each table: the error of each model."""
    errors = by_table(rows, "error", tables)
    shape = {row["table"]: (row["train_rows"], row["columns"]) for row in rows}
    lines = [
        [
            f"{table.name}, {table.kind}",
            *shape[table.name],
            *(
                "-" if np.isnan(e) else three_digits(100 * e)
                for e in errors.loc[table.name]
            ),
        ]
        for table in tables
        if table.name in errors.index
    ]
    return markdown_table(["table", "rows", "columns", *errors], lines)


def plot(rows, tables, path):
    """Error against seconds, and the rank of each model."""
    import matplotlib.pyplot as plt

    errors = by_table(rows, "error", tables)
    seconds = by_table(rows, "fit_seconds", tables).mean()
    fig, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    generator = np.random.default_rng(0)
    for place, name in enumerate(errors):
        ratio = relative(rows, tables, name)
        low, high = np.exp(resampled(ratio, np.mean, generator))
        mean = np.exp(ratio.mean())
        left.errorbar(
            seconds[name],
            mean,
            yerr=[[mean - low], [high - mean]],
            fmt="o",
            color=f"C{place}",
            label=name,
        )
    left.axhline(1, color="black", linewidth=0.8)
    left.set(xscale="log", xlabel="seconds of a fit, mean", ylabel="error / boosting's")
    left.grid(alpha=0.4)
    left.legend(fontsize=8)
    ranks = errors.dropna(axis=1).rank(axis=1)
    for line, name in enumerate(ranks):
        values = ranks[name].to_numpy()
        low, high = resampled(values, np.mean, generator)
        mean = values.mean()
        place = list(errors).index(name)
        right.errorbar(
            mean, line, xerr=[[mean - low], [high - mean]], fmt="o", color=f"C{place}"
        )
    right.set_yticks(range(ranks.shape[1]), ranks.columns)
    right.invert_yaxis()
    right.set_xlabel("mean rank of the error, 1 is the best")
    right.grid(axis="x", alpha=0.4)
    fig.savefig(path, dpi=120)
    plt.close(fig)


def plot_wins(rows, tables, path):
    """On how many of 100 tables skreg has the smaller error than each other model."""
    import matplotlib.pyplot as plt

    errors = by_table(rows, "error", tables)
    others = [name for name in errors if name != SKREG]
    generator = np.random.default_rng(0)
    # a text stays a text, and a new drawing has the same bytes
    with plt.rc_context({"svg.fonttype": "none", "svg.hashsalt": "skreg"}):
        fig, ax = plt.subplots(figsize=(5.8, 2.4), layout="constrained")
        for line, name in enumerate(others):
            wins = 100 * won(of_pair(rows, tables, SKREG, name))
            low, high = resampled(wins, np.mean, generator)
            ax.hlines(line, low, high, color="C0", alpha=0.35, linewidth=7)
            ax.plot(wins.mean(), line, "o", color="C0", markersize=8)
            said = f"{wins.mean():.0f} % of {len(wins)}"
            ax.text(103, line, said, verticalalignment="center")
        ax.axvline(50, color="black", linewidth=0.8)
        ax.set_yticks(range(len(others)), others)
        ax.margins(y=0.15)
        ax.invert_yaxis()
        ax.set(
            xlim=(0, 100), xlabel=f"tables on which {SKREG} has the smaller error, %"
        )
        ax.tick_params(axis="y", length=0)
        ax.spines[["top", "right", "left"]].set_visible(False)
        ax.grid(axis="x", alpha=0.4)
        fig.savefig(path, metadata={"Date": None})
    plt.close(fig)


def draw(rows, name, tables, folder):
    """The plots of one list."""
    plot(rows, tables, folder / f"tables_{name}.png")
    plot_wins(rows, tables, folder / f"tables_{name}_wins.svg")


def report(rows, name, tables, folder, options):
    """Tables and plots of one list."""
    names = [table.name for table in tables]
    rows = [row for row in rows if row["table"] in names]
    if not any(row["model"] == BOOSTING for row in rows):
        return
    seeds = len({row["seed"] for row in rows})
    about = (
        f"{QUICK + ' ' if options.quick else ''}The list `{name}`, defaults of each "
        f"model, one thread, at most {seeds} seed{'s' * (seeds > 1)}. "
    )
    versions = sorted({row["versions"] for row in rows})
    whom = f"{machine('pandas')} Measured with: {'; '.join(versions)}."
    write_table(
        folder,
        f"tables_{name}.md",
        overview(rows, tables),
        f"{about}`error` is the share of wrong labels, or the root mean square of a "
        "standardised target's residuals; the geometric mean over tables of its "
        "multiple of HistGradientBoosting's on the seeds that both have, with a 95 % "
        "interval over tables (bootstrap). Ranks are among the models that ended on "
        "all tables. Means of log loss, expected calibration error (15 bins), R² and "
        f"seconds of the processor; the largest growth of memory in a fit. {whom}",
    )
    write_table(
        folder,
        f"tables_{name}_wins.md",
        matrix(rows, tables),
        f"{about}Tables, of 100, on which the line's model has the smaller error than "
        "the column's, ties one half, as means over the seeds that both have; with a "
        "95 % interval over tables (bootstrap).",
    )
    write_table(
        folder,
        f"tables_{name}_sets.md",
        sets(rows, tables),
        f"{about}Wrong labels of 100, or 100 times the root mean square of a "
        "standardised target's residuals; - where none was run, or one took over "
        f"{TIME_LIMIT} s.",
    )
    if folder:
        draw(rows, name, tables, folder)


def command_line(question, repeats, names):
    """What the scripts that fit models on tables are asked for."""
    parser = arguments(question, repeats=repeats)
    choose(parser, names)
    parser.add_argument("--again", nargs="+", default=[], choices=names)
    parser.add_argument("--most-rows", type=int, default=TRAIN_ROWS)
    parser.add_argument("--jobs", type=int, default=1)
    return parser


def measured(models, tables, options, name, train_rows=TRAIN_ROWS):
    """Do what is missing in a CSV file; return its rows, and the folder or None."""
    if options.quick:
        options.repeats, train_rows = 1, 300
    # a part is written, too: it is merged
    folder = options.output or (None if options.quick else RESULTS)
    path = None
    if folder:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / (f"quick_{name}" if options.quick else name)
    one_thread()
    rows = read_csv(path) if path else []
    return measure(rows, models, tables, options, path, train_rows), folder


def main():
    """Read the command line, and do what is missing."""
    parser = command_line(__doc__, 3, list(MODELS))
    parser.add_argument("--tables", choices=list(LISTS), default="choosing")
    parser.add_argument("--draw", action="store_true")
    options = parser.parse_args()
    names = ["choosing", "reporting"] if options.tables == "all" else [options.tables]
    if options.draw:
        rows, folder = read_csv(RESULTS / "tables.csv"), options.output or RESULTS
        for name in names:
            draw(rows, name, LISTS[name], folder)
        return
    rows, folder = measured(LISTED, LISTS[options.tables], options, "tables.csv")
    for name in names:
        report(rows, name, LISTS[name], folder, options)


if __name__ == "__main__":
    main()
