"""A search space of the regularizers together, for scikit-learn's random searches."""

from dataclasses import dataclass
from itertools import product
from math import log2
from numbers import Integral

import numpy as np
from scipy.stats import loguniform
from sklearn.utils import check_random_state

from skreg._problem.strengths import STRENGTHS
from skreg.schedules import (
    CurriculumDropout,
    EarlyDropout,
    FlatThenCosine,
    Linear,
    OneCycle,
)

TASKS = ("classification", "regression")

# Hidden layers are of these numbers, all of one width.
DEPTHS = (1, 2, 3)


def search_space(task, n_samples, n_features, *, prefix=""):
    """Distributions of all regularizers together, a cocktail to draw from.

    After Kadra et al. (2021): no single regularizer helps on all tables, but a random
    search over which of them to use, and how strongly, finds a mixture for each. The
    result is what `RandomizedSearchCV` and `HalvingRandomSearchCV` take as
    ``param_distributions``. Every draw is a valid combination.

    Parameters
    ----------
    task : {"classification", "regression"}
        Label smoothing is for classification only.
    n_samples, n_features : int
        Shape of X. Widths grow with the square root of ``n_samples`` and with
        ``n_features``; batches with ``n_samples``.
    prefix : str, default=""
        What stands before the names: ``"regularizedmlpclassifier__"`` for the last
        step of ``make_pipeline``.

    Returns
    -------
    space : list of dict
        Each maps parameters to lists or to distributions, and stands for one choice
        of what excludes or needs each other: the number of hidden layers (1 to 3); a
        linear connection, with or without its hierarchy, or none; dropout and weight
        decay, each on or off; one way to disturb the rows (one of the augmentations,
        adversarial training) or none. A search takes one of the dicts at random, each
        with the same probability, and draws from it; so some are repeated.

    Raises
    ------
    ValueError
        If ``task`` or a size is out of range.

    Notes
    -----
    ``max_iter`` is not in the space: set it on the estimator, at 50 to 200, or let
    `HalvingRandomSearchCV` use it as its resource. Nor is what needs to be known of
    the data: ``feature_groups`` and the augmentations of images; nor what ends or
    tunes a fit by itself: ``early_stopping`` and strengths that are ``"auto"``.

    A regularizer is off in half of the draws or more. The exceptions are
    ``weight_averaging``, off in a third, and ``group_l1``, off in three of eight: the
    hierarchy needs it. Ranges are those of the table of all regularizers in the user
    guide.

    References
    ----------
    Kadra, Lindauer, Hutter, Grabocka (2021). Well-tuned simple nets excel on tabular
    datasets. NeurIPS 34.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.model_selection import RandomizedSearchCV
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skreg import RegularizedMLPRegressor, search_space
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = make_pipeline(
    ...     StandardScaler(), RegularizedMLPRegressor(max_iter=20, random_state=0)
    ... )
    >>> space = search_space("regression", *X.shape, prefix="regularizedmlpregressor__")
    >>> search = RandomizedSearchCV(model, space, n_iter=5, cv=3, random_state=0)
    >>> search.fit(X, y).best_score_ > 0.2
    np.True_
    """
    if task not in TASKS:
        raise ValueError(f"task must be one of {TASKS}; got {task!r}.")
    for name, value in [("n_samples", n_samples), ("n_features", n_features)]:
        if not isinstance(value, Integral) or value < 1:
            raise ValueError(f"{name} must be a whole number >= 1; got {value!r}.")
    everywhere = {
        "solver": ["adam"],
        "activation": ["relu", "gelu", "selu"],
        "batch_size": batch_sizes(n_samples),
        "learning_rate": ["cosine", "flat_cosine", "one_cycle", OneCycle(rise=0.1)],
        "learning_rate_init": loguniform(5e-4, 2e-2),
        "l2": sometimes("l2"),
        "input_dropout": sometimes("input_dropout"),
        "max_grad_norm": sometimes("max_grad_norm", off=None),
        "batch_norm": [False, True],
        "weight_averaging": [None, "ema", "swa"],
    }
    if task == "classification":
        everywhere["label_smoothing"] = sometimes("label_smoothing")
    space = []
    for depth in DEPTHS:
        of_depth = {
            "hidden_layer_sizes": [
                (width,) * depth for width in widths(n_samples, n_features)
            ],
            # around a layer between two others of its width
            "residual": [False, True] if depth > 1 else [False],
        }
        for choices in product(
            linear_connections(depth), dropouts(depth), decays(), disturbances()
        ):
            parameters = everywhere | of_depth
            for choice in choices:
                parameters = parameters | choice
            space.append({prefix + name: of for name, of in parameters.items()})
    return space


def sometimes(name, off=0.0):
    """A strength that is off in half of the draws."""
    return Sometimes(STRENGTHS[name].distribution(), off)


def linear_connections(depth):
    """With and without `skip`, and with what its hierarchy excludes left out.

    The hierarchy and `l1` on the weights that it binds exclude each other, and so do
    the hierarchy and `max_norm` on the linear weights: see
    `skreg._problem.parameters.check_hierarchy`.
    """
    free = {
        "hierarchy": [None],
        "l1": sometimes("l1"),
        "group_l1": sometimes("group_l1"),
        "max_norm": sometimes("max_norm", off=None),
    }
    yield from [free | {"skip": [False]}] * 2
    yield free | {"skip": [True]}
    yield {
        "skip": [True],
        "hierarchy": STRENGTHS["hierarchy"].distribution(),
        "l1": PerMatrix([0.0, *[None] * depth, 0.0], sometimes("l1")),
        "group_l1": STRENGTHS["hierarchy group_l1"].distribution(),
        "max_norm": PerMatrix(
            [*[None] * (depth + 1), np.inf], sometimes("max_norm", off=np.inf)
        ),
    }


def dropouts(depth):
    """Dropout off, or on: only then has a schedule of it something to act on."""
    yield {
        "dropout": [[0.0] * depth],
        "dropout_schedule": [None],
    }
    yield {
        "dropout": DropoutRates(depth, STRENGTHS["dropout"].distribution()),
        "dropout_schedule": [None, None, CurriculumDropout(), EarlyDropout()],
    }


def decays():
    """Weight decay off, or on: only then has a schedule of it something to act on."""
    yield {"weight_decay": [0.0], "weight_decay_schedule": [None]}
    yield {
        "weight_decay": STRENGTHS["weight_decay"].distribution(),
        "weight_decay_schedule": [
            None,
            None,
            None,
            Linear(1.0, 0.0),
            Linear(0.0, 1.0),
            FlatThenCosine(),
        ],
    }


def disturbances():
    """The ways to disturb the rows, one of which a draw has; half of them is none."""
    from skreg.adversarial import AdversarialTraining
    from skreg.augmentation import (
        CutMix,
        FeatureMasking,
        FeatureScaling,
        GaussianNoise,
        Mixup,
    )

    plain = {"augmentation": [None], "adversarial": [None]}
    yield from [plain] * 6
    for augmentation, name in [
        (Mixup(), "alpha"),
        (CutMix(), "alpha"),
        (FeatureMasking(), "rate"),
        (FeatureScaling(), "scale"),
        (GaussianNoise(), "scale"),
    ]:
        strength = STRENGTHS[f"{type(augmentation).__name__} {name}"]
        yield plain | {
            "augmentation": [augmentation],
            f"augmentation__{name}": strength.distribution(),
        }
    yield plain | {
        "adversarial": [AdversarialTraining()],
        "adversarial__epsilon": STRENGTHS["AdversarialTraining epsilon"].distribution(),
    }


def widths(n_samples, n_features):
    """Three powers of two; the largest is between 64 and 512."""
    largest = min(max(4 * n_samples**0.5, n_features / 2, 64), 512)
    largest = power_of_two(largest)
    return [largest // 4, largest // 2, largest]


def batch_sizes(n_samples):
    """Powers of two from 16 to 512, with which an epoch has some 20 to 80 steps."""
    middle = power_of_two(min(max(n_samples / 40, 16), 256))
    return sorted({max(middle // 2, 16), middle, 2 * middle})


def power_of_two(number):
    """The one next to a number >= 1, by ratio."""
    return 2 ** round(log2(number))


@dataclass
class Sometimes:
    """A distribution of scikit-learn's searches: half of its draws are `off`.

    Attributes
    ----------
    of : distribution
        Of the other half.
    off : float or None, default=0.0
    """

    of: object
    off: float | None = 0.0

    def rvs(self, random_state=None):
        """Draw once."""
        random_state = check_random_state(random_state)
        if random_state.uniform() < 0.5:
            return self.off
        return float(self.of.rvs(random_state=random_state))


@dataclass
class PerMatrix:
    """Distribution of strengths with one per weight matrix: one draw, and fixed ones.

    Attributes
    ----------
    fixed : list of float or None
        None where the draw goes.
    of : distribution
    """

    fixed: list
    of: object

    def rvs(self, random_state=None):
        """Draw once: a list as long as `fixed`."""
        drawn = self.of.rvs(random_state=random_state)
        return [drawn if value is None else value for value in self.fixed]


@dataclass
class DropoutRates:
    """Distribution of rates by layer, of some shape.

    The highest rate is drawn first, then its shape over the layers: the same for all,
    rising to the last layer or falling from the first, by equal amounts from 0.

    Attributes
    ----------
    n_layers : int
    highest : distribution
        Of the highest rate.
    """

    n_layers: int
    highest: object

    def rvs(self, random_state=None):
        """Draw once: a list of `n_layers` rates."""
        random_state = check_random_state(random_state)
        highest = float(self.highest.rvs(random_state=random_state))
        shares = [(layer + 1) / self.n_layers for layer in range(self.n_layers)]
        shape = random_state.randint(3)
        if shape == 0:
            shares = [1.0] * self.n_layers
        elif shape == 1:
            shares = shares[::-1]
        return [highest * share for share in shares]
