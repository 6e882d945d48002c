"""The arrays that a case describes."""

from itertools import pairwise

import numpy as np
from scipy import sparse


def arrays(data):
    """(X, y, weights or None) of a case's data."""
    rng = np.random.default_rng(data["seed"])
    X = values(rng, data)
    with np.errstate(all="ignore"):
        y = target(rng, X, data)
        weights = sample_weights(rng, y, data)
        X = laid_out(rng, as_dtype(X * data["scale"], data["dtype"]), data["layout"])
    return X, y, weights


def values(rng, data):
    n, p, kind = data["n"], data["p"], data["values"]
    X = rng.normal(size=(n, p))
    if kind == "far":
        X = 270 + 4 * X
    elif kind == "constant":
        X[:, 0] = 2020.0
    elif kind == "binary":
        X = (X > 0).astype(float)
    elif kind == "counts":
        X = np.floor(np.exp(2 * X))
    elif kind == "heavy":
        X = X / (np.abs(rng.normal(size=(n, p))) + 1e-9)
    elif kind == "zeros":
        X = np.zeros((n, p))
    elif kind == "scales":
        X = X * 10.0 ** rng.integers(-8, 9, p)
    elif kind == "repeated":
        X = np.repeat(X[:1], n, axis=0)
    return X


def as_dtype(X, dtype):
    """X in that type, cut off at its ends."""
    dtype = np.dtype(dtype)
    if dtype.kind == "b":
        return X > 0
    info = np.iinfo(dtype) if dtype.kind in "iu" else np.finfo(dtype)
    # a float beyond the last whole number would wrap around
    low, high = (float(end) * (1 - 1e-12) for end in (info.min, info.max))
    return np.clip(X, low, high).astype(dtype)


def target(rng, X, data):
    n, kind, scale = data["n"], data["target"], data["target_scale"]
    size = np.abs(X).max() or 1.0
    line = X[:, 0] / size + 0.1 * rng.normal(size=n)
    if kind == "binary":
        return (line > 0).astype(int)
    if kind == "three":
        return rng.integers(3, size=n)
    if kind == "multilabel":
        return rng.integers(2, size=(n, 3))
    if kind == "text":
        return np.array(["a", "None", "z"])[rng.integers(3, size=n)]
    if kind == "rare":
        return np.where(np.arange(n) == 0, 7, rng.integers(2, size=n))
    if kind == "one-class":
        return np.zeros(n, int)
    if kind == "bool":
        return line > 0
    if kind == "noise":
        return scale * rng.normal(size=n)
    if kind == "constant":
        return np.full(n, 3.0 * scale)
    if kind == "zeros":
        return np.zeros(n)
    if kind == "counts":
        return rng.poisson(2.0, n) * scale
    if kind == "positive":
        return (rng.gamma(2.0, size=n) + 0.1) * scale
    if kind == "two-outputs":
        return np.stack([line, rng.normal(size=n)], axis=1) * scale
    if kind == "column":
        return (line * scale)[:, None]
    if kind == "list":
        return (line * scale).tolist()
    return line * scale


def sample_weights(rng, y, data):
    n, kind = data["n"], data["weights"]
    if kind == "none":
        return None
    weights = rng.uniform(0.1, 3.0, n)
    if kind == "some-zero":
        weights[rng.random(n) < 0.5] = 0.0
        weights[0] = 1.0
    elif kind == "one-left":
        weights[1:] = 0.0
    elif kind == "tiny":
        weights *= 1e-300
    elif kind == "huge":
        weights *= 1e300
    elif kind == "largest":
        weights[:] = 1e308
    elif kind == "counts":
        return rng.integers(1, 5, n)
    elif kind == "class-zero":
        first = np.asarray(y).reshape(n, -1)[:, 0]
        weights[first == first[-1]] = 0.0
    return weights


def unaligned(X):
    """The same numbers at addresses that no load of their type may have."""
    room = bytearray(X.nbytes + 1)
    moved = np.frombuffer(room, X.dtype, X.size, offset=1).reshape(X.shape)
    moved[...] = X
    return moved


def laid_out(rng, X, layout):
    """X in another layout, or sparse."""
    if layout == "F":
        return np.asfortranarray(X)
    if layout == "strided":
        wide = np.zeros((2 * X.shape[0], 3 * X.shape[1]), X.dtype)
        wide[::2, ::3] = X
        return wide[::2, ::3]
    if layout == "reversed":
        return np.ascontiguousarray(X[::-1, ::-1])[::-1, ::-1]
    if layout == "unaligned":
        return unaligned(X)
    if layout == "big-endian":
        return X.astype(X.dtype.newbyteorder(">"))
    if layout == "list":
        return X.tolist()
    if layout == "readonly":
        X = X.copy()
        X.flags.writeable = False
        return X
    if layout == "C":
        return X
    return sparse_of(rng, X, layout)


def sparse_of(rng, X, layout):
    if X.dtype == np.float16:  # which SciPy does not know
        X = X.astype(np.float32)
    keep = rng.random(X.shape) < 0.6
    keep[0, 0] = True
    X = np.where(keep, X, np.zeros(1, X.dtype))
    if layout in ("csc", "coo"):
        return sparse.coo_array(X).asformat(layout)
    rows, columns = np.nonzero(keep)
    starts = np.searchsorted(rows, np.arange(X.shape[0] + 1))
    data = X[rows, columns]
    if layout == "csr-duplicates":
        columns, data = np.repeat(columns, 2), np.repeat(data, 2)
        starts = 2 * starts
    if layout == "csr-unsorted":
        for first, last in pairwise(starts):
            columns[first:last] = columns[first:last][::-1].copy()
            data[first:last] = data[first:last][::-1].copy()
    if layout == "csr-zeros":
        data = np.where(rng.random(data.size) < 0.5, np.zeros(1, data.dtype), data)
    wide = layout in ("csr64", "csr-column-wraps")
    integers = np.int64 if wide else np.int32
    made = sparse.csr_array(
        (data, columns.astype(integers), starts.astype(integers)), shape=X.shape
    )
    # SciPy chooses the type of the indices itself, and checks what it is given
    made.indices, made.indptr = columns.astype(integers), starts.astype(integers)
    break_up(made, layout)
    return made


def break_up(X, layout):
    """Give CSR what a user's arithmetic on its arrays may have left there."""
    if layout == "csr-column-beyond":
        X.indices[-1] = X.shape[1] + 10_000_000
    elif layout == "csr-column-negative":
        X.indices[0] = -3
    elif layout == "csr-column-wraps":
        X.indices[0] = 2**32
    elif layout == "csr-pointers-down":
        X.indptr[X.shape[0] // 2] = X.indptr[-1] + 1
    elif layout == "csr-pointers-beyond":
        X.indptr[-1] += 5_000_000
    elif layout == "csr-pointers-negative":
        X.indptr[0] = -4
