"""What "auto" stands for: the defaults of a fit, by what is asked for and the rows.

Where nothing is set a fit is the mean of four networks with two hidden layers, each
stopped by rows of its own. The figures were chosen on public tables; see
``benchmarks/bench_tables.py`` and the user guide's chapter on defaults. Without hidden
layers, and under solvers other than Adam, "auto" is what leaves a linear model, or the
solver, as it is.
"""

import math
from numbers import Integral, Real

import numpy as np
from scipy import sparse
from sklearn.base import is_regressor
from sklearn.utils.validation import _num_samples

from skreg._problem.input_scaling import is_narrow, preprocessing_of
from skreg._problem.regularizers import PENALTIES
from skreg._problem.schedules import has_end
from skreg.schedules import OneCycle

AUTO = "auto"

# Functions of one value need a narrower second layer than boundaries of classes.
SIZES_OF_CLASSES, SIZES_OF_VALUES = (256, 256), (256, 128)
MEMBERS = 4
# Of hidden units, for classes and for values, in layers that have so many at least.
DROPOUT_OF_CLASSES, DROPOUT_OF_VALUES, WIDE = 0.2, 0.1, 64
WEIGHT_DECAY = 0.05
# Rate of the features' scales, as a multiple of the rate.
FEATURE_SCALING = 6.0
LABEL_SMOOTHING = 0.02
# The highest of one_cycle, of classes and of values.
RATE_OF_CLASSES, RATE_OF_VALUES = 3e-3, 5e-3
# Fewer rows are too few to set some of them aside.
ROWS_TO_VALIDATE = 30
# Epochs, of classes and of values, up to so many rows; beyond them fewer, that see as
# many rows in all, but a few at least.
EPOCHS_OF_CLASSES, EPOCHS_OF_VALUES = 40, 60
ROWS_OF_EPOCHS, FEWEST_EPOCHS = 10_000, 6
# Epochs without progress that are waited for under a schedule with an end: a share of
# all, and so many at least.
PATIENCE, LEAST_PATIENCE = 3 / 8, 5
# Rows of a batch: a power of two near n_samples / 32.
BATCHES = 32
SMALLEST_BATCH, LARGEST_BATCH = 16, 128
LARGEST_BATCH_OF_MANY, MANY_ROWS = 512, 50_000

# Without hidden layers, with another solver than Adam, along a path. The last is the
# classifiers' alone.
PLAIN = {
    "hidden_layer_sizes": (100,),
    "dropout": 0.0,
    "weight_decay": 0.0,
    "feature_scaling": 0.0,
    "preprocessing": None,
    "batch_size": 200,
    "learning_rate": "constant",
    "learning_rate_init": 1e-3,
    "max_iter": 200,
    "early_stopping": False,
    "n_iter_no_change": 10,
    "n_members": 1,
    "label_smoothing": 0.0,
}


def is_automatic(value):
    """Whether the value of a parameter is "auto"."""
    return isinstance(value, str) and value == AUTO


def plain_settings(cls):
    """Values with which a class of estimators has one network, plainly trained."""
    names = set(cls._get_param_names())
    return {name: value for name, value in PLAIN.items() if name in names}


def plain_values(estimator):
    """Values for the parameters that are "auto", for a network that stays plain."""
    return those_open(PLAIN, estimator)


def those_open(values, estimator):
    """The values of parameters that are "auto" there."""
    return {
        name: value
        for name, value in values.items()
        if is_automatic(getattr(estimator, name, None))
    }


def automatic_values(
    estimator,
    X=None,
    y=None,
    sample_weight=None,
    *,
    validates=False,
    network=None,
    incremental=False,
):
    """Values for the parameters that are "auto", in a fit.

    Parameters
    ----------
    estimator : estimator
    X, y, sample_weight : as given to fit
        The number of rows counts, of those with a weight, and that of classes.
    validates : bool
        Whether rows to validate on are given.
    network : Network or None
        What training goes on with, which stays what it is.
    incremental : bool
        Whether X are the first rows of many.
    """
    sizes = estimator.hidden_layer_sizes
    if estimator.solver != "adam" or not has_hidden_layers(sizes):
        values = plain_values(estimator)
        if network is not None and "preprocessing" in values:
            values["preprocessing"] = preprocessing_of(network)
        return values
    preprocessing = estimator.preprocessing
    if is_automatic(preprocessing):
        preprocessing = preprocessing_by_rule(estimator, X, network, incremental)
    n = number_of_rows(X, sample_weight)
    schedule = estimator.learning_rate
    if is_automatic(schedule):
        schedule = "one_cycle"
    values = {
        "hidden_layer_sizes": hidden_layer_sizes(estimator),
        "dropout": dropout(estimator) if is_wide(sizes) else 0.0,
        "weight_decay": 0.0 if has_own_penalty(estimator) else WEIGHT_DECAY,
        "feature_scaling": (
            FEATURE_SCALING if learns_scales(estimator, X, preprocessing) else 0.0
        ),
        "preprocessing": preprocessing,
        "batch_size": batch_size(n),
        "learning_rate": schedule,
        "learning_rate_init": (
            highest_rate(estimator)
            if isinstance(schedule, OneCycle) or schedule == "one_cycle"
            else PLAIN["learning_rate_init"]
        ),
        "max_iter": epochs(estimator, n) if has_end(schedule) else PLAIN["max_iter"],
        "early_stopping": validates or may_set_aside(estimator, y, n),
        "n_iter_no_change": (
            patience(estimator, n) if has_end(schedule) else PLAIN["n_iter_no_change"]
        ),
        "n_members": MEMBERS if is_automatic(sizes) else 1,
        "label_smoothing": 0.0 if has_own_penalty(estimator) else LABEL_SMOOTHING,
    }
    return those_open(values, estimator)


def as_used(estimator):
    """A view of an estimator with the values that its last fit has had for "auto".

    They are plain values before fit.
    """
    view = object.__new__(type(estimator))
    used = vars(estimator).get("automatic_params_", {})
    vars(view).update(vars(estimator), **(plain_values(estimator) | used))
    return view


def values_for_one_epoch(estimator, X, network=None):
    """Values for the parameters that are "auto", in a call of partial_fit.

    Nothing is known of an end, or of the features by the first rows, and rows are set
    aside for nothing.
    """
    values = automatic_values(estimator, X, network=network, incremental=True)
    unending = {
        name: PLAIN[name]
        for name in (
            *("learning_rate", "learning_rate_init", "max_iter"),
            *("early_stopping", "n_iter_no_change"),
        )
        if name in values
    }
    if "n_members" in values:
        unending["n_members"] = len(getattr(estimator, "members_", [None]))
    return values | unending


def has_hidden_layers(sizes):
    """Whether there is one, by a parameter that is not yet checked."""
    if is_automatic(sizes) or isinstance(sizes, Integral):
        return True
    return np.shape(sizes) != (0,)


def is_wide(sizes):
    """Whether each hidden layer has units enough to leave some out."""
    if is_automatic(sizes):
        return True
    try:
        return bool(np.min(sizes) >= WIDE)
    except (TypeError, ValueError):
        # what the check of parameters refuses
        return False


def hidden_layer_sizes(estimator):
    """Those of classes, or those of values."""
    return SIZES_OF_VALUES if is_regressor(estimator) else SIZES_OF_CLASSES


def dropout(estimator):
    """Twice as much for classes, which are learnt by heart sooner."""
    return DROPOUT_OF_VALUES if is_regressor(estimator) else DROPOUT_OF_CLASSES


def highest_rate(estimator):
    """That of classes, or that of values."""
    return RATE_OF_VALUES if is_regressor(estimator) else RATE_OF_CLASSES


def has_own_penalty(estimator):
    """Whether a penalty with zeros is asked for, whose objective decay would change."""
    try:
        return any(
            np.max(getattr(estimator, penalty.name), initial=0) > 0
            for penalty in PENALTIES.values()
            if penalty.makes_zeros
        )
    except TypeError:
        # "auto", alone or among numbers, or what is refused later
        return True


def preprocessing_by_rule(estimator, X, network, incremental):
    """How a network reads X where nothing is said in that.

    Sparse X is read so where it can be made dense, and is left as it is elsewhere. See
    ``parameters.check_preprocessing``.
    """
    if network is not None:
        return preprocessing_of(network)
    others = [estimator.adversarial, estimator.augmentation]
    if (
        incremental
        or has_own_penalty(estimator)
        or any(value is not None for value in others)
        or (sparse.issparse(X) and not is_narrow(X))
    ):
        return None
    return "robust"


def learns_scales(estimator, X, preprocessing):
    """Whether scales of the features can be learnt, and X is read as dense, for that.

    See ``parameters.check_feature_scaling``.
    """
    others = [estimator.hierarchy, estimator.max_norm]
    return not (
        (sparse.issparse(X) and preprocessing is None)
        or has_own_penalty(estimator)
        or is_automatic(estimator.l2)
        or any(value is not None for value in others)
    )


def number_of_rows(X, sample_weight):
    """Rows with a weight; of what no array can be made, which is refused later, none.

    Whatever changes with it does so for rows left out, too.
    """
    try:
        if sample_weight is None or isinstance(sample_weight, Real):
            return _num_samples(X)
        return int(np.count_nonzero(np.asarray(sample_weight)))
    except (TypeError, ValueError):
        return 0


def may_set_aside(estimator, y, n):
    """Whether rows are set aside: with a place for each class or label among them."""
    fraction = estimator.validation_fraction
    if n < ROWS_TO_VALIDATE or not isinstance(fraction, Real):
        return False
    return is_regressor(estimator) or number_of_classes(y) <= math.ceil(fraction * n)


def number_of_classes(y):
    """Classes, or labels of an indicator; of what is refused later, none."""
    try:
        if sparse.issparse(y) or (np.ndim(y) == 2 and np.shape(y)[1] > 1):
            return y.shape[1]
        return len(set(np.ravel(y).tolist()))
    except (TypeError, ValueError, AttributeError, IndexError):
        return 0


def epochs(estimator, n):
    """40 for classes, 60 for values, and fewer from 10,000 rows on."""
    most = EPOCHS_OF_VALUES if is_regressor(estimator) else EPOCHS_OF_CLASSES
    return int(np.clip(most * ROWS_OF_EPOCHS / max(n, 1), FEWEST_EPOCHS, most))


def patience(estimator, n):
    """3/8 of the epochs, but 5 at least.

    Where the rate is still high there may be no progress for long.
    """
    given = estimator.max_iter
    most = given if isinstance(given, Integral) else epochs(estimator, n)
    return max(math.ceil(PATIENCE * most), LEAST_PATIENCE)


def batch_size(n):
    """A power of two near n / 32, from 16 to 128; 512 from 50,000 rows on."""
    if n >= MANY_ROWS:
        return LARGEST_BATCH_OF_MANY
    power = round(np.log2(max(n, 1) / BATCHES))
    return int(np.clip(2.0**power, SMALLEST_BATCH, LARGEST_BATCH))
