"""The parameters of the estimators: their ranges, and which exclude each other."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import Interval, Options, StrOptions

from skreg import adversarial, averaging
from skreg._problem.activations import ACTIVATIONS
from skreg._problem.augmentation import read_augmentation
from skreg._problem.automatic import AUTO
from skreg._problem.optimizers import STOCHASTIC_SOLVERS
from skreg._problem.regularizers import (
    FEATURE_SCALING,
    LBFGS,
    PREPROCESSING,
    refuse,
)
from skreg._problem.schedules import SCHEDULES, WITHOUT_END, has_end
from skreg._problem.strengths import START
from skreg.schedules import Schedule

NON_NEGATIVE = Interval(Real, 0, None, closed="left")
POSITIVE = Interval(Real, 0, None, closed="neither")
# Infinity is no bound.
BOUND = Interval(Real, 0, None, closed="right")
RATE = Interval(Real, 0, 1, closed="left")
# Of a schedule object, whose factors are all computed before the first epoch.
MOST_EPOCHS = 100_000_000
COUNT = Interval(Integral, 1, None, closed="left")

# What both estimators take; each adds its own.
CONSTRAINTS = {
    "hidden_layer_sizes": [StrOptions({"auto"}), "array-like", COUNT],
    "activation": [StrOptions(set(ACTIVATIONS)), "array-like"],
    "solver": [StrOptions({*STOCHASTIC_SOLVERS, "lbfgs"})],
    "l1": [NON_NEGATIVE, StrOptions({AUTO}), "array-like"],
    "l2": [NON_NEGATIVE, StrOptions({AUTO}), "array-like"],
    "group_l1": [NON_NEGATIVE],
    "feature_groups": ["array-like", None],
    "hierarchy": [BOUND, None],
    "weight_decay": [StrOptions({"auto"}), NON_NEGATIVE],
    "feature_scaling": [StrOptions({"auto"}), Interval(Real, 0, 100, closed="both")],
    "preprocessing": [StrOptions({"auto", "robust"}), None],
    "weight_decay_schedule": [Schedule, None],
    "dropout": [StrOptions({"auto"}), RATE, "array-like"],
    "input_dropout": [RATE],
    "dropout_schedule": [Schedule, None],
    "batch_norm": ["boolean", StrOptions({"before", "after"})],
    "residual": ["boolean"],
    "skip": ["boolean"],
    "max_norm": [BOUND, "array-like", None],
    "max_grad_norm": [BOUND, None],
    "weight_averaging": [StrOptions(set(averaging.NAMES)), BaseEstimator, None],
    "adversarial": [BaseEstimator, None],
    "augmentation": "no_validation",  # read_augmentation
    "batch_size": [StrOptions({"auto"}), COUNT],
    "learning_rate": [StrOptions({*SCHEDULES, "auto"}), Schedule],
    "learning_rate_init": [StrOptions({"auto"}), POSITIVE],
    "power_t": [NON_NEGATIVE],
    "warm_up": [NON_NEGATIVE],
    "max_iter": [StrOptions({"auto"}), COUNT],
    "shuffle": ["boolean"],
    "random_state": ["random_state"],
    "tol": [NON_NEGATIVE],
    "verbose": ["verbose"],
    "warm_start": ["boolean"],
    "momentum": [RATE],
    "nesterovs_momentum": ["boolean"],
    "early_stopping": [StrOptions({"auto"}), "boolean"],
    "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
    "scoring": [str, callable],  # the names: check_scoring_name
    "beta_1": [RATE],
    "beta_2": [RATE],
    "epsilon": [POSITIVE],
    "n_iter_no_change": [StrOptions({"auto"}), COUNT, Options(Real, {np.inf})],
    "max_fun": [COUNT],
    "n_members": [StrOptions({"auto"}), COUNT],
    "dtype": [
        StrOptions({"float32", "float64"}),
        Options(type, {np.float32, np.float64}),
    ],
}


@dataclass(frozen=True)
class Settings:
    """What is trained and how it is regularized, checked.

    Attributes
    ----------
    hidden_layer_sizes, activations, dropout : list
        One entry per hidden layer.
    l1, l2 : list of float
        One per weight matrix, that of `skip` last.
    input_dropout, weight_decay, label_smoothing, group_l1 : float
    feature_groups : FeatureGroups or None
        None until the number of features is known.
    hierarchy : float or None
        Infinity is no bound.
    batch_norm : {"before", "after"} or None
    residual, skip : bool
    max_norm : list of float
        Likewise; infinity is no bound.
    max_grad_norm : float
        Likewise.
    feature_scaling : float
        Rate of the features' scales as a multiple of the rate; 0 is no scales.
    preprocessing : {"robust"} or None
        How dense X is scaled as the network reads it.
    averaging : object or None
        From ``skreg.averaging``.
    attack : Attack or None
        Of adversarial training.
    tuned : tuple of str
        Which of "l1" and "l2" are.
    dropout_factors, weight_decay_factors : ndarray of shape (max_iter,) or None
        What multiplies them, by epoch; None: nothing.
    row_functions : list of callable
        The user's, which make the training rows of an epoch.
    augmentation : list of Augmentation
        Those of the kernels.
    """

    hidden_layer_sizes: list
    activations: list
    l1: list
    l2: list
    weight_decay: float
    dropout: list
    input_dropout: float
    batch_norm: str | None = None
    residual: bool = False
    skip: bool = False
    label_smoothing: float = 0.0
    max_norm: list | None = None
    max_grad_norm: float = np.inf
    feature_scaling: float = 0.0
    preprocessing: str | None = None
    group_l1: float = 0.0
    feature_groups: object = None
    hierarchy: float | None = None
    averaging: object = None
    attack: object = None
    tuned: tuple = ()
    dropout_factors: np.ndarray | None = None
    weight_decay_factors: np.ndarray | None = None
    row_functions: list = field(default_factory=list)
    augmentation: list = field(default_factory=list)

    def dropout_at(self, epoch):
        """(dropout, input_dropout) in an epoch of a fit."""
        if self.dropout_factors is None:
            return self.dropout, self.input_dropout
        factor = float(self.dropout_factors[epoch])
        return [factor * rate for rate in self.dropout], factor * self.input_dropout

    def weight_decay_at(self, epoch):
        """weight_decay in an epoch of a fit."""
        if self.weight_decay_factors is None:
            return self.weight_decay
        return float(self.weight_decay_factors[epoch]) * self.weight_decay


def read_settings(estimator):
    """The parameters that depend on each other, checked, with one entry per layer.

    Raises
    ------
    ValueError
        Names the parameter, the rule, the value and the remedy.
    """
    hidden = estimator.hidden_layer_sizes
    if isinstance(hidden, Integral):
        hidden = [hidden]
    sizes = in_order(hidden)
    if sizes is None or not all(map(is_count, sizes)):
        raise ValueError(
            "hidden_layer_sizes must be whole numbers >= 1, one alone or a list with "
            "one per hidden layer, or () for no hidden layer; got "
            f"{estimator.hidden_layer_sizes!r}."
        )
    hidden, n = sizes, len(sizes)
    skip = bool(estimator.skip)
    n_matrices, matrix = n + 1, "weight matrix"
    if skip:
        n_matrices, matrix = n + 2, "weight matrix, the last for skip=True"
    check_scoring_name(estimator.scoring)

    tuned = tuple(name for name in START if is_auto(getattr(estimator, name)))
    for name in tuned:
        check_auto(estimator, name)

    def strengths(name):
        return per_layer(
            START[name] if name in tuned else getattr(estimator, name),
            n_matrices,
            name,
            matrix,
            valid=lambda v: 0 <= v < np.inf,
            rule="a finite number >= 0",
        )

    row_functions, augmentation = read_augmentation(estimator.augmentation)
    settings = Settings(
        hidden_layer_sizes=[int(size) for size in hidden],
        activations=per_layer(
            estimator.activation,
            n,
            "activation",
            "hidden layer",
            kind=str,
            valid=ACTIVATIONS.__contains__,
            rule=f"one of {sorted(ACTIVATIONS)}",
        ),
        l1=strengths("l1"),
        l2=strengths("l2"),
        weight_decay=float(estimator.weight_decay),
        dropout=per_layer(
            estimator.dropout,
            n,
            "dropout",
            "hidden layer",
            valid=lambda v: 0 <= v < 1,
            rule="a number in [0, 1)",
        ),
        input_dropout=float(estimator.input_dropout),
        batch_norm=norm_position(estimator.batch_norm),
        residual=bool(estimator.residual),
        skip=skip,
        label_smoothing=float(getattr(estimator, "label_smoothing", 0.0)),
        max_norm=per_layer(
            np.inf if estimator.max_norm is None else estimator.max_norm,
            n_matrices,
            "max_norm",
            matrix,
            valid=lambda v: v > 0,
            rule="a number > 0, or infinity for no bound",
        ),
        max_grad_norm=float(
            np.inf if estimator.max_grad_norm is None else estimator.max_grad_norm
        ),
        feature_scaling=float(estimator.feature_scaling),
        preprocessing=estimator.preprocessing,
        group_l1=float(estimator.group_l1),
        hierarchy=(None if estimator.hierarchy is None else float(estimator.hierarchy)),
        averaging=averaging.checked(estimator.weight_averaging),
        attack=adversarial.checked(estimator.adversarial),
        tuned=tuned,
        row_functions=row_functions,
        augmentation=augmentation,
    )
    check_range_of_dtype(estimator)
    check_layers(settings)
    check_hierarchy(estimator, settings)
    check_feature_scaling(estimator, settings)
    check_preprocessing(estimator, settings)
    if estimator.solver == "lbfgs":
        check_lbfgs(estimator, settings)
    return with_schedules(estimator, settings)


def check_range_of_dtype(estimator):
    """Refuse numbers that the kernels would read as infinite, or as a zero divisor."""
    if estimator.solver not in STOCHASTIC_SOLVERS:
        return
    limits = np.finfo(np.dtype(estimator.dtype))
    for name in ("learning_rate_init", "weight_decay", "l2"):
        value = getattr(estimator, name)
        if not is_auto(value) and np.max(value) > limits.max:
            raise ValueError(
                f"{name} must not exceed {limits.max:g}, the largest {limits.dtype}; "
                f"got {value!r}. Lower it."
            )
    if estimator.solver == "adam" and estimator.epsilon < limits.smallest_subnormal:
        raise ValueError(
            f"epsilon must be at least {limits.smallest_subnormal:g}, the smallest "
            f"{limits.dtype}, or it is 0 there; got {estimator.epsilon!r}. Raise it, "
            "or set dtype='float64'."
        )


def in_order(values):
    """A list, tuple or array of one axis as a list; None for what has no order."""
    if isinstance(values, (str, bytes, bytearray)):
        return None
    one_axis = len(getattr(values, "shape", ())) == 1
    return list(values) if one_axis or isinstance(values, Sequence) else None


def is_count(value):
    """Whether a value is a whole number >= 1; True is none."""
    return (
        isinstance(value, Integral)
        and not isinstance(value, (bool, np.bool_))
        and value >= 1
    )


def norm_position(batch_norm):
    """Where the norm stands, or None."""
    if isinstance(batch_norm, str):
        return batch_norm
    return "before" if batch_norm else None


def check_layers(settings):
    """Refuse what the hidden layers do not allow."""
    hidden = settings.hidden_layer_sizes
    if settings.batch_norm and not hidden:
        raise ValueError(
            f"batch_norm={settings.batch_norm!r} normalises hidden layers, but "
            "hidden_layer_sizes=() has none. Scale the features, for example with "
            "StandardScaler, and set batch_norm=False."
        )
    if settings.skip and not hidden:
        raise ValueError(
            "skip=True connects the inputs to the outputs past hidden layers; with "
            "hidden_layer_sizes=() that connection is the whole network, and would be "
            "there twice. Set skip=False, or give hidden_layer_sizes a layer."
        )
    if not settings.residual:
        return
    if not any(n_in == n_out for n_in, n_out in pairwise(hidden)):
        raise ValueError(
            "residual=True adds a hidden layer's input to its output where it follows "
            "a hidden layer of the same width; no two of hidden_layer_sizes="
            f"{tuple(hidden)} that follow each other are the same. Choose equal "
            "widths, or set residual=False."
        )
    if settings.batch_norm == "after":
        raise ValueError(
            "batch_norm='after' and residual=True exclude each other: a norm behind "
            "the activation could not be folded into the weights past the "
            "connection. Use batch_norm='before'."
        )


def check_hierarchy(estimator, settings):
    """Refuse what the bound of the hidden weights by the linear ones does not allow."""
    if settings.hierarchy is None:
        return
    given = f"hierarchy={estimator.hierarchy!r}"
    if not settings.skip:
        raise ValueError(
            f"{given} and skip=False exclude each other: the bound of a feature's "
            "hidden weights are its weights past the hidden layers, which only "
            "skip=True has. Set skip=True, or hierarchy=None."
        )
    if settings.hierarchy == np.inf:
        return
    # of the matrices that take part: the first, and the last, of skip
    for name, off, values, taken, reason in [
        ("l1", 0, settings.l1, [0, -1], "the two have no common proximal step"),
        ("max_norm", np.inf, settings.max_norm, [-1], "shorter weights bound by less"),
    ]:
        if all(values[m] == off for m in taken):
            continue
        remedy = ["a"] * len(values)
        for m in taken:
            remedy[m] = str(off)
        raise ValueError(
            f"{given} and {name}={getattr(estimator, name)!r} exclude each other: "
            f"{reason}. Leave out the weights of the hierarchy, {name}="
            f"[{', '.join(remedy)}] with a number for each a, or set hierarchy=None."
        )


def check_feature_scaling(estimator, settings):
    """Refuse learnt scales where the first layer's weights do not just take a step."""
    if not settings.feature_scaling:
        return
    given = f"feature_scaling={estimator.feature_scaling!r}"
    if estimator.solver != "adam":
        raise ValueError(
            f"{given} and solver={estimator.solver!r} exclude each other: the scales "
            "take steps of Adam. Use solver='adam', or set feature_scaling=0."
        )
    refuse(
        FEATURE_SCALING,
        estimator,
        settings,
        lambda other, reason, remedy: (
            f"{given} and {other} exclude each other: {reason}. Set feature_scaling=0, "
            f"or {remedy}."
        ),
    )


def check_preprocessing(estimator, settings):
    """Refuse a scale of X that only the network knows beside what is in X's own."""
    if settings.preprocessing is None:
        return
    refuse(
        PREPROCESSING,
        estimator,
        settings,
        lambda other, reason, remedy: (
            f"preprocessing={settings.preprocessing!r} and {other} exclude each other: "
            f"{reason}. Fit with preprocessing=None, on X that is scaled before, for "
            f"example by RobustScaler in a Pipeline; or set {remedy}."
        ),
    )


def is_auto(strength):
    """Whether a strength tunes itself."""
    return isinstance(strength, str) and strength == AUTO


def check_auto(estimator, name):
    """Refuse a strength that tunes itself where nothing says in which direction."""
    if estimator.solver == "lbfgs":
        raise ValueError(
            f"solver='lbfgs' does not support {name}='auto': its objective must stay "
            f"the same. Use solver='adam' or 'sgd', or give {name} a number."
        )
    if not estimator.early_stopping:
        raise ValueError(
            f"{name}='auto' is tuned on validation data, and early_stopping=False "
            f"sets none aside. Set early_stopping=True, or give {name} a number."
        )
    if norm_position(estimator.batch_norm):
        raise ValueError(
            f"{name}='auto' does not support batch_norm={estimator.batch_norm!r}: the "
            "norm undoes the shrinking of weights, so that the validation loss says "
            f"nothing of their penalty. Set batch_norm=False, or give {name} a number."
        )


def with_schedules(estimator, settings, max_iter=None):
    """Check the schedule objects; settings with the factors of dropout and decay.

    They are for `max_iter` epochs, or as many as the parameter says.
    """
    max_iter = estimator.max_iter if max_iter is None else max_iter
    if isinstance(estimator.learning_rate, Schedule):
        factors_by_epoch(estimator, "learning_rate", max_iter)
    if estimator.dropout_schedule is not None:
        if not np.any(estimator.dropout) and not estimator.input_dropout:
            raise ValueError(
                f"dropout_schedule={estimator.dropout_schedule!r} has nothing to act "
                "on: dropout and input_dropout are 0. Set one of them, or "
                "dropout_schedule=None."
            )
        factors = factors_by_epoch(estimator, "dropout_schedule", max_iter)
        rate = max([*settings.dropout, settings.input_dropout])
        if rate * factors.max() >= 1:
            raise ValueError(
                f"dropout_schedule={estimator.dropout_schedule!r} reaches the factor "
                f"{factors.max():g}, with which the rate {rate:g} leaves [0, 1). Lower "
                "dropout and input_dropout, or the schedule's factors."
            )
        settings = replace(settings, dropout_factors=factors)
    if estimator.weight_decay_schedule is not None:
        if not estimator.weight_decay:
            raise ValueError(
                f"weight_decay_schedule={estimator.weight_decay_schedule!r} has "
                "nothing to act on: weight_decay is 0. Set weight_decay > 0, or "
                "weight_decay_schedule=None."
            )
        factors = factors_by_epoch(estimator, "weight_decay_schedule", max_iter)
        settings = replace(settings, weight_decay_factors=factors)
    return settings


def factors_by_epoch(estimator, name, n):
    """The factors of a schedule at the beginning of each of n epochs, (n,).

    Raises
    ------
    ValueError
        If a parameter of the schedule is out of range, or a factor.
    """
    schedule = getattr(estimator, name)
    if n > MOST_EPOCHS:
        raise ValueError(
            f"max_iter must be at most {MOST_EPOCHS:,} with {name}={schedule!r}, which "
            f"has a factor for each epoch; got {n}. Lower max_iter."
        )
    try:
        schedule._validate_params()
    except ValueError as error:
        raise ValueError(f"{name}={schedule!r} is refused. {error}") from None
    factors = np.asarray(schedule.at(np.arange(n) / n, n), dtype=np.float64)
    if factors.shape != (n,) or not np.isfinite(factors).all() or factors.min() < 0:
        raise ValueError(
            f"{name}={schedule!r} must give one finite factor >= 0 for each share of "
            f"the training; its method `at` gave {factors!r} for {n} shares."
        )
    return factors


def check_scoring_name(scoring):
    """Refuse names that are not of a scorer."""
    if not isinstance(scoring, str) or scoring == "loss":
        return
    # imported for a name only: it takes a fifth of the time of importing skreg
    from sklearn.metrics import get_scorer_names

    if scoring not in get_scorer_names():
        raise ValueError(
            f"scoring must be 'loss', a callable or one of {get_scorer_names()}; got "
            f"{scoring!r}."
        )


def check_lbfgs(estimator, settings):
    """Refuse what a deterministic full-batch solver cannot do."""
    refuse(
        LBFGS,
        estimator,
        settings,
        lambda given, reason, remedy: (
            f"solver='lbfgs' does not support {given}: {reason}. Use solver='adam' or "
            f"'sgd', or {remedy}."
        ),
    )


def check_validation_given(estimator, X_val, y_val, sample_weight_val):
    """X_val and y_val come together, and with early stopping."""
    if (X_val is None) != (y_val is None):
        missing, given = ("X_val", "y_val") if X_val is None else ("y_val", "X_val")
        raise ValueError(
            f"{given} was passed to fit without {missing}. Pass both or neither."
        )
    if X_val is None and sample_weight_val is not None:
        raise ValueError(
            "sample_weight_val was passed to fit without X_val and y_val. Pass "
            "all three, or sample_weight alone."
        )
    if X_val is not None and not estimator.early_stopping:
        raise ValueError(
            "X_val and y_val were passed to fit, but early_stopping=False would "
            "leave them unused. Set early_stopping=True."
        )


def trains_epoch_by_epoch(estimator):
    """Whether partial_fit is there: nothing needs to know when training ends."""
    name = None
    tuned = [name for name in START if is_auto(getattr(estimator, name))]
    if tuned:
        raise AttributeError(
            f"partial_fit does not support {tuned[0]}='auto', which needs validation "
            f"data. Give {tuned[0]} a number."
        )
    if estimator.solver not in STOCHASTIC_SOLVERS:
        name, remedy = "solver", "'adam' or 'sgd'"
    elif estimator.early_stopping and not is_auto(estimator.early_stopping):
        name, remedy = "early_stopping", "False"
    elif not is_auto(estimator.learning_rate) and has_end(estimator.learning_rate):
        name, remedy = "learning_rate", " or ".join(map(repr, WITHOUT_END))
    elif estimator.dropout_schedule is not None:
        name, remedy = "dropout_schedule", "None"
    elif estimator.weight_decay_schedule is not None:
        name, remedy = "weight_decay_schedule", "None"
    elif estimator.weight_averaging == "swa" or isinstance(
        estimator.weight_averaging, averaging.StochasticWeightAveraging
    ):
        name, remedy = "weight_averaging", "'ema' or None"
    if name is not None:
        raise AttributeError(
            f"partial_fit does not support {name}={getattr(estimator, name)!r}, which "
            f"needs to know when training ends. Set {name}={remedy}."
        )
    return True


def per_layer(value, n, name, what, *, kind=Real, valid=None, rule=""):
    """One value for all layers, or a sequence with one per layer, as a list.

    Parameters
    ----------
    value : scalar or sequence
    n : int
        Number of layers that the parameter has values for.
    name : str
        The parameter, for the error.
    what : str
        What there are n of, for the error: "hidden layer", "weight matrix".
    kind : type
        Of one value.
    valid : callable or None
        Whether one value is in range.
    rule : str
        The range in words.

    Raises
    ------
    ValueError
        If the length does not fit or a value breaks the rule.
    """
    values = [value] * n if isinstance(value, kind) else in_order(value)
    if values is None:
        raise ValueError(
            f"{name} must be one value or a list with one per {what}, here {n}; got "
            f"{value!r}. Each value must be {rule}."
        )
    if len(values) != n:
        raise ValueError(
            f"{name} must be one value or a sequence with one per {what}, here {n}; "
            f"got {value!r} with {len(values)}."
        )
    for v in values:
        if not isinstance(v, kind) or (valid is not None and not valid(v)):
            raise ValueError(
                f"Each value of {name} must be {rule}; got {v!r} in {value!r}."
            )
    return values
