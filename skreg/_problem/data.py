"""What fit is given, checked and brought into the form that the kernels read."""

import warnings
from numbers import Real

import numpy as np
from scipy import sparse
from sklearn.utils import check_array

from skreg._problem.reading import refuse_masked, refuse_times
from skreg._problem.target_scale import (
    TargetScale as TargetScale,  # where older pickles look
)
from skreg._problem.target_scale import power_of_two

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
    refuse_masked(sample_weight, name)
    if isinstance(sample_weight, Real):
        sample_weight = np.full(X.shape[0], float(sample_weight))
    refuse_times(sample_weight, name)
    with np.errstate(over="ignore", invalid="ignore"):
        weights = check_array(
            sample_weight, ensure_2d=False, dtype=np.float64, input_name=name
        )
    if weights.shape != (X.shape[0],):
        raise ValueError(
            f"{name} must have one value per row, shape ({X.shape[0]},); got shape "
            f"{weights.shape}."
        )
    return moderate(refuse_bad_weights(weights, name))


def moderate(weights):
    """Weights, >= 0, none of whose sums overflows or loses digits.

    Only their ratios count.
    """
    return weights / power_of_two(weights.max())


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


def split_rows(rows, n, *, fraction, random_state, labels, n_val=None):
    """Rows for training and for validation.

    The only row of a class stays in training: nothing else would teach it. The other
    rows are drawn so that classes keep their shares.

    Parameters
    ----------
    rows : ndarray or None
        The rows in use, or None for all of range(n).
    labels : ndarray of shape (n,) or (n, n_labels), or None
        Classes to stratify by, or a multilabel indicator, of which no value of a label
        leaves training.
    n_val : int or None
        How many rows for validation, instead of the fraction.

    Raises
    ------
    ValueError
        If no row is left for training, or for validation.

    Warns
    -----
    UserWarning
        If there are too few rows to keep the shares of the classes in both parts.
    """
    # imported for a split only, as in _problem/parameters.py
    from sklearn.model_selection import train_test_split

    rows = np.arange(n) if rows is None else rows
    otherwise = "pass X_val and y_val to fit, or set early_stopping=False."
    n_val = int(np.ceil(fraction * len(rows))) if n_val is None else n_val
    if n_val >= len(rows):
        raise ValueError(
            f"validation_fraction={fraction} leaves no row for training, with "
            f"n_samples={len(rows)}. Lower it, {otherwise}"
        )
    alone = np.empty(0, dtype=rows.dtype)
    if labels is not None:
        is_alone = only_rows(labels[rows])
        alone, rows = rows[is_alone], rows[~is_alone]
        if not len(rows):
            raise ValueError(
                f"Each of the {len(alone)} rows is the only one of its class, so that "
                f"none can be set aside for validation. P{otherwise[1:]}"
            )
        n_val = min(n_val, len(rows) - 1)
    if labels is None or labels.ndim == 2:
        train, val = train_test_split(rows, test_size=n_val, random_state=random_state)
        return np.sort(np.concatenate([alone, train])), np.sort(val)
    classes, counts = np.unique(labels[rows], return_counts=True)
    enough = min(n_val, len(rows) - n_val) >= len(classes)
    if len(alone) or not enough:
        # no share sets the only row of a class aside
        remedy = f"P{otherwise[1:]}" if enough else f"Raise it, {otherwise}"
        warnings.warn(
            f"The validation split does not keep the shares of the "
            f"{len(classes) + len(alone)} classes: by validation_fraction={fraction} "
            f"{n_val} of {len(rows) + len(alone)} rows are for validation, and the "
            f"smallest class has {1 if len(alone) else counts.min()}. {remedy}",
            UserWarning,
        )
    if enough:
        train, val = train_test_split(
            rows, test_size=n_val, random_state=random_state, stratify=labels[rows]
        )
    else:
        train, val = nearly_stratified(rows, labels[rows], n_val, random_state)
    return np.sort(np.concatenate([alone, train])), np.sort(val)


def heavy_classes(labels, weights, number):
    """Classes with half an equal share of the weights at least, by their numbers.

    Parameters
    ----------
    labels : ndarray of shape (n,)
        Numbers of the classes.
    weights : ndarray of shape (n,)
        Of the rows, with those of the classes.
    number : int
        How many classes there are.
    """
    totals = np.bincount(labels, weights, number)
    return np.flatnonzero(totals >= 0.5 * totals.sum() / number)


def with_a_row_of_each(train, held_out, labels, classes, random_state):
    """A split with a validation row of each of some classes that have two rows.

    A validation loss that does not see a class of much weight goes on falling while the
    network learns the class's few rows by heart.

    Parameters
    ----------
    train, held_out : ndarray
        As `split_rows` gives them.
    labels : ndarray of shape (n,)
    classes : ndarray
        Those of the labels that must be seen.
    random_state : RandomState
    """
    for label in classes:
        of_class = train[labels[train] == label]
        if len(of_class) > 1 and not (labels[held_out] == label).any():
            row = random_state.choice(of_class)
            train = train[train != row]
            held_out = np.sort(np.append(held_out, row))
    return train, held_out


def only_rows(labels):
    """Mask of the rows that are the only ones of a class, or of a label's value."""
    mask = np.zeros(len(labels), dtype=bool)
    for column in labels.reshape(len(labels), -1).T:
        _, first, counts = np.unique(column, return_index=True, return_counts=True)
        mask[first[counts == 1]] = True
    return mask


def nearly_stratified(rows, labels, n_val, random_state):
    """A split that keeps shares as far as whole rows do, with each class in training.

    Of each class its share is taken, rounded down; the rows that are missing then are
    of the classes that lost most, ties at random.
    """
    _, numbers, counts = np.unique(labels, return_inverse=True, return_counts=True)
    share = counts * (n_val / len(rows))
    taken = np.minimum(share.astype(int), counts - 1)
    order = random_state.permutation(len(counts))
    while (missing := n_val - taken.sum()) > 0:
        open_ = order[(taken < counts - 1)[order]]
        if not len(open_):
            break
        most = open_[np.argsort((taken - share)[open_], kind="stable")]
        taken[most[:missing]] += 1
    in_val = np.zeros(len(rows), dtype=bool)
    for number, size in enumerate(taken):
        of_class = np.flatnonzero(numbers == number)
        in_val[random_state.permutation(of_class)[:size]] = True
    return rows[~in_val], rows[in_val]


def warn_of_rows_far_off(X, X_val):
    """Warn of X_val that X does not resemble: as a rule it has missed a transformer.

    It is said where, in more than half of the features that vary in X, a quarter of
    X_val lies further from the range of X than this is wide. Sparse X is not looked at.
    """
    if sparse.issparse(X) or sparse.issparse(X_val) or not len(X_val):
        return
    low, high = X.min(axis=0).astype(np.float64), X.max(axis=0).astype(np.float64)
    varies = low < high
    if not varies.any():
        return
    quarter, last_quarter = np.quantile(X_val[:, varies], [0.25, 0.75], axis=0)
    low, high = low[varies], high[varies]
    with np.errstate(over="ignore"):
        width = high - low
        is_far = (quarter < low - width) | (last_quarter > high + width)
    if 2 * np.count_nonzero(is_far) > len(is_far):
        warnings.warn(
            f"X_val is far from X: in {np.count_nonzero(is_far)} of the "
            f"{len(is_far)} features that vary in X, a quarter of X_val or more lies "
            "further from the range of X than this is wide. Early stopping is of no "
            "use on such rows. Pass X_val through the transformers that X has gone "
            "through, for example pipeline[:-1].transform(X_val)."
        )
