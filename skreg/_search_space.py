"""A search space of all regularizers together, for scikit-learn's random searches."""

from dataclasses import dataclass
from math import log2
from numbers import Integral

from scipy.stats import loguniform, uniform
from sklearn.utils import check_random_state

from skreg.schedules import OneCycle

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
        Each maps parameters to lists or to distributions, for one number of hidden
        layers (1 to 3) and one way to disturb the rows: one of the augmentations,
        adversarial training, or none. A search takes one of the dicts at random, each
        with the same probability, and draws from it; so those with none are repeated.

    Raises
    ------
    ValueError
        If ``task`` or a size is out of range.

    Notes
    -----
    ``max_iter`` is not in the space: set it on the estimator, at 50 to 200, or let
    `HalvingRandomSearchCV` use it as its resource. What may be off is off in half of
    the draws.

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
        "l1": Sometimes(loguniform(1e-6, 1e-2)),
        "l2": Sometimes(loguniform(1e-6, 1e-1)),
        "weight_decay": Sometimes(loguniform(1e-3, 3.0)),
        "input_dropout": Sometimes(uniform(0.0, 0.3)),
        "max_norm": Sometimes(loguniform(0.5, 8.0), off=None),
        "max_grad_norm": Sometimes(loguniform(0.1, 10.0), off=None),
        "batch_norm": [False, True],
        "weight_averaging": [None, "ema", "swa"],
    }
    if task == "classification":
        everywhere["label_smoothing"] = Sometimes(uniform(0.0, 0.2))
    space = []
    for depth in DEPTHS:
        of_depth = {
            "hidden_layer_sizes": [
                (width,) * depth for width in widths(n_samples, n_features)
            ],
            "dropout": DropoutRates(depth, uniform(0.0, 0.8)),
            # around a layer between two others of its width
            "residual": [False, True] if depth > 1 else [False],
        }
        for disturbance in disturbances():
            parameters = everywhere | of_depth | disturbance
            space.append({prefix + name: of for name, of in parameters.items()})
    return space


def disturbances():
    """The ways to disturb the rows, one of which a draw has; half of them is none."""
    from skreg.adversarial import AdversarialTraining
    from skreg.augmentation import CutMix, FeatureMasking, GaussianNoise, Mixup

    plain = {"augmentation": [None], "adversarial": [None]}
    yield from [plain] * 5
    for augmentation, settings in [
        (Mixup(), {"alpha": uniform(0.05, 0.95)}),
        (CutMix(), {"alpha": uniform(0.05, 0.95)}),
        (FeatureMasking(), {"rate": uniform(0.02, 0.48)}),
        (GaussianNoise(), {"scale": loguniform(0.01, 0.5)}),
    ]:
        nested = {f"augmentation__{name}": of for name, of in settings.items()}
        yield plain | {"augmentation": [augmentation]} | nested
    yield plain | {
        "adversarial": [AdversarialTraining()],
        "adversarial__epsilon": loguniform(1e-3, 0.1),
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
class DropoutRates:
    """Distribution of rates by layer: off in half of the draws, else of some shape.

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
        if random_state.uniform() < 0.5:
            return [0.0] * self.n_layers
        highest = float(self.highest.rvs(random_state=random_state))
        shares = [(layer + 1) / self.n_layers for layer in range(self.n_layers)]
        shape = random_state.randint(3)
        if shape == 0:
            shares = [1.0] * self.n_layers
        elif shape == 1:
            shares = shares[::-1]
        return [highest * share for share in shares]
