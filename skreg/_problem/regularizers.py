"""Each regularizer an object: when it acts, what it costs, what refuses it.

A `Penalty` is a term of the objective. Its value is here, its gradient or its proximal
step in the kernels. To add one: an entry of `PENALTIES`, with the solvers and methods
that cannot have it in ``refused_by``.

Others act on the rows, on the units or on the steps (`OTHERS`): here stands only what
cannot be combined with them.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from skreg._problem.target_scale import power_of_two

# What may refuse a regularizer, as keys of ``refused_by``.
LBFGS, LORA, FEATURE_SCALING, PREPROCESSING = (
    "solver='lbfgs'",
    "method='lora'",
    "feature_scaling",
    "preprocessing",
)


@dataclass(frozen=True)
class Refusal:
    """Why two things cannot be combined.

    Attributes
    ----------
    reason, remedy : str
        The end of a sentence that names both; what to do instead.
    when : callable or None
        Of the settings and the estimator: whether it holds, if not always.
    """

    reason: str
    remedy: str
    when: Callable | None = None


@dataclass(frozen=True)
class Regularizer:
    """One parameter that regularizes.

    Attributes
    ----------
    name : str
        The parameter.
    acts : callable
        Of the settings and the estimator: whether it does anything.
    refused_by : dict
        `Refusal` by what refuses it.
    """

    name: str
    acts: Callable
    refused_by: dict = field(default_factory=dict)


@dataclass(frozen=True)
class Penalty(Regularizer):
    """A term of the objective.

    Attributes
    ----------
    norm : callable or None
        Of one matrix, which a strength of its own multiplies.
    value : callable or None
        Of the settings and the network, where there is one strength for all.
    path_span : float
        Smallest strength of a path's grid, relative to the largest.
    makes_zeros : bool
        Whether weights become exactly 0.
    zeroing : callable or None
        Of G = dF/dW at W = 0, (n_features, n_outputs), and the settings: the least
        strength with which W = 0 is optimal.
    """

    norm: Callable | None = None
    value: Callable | None = None
    path_span: float = 1e-3
    makes_zeros: bool = True
    zeroing: Callable | None = None

    def largest(self, settings):
        """The largest strength of all weights."""
        return float(np.max(getattr(settings, self.name)))

    def with_strength(self, settings, strength):
        """Settings with one strength everywhere."""
        if self.norm is not None:
            strength = [strength] * len(getattr(settings, self.name))
        return replace(settings, **{self.name: strength})


# ---------------------------------------------------------------------------- values


def l1_norm(W):
    """Sum |w|."""
    return float(np.abs(W).sum(dtype=np.float64))


def half_square(W):
    """||W||_F^2 / 2."""
    return float(np.square(W).sum(dtype=np.float64)) / 2


def group_lasso(settings, network):
    """sum_g sqrt(m_g) ||W_g||, over W_0 and theta; under a hierarchy, over theta."""
    if not settings.group_l1:
        return 0.0
    matrices = network.matrices()
    outgoing = [matrices[0]] if settings.hierarchy is None else []
    if network.skip:
        outgoing.append(matrices[-1])
    return settings.group_l1 * settings.feature_groups.penalty(*outgoing)


def penalty_of(settings, network):
    """The sum of all penalties, for the network's weights now."""
    total = 0.0
    for penalty in PENALTIES.values():
        if penalty.norm is None:
            total += penalty.value(settings, network)
    for l, W in enumerate(network.matrices()):
        for term in terms_of_matrix(settings, l, W):
            total += term
    return total


def terms_of_matrix(settings, l, W):
    """The penalties of one matrix, or another in its place, by the l-th strengths."""
    for penalty in PENALTIES.values():
        strength = 0.0 if penalty.norm is None else getattr(settings, penalty.name)[l]
        if strength:
            yield strength * penalty.norm(W)


# ------------------------------------------------------------------ largest strengths


def zeroing_l1(G, settings):
    """Where |dF/dw| <= l1 everywhere."""
    return float(np.abs(G).max())


def zeroing_groups(G, settings):
    """Where ||S(G_g, l1)|| <= group_l1 sqrt(m_g), S being the soft threshold.

    l1 is what stays beside it (Simon et al. 2013).
    """
    beyond = np.maximum(np.abs(G) - settings.l1[0], 0)
    unit = power_of_two(beyond.max())
    groups = settings.feature_groups
    squares = np.square(beyond / unit).sum(axis=1)[groups.features]
    sizes = np.diff(groups.starts) * G.shape[1]
    means = np.add.reduceat(squares, groups.starts[:-1]) / sizes
    return float(np.sqrt(means).max() * unit)


# --------------------------------------------------------------------------- entries


def tuned(name):
    """Whether a strength tunes itself."""
    return lambda settings, estimator: name in settings.tuned


NO_STEP_OF_ITS_OWN = (
    "weights that are a scale times others have no step of their own that it could act "
    "on"
)
OF_WHOLE_MATRICES = (
    "strengths tune themselves by the gradient of a whole matrix, and here penalties "
    "act on its factors"
)
OF_STEPS = "it belongs to the steps of a stochastic solver"
OF_X_AS_GIVEN = "the latter is about X as it is given"
NO_RANDOMNESS = "it minimises an objective without randomness"


def bounds_hidden_weights(settings, estimator):
    """Whether the hierarchy bounds anything."""
    return settings.hierarchy is not None and settings.hierarchy < np.inf


PENALTIES = {
    penalty.name: penalty
    for penalty in [
        Penalty(
            "l1",
            lambda settings, estimator: any(settings.l1),
            {
                FEATURE_SCALING: Refusal(
                    NO_STEP_OF_ITS_OWN, "l1=0", lambda settings, _: settings.l1[0] > 0
                ),
                LORA: Refusal(OF_WHOLE_MATRICES, "Give l1 a number", tuned("l1")),
            },
            norm=l1_norm,
            zeroing=zeroing_l1,
        ),
        Penalty(
            "l2",
            lambda settings, estimator: any(settings.l2),
            {
                FEATURE_SCALING: Refusal(
                    NO_STEP_OF_ITS_OWN, "l2 to a number", tuned("l2")
                ),
                LORA: Refusal(OF_WHOLE_MATRICES, "Give l2 a number", tuned("l2")),
            },
            norm=half_square,
            path_span=1e-8,
            makes_zeros=False,
        ),
        Penalty(
            "group_l1",
            lambda settings, estimator: settings.group_l1 > 0,
            {
                LBFGS: Refusal(
                    "the norm of a group has no derivative at zero, and unlike that of "
                    "l1 it does not split into two smooth parts",
                    "set group_l1=0",
                ),
                FEATURE_SCALING: Refusal(NO_STEP_OF_ITS_OWN, "group_l1=0"),
                LORA: Refusal(
                    "features drop out by steps of the weights themselves, and here "
                    "factors take the steps",
                    "Pass group_l1=0",
                ),
            },
            value=group_lasso,
            zeroing=zeroing_groups,
        ),
    ]
}

OTHERS = [
    Regularizer(
        "dropout",
        lambda settings, estimator: any(settings.dropout),
        {LBFGS: Refusal(NO_RANDOMNESS, "set dropout=0")},
    ),
    Regularizer(
        "input_dropout",
        lambda settings, estimator: settings.input_dropout > 0,
        {LBFGS: Refusal(NO_RANDOMNESS, "set input_dropout=0")},
    ),
    Regularizer(
        "hierarchy",
        bounds_hidden_weights,
        {
            LBFGS: Refusal(
                "its bounds are numbers, and not norms of other weights",
                "set hierarchy=None",
            ),
            FEATURE_SCALING: Refusal(NO_STEP_OF_ITS_OWN, "hierarchy=None"),
            LORA: Refusal(
                "its bound is kept by steps of the weights themselves, and here "
                "factors take the steps",
                "Pass hierarchy=None",
            ),
        },
    ),
    Regularizer(
        "max_norm",
        lambda settings, estimator: min(settings.max_norm) < np.inf,
        {
            LBFGS: Refusal(OF_STEPS, "set max_norm=None"),
            FEATURE_SCALING: Refusal(
                NO_STEP_OF_ITS_OWN,
                "max_norm=None",
                lambda settings, _: settings.max_norm[0] < np.inf,
            ),
            LORA: Refusal(
                "weights that were cut back to the bound would no longer be the old "
                "ones plus a product",
                "Pass max_norm=None",
            ),
        },
    ),
    Regularizer(
        "max_grad_norm",
        lambda settings, estimator: settings.max_grad_norm < np.inf,
        {LBFGS: Refusal(OF_STEPS, "set max_grad_norm=None")},
    ),
    Regularizer(
        "weight_averaging",
        lambda settings, estimator: settings.averaging is not None,
        {
            LBFGS: Refusal(OF_STEPS, "set weight_averaging=None"),
            LORA: Refusal(
                "the average of products of low rank has a higher rank",
                "Pass weight_averaging=None",
            ),
        },
    ),
    Regularizer(
        "adversarial",
        lambda settings, estimator: settings.attack is not None,
        {
            LBFGS: Refusal(OF_STEPS, "set adversarial=None"),
            PREPROCESSING: Refusal(OF_X_AS_GIVEN, "adversarial=None"),
        },
    ),
    Regularizer(
        "augmentation",
        lambda settings, estimator: settings.row_functions or settings.augmentation,
        {
            LBFGS: Refusal(NO_RANDOMNESS, "set augmentation=None"),
            PREPROCESSING: Refusal(
                OF_X_AS_GIVEN,
                "augmentation=None",
                lambda settings, _: settings.augmentation,
            ),
        },
    ),
    Regularizer(
        "weight_decay",
        lambda settings, estimator: settings.weight_decay > 0,
        {
            LBFGS: Refusal(
                "it belongs to a step and not to the objective",
                "set weight_decay=0 and use l2",
            )
        },
    ),
    *(
        Regularizer(
            name,
            lambda settings, estimator, name=name: getattr(estimator, name) is not None,
            {
                LBFGS: Refusal(
                    "it has neither dropout nor weight decay", f"set {name}=None"
                )
            },
        )
        for name in ("dropout_schedule", "weight_decay_schedule")
    ),
    Regularizer(
        "early_stopping",
        lambda settings, estimator: estimator.early_stopping,
        {
            LBFGS: Refusal(
                "its iterations are not epochs",
                "set early_stopping=False and search over l2 or l1",
            )
        },
    ),
]

# One strength for each weight matrix.
BY_MATRIX = [name for name, penalty in PENALTIES.items() if penalty.norm is not None]
REGULARIZERS = [*PENALTIES.values(), *OTHERS]


def refuse(by, estimator, settings, sentence):
    """Refuse the first regularizer in use that something cannot have.

    Parameters
    ----------
    by : str
        A key of ``refused_by``.
    sentence : callable
        Of "name=value", the reason and the remedy: the error's text.

    Raises
    ------
    ValueError
    """
    for regularizer in REGULARIZERS:
        refusal = regularizer.refused_by.get(by)
        if refusal is None:
            continue
        if (refusal.when or regularizer.acts)(settings, estimator):
            given = f"{regularizer.name}={getattr(estimator, regularizer.name)!r}"
            raise ValueError(sentence(given, refusal.reason, refusal.remedy))
