"""Inverted dropout (Srivastava et al. 2014).

In training, every element is set to zero with probability p and otherwise divided
by 1 - p, so that its expectation is unchanged and prediction needs no correction.
The mask multiplies a layer's output and its slope alike: backward then needs
neither the mask nor the random numbers again.
"""

from libc.stdint cimport uint32_t, uint64_t

from skreg._kernels.philox cimport (
    PHILOX_CHUNK, STREAM_DROPOUT, Philox, philox_words)
from skreg._kernels.types cimport real

cdef struct Noise:
    # Which random numbers this step uses; off for prediction and for lbfgs.
    bint on
    Philox rng
    uint64_t step


cdef inline uint32_t drop_below(double rate) noexcept nogil:
    """A 32-bit word below this value drops its element; rate < 1."""
    return <uint32_t> (rate * 4294967296.0)


cdef inline void apply_dropout(
    Noise noise, Py_ssize_t layer, double rate,
    real* values, real* slopes, Py_ssize_t n,
) noexcept nogil:
    """values and slopes (NULL: none), (n,), times the mask of this layer and step."""
    cdef uint32_t words[PHILOX_CHUNK]
    cdef uint32_t threshold = drop_below(rate)
    cdef real scale = <real> (1.0 / (1.0 - rate))
    cdef real factor
    cdef Py_ssize_t i, start, length
    start = 0
    while start < n:
        length = min(PHILOX_CHUNK, n - start)
        philox_words(
            noise.rng, STREAM_DROPOUT, layer, noise.step,
            <uint64_t> start // 4, (length + 3) // 4, words)
        if slopes == NULL:
            for i in range(length):
                factor = scale if words[i] >= threshold else 0
                values[start + i] *= factor
        else:
            for i in range(length):
                factor = scale if words[i] >= threshold else 0
                values[start + i] *= factor
                slopes[start + i] *= factor
        start += length


cdef inline double dropout_factor(
    Noise noise, Py_ssize_t layer, double rate, uint64_t element
) noexcept nogil:
    """The mask's value for one element, for inputs that are sparse."""
    cdef uint32_t words[4]
    philox_words(
        noise.rng, STREAM_DROPOUT, layer, noise.step, element // 4, 1, words)
    if words[element % 4] < drop_below(rate):
        return 0.0
    return 1.0 / (1.0 - rate)
