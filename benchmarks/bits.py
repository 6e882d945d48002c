"""Are the bits of fits those of the record?

The guard of changes that must not change what is computed: fits, paths and predictions
of fixed configurations, each with a seed, hashed and compared with
``results/bits.csv``. Bits depend on the instruction set, so there is one for all. Those
of "lbfgs", and sums of penalties, also depend on the BLAS of NumPy and SciPy, which
chooses by the processor: the file's head says with what it was written.

    SKREG_ISA=v3 python benchmarks/bits.py --check    # names what differs
    SKREG_ISA=v3 python benchmarks/bits.py            # writes the record

Where bits change on purpose, the change that does it writes the record, too.
"""

import argparse
import csv
import hashlib
import sys
import warnings
from functools import cache, partial
from itertools import chain

import numpy as np
from _plain import RegularizedMLPClassifier, RegularizedMLPRegressor
from _report import RESULTS, machine
from scipy import sparse

import skreg
from skreg import RegularizationPath, _kernels, adversarial, averaging, schedules
from skreg import augmentation as changes
from skreg.inspection import StabilitySelection, stability_selection

ISA = "v3"
RECORD = RESULTS / "bits.csv"
ROWS, FEATURES, IMAGE = 203, 12, (3, 4)
COLUMNS = ("weights", "biases", "figures", "predictions")
# What a fit tells of its epochs and of its end.
FIGURES = (
    *("loss_curve_", "validation_scores_", "validation_losses_", "learning_rates_"),
    *("loss_", "n_iter_", "t_", "l1_", "l2_", "alphas_", "scores_"),
)


@cache
def inputs():
    """Features of several scales, of which one is binary and one is heavy-tailed."""
    rng = np.random.default_rng(20)
    X = rng.normal(size=(ROWS, FEATURES))
    X[:, 1] = X[:, 1] > 0
    X[:, 2] = np.sinh(2 * X[:, 2])
    X[:, 3] = 40 + 5 * X[:, 3]
    X.flags.writeable = False
    return X


@cache
def signal():
    """What the targets depend on, (rows, 3)."""
    X, rng = inputs(), np.random.default_rng(21)
    first = X[:, 0] * X[:, 4] + X[:, 1]
    second = np.abs(X[:, 5]) - X[:, 6]
    return np.stack([first, second, X[:, 7]], 1) + 0.3 * rng.normal(size=(ROWS, 3))


def sparse_inputs():
    """CSR of float32, half of it zeros."""
    rng = np.random.default_rng(22)
    return sparse.csr_array(
        np.where(rng.random((ROWS, FEATURES)) < 0.5, inputs(), 0).astype(np.float32)
    )


TARGETS = {
    "two classes": lambda f: np.where(f[:, 0] > 0, "b", "a"),
    "three classes": lambda f: f.argmax(axis=1),
    "labels": lambda f: (f > 0.5).astype(int),
    "values": lambda f: 1e3 * f[:, 0] + 7,
    "two outputs": lambda f: f[:, :2],
    "counts": lambda f: np.floor(np.exp(f[:, 1])),
    "positive": lambda f: np.exp(f[:, 1]) + 0.1,
}


def fitted(target, hidden=(17, 9), *, make=None, X=None, then=None, **settings):
    """A plain estimator, fitted, and the rows it predicts.

    make: the class of the estimator, else by the target; then: what is made of it,
    by a function of the estimator, X and y.
    """
    X = inputs() if X is None else X
    y = TARGETS[target](signal())
    if make is None:
        of_values = target not in ("two classes", "three classes", "labels")
        make = RegularizedMLPRegressor if of_values else RegularizedMLPClassifier
    given = {name: settings.pop(name) for name in WEIGHTS if name in settings}
    model = make(hidden, random_state=3, **settings).fit(X, y, **given)
    return (model if then is None else then(model, X, y)), X


WEIGHTS = {"sample_weight": 0.1 + (np.arange(ROWS) % 4)}
CLASSES = partial(fitted, "three classes", max_iter=8, batch_size=32)
VALUES = partial(fitted, "values", max_iter=8, batch_size=32)
DEFAULTS = {"hidden": "auto", "max_iter": 6}
EXACT = {"solver": "lbfgs", "max_iter": 40}
LINEAR = {**EXACT, "hidden": (), "dtype": "float64"}


def fine_tuned(method, *, new_class=False):
    """A network that is adapted to other rows."""

    def adapt(model, X, y):
        other = np.where(y == 0, 9, y) if new_class else np.roll(y, 1)
        return model.fine_tune(X + 0.5, other, method=method, max_iter=4)

    return partial(CLASSES, then=adapt)


def in_parts(model, X, y):
    """Training that goes on: three parts of the rows, then all."""
    for start in range(0, ROWS, 70):
        model.partial_fit(X[start : start + 70], y[start : start + 70])
    return model.set_params(warm_start=True).fit(X, y)


def path(param, **settings):
    """A regularization path."""
    return lambda model, X, y: skreg.regularization_path(
        model, X, y, param=param, alphas=6, **settings
    )


def attacked(model, X, y):
    """The rows after an attack, in place of the network's predictions."""
    attack = adversarial.adversarial_examples
    return attack(model, X, y, epsilon=0.2, n_steps=3, random_state=0)


def selection(model, X, y):
    """Stability selection by clones of the estimator."""
    return stability_selection(model, X, y, n_resamples=6, random_state=0)


CASES = {
    # where nothing is set
    "defaults, two classes": partial(
        fitted, "two classes", make=skreg.RegularizedMLPClassifier, **DEFAULTS
    ),
    "defaults, values, weights": partial(
        *(fitted, "values"),
        **(DEFAULTS | WEIGHTS),
        make=skreg.RegularizedMLPRegressor,
    ),
    # tasks and losses
    "two classes": partial(fitted, "two classes", max_iter=8),
    "three classes, weights": partial(CLASSES, **WEIGHTS, class_weight="balanced"),
    "labels": partial(fitted, "labels", max_iter=8),
    "two outputs": partial(fitted, "two outputs", max_iter=8),
    "values": VALUES,
    "values as they are": partial(VALUES, standardize_target=False),
    "absolute error": partial(VALUES, loss="absolute_error"),
    "huber": partial(VALUES, loss="huber", huber_delta=0.5),
    "quantile": partial(VALUES, loss="quantile", quantile=0.2),
    "poisson": partial(fitted, "counts", loss="poisson", max_iter=8),
    "gamma": partial(fitted, "positive", loss="gamma", max_iter=8),
    # networks
    "activations, saturating": partial(
        VALUES, (8, 8, 8), activation=["identity", "logistic", "tanh"]
    ),
    "activations, one-sided": partial(
        VALUES, (8, 8, 8), activation=["leaky_relu", "elu", "selu"]
    ),
    "activations, smooth": partial(
        VALUES, (8, 8, 8), activation=["gelu", "silu", "mish"]
    ),
    "norm before": partial(CLASSES, batch_norm="before"),
    "norm after, sparse X": partial(CLASSES, batch_norm="after", X=sparse_inputs()),
    "residual": partial(VALUES, (9, 9, 9), residual=True),
    "skip": partial(CLASSES, skip=True),
    "float64": partial(CLASSES, dtype="float64"),
    "wide": partial(VALUES, (300, 70), max_iter=3),
    # solvers
    "sgd": partial(CLASSES, solver="sgd", learning_rate_init=0.05),
    "sgd, adaptive": partial(
        CLASSES,
        solver="sgd",
        nesterovs_momentum=False,
        learning_rate="adaptive",
        tol=0.5,
        n_iter_no_change=2,
        max_iter=12,
    ),
    "lbfgs": partial(CLASSES, **EXACT),
    "lbfgs, float64, skip": partial(VALUES, **EXACT, dtype="float64", skip=True),
    "lbfgs, lasso": partial(VALUES, **LINEAR, l1=0.1, l2=0.0),
    "lbfgs, logistic regression": partial(CLASSES, **LINEAR, l2=0.01),
    # penalties and bounds
    "l1, l2 by layer": partial(VALUES, l1=[1e-2, 1e-3, 0.0], l2=[0.0, 0.1, 0.2]),
    "group lasso": partial(
        CLASSES, group_l1=0.01, feature_groups=np.arange(FEATURES) // 2
    ),
    "hierarchy": partial(VALUES, group_l1=0.02, hierarchy=5.0, skip=True),
    "weight decay": partial(
        CLASSES, weight_decay=0.1, weight_decay_schedule=schedules.Linear()
    ),
    "auto strengths": partial(VALUES, l1="auto", l2="auto", early_stopping=True),
    "max norm": partial(CLASSES, max_norm=[1.0, 0.5, 0.5]),
    "gradient norm": partial(VALUES, max_grad_norm=0.1),
    "learnt scales": partial(CLASSES, feature_scaling=6.0, preprocessing="robust"),
    # noise
    "dropout": partial(
        CLASSES,
        dropout=[0.3, 0.1],
        input_dropout=0.1,
        dropout_schedule=schedules.CurriculumDropout(),
    ),
    "label smoothing": partial(CLASSES, label_smoothing=0.1),
    "noise, masking, scaling": partial(
        VALUES,
        augmentation=[
            changes.GaussianNoise(0.2),
            changes.FeatureMasking(0.2, fill=1.0),
            changes.FeatureScaling(0.2),
        ],
    ),
    "mixup": partial(CLASSES, augmentation=changes.Mixup()),
    "cutmix": partial(CLASSES, augmentation=changes.CutMix(shape=IMAGE)),
    "images": partial(
        CLASSES,
        augmentation=[
            changes.ImageFlip(IMAGE),
            changes.ImageShift(IMAGE, 1),
            changes.ImageScale(IMAGE, 0.2),
        ],
    ),
    "function": partial(
        VALUES, augmentation=lambda X, rng: X + rng.normal(size=X.shape)
    ),
    "adversarial": partial(CLASSES, adversarial=adversarial.AdversarialTraining()),
    "adversarial, l2": partial(
        VALUES,
        adversarial=adversarial.AdversarialTraining(
            0.3, norm="l2", n_steps=3, random_start=True
        ),
    ),
    # rates, averages, ends
    "invscaling": partial(VALUES, learning_rate="invscaling", shuffle=False),
    "cosine restarts": partial(
        VALUES, learning_rate="cosine_restarts", max_iter=15, warm_up=1.5
    ),
    "flat cosine": partial(VALUES, learning_rate="flat_cosine"),
    "one cycle": partial(
        CLASSES, learning_rate="one_cycle", early_stopping=True, scoring="accuracy"
    ),
    "ema": partial(VALUES, weight_averaging=averaging.ExponentialMovingAverage(0.9)),
    "swa": partial(CLASSES, weight_averaging="swa", batch_norm=True),
    "members": partial(CLASSES, n_members=3, early_stopping=True, dropout=0.1),
    # rows
    "sparse X": partial(CLASSES, X=sparse_inputs(), dropout=0.2),
    "float32 by columns": partial(VALUES, X=np.asfortranarray(inputs(), np.float32)),
    # training that goes on
    "partial_fit, warm_start": partial(CLASSES, then=in_parts),
    **{f"fine_tune, {m}": fine_tuned(m) for m in ("head", "bias", "lora", "full")},
    "fine_tune, adapter, new class": fine_tuned("adapter", new_class=True),
    "pruned": partial(VALUES, l1=0.05, then=lambda model, X, y: model.prune()),
    "sparse weights": partial(
        CLASSES, l1=0.01, then=lambda model, X, y: model.sparsify_weights()
    ),
    # several fits
    "path": partial(VALUES, then=path("group_l1", max_iter_per_point=2)),
    "path, lbfgs": partial(CLASSES, **LINEAR, then=path("l2")),
    "cv": partial(
        VALUES, make=skreg.RegularizedMLPRegressorCV, alphas=4, cv=3, skip=True
    ),
    "cv, classes": partial(
        CLASSES,
        make=skreg.RegularizedMLPClassifierCV,
        param="l2",
        alphas=4,
        cv=3,
        selection="one_standard_error",
    ),
    "attack": partial(CLASSES, then=attacked),
    "stability selection": partial(VALUES, l1=0.05, then=selection),
}


def results(made, X):
    """Columns of the record -> arrays and lists."""
    if isinstance(made, np.ndarray):
        return {"predictions": [made]}
    if isinstance(made, StabilitySelection):
        return {"figures": [made.frequencies]}
    if isinstance(made, RegularizationPath):
        return {
            "weights": made.coefs,
            "biases": made.intercepts,
            "figures": [made.alphas, made.losses, made.objectives, made.n_iter],
            "predictions": [made.predict(X)],
        }
    networks = getattr(made, "members_", [made])
    skips = [net.skip_coef_ for net in networks if net.skip_coef_ is not None]
    predicted = [made.predict(X)]
    if hasattr(made, "predict_proba"):
        predicted.append(made.predict_proba(X))
    return {
        "weights": [*chain(*(net.coefs_ for net in networks)), *skips],
        "biases": list(chain(*(net.intercepts_ for net in networks))),
        "figures": [
            getattr(of, name, None) for of in [*networks, made] for name in FIGURES
        ],
        "predictions": predicted,
    }


def digest(parts):
    """The first half of the SHA-256 of arrays, with their types and shapes."""
    sha = hashlib.sha256()
    for part in parts:
        if sparse.issparse(part):
            arrays = [part.data, part.indices, part.indptr]
        else:
            # None, where an estimator has no such figure, is not a number
            arrays = [np.asarray(np.nan if part is None else part)]
        for array in arrays:
            if array.dtype == object:
                raise TypeError(f"The bits of {type(part).__name__} are addresses.")
            sha.update(f"{array.dtype.str}{array.shape}".encode())
            sha.update(np.ascontiguousarray(array).tobytes())
    return sha.hexdigest()[:32]


def line(name):
    """One line of the record."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # few epochs
        parts = results(*CASES[name]())
    hashes = {
        column: digest(parts[column]) if column in parts else "" for column in COLUMNS
    }
    return {"configuration": name} | hashes


def read(text):
    """(head, name -> line) of the record."""
    head, _, rest = text.partition("\n")
    rows = csv.DictReader(rest.splitlines())
    return head.removeprefix("# "), {row["configuration"]: row for row in rows}


def write(lines):
    """Replace the record."""
    with open(RECORD, "w", newline="", encoding="utf-8") as file:
        file.write(f"# {machine()}\n")
        writer = csv.DictWriter(file, lines[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)
    print(f"{len(lines)} configurations are recorded in {RECORD}.")


def differences(lines, recorded):
    """A text for each configuration that is not as it was recorded."""
    names = {now["configuration"] for now in lines}
    for now in lines:
        name = now["configuration"]
        if name not in recorded:
            yield f"{name}: not in the record"
            continue
        parts = [column for column in COLUMNS if now[column] != recorded[name][column]]
        if parts:
            yield f"{name}: other {', '.join(parts)}"
    yield from (f"{name}: only in the record" for name in recorded if name not in names)


def check(lines):
    """Say what differs from the record; returns whether something does."""
    head, recorded = read(RECORD.read_text(encoding="utf-8"))
    found = list(differences(lines, recorded))
    print(*found, sep="\n", end="\n" if found else "")
    print(f"{len(found)} of {len(lines)} configurations differ from the record.")
    if found:
        print(f"Recorded with: {head}\nThis is:       {machine()}")
    return bool(found)


def main():
    """Read the command line; the status is 1 where bits differ."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--check", action="store_true", help="compare with the record; write nothing"
    )
    options = parser.parse_args()
    if _kernels.ISA != ISA:
        parser.error(
            f"the record is of the instruction set {ISA!r}, and this is "
            f"{_kernels.ISA!r}. Set the environment variable SKREG_ISA={ISA}."
        )
    lines = [line(name) for name in CASES]
    if options.check:
        return check(lines)
    return write(lines)


if __name__ == "__main__":
    sys.exit(main())
