"""Philox4x32-10, the shuffle that is built on it, and how random they are."""

import numpy as np
import pytest
import reference
from cases import KEY
from hypothesis import given
from hypothesis import strategies as st

from skreg._kernels import units

words = st.integers(0, 2**32 - 1)
epochs = st.integers(0, 2**40)


# From kat_vectors of Random123 1.14, "philox4x32 10": counter, key, result.
@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [
        (
            [0x00000000, 0x00000000, 0x00000000, 0x00000000],
            [0x00000000, 0x00000000],
            [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8],
        ),
        (
            [0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF],
            [0xFFFFFFFF, 0xFFFFFFFF],
            [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD],
        ),
        (
            [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344],
            [0xA4093822, 0x299F31D0],
            [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1],
        ),
    ],
    ids=["zeros", "ones", "pi"],
)
def test_published_vectors(counter, key, expected):
    assert units.philox4x32(counter, key) == expected
    assert reference.philox4x32(counter, key).tolist() == expected


@given(counter=st.tuples(words, words, words, words), key=st.tuples(words, words))
def test_words_equal_the_oracle(counter, key):
    assert units.philox4x32(counter, key) == reference.philox4x32(counter, key).tolist()


@given(
    first=st.integers(0, 2**32 - 17),
    rest=st.tuples(words, words, words),
    key=st.tuples(words, words),
)
def test_a_group_is_sixteen_blocks(first, rest, key):
    group = units.philox_group((first, *rest), key)
    for b in range(16):
        block = reference.philox4x32((first + b, *rest), key)
        np.testing.assert_array_equal(group[2 * (b % 8) + b // 8 :: 16], block)


@given(n=st.integers(1, 300), key=st.tuples(words, words), epoch=epochs)
def test_shuffle_equals_the_oracle(n, key, epoch):
    order = units.shuffled(n, key, epoch)
    np.testing.assert_array_equal(order, reference.shuffled(n, key, epoch))


@given(n=st.integers(1, 300), key=st.tuples(words, words), epoch=epochs)
def test_shuffle_is_a_permutation(n, key, epoch):
    np.testing.assert_array_equal(np.sort(units.shuffled(n, key, epoch)), np.arange(n))


def test_shuffle_depends_on_key_and_epoch():
    orders = {
        units.shuffled(50, key, epoch).tobytes()
        for key in [(1, 2), (2, 1), (1, 3)]
        for epoch in [0, 1, 2**32, 2**33]
    }
    assert len(orders) == 12


def test_shuffle_draws_every_permutation_alike():
    counts = {}
    n_draws = 24 * 500
    for epoch in range(n_draws):
        order = tuple(units.shuffled(4, KEY, epoch))
        counts[order] = counts.get(order, 0) + 1
    assert len(counts) == 24
    chi_squared = sum((count - 500) ** 2 / 500 for count in counts.values())
    # 23 degrees of freedom: exceeded once in a million
    assert chi_squared < 66


def test_shuffle_of_many_rows_has_no_trend():
    n = 100_000
    order = units.shuffled(n, KEY, 0)
    correlation = np.corrcoef(np.arange(n), order)[0, 1]
    assert abs(correlation) < 5 / np.sqrt(n)
