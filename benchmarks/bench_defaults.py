"""What is each default worth, added alone and left out?

A default that a fit takes where nothing is set ("auto") is added alone to one plain
network (``PLAIN`` in ``skreg/_problem/automatic.py``: what "auto" stands for in a
linear model), and each is left out of all of them together. On the choosing list of
tables, as `bench_tables.py` reads and measures them, but at most 2000 rows; one thread.

    python benchmarks/bench_defaults.py [--repeats 1] [--only NAME ...]
        [--again NAME ...] [--jobs 1] [--quick]

``results/defaults.csv`` has a line for each fit; only what is missing there is run.
Also writes ``defaults.md``.
"""

import numpy as np
from _models import Model
from _report import QUICK, machine, markdown_table, three_digits, write_table
from _tabular import CHOOSING, CLASSIFICATION
from bench_tables import (
    by_table,
    command_line,
    half_a_row,
    measured,
    resampled,
    won,
)

from skreg._problem.automatic import MEMBERS, PLAIN, SIZES_OF_CLASSES, SIZES_OF_VALUES

ROWS = 2000  # trained on, at most
# What is one idea: a schedule with its rate and its end.
INGREDIENTS = {
    "two wide layers": ["hidden_layer_sizes"],
    "dropout": ["dropout"],
    "weight decay": ["weight_decay"],
    "one cycle of the rate": [
        *("learning_rate", "learning_rate_init", "max_iter", "n_iter_no_change"),
    ],
    "batches by rows": ["batch_size"],
    "scale of X": ["preprocessing"],
    "learnt scales": ["feature_scaling"],
    "label smoothing": ["label_smoothing"],
    "early stopping": ["early_stopping"],
    "four members": ["n_members"],
}
# The number of members depends on whether the sizes are "auto", so both are said.
ON = dict.fromkeys(PLAIN, "auto") | {"n_members": MEMBERS}
NOTHING, ALL = "nothing", "all"


def variant(name, settings):
    """skreg with some of its defaults."""
    common = dict(settings)
    smoothing, sizes = common.pop("label_smoothing"), common.pop("hidden_layer_sizes")
    of_classes, of_values = (
        (SIZES_OF_CLASSES, SIZES_OF_VALUES) if sizes == "auto" else (sizes, sizes)
    )
    return Model(
        name,
        ("skreg",),
        "skreg",
        "RegularizedMLPClassifier",
        "RegularizedMLPRegressor",
        settings=common,
        of_classifier={
            "hidden_layer_sizes": of_classes,
            "label_smoothing": smoothing,
        },
        of_regressor={"hidden_layer_sizes": of_values},
    )


def with_only(ingredients):
    """Parameters that are as by default where these ingredients are on, else plain."""
    on = [name for each in ingredients for name in INGREDIENTS[each]]
    return {name: ON[name] if name in on else PLAIN[name] for name in PLAIN}


def variants():
    """None of the ingredients, all of them, each alone, each left out."""
    every = list(INGREDIENTS)
    yield variant(NOTHING, with_only([]))
    yield variant(ALL, with_only(every))
    for name in every:
        yield variant(f"{name}, alone", with_only([name]))
        others = [other for other in every if other != name]
        yield variant(f"{name}, left out", with_only(others))


def ratio(errors, least, name, other):
    """The geometric mean over tables of the error as a multiple of another's."""
    both = errors[[name, other]].clip(lower=least, axis=0).dropna()
    logarithms = np.log(both[name] / both[other]).to_numpy()
    low, high = np.exp(resampled(logarithms, np.mean, np.random.default_rng(0)))
    return f"{np.exp(logarithms.mean()):.3f} [{low:.3f}, {high:.3f}]"


def summary(rows, models):
    """A line for each ingredient: alone against nothing, left out against all."""
    names = [model.name for model in models]
    errors = by_table(rows, "error", CHOOSING, names)
    seconds = by_table(rows, "fit_seconds", CHOOSING, names).mean()
    least = half_a_row(rows, errors)
    classes = [t.name for t in CHOOSING if t.task == CLASSIFICATION]
    lines = []
    for name in [ALL, *INGREDIENTS]:
        line = [name]
        for changed, whole in [
            (name if name == ALL else f"{name}, alone", NOTHING),
            (NOTHING if name == ALL else f"{name}, left out", ALL),
        ]:
            if not {changed, whole} <= set(errors):
                line += ["-"] * 4
                continue
            for of_classes in (True, False):
                part = errors[errors.index.isin(classes) == of_classes]
                line.append(ratio(part, least[part.index], changed, whole))
            wins = won(errors[[changed, whole]])
            line.append(f"{100 * wins.mean():.0f}")
            line.append(three_digits(seconds[changed]))
        lines.append(line)
    header = ["alone: classes", "values", "wins, %", "fit, s"]
    without = ["left out: classes", "values", "wins, %", "fit, s"]
    return markdown_table(["default", *header, *without], lines)


def main():
    """Read the command line, and do what is missing."""
    models = list(variants())
    names = [model.name for model in models]
    options = command_line(__doc__, 1, names).parse_args()
    rows, folder = measured(models, CHOOSING, options, "defaults.csv", ROWS)
    seeds = len({row["seed"] for row in rows})
    write_table(
        folder,
        "defaults.md",
        summary(rows, models),
        f"{QUICK + ' ' if options.quick else ''}The list `choosing`, at most {ROWS} "
        f"training rows, one thread, {seeds} seed{'s' * (seeds > 1)}. Geometric means "
        "over tables, of classes and of values, of the error as a multiple: alone, of "
        "one plain network's (of 100 units); left out, of that with all defaults; with "
        "a 95 % interval over tables (bootstrap). In the first line, all against "
        "nothing and nothing against all. Wins over the same, of 100 tables, ties one "
        f"half; mean seconds of the processor. {machine('pandas')}",
    )


if __name__ == "__main__":
    main()
