"""What fit is given, checked and brought into the form that the kernels read."""

import warnings
from dataclasses import dataclass
from numbers import Real

import numpy as np
from scipy import sparse
from sklearn.utils import check_array

# Dense and sparse X of these types is predicted from without a copy of the whole.
KEPT_DTYPES = [np.dtype(code) for code in "fde?" + np.typecodes["AllInteger"]]

# Numbers in a part of X that is converted, and the fewest rows.
PART_SIZE = 2**18
LEAST_PART_ROWS = 256

# The same of a part of which columns are taken: larger, for each part is a call of the
# kernels, and so a meeting of their threads.
GATHERED_PART_SIZE = 2**20


def check_weights(sample_weight, X, name="sample_weight"):
    """Weights in float64, or None where all are one.

    Raises
    ------
    ValueError
        If the shape does not fit, a weight is negative, or all are zero.
    """
    if sample_weight is None:
        return None
    if isinstance(sample_weight, Real):
        sample_weight = np.full(X.shape[0], float(sample_weight))
    weights = check_array(
        sample_weight, ensure_2d=False, dtype=np.float64, input_name=name
    )
    if weights.shape != (X.shape[0],):
        raise ValueError(
            f"{name} must have one value per row, shape ({X.shape[0]},); got shape "
            f"{weights.shape}."
        )
    return refuse_bad_weights(weights, name)


def refuse_bad_weights(weights, name):
    """The weights, if none is negative and not all are zero."""
    if (weights < 0).any():
        raise ValueError(
            f"{name} must not be negative; got {weights.min():g}. Use 0 to leave a "
            "row out."
        )
    if not weights.any():
        raise ValueError(
            f"{name} is zero for all {len(weights)} rows: nothing to fit. Give at "
            "least one row a positive weight."
        )
    return weights


def kernel_weights(weights, rows, dtype):
    """Weights scaled to mean 1 over the rows in use, or None where all are equal.

    With them the objective is a plain mean: sum_i s_i loss_i / sum_i s_i.
    """
    if weights is None:
        return None
    used = weights if rows is None else weights[rows]
    if (used == used[0]).all():
        return None
    return (weights / used.mean()).astype(dtype)


def used_rows(weights):
    """Rows of positive weight, or None for all rows."""
    if weights is None or weights.all():
        return None
    return np.flatnonzero(weights)


def as_csr_for_kernels(X):
    """CSR with int32 column numbers; shares all arrays where it can."""
    if X.indices.dtype == np.int32:
        return X
    shared = sparse.csr_matrix(X.shape, dtype=X.dtype)
    shared.data, shared.indptr = X.data, X.indptr
    shared.indices = X.indices.astype(np.int32)
    return shared


def take_columns(X, columns):
    """Some columns of an array or a CSR that the kernels read, as they read it."""
    if sparse.issparse(X):
        return as_csr_for_kernels(X[:, columns])
    # X[:, columns] would not be C-contiguous
    return np.take(X, columns, axis=1)


def parts_for_kernels(X, dtype, *, in_parts=False):
    """X as the kernels read it, never copied as a whole.

    Parameters
    ----------
    X : ndarray of shape (n, p), of any numeric dtype and layout, or CSR
    dtype : numpy.dtype
    in_parts : bool, default=False
        Cut X up even if all of it could be read as it is: columns are to be taken.

    Yields
    ------
    rows : slice
    part : ndarray or CSR
        These rows: all of X as it is, or else some thousand, converted if they have to
        be.
    """
    n = X.shape[0]
    if sparse.issparse(X):
        as_it_is = X.dtype == dtype and X.indices.dtype == np.int32
    else:
        as_it_is = X.dtype == dtype and X.flags.c_contiguous and X.flags.aligned
    if as_it_is and not in_parts:
        yield slice(0, n), X
        return
    size = GATHERED_PART_SIZE if in_parts else PART_SIZE
    step = max(LEAST_PART_ROWS, n * size // max(X.size, 1))
    for start in range(0, n, step):
        rows = slice(start, min(start + step, n))
        # what is too large for dtype becomes infinite, which the reader refuses
        with np.errstate(over="ignore"):
            if sparse.issparse(X):
                part = as_csr_for_kernels(X[rows].astype(dtype, copy=False))
            else:
                part = np.require(X[rows], dtype, ["C", "A"])
        yield rows, part


def writeable(array):
    """The array, or a copy where kernels cannot write to it; None stays None.

    joblib maps what it loads with ``mmap_mode="r"`` and what it hands to workers:
    read-only, and at any address.
    """
    if array is None or (array.flags.writeable and array.flags.aligned):
        return array
    return np.array(array)


def split_rows(rows, n, *, fraction, random_state, labels):
    """Rows for training and for validation.

    Parameters
    ----------
    rows : ndarray or None
        The rows in use, or None for all of range(n).
    labels : ndarray of shape (n,) or None
        Classes to stratify by.

    Raises
    ------
    ValueError
        If no row is left for training.

    Warns
    -----
    UserWarning
        If there are too few rows to keep the shares of the classes in both parts.
    """
    # imported for a split only, as in _parameters.py
    from sklearn.model_selection import train_test_split

    rows = np.arange(n) if rows is None else rows
    advice = (
        "Raise validation_fraction, pass X_val and y_val to fit, or set "
        "early_stopping=False."
    )
    n_val = int(np.ceil(fraction * len(rows)))
    if n_val >= len(rows):
        raise ValueError(
            f"validation_fraction={fraction} leaves no row for training, with "
            f"n_samples={len(rows)}. {advice}"
        )
    stratify = None
    if labels is not None:
        classes, counts = np.unique(labels[rows], return_counts=True)
        if min(n_val, len(rows) - n_val) >= len(classes) and counts.min() >= 2:
            stratify = labels[rows]
        else:
            warnings.warn(
                f"The validation split does not keep the shares of the "
                f"{len(classes)} classes: {n_val} of {len(rows)} rows are for "
                f"validation, and the smallest class has {counts.min()}. {advice}",
                UserWarning,
            )
    train, val = train_test_split(
        rows, test_size=n_val, random_state=random_state, stratify=stratify
    )
    return np.sort(train), np.sort(val)


@dataclass(frozen=True)
class TargetScale:
    """y = mean + scale * t, t being what the network is fitted to.

    Attributes
    ----------
    mean, scale : ndarray of shape (n_outputs,)
    """

    mean: np.ndarray
    scale: np.ndarray

    @classmethod
    def none(cls, n_outputs):
        """The scale that changes nothing."""
        return cls(np.zeros(n_outputs), np.ones(n_outputs))

    @classmethod
    def of(cls, y, weights):
        """The weighted mean and standard deviation of y by column.

        A constant column keeps scale 1: its mean is its prediction.
        """
        mean = np.average(y, axis=0, weights=weights)
        scale = np.sqrt(np.average((y - mean) ** 2, axis=0, weights=weights))
        # below this a spread is rounding of the mean, not variation
        constant = scale <= 10 * np.finfo(np.float64).eps * np.abs(mean)
        return cls(mean, np.where(constant, 1.0, scale))

    def apply(self, y):
        """Return t for y."""
        return (y - self.mean) / self.scale

    def invert(self, t):
        """Return y for t, in float64."""
        y = t.astype(np.float64)
        y *= self.scale
        y += self.mean
        return y
