"""One augmentation as the kernels see it, and the random words it draws.

Words come from Philox's STREAM_AUGMENTATION. The augmentation at position k of the list
takes the words of its elements, row by row, from layer 2 k, and the words of its rows
from layer 2 k + 1. There a group of 64 words is for 16 rows: row r of the group has the
words r, 16 + r, 32 + r and 48 + r, called its words 0 to 3.
"""

from libc.stdint cimport uint32_t, uint64_t

from skreg._kernels.dropout cimport Noise
from skreg._kernels.philox cimport (
    GROUP_WORDS, STREAM_AUGMENTATION, Philox, group_words)

cdef enum:
    # Points of a table of quantiles, the ends included.
    QUANTILES = 1025
    # Rows that one group of words is for.
    ROW_GROUP = 16

cdef enum Kind:
    GAUSSIAN_NOISE = 0
    FEATURE_SCALING = 1
    SAMPLE_SCALING = 2
    FEATURE_MASKING = 3
    MIXUP = 4
    FEATURE_CUTMIX = 5
    IMAGE_CUTMIX = 6
    HORIZONTAL_FLIP = 7
    VERTICAL_FLIP = 8
    IMAGE_SHIFT = 9
    IMAGE_SCALE = 10
    N_KINDS = 11

cdef struct Augmentation:
    int kind
    double strength        # scale, rate or pixels
    double fill            # value of masked features and of pixels outside the image
    double probability     # that a row is mixed or flipped
    Py_ssize_t height      # height of the images; 0: rows are no images
    Py_ssize_t width
    Py_ssize_t channels
    double quantiles[QUANTILES]   # quantiles of lambda, for mixing

cdef struct Draws:
    # The words of one augmentation in one step, a group at a time.
    Philox rng
    uint64_t step
    Py_ssize_t layer
    Py_ssize_t group       # number of the group in `words`; -1: no group yet
    uint32_t words[GROUP_WORDS]


cdef inline Draws element_draws(Noise noise, Py_ssize_t position) noexcept nogil:
    cdef Draws draws
    draws.rng, draws.step = noise.rng, noise.step
    draws.layer, draws.group = 2 * position, -1
    return draws


cdef inline Draws row_draws(Noise noise, Py_ssize_t position) noexcept nogil:
    cdef Draws draws
    draws.rng, draws.step = noise.rng, noise.step
    draws.layer, draws.group = 2 * position + 1, -1
    return draws


cdef inline void draw_group(Draws* draws, Py_ssize_t group) noexcept nogil:
    if group != draws.group:
        group_words(
            draws.rng, STREAM_AUGMENTATION, draws.layer, draws.step, group,
            draws.words)
        draws.group = group


cdef inline uint32_t row_word(
    Draws* draws, Py_ssize_t row, int number
) noexcept nogil:
    """Word 0, 1, 2 or 3 of a row."""
    draw_group(draws, row // ROW_GROUP)
    return draws.words[ROW_GROUP * number + row % ROW_GROUP]


cdef inline double unit_interval(uint32_t word) noexcept nogil:
    """Uniform in (0, 1), and as far from 0 as ~word is from 1."""
    return (word + 0.5) / 4294967296.0


cdef inline Py_ssize_t below_count(uint32_t word, Py_ssize_t n) noexcept nogil:
    """Uniform among 0, ..., n - 1; n < 2^31."""
    return <Py_ssize_t> (<uint64_t> word * <uint64_t> n >> 32)
