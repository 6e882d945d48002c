"""Inverted dropout (Srivastava et al. 2014).

In training, every element is set to zero with probability p and otherwise divided
by 1 - p, so that its expectation is unchanged and prediction needs no correction.
The mask multiplies a layer's output and its slope, so that backward needs neither the
mask nor the random numbers.

A mask is drawn before the layer is computed, with one byte per element, 1 to keep it.
Drawing random numbers takes most of dropout's time, so an element gets no more bits
than its rate needs: 8 if the rate is a multiple of 1/256, such as 0.5 or 0.25, and
otherwise 16, to which the rate is rounded. The scale is that of the rounded rate, so
that outputs are unbiased.
"""

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t

from skreg._kernels.philox cimport (
    GROUP_WORDS, STREAM_DROPOUT, Philox, group_words, word_at)

cdef struct Noise:
    # Which random numbers this step uses; off for prediction and for lbfgs.
    bint on
    Philox rng
    uint64_t step

cdef struct Draw:
    # How a rate becomes a mask: elements whose number is below `threshold` are dropped.
    uint32_t threshold
    int bits          # bits of a number: 8 or 16
    double scale      # factor of the elements that are kept


cdef inline Draw draw_of(double rate) noexcept nogil:
    """For 0 <= rate < 1."""
    cdef int bits = 8 if rate * 256 == <double> (<uint32_t> (rate * 256)) else 16
    cdef uint32_t values = 1u << bits
    cdef uint32_t threshold = min(<uint32_t> (rate * values + 0.5), values - 1)
    return Draw(threshold, bits, values / <double> (values - threshold))


cdef inline Py_ssize_t mask_size(Py_ssize_t elements) noexcept nogil:
    """Bytes of a mask: whole groups of words, for 8 and for 16 bits per element."""
    return (elements + 4 * GROUP_WORDS - 1) // (4 * GROUP_WORDS) * (4 * GROUP_WORDS)


cdef inline Py_ssize_t group_elements(double rate) noexcept nogil:
    """The number of elements that one group of words is enough for."""
    return GROUP_WORDS * 32 // draw_of(rate).bits


cdef inline void draw_mask(
    Noise noise, Py_ssize_t layer, double rate, Py_ssize_t first, Py_ssize_t last,
    uint8_t* keep,
) noexcept nogil:
    """Draws groups first to last - 1 of a layer's mask at the step of `noise`."""
    cdef Draw draw = draw_of(rate)
    cdef uint32_t words[GROUP_WORDS]
    cdef const uint8_t* bytes_ = <const uint8_t*> words
    cdef const uint16_t* halves = <const uint16_t*> words
    cdef uint8_t byte_threshold = <uint8_t> draw.threshold
    cdef uint16_t half_threshold = <uint16_t> draw.threshold
    cdef Py_ssize_t group, i
    cdef uint8_t* out
    for group in range(first, last):
        group_words(noise.rng, STREAM_DROPOUT, layer, noise.step, group, words)
        if draw.bits == 8:
            out = keep + group * 4 * GROUP_WORDS
            for i in range(4 * GROUP_WORDS):
                out[i] = bytes_[i] >= byte_threshold
        else:
            out = keep + group * 2 * GROUP_WORDS
            for i in range(2 * GROUP_WORDS):
                out[i] = halves[i] >= half_threshold


cdef inline double dropout_factor(
    Noise noise, Py_ssize_t layer, double rate, uint64_t element
) noexcept nogil:
    """The mask's value times its scale for one element, for sparse inputs."""
    cdef Draw draw = draw_of(rate)
    cdef uint64_t per_word = 32 // draw.bits
    cdef uint32_t word = word_at(
        noise.rng, STREAM_DROPOUT, layer, noise.step, element // per_word)
    cdef uint32_t number = word >> (draw.bits * (element % per_word))
    number &= (1u << draw.bits) - 1
    return 0.0 if number < draw.threshold else draw.scale
