"""The table of all regularizers, with what was measured of them.

    .. regularizers::

Parameters stand here, ranges in ``skreg/_problem/strengths.py``. Cost and effect come
from ``benchmarks/results``: the files ``overhead.csv`` (regularizer, shape, relative)
and ``small_samples.csv`` (regularizer, dataset, seed, score, gain). Their first columns
hold the names of the table's first column. Where there is no file or no row, the cell
is a dash.
"""

import csv
from collections import defaultdict
from statistics import fmean

from docutils import nodes
from sphinx.util.docutils import SphinxDirective
from strengths import grid_of, range_of
from tables import RESULTS, table

NOT_MEASURED = "–"

# Rows of the files that are no regularizers.
OTHERS = {"none", "linear"}
# name in the benchmarks: (how it is given, what to search, its page in the guide)
REGULARIZERS = {
    "l1": ("l1=0.001", range_of("l1"), "penalties"),
    "l2": ("l2=0.01", range_of("l2"), "penalties"),
    "l2, auto": ("l2='auto'", "tunes itself", "adaptive"),
    "group_l1": ("group_l1=0.01", range_of("group_l1"), "group_lasso"),
    "skip": ("skip=True", "on, off", "skip"),
    "hierarchy": (
        "skip=True, hierarchy=10, group_l1=0.1",
        f"{range_of('hierarchy')}; group_l1 {range_of('hierarchy group_l1')}",
        "hierarchy",
    ),
    "weight_decay": ("weight_decay=0.1", range_of("weight_decay"), "weight_decay"),
    "feature_scaling": ("feature_scaling=6", "0, 6", "scales"),
    "dropout": ("dropout=0.2", range_of("dropout"), "dropout"),
    "input_dropout": ("input_dropout=0.1", range_of("input_dropout"), "dropout"),
    "dropout_schedule": (
        "dropout_schedule=CurriculumDropout()",
        "curriculum, early, linear",
        "schedules",
    ),
    "weight_decay_schedule": (
        "weight_decay_schedule=Linear(0, 1)",
        "up or down",
        "schedules",
    ),
    "batch_norm": ("batch_norm=True", "on, off", "batch_norm"),
    "residual": ("residual=True", "on, off", "residual"),
    "max_norm": ("max_norm=2.0", range_of("max_norm"), "max_norm"),
    "max_grad_norm": ("max_grad_norm=1.0", range_of("max_grad_norm"), "max_norm"),
    "label_smoothing": (
        "label_smoothing=0.1",
        range_of("label_smoothing"),
        "label_smoothing",
    ),
    "averaging, ema": (
        "weight_averaging='ema'",
        f"decay {grid_of('ExponentialMovingAverage decay')}",
        "averaging",
    ),
    "averaging, swa": (
        "weight_averaging='swa'",
        f"start {grid_of('StochasticWeightAveraging start')}",
        "averaging",
    ),
    "mixup": (
        "augmentation=Mixup()",
        f"alpha {range_of('Mixup alpha')}",
        "augmentation",
    ),
    "cutmix": (
        "augmentation=CutMix()",
        f"alpha {range_of('CutMix alpha')}",
        "augmentation",
    ),
    "feature masking": (
        "augmentation=FeatureMasking()",
        f"rate {range_of('FeatureMasking rate')}",
        "augmentation",
    ),
    "noise": (
        "augmentation=GaussianNoise()",
        f"scale {range_of('GaussianNoise scale')}",
        "augmentation",
    ),
    "feature scaling": (
        "augmentation=FeatureScaling()",
        f"scale {range_of('FeatureScaling scale')}",
        "augmentation",
    ),
    "image flip": ("augmentation=ImageFlip((28, 28))", "on, off", "augmentation"),
    "image shift": ("augmentation=ImageShift((28, 28))", "on, off", "augmentation"),
    "image scale": ("augmentation=ImageScale((28, 28))", "on, off", "augmentation"),
    "FGSM": (
        "adversarial=AdversarialTraining()",
        f"epsilon {range_of('AdversarialTraining epsilon')}",
        "adversarial",
    ),
    "PGD, 5 steps": (
        "adversarial=AdversarialTraining(n_steps=5)",
        f"epsilon {range_of('AdversarialTraining epsilon')}",
        "adversarial",
    ),
    "early_stopping": ("early_stopping=True", "on, off", "early_stopping"),
}


def columns(path, value, by):
    """Values of a CSV file: {regularizer: {by: [value, ...]}}; empty without a file.

    Raises
    ------
    ValueError
        If it has a regularizer that is not in the table.
    """
    found = defaultdict(lambda: defaultdict(list))
    if not path.exists():
        return found
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["regularizer"] not in {*OTHERS, *REGULARIZERS}:
                raise ValueError(
                    f"{path.name} has the regularizer {row['regularizer']!r}, which is "
                    f"not in the table of {__name__}.py"
                )
            found[row["regularizer"]][row[by]].append(float(row[value]))
    return found


def cost(by_shape):
    """Seconds of an epoch relative to one without it, over the shapes of networks."""
    ratios = [fmean(values) for values in by_shape.values()]
    if not ratios:
        return NOT_MEASURED
    low, high = f"{min(ratios):.2f}", f"{max(ratios):.2f}"
    return f"× {low}" if low == high else f"× {low} to {high}"


def effect(by_dataset):
    """Mean gains over the seeds: from the least to the largest, over the data sets."""
    gains = [fmean(values) for values in by_dataset.values()]
    if not gains:
        return NOT_MEASURED
    better = sum(gain > 0 for gain in gains)
    return f"{min(gains):+.3f} to {max(gains):+.3f}; better on {better} of {len(gains)}"


def rows(results=RESULTS):
    """Header and rows; a cell in backquotes is code."""
    relative = columns(results / "overhead.csv", "relative", "shape")
    gains = columns(results / "small_samples.csv", "gain", "dataset")
    yield "regularizer", "for example", "to search", "cost of an epoch", "gain"
    for name, (example, values, _) in REGULARIZERS.items():
        yield (
            f"`{name}`",
            f"`{example}`",
            values,
            cost(relative[name]),
            effect(gains[name]),
        )


class Regularizers(SphinxDirective):
    """The table, with links from the names to their pages."""

    def run(self):
        """Build the nodes."""
        for name in ["overhead.csv", "small_samples.csv"]:
            self.env.note_dependency(RESULTS / name)
        built = table(rows())
        body = built.next_node(nodes.tbody)
        for row, (name, (_, _, page)) in zip(body, REGULARIZERS.items(), strict=True):
            (paragraph,) = row[0]
            if f"guide/{page}" in self.env.found_docs:
                target = self.env.app.builder.get_relative_uri(
                    self.env.docname, f"guide/{page}"
                )
                link = nodes.reference(
                    "", "", nodes.literal(name, name), refuri=target, internal=True
                )
                paragraph.clear()
                paragraph += link
        return [built]


def setup(app):
    """Register the directive."""
    app.add_directive("regularizers", Regularizers)
    return {"parallel_read_safe": True}
