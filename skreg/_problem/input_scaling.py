"""The scale on which a network reads dense X: robust, with short tails.

X itself stays as it is. The kernels scale the rows of a batch where they copy them to:
see ``_kernels/input_scaling.pxd``, which has the formula.
"""

import math
import warnings
from dataclasses import dataclass

import numpy as np
from sklearn.exceptions import DataConversionWarning

# Rows that quantiles are taken of, evenly spaced, and numbers sorted at a time.
MOST_ROWS, SORTED = 50_000, 2**20
# Features and numbers up to which sparse X is read as a dense copy by itself: the first
# layer costs little more than the others, and float32 half a gigabyte at most.
MOST_DENSE_FEATURES, MOST_DENSE = 512, 2**27
# Where the logarithm begins, and where z ends, as in the kernels.
BEND, FAR = 3.0, 1e9
# The largest |x| that is read.
BOUND = BEND * float(np.arcsinh(FAR / BEND))


def preprocessing_of(network):
    """The value of the parameter that makes such a network."""
    # sparse weights that an older version has made have none
    return "robust" if getattr(network, "scaling", None) is not None else None


def is_narrow(X):
    """Whether sparse X costs little as a dense copy, in time and in memory."""
    # of any other number of axes it is refused where it is read
    n_features = X.shape[-1]
    return n_features <= MOST_DENSE_FEATURES and math.prod(X.shape) <= MOST_DENSE


def densely(X):
    """Sparse X as an array.

    Raises
    ------
    ValueError
        If it would be large.
    """
    if math.prod(X.shape) > MOST_DENSE:
        raise ValueError(
            "preprocessing='robust' leaves no zeros in sparse X and reads a dense copy "
            f"of it, of at most {MOST_DENSE} numbers; got X of shape {X.shape}. Scale "
            "X before, for example with MaxAbsScaler, and set preprocessing=None."
        )
    return X.toarray()


def refuse_constants(scaling):
    """Raise ValueError where a feature is constant in the first rows of many.

    They say for good how X is read.
    """
    constant = np.flatnonzero(scaling.factor == 0)
    if len(constant):
        others = f" and {len(constant) - 1} more" if len(constant) > 1 else ""
        raise ValueError(
            "preprocessing='robust' scales X by the rows of the first call of "
            f"partial_fit, in which feature {constant[0]}{others} is constant: the "
            "network would never read it. Pass more rows in the first call, or set "
            "preprocessing=None and scale X before."
        )


def warn_of_unscalable(scaling, X, rows, names):
    """Warn of features that vary, but by too little or too much to be scaled.

    Parameters
    ----------
    scaling : InputScaling
    X : ndarray
    rows : ndarray of intp or None
        Those that count.
    names : ndarray of str or None
        Of the features.

    Warns
    -----
    DataConversionWarning
    """
    for j in np.flatnonzero(scaling.factor == 0):
        values = X[:, j] if rows is None else X[rows, j]
        if values.min() < values.max():
            warnings.warn(
                f"Feature {j if names is None else repr(str(names[j]))} lies between "
                f"{values.min():g} and {values.max():g}: no {X.dtype} scales that to "
                "numbers near one, and the network does not read it. Multiply it by a "
                "power of ten, or set dtype='float64'.",
                DataConversionWarning,
                stacklevel=2,
            )
            return


@dataclass(frozen=True)
class InputScaling:
    """Centres and factors of the features.

    Attributes
    ----------
    centre : ndarray of shape (n_features,), of X's dtype
        Median; of a feature of two values the smaller.
    factor : ndarray of shape (n_features,), of X's dtype
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
        # finite, so that a factor of zero makes it zero
        largest = np.finfo(np.float64).max
        with np.errstate(over="ignore"):
            z = np.clip(X.astype(np.float64) - self.centre, -largest, largest)
            z = np.clip(z * self.factor, -FAR, FAR)
        return (BEND * np.arcsinh(z / BEND)).astype(X.dtype)


def centres_and_factors(X):
    """Those of a few features, (n_rows, n_features)."""
    dtype = X.dtype
    X = X.astype(np.float64)
    low, first, median, third, high = np.quantile(X, [0, 0.25, 0.5, 0.75, 1], axis=0)
    binary = ((low == X) | (high == X)).all(axis=0)
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        distance, span = third - first, high - low
        factor = np.where(distance > 0, 1 / distance, 2 / span)
        factor = np.where(binary, 1 / span, factor)
        # as the kernels have them, so that all that read X read the same
        centre = np.where(binary, low, median).astype(dtype)
        factor = factor.astype(dtype)
    # what varies by almost nothing, or more than all numbers, says nothing
    usual = np.isfinite(factor) & (factor >= np.finfo(dtype).smallest_normal)
    return centre, np.where(usual, factor, 0)
