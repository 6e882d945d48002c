"""Means and spreads of the features, block by block: X is never copied as a whole."""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from skreg._problem.blas import one_blas_thread

# Numbers of X that are taken at a time.
BLOCK_ENTRIES = 2**15

# Of sparse X: a spread below so many units in the last place of the mean is rounding.
ROUNDING = 10


@dataclass(frozen=True)
class Moments:
    """Weighted means and standard deviations of the features in the rows in use.

    Attributes
    ----------
    mean, spread : ndarray of shape (n_features,), float64
        The spread of a constant feature is exactly 0.
    stored : ndarray of bool of shape (n_features,)
        Whether every row holds a number of its own for the feature: always in dense X.
        In sparse X a number that is not stored is a zero that nothing can be
        subtracted from.
    """

    mean: np.ndarray
    spread: np.ndarray
    stored: np.ndarray

    @classmethod
    def of(cls, data):
        """Those of a `Data` of the kernels."""
        shares = np.ones(len(data)) if data.weights is None else data.weights
        if data.weights is not None and data.subset is not None:
            shares = shares[data.subset]
        shares = shares.astype(np.float64)
        shares /= shares.sum()
        # a product of BLAS depends on its threads, the moments must not
        with one_blas_thread():
            return (sparse_moments if sparse.issparse(data.X) else dense_moments)(
                data, shares
            )


def parts(data, n_rows):
    """Places among the rows in use, so many at a time."""
    for start in range(0, len(data), n_rows):
        yield slice(start, min(start + n_rows, len(data)))


def dense_moments(data, shares):
    """Two passes: deviations are from the mean, in units of the range."""
    mean = np.zeros(data.X.shape[1])
    low, high = np.full((2, mean.size), np.inf) * [[1], [-1]]

    def blocks():
        for part in parts(data, max(1, BLOCK_ENTRIES // mean.size)):
            yield data.X[part if data.subset is None else data.subset[part]], part

    for X, part in blocks():
        mean += shares[part] @ X.astype(np.float64, copy=False)
        np.minimum(low, X.min(axis=0), out=low)
        np.maximum(high, X.max(axis=0), out=high)
    mean = np.clip(mean, low, high)
    with np.errstate(over="ignore"):
        unit = np.minimum(high - low, np.finfo(np.float64).max)
    # squares of tiny or huge numbers would leave the range of float64, as would the
    # inverse of a subnormal one
    divisor = np.where(unit == 0, np.inf, unit)
    squares = np.zeros_like(mean)
    for X, part in blocks():
        deviation = X - mean
        deviation /= divisor
        squares += shares[part] @ np.square(deviation, out=deviation)
    return Moments(mean, np.sqrt(squares) * unit, np.ones(mean.size, dtype=bool))


def sparse_moments(data, shares):
    """The same by the numbers that are stored, in units of the largest."""
    X, n_features = data.X, data.X.shape[1]
    # np.abs would be a copy of all of them
    unit = float(max(X.data.max(initial=0), -X.data.min(initial=0))) or 1.0
    starts, lengths = X.indptr[:-1].astype(np.intp), np.diff(X.indptr).astype(np.intp)
    n_rows = max(1, BLOCK_ENTRIES * len(lengths) // max(1, len(X.data)))

    def entries():
        """(Columns, values in that unit, places among the rows in use)."""
        for part in parts(data, n_rows):
            rows = part if data.subset is None else data.subset[part]
            ends = np.cumsum(lengths[rows])
            first = starts[rows] - ends + lengths[rows]
            at = np.repeat(first, lengths[rows]) + np.arange(ends[-1])
            place = np.repeat(np.arange(part.start, part.stop), lengths[rows])
            yield X.indices[at], X.data[at].astype(np.float64) / unit, place

    def by_column(columns, values):
        return np.bincount(columns, values, minlength=n_features)

    mean, stored_share, count = np.zeros((3, n_features))
    for columns, values, place in entries():
        mean += by_column(columns, shares[place] * values)
        stored_share += by_column(columns, shares[place])
        count += by_column(columns, np.ones(len(columns)))
    stored = count == len(data)
    # what rounding leaves of 1 would count in a feature far from zero
    squares = np.where(stored, 0, 1 - stored_share) * mean**2
    for columns, values, place in entries():
        squares += by_column(columns, shares[place] * (values - mean[columns]) ** 2)
        # an entry that is given twice stands for a sum: its column lacks another
        full = stored[columns]
        pairs = place[full] * n_features + columns[full]
        if len(np.unique(pairs)) < len(pairs):
            stored[:] = False
    # an entry that is given twice counts twice, and may leave less than nothing
    spread = np.sqrt(np.maximum(squares, 0))
    spread[spread <= ROUNDING * np.finfo(np.float64).eps * np.abs(mean)] = 0
    return Moments(mean * unit, spread * unit, stored)
