"""How strong each regularizer may usefully be: the one list of ranges and grids.

`search_space` draws from the ranges, ``skreg compare`` and the benchmark of small
samples search the grids, and the guide's tables print both. Strengths are for features
of mean 0 and variance 1, and for regression for a target of variance 1, which
``standardize_target=True`` makes.
"""

from dataclasses import dataclass

from scipy.stats import loguniform, uniform


@dataclass(frozen=True)
class Strength:
    """Values of one parameter that are worth a search.

    Attributes
    ----------
    low, high : float
        The range outside of which a search need not look.
    grid : tuple of float
        What a grid search tries first, whatever the number of rows.
    few_rows : tuple of float
        What the benchmark of small samples tried, with 500 rows to train on.
    times_rows : tuple of float
        With n rows, this divided by n: the strengths of a penalty that has the less
        to bear the more rows there are, as with the `alpha` of Ridge. Empty where a
        strength does not depend on n.
    linear : bool, default=False
        Whether the range is even on the plain scale, as of rates; otherwise on the
        logarithmic one.
    """

    low: float
    high: float
    grid: tuple
    few_rows: tuple = ()
    times_rows: tuple = ()
    linear: bool = False

    def distribution(self):
        """The range as a distribution of scikit-learn's random searches."""
        if self.linear:
            return uniform(self.low, self.high - self.low)
        return loguniform(self.low, self.high)

    def for_rows(self, n):
        """A grid for n rows, as a list; nothing in it is beyond the range."""
        values = [value / n for value in self.times_rows] or self.grid
        return sorted({min(max(value, self.low), self.high) for value in values})


# Where `l1="auto"` and `l2="auto"` begin.
START = {"l1": 1e-5, "l2": 1e-4}

STRENGTHS = {
    "l1": Strength(
        1e-6,
        3e-2,
        grid=(1e-4, 1e-3, 1e-2),
        few_rows=(3e-4, 2e-3, 1e-2),
        times_rows=(0.3, 3, 10),
    ),
    "l2": Strength(
        1e-6,
        0.3,
        grid=(1e-4, 1e-3, 1e-2, 1e-1),
        few_rows=(3e-3, 3e-2, 3e-1),
        times_rows=(1, 10, 100),
    ),
    "group_l1": Strength(
        1e-4, 0.1, grid=(1e-3, 1e-2, 1e-1), few_rows=(1e-3, 1e-2, 5e-2)
    ),
    # The bound of LassoNet, and the penalty of the weights that carry it.
    "hierarchy": Strength(0.1, 100.0, grid=(10.0,)),
    "hierarchy group_l1": Strength(
        1e-2, 10.0, grid=(1e-2, 1e-1, 1.0), few_rows=(1e-2, 1e-1, 1.0)
    ),
    "weight_decay": Strength(
        1e-3, 10.0, grid=(0.03, 0.1, 0.3, 1.0), few_rows=(0.3, 2.0, 10.0)
    ),
    "dropout": Strength(
        0.0, 0.8, grid=(0.1, 0.3, 0.5), few_rows=(0.2, 0.5, 0.8), linear=True
    ),
    "input_dropout": Strength(
        0.0, 0.6, grid=(0.1, 0.2), few_rows=(0.1, 0.3, 0.6), linear=True
    ),
    "max_norm": Strength(0.3, 8.0, grid=(1.0, 2.0, 4.0), few_rows=(0.3, 0.7, 1.5)),
    "max_grad_norm": Strength(0.1, 10.0, grid=(1.0, 10.0)),
    "label_smoothing": Strength(
        0.0, 0.4, grid=(0.05, 0.1), few_rows=(0.05, 0.15, 0.4), linear=True
    ),
    "ExponentialMovingAverage decay": Strength(0.9, 0.9999, grid=(0.99, 0.999)),
    "StochasticWeightAveraging start": Strength(
        0.5, 0.9, grid=(0.5, 0.75), linear=True
    ),
    "GaussianNoise scale": Strength(
        0.01, 1.0, grid=(0.03, 0.1), few_rows=(0.1, 0.3, 1.0)
    ),
    "FeatureScaling scale": Strength(
        0.01, 1.0, grid=(0.03, 0.1), few_rows=(0.1, 0.3, 1.0)
    ),
    "FeatureMasking rate": Strength(
        0.02, 0.6, grid=(0.1, 0.3), few_rows=(0.1, 0.3, 0.6), linear=True
    ),
    "Mixup alpha": Strength(0.05, 2.0, grid=(0.1, 0.3), few_rows=(0.1, 0.5, 2.0)),
    "CutMix alpha": Strength(0.05, 2.0, grid=(0.3, 1.0), few_rows=(0.1, 0.5, 2.0)),
    "AdversarialTraining epsilon": Strength(
        1e-3, 0.6, grid=(0.01, 0.03, 0.1), few_rows=(0.03, 0.15, 0.6)
    ),
}
