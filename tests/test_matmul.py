"""The three products of a dense layer against NumPy, and their bits."""

import numpy as np
import pytest
from cases import both_dtypes
from hypothesis import given
from hypothesis import strategies as st

from skreg._kernels import units

# Around the widths of vectors, the rows and columns of tiles (up to 12 x 32), and the
# blocks of 512 into which sums are cut.
lengths = st.one_of(
    st.integers(1, 40), st.sampled_from([47, 48, 49, 63, 64, 65, 95, 96, 97])
)
depths = st.one_of(lengths, st.sampled_from([511, 512, 513, 1023, 1024, 1025]))
dtypes = st.sampled_from(both_dtypes)
seeds = st.integers(0, 2**32 - 1)


def normal(seed, shape, dtype):
    return np.random.default_rng([seed, *shape]).normal(size=shape).astype(dtype)


def assert_is_product(got, a, b, start):
    """got = start + a b, to the rounding that a sum of so many terms may have."""
    assert got.dtype == a.dtype
    a, b, start = (array.astype(np.float64) for array in (a, b, start))
    size = np.abs(start) + np.abs(a) @ np.abs(b)
    allowed = (a.shape[1] + 1) * np.finfo(got.dtype).eps * size
    assert (np.abs(got - (start + a @ b)) <= allowed).all()


@given(rows=lengths, n_in=depths, n_out=lengths, dtype=dtypes, seed=seeds)
def test_forward_product(rows, n_in, n_out, dtype, seed):
    x = normal(seed, (rows, n_in), dtype)
    w = normal(seed, (n_in, n_out), dtype)
    b = normal(seed, (n_out,), dtype)
    assert_is_product(units.forward_product(x, w, b), x, w, b)


@given(rows=lengths, n_in=depths, n_out=lengths, dtype=dtypes, seed=seeds)
def test_add_product(rows, n_in, n_out, dtype, seed):
    x = normal(seed, (rows, n_in), dtype)
    w = normal(seed, (n_in, n_out), dtype)
    start = normal(seed + 1, (rows, n_out), dtype)
    assert_is_product(units.add_product(x, w, start), x, w, start)


@given(
    rows=depths,
    n_in=lengths,
    n_out=lengths,
    accumulate=st.booleans(),
    dtype=dtypes,
    seed=seeds,
)
def test_weight_gradient_product(rows, n_in, n_out, accumulate, dtype, seed):
    x = normal(seed, (rows, n_in), dtype)
    delta = normal(seed, (rows, n_out), dtype)
    start = normal(seed, (n_in, n_out), dtype)
    # what is not accumulated to must not be read either
    before = start if accumulate else np.full_like(start, np.nan)
    got = units.weight_gradient_product(x, delta, before, accumulate)
    assert_is_product(got, np.ascontiguousarray(x.T), delta, start * accumulate)


@given(
    rows=lengths,
    n_in=lengths,
    n_out=depths,
    accumulate=st.booleans(),
    dtype=dtypes,
    seed=seeds,
)
def test_input_gradient_product(rows, n_in, n_out, accumulate, dtype, seed):
    delta = normal(seed, (rows, n_out), dtype)
    w = normal(seed, (n_in, n_out), dtype)
    start = normal(seed + 1, (rows, n_in), dtype)
    before = start if accumulate else np.full_like(start, np.nan)
    got = units.input_gradient_product(delta, w, before, accumulate)
    assert_is_product(got, delta, w.T, start * accumulate)


@given(rows=lengths, n_in=depths, n_out=lengths, dtype=dtypes, seed=seeds)
def test_a_row_alone_has_the_same_bits(rows, n_in, n_out, dtype, seed):
    x = normal(seed, (rows, n_in), dtype)
    w = normal(seed, (n_in, n_out), dtype)
    b = normal(seed, (n_out,), dtype)
    z = normal(seed, (rows, n_out), dtype)
    together = units.forward_product(x, w, b)
    added = units.add_product(x, w, z)
    back = units.input_gradient_product(z, w, x, True)
    for i in range(rows):
        row = slice(i, i + 1)
        assert (units.forward_product(x[row], w, b) == together[row]).all()
        assert (units.add_product(x[row], w, z[row]) == added[row]).all()
        alone = units.input_gradient_product(z[row], w, x[row], True)
        assert (alone == back[row]).all()


@given(
    parts=st.lists(st.integers(1, 300), min_size=2, max_size=4),
    n_in=lengths,
    n_out=lengths,
    dtype=dtypes,
    seed=seeds,
)
def test_a_gradient_over_chunks_has_the_same_bits(parts, n_in, n_out, dtype, seed):
    x = normal(seed, (sum(parts), n_in), dtype)
    delta = normal(seed, (sum(parts), n_out), dtype)
    total = np.zeros((n_in, n_out), dtype)
    whole = units.weight_gradient_product(x, delta, total, False)
    start = 0
    for rows in parts:
        chunk = slice(start, start + rows)
        total = units.weight_gradient_product(x[chunk], delta[chunk], total, start > 0)
        start += rows
    assert (total == whole).all()


@pytest.mark.parametrize("dtype", both_dtypes)
@pytest.mark.parametrize("n_out", [1, 2, 7, 33])
def test_nan_reaches_its_row_and_no_other(n_out, dtype):
    x = np.ones((14, 20), dtype)
    x[5, 3] = np.nan
    got = units.forward_product(x, np.ones((20, n_out), dtype), np.zeros(n_out, dtype))
    assert np.isnan(got[5]).all()
    assert (np.delete(got, 5, axis=0) == 20).all()
