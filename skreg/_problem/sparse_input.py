"""Sparse X whose arrays do not fit together, refused before anything follows them.

SciPy checks a matrix when it is made, and trusts it from then on: what is written to
``indices``, ``indptr``, ``row`` or ``col`` later is followed by compiled code as it is,
in its conversions and products as in ours.
"""

import numpy as np
from scipy import sparse


def check_indices(X, name="X"):
    """Raise ValueError where the indices of a sparse matrix lead out of it.

    One pass over them, without a copy. What is not sparse, or has no indices, passes.

    Parameters
    ----------
    X : object
    name : str
        Of the argument, for the error.
    """
    if not sparse.issparse(X):
        return
    if len(X.shape) != 2:
        raise ValueError(
            f"Expected 2D sparse {name}, got shape {X.shape} instead. Reshape it to "
            "(n_samples, n_features)."
        )
    if X.format in ("csr", "csc", "bsr"):
        _check_compressed(X, name)
    elif X.format == "coo":
        coordinates = (X.row, X.col)
        if any(index.shape != X.data.shape for index in coordinates):
            _refuse(X, name, "row, col and data must have the same length")
        for index, size, what in zip(coordinates, X.shape, ("row", "col"), strict=True):
            _check_range(X, name, index, size, what)


def _check_compressed(X, name):
    lines, across = X.shape if X.format != "csc" else X.shape[::-1]
    if X.format == "bsr":
        lines, across = lines // X.blocksize[0], across // X.blocksize[1]
    starts, indices = X.indptr, X.indices
    stored = min(indices.size, len(X.data))
    if starts.shape != (lines + 1,):
        _refuse(X, name, f"indptr must have {lines + 1} numbers", starts.size)
    if starts[0] != 0:
        _refuse(X, name, "indptr must begin with 0", starts[0])
    falls = np.flatnonzero(starts[1:] < starts[:-1])
    if falls.size:
        at = falls[0]
        _refuse(
            X, name, "indptr must not decrease", f"{starts[at]} before {starts[at + 1]}"
        )
    if starts[-1] > stored:
        _refuse(
            X,
            name,
            f"indptr must end with no more than the {stored} numbers stored",
            starts[-1],
        )
    _check_range(X, name, indices[: starts[-1]], across, "indices")


def _check_range(X, name, index, size, what):
    if not index.size:
        return
    lowest, highest = index.min(), index.max()
    if lowest < 0 or highest >= size:
        _refuse(
            X,
            name,
            f"{what} must be whole numbers from 0 to {size - 1}",
            lowest if lowest < 0 else highest,
        )


def _refuse(X, name, rule, got=None):
    shown = "" if got is None else f"; got {got}"
    raise ValueError(
        f"{name} is a sparse {X.format} matrix of shape {X.shape} whose arrays do not "
        f"fit together: {rule}{shown}. Build it anew, for example with "
        "scipy.sparse.csr_array((data, (rows, columns)), shape=...)."
    )
