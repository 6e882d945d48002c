"""Augmentations that treat every feature alike: noise, scaling, masking.

Each works in place on some rows of a batch of dense inputs. The numbers of the elements
do not count the gaps that may stand between rows. So the random words of an element
depend neither on the gaps nor on which thread has which rows. Where two threads need
words of one group, both draw it.
"""

from libc.math cimport sqrtf
from libc.stdint cimport int32_t, uint8_t, uint16_t, uint32_t

from skreg._kernels.augmentation_types cimport (
    Augmentation, Draws, draw_group, row_word, unit_interval)
from skreg._kernels.dropout cimport Draw, draw_of
from skreg._kernels.philox cimport GROUP_WORDS
from skreg._kernels.team cimport Share, parts
from skreg._kernels.types cimport real
from skreg._kernels.vecmath cimport cospi_f32, log_f32, sinpi_f32


cdef inline real* element_at(
    real* x, Py_ssize_t stride, Py_ssize_t n_features, Py_ssize_t element
) noexcept nogil:
    """Pointer to an element, which the rest of its group follows without a gap.

    Rows either follow each other, or (see Engine.stride_of) have a multiple of 512
    features, so that no group goes over the end of one.
    """
    return x + element // n_features * stride + element % n_features


cdef inline void normal_numbers(const uint32_t* words, float* out) noexcept nogil:
    """Standard normal numbers of one group, (GROUP_WORDS,), by Box & Muller (1958).

    Of two uniform numbers u in (0, 1] and v in [-1, 1),

        sqrt(-2 log u) cos(pi v)  and  sqrt(-2 log u) sin(pi v)

    are independent and normal. In single precision u has steps of 2^-31 at its lower
    end. The numbers therefore reach 6.7 in size, which one normal number in 10^10
    exceeds.
    """
    cdef float u, v, radius
    cdef Py_ssize_t i
    for i in range(GROUP_WORDS // 2):
        # 31 bits, because only signed numbers are converted by one instruction
        u = <float> (<int32_t> (words[i] >> 1)) * <float> (1.0 / 2147483648.0)
        u += <float> (1.0 / 4294967296.0)
        v = <float> (<int32_t> words[i + GROUP_WORDS // 2])
        v *= <float> (1.0 / 2147483648.0)
        radius = sqrtf(-2 * log_f32(u))
        out[i] = radius * cospi_f32(v)
        out[i + GROUP_WORDS // 2] = radius * sinpi_f32(v)


cdef inline void add_noise(
    Augmentation* step, Draws* draws, Share rows, Py_ssize_t n_features,
    real* x, Py_ssize_t stride,
) noexcept nogil:
    """x += scale * N(0, 1)."""
    cdef real scale = <real> step.strength
    cdef float normal[GROUP_WORDS]
    cdef Py_ssize_t end = rows.last * n_features
    cdef Py_ssize_t element = rows.first * n_features
    cdef Py_ssize_t begin, last, k
    cdef real* out
    while element < end:
        draw_group(draws, element // GROUP_WORDS)
        normal_numbers(draws.words, normal)
        begin = element % GROUP_WORDS
        last = min(<Py_ssize_t> GROUP_WORDS, begin + end - element)
        out = element_at(x, stride, n_features, element)
        for k in range(last - begin):
            out[k] += scale * normal[begin + k]
        element += last - begin


cdef inline void scale_features(
    Augmentation* step, Draws* draws, Share rows, Py_ssize_t n_features,
    real* x, Py_ssize_t stride,
) noexcept nogil:
    """x *= 1 + scale * U(-1, 1), with a number of 16 random bits for each element."""
    cdef Py_ssize_t size = 2 * GROUP_WORDS
    cdef const uint16_t* halves = <const uint16_t*> draws.words
    cdef real least = <real> (1 - step.strength + step.strength / 65536)
    cdef real unit = <real> (2 * step.strength / 65536)
    cdef Py_ssize_t end = rows.last * n_features
    cdef Py_ssize_t element = rows.first * n_features
    cdef Py_ssize_t begin, last, k
    cdef real* out
    while element < end:
        draw_group(draws, element // size)
        begin = element % size
        last = min(size, begin + end - element)
        out = element_at(x, stride, n_features, element)
        for k in range(last - begin):
            out[k] *= least + unit * <real> halves[begin + k]
        element += last - begin


cdef inline void scale_samples(
    Augmentation* step, Draws* draws, Share rows, Py_ssize_t n_features,
    real* x, Py_ssize_t stride,
) noexcept nogil:
    """x *= 1 + scale * U(-1, 1), with a number for each row, its word 0."""
    cdef real gain
    cdef Py_ssize_t i, j
    for i in range(rows.first, rows.last):
        gain = <real> (
            1 + step.strength * (2 * unit_interval(row_word(draws, i, 0)) - 1))
        for j in range(n_features):
            x[i * stride + j] *= gain


cdef inline void mask_features(
    Augmentation* step, Draws* draws, Share rows, Py_ssize_t n_features,
    real* x, Py_ssize_t stride,
) noexcept nogil:
    """x = fill with probability rate, decided by as many bits as dropout takes."""
    cdef Draw draw = draw_of(step.strength)
    cdef const uint8_t* bytes_ = <const uint8_t*> draws.words
    cdef const uint16_t* halves = <const uint16_t*> draws.words
    cdef uint8_t byte_threshold = <uint8_t> draw.threshold
    cdef uint16_t half_threshold = <uint16_t> draw.threshold
    cdef real fill = <real> step.fill
    cdef Py_ssize_t size = GROUP_WORDS * 32 // draw.bits
    cdef Py_ssize_t end = rows.last * n_features
    cdef Py_ssize_t element = rows.first * n_features
    cdef Py_ssize_t begin, last, k
    cdef real* out
    while element < end:
        draw_group(draws, element // size)
        begin = element % size
        last = min(size, begin + end - element)
        out = element_at(x, stride, n_features, element)
        if draw.bits == 8:
            for k in range(last - begin):
                out[k] = fill if bytes_[begin + k] < byte_threshold else out[k]
        else:
            for k in range(last - begin):
                out[k] = fill if halves[begin + k] < half_threshold else out[k]
        element += last - begin
