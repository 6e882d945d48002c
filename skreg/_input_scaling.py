"""The scale on which a network reads dense X: robust, and clipped smoothly.

X itself stays as it is. The kernels scale the rows of a batch where they copy them to:
see ``_kernels/input_scaling.pxd``, which has the formula.
"""

from dataclasses import dataclass

import numpy as np

# Rows that quantiles are taken of, evenly spaced, and numbers sorted at a time.
MOST_ROWS, SORTED = 50_000, 2**20
# What is read is between minus this and this.
BOUND = 3.0


def preprocessing_of(network):
    """The value of the parameter that makes such a network."""
    # sparse weights that an older version has made have none
    return "robust" if getattr(network, "scaling", None) is not None else None


@dataclass(frozen=True)
class InputScaling:
    """Centres and factors of the features.

    Attributes
    ----------
    centre : ndarray of shape (n_features,), float64
        Median; of a feature of two values the smaller.
    factor : ndarray of shape (n_features,), float64
        One over the distance between the quartiles. Where these are equal it is two
        over the range, and one over it for a feature of two values, so that zeros and
        ones stay what they are. 0 for a constant.
    """

    centre: np.ndarray
    factor: np.ndarray

    @classmethod
    def of(cls, X, rows=None):
        """That of dense X, (n, n_features), or of some of its rows.

        Parameters
        ----------
        X : ndarray
        rows : ndarray of intp or None
            The rows that count; None: all.
        """
        n = X.shape[0] if rows is None else len(rows)
        sample = np.unique(np.linspace(0, n - 1, min(n, MOST_ROWS)).astype(np.intp))
        sample = sample if rows is None else rows[sample]
        step = max(1, SORTED // len(sample))
        parts = [
            centres_and_factors(X[sample, start : start + step])
            for start in range(0, X.shape[1], step)
        ]
        return cls(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))

    def of_features(self, features):
        """That of some features."""
        return InputScaling(self.centre[features], self.factor[features])

    def transform(self, X):
        """X as the network reads it; a copy."""
        z = (X.astype(np.float64) - self.centre) * self.factor
        return (z / np.sqrt(1 + np.square(z / BOUND))).astype(X.dtype)


def centres_and_factors(X):
    """Those of a few features, (n_rows, n_features)."""
    largest = np.finfo(X.dtype).max
    X = X.astype(np.float64)
    low, first, median, third, high = np.quantile(X, [0, 0.25, 0.5, 0.75, 1], axis=0)
    binary = ((low == X) | (high == X)).all(axis=0)
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        distance, span = third - first, high - low
        factor = np.where(distance > 0, 1 / distance, 2 / span)
        factor = np.where(binary, 1 / span, factor)
    # what varies by less than one over the largest number says nothing, nor does what
    # varies by more than that
    factor[~((factor > 0) & (factor <= largest))] = 0.0
    return np.where(binary, low, median), factor
