"""Philox4x32-10, a counter-based random number generator (Salmon et al. 2011).

Four 32-bit words are a pure function of a key and a counter, so a mask needs no
state, is the same whichever thread or chunk asks for it, and can be computed again
instead of stored. The counter names what the number is for:

    word 0   element // 4, low half      (element: position in the batch's matrix)
    word 1   element // 4, high half << 16 | layer
    word 2   step, low half              (optimizer steps since the first fit)
    word 3   step, high half << 8 | stream

Word i of the result belongs to element 4 * (element // 4) + i.
"""

from libc.stdint cimport uint32_t, uint64_t

from skreg._kernels.types cimport real

cdef enum Stream:
    STREAM_DROPOUT = 0
    STREAM_SHUFFLE = 1

cdef struct Philox:
    uint32_t key[2]

# Words drawn at a time: small enough for the L1 cache, a multiple of 4.
cdef enum:
    PHILOX_CHUNK = 1024


cdef inline void philox4x32(
    uint32_t c0, uint32_t c1, uint32_t c2, uint32_t c3,
    uint32_t k0, uint32_t k1, uint32_t* out,
) noexcept nogil:
    """The ten rounds; out: (4,)."""
    cdef uint64_t product0, product1
    cdef int _
    for _ in range(10):
        product0 = <uint64_t> 0xD2511F53u * c0
        product1 = <uint64_t> 0xCD9E8D57u * c2
        c0 = <uint32_t> (product1 >> 32) ^ c1 ^ k0
        c1 = <uint32_t> product1
        c2 = <uint32_t> (product0 >> 32) ^ c3 ^ k1
        c3 = <uint32_t> product0
        k0 += 0x9E3779B9u
        k1 += 0xBB67AE85u
    out[0] = c0
    out[1] = c1
    out[2] = c2
    out[3] = c3


cdef inline void philox_words(
    Philox rng, int stream, Py_ssize_t layer, uint64_t step,
    uint64_t first_block, Py_ssize_t n_blocks, uint32_t* out,
) noexcept nogil:
    """The words of n_blocks consecutive blocks; out: (4 * n_blocks,)."""
    cdef Py_ssize_t i
    cdef uint64_t block
    cdef uint32_t k0 = rng.key[0]
    cdef uint32_t k1 = rng.key[1]
    cdef uint32_t step_low = <uint32_t> step
    cdef uint32_t step_high = <uint32_t> (step >> 32) << 8 | <uint32_t> stream
    for i in range(n_blocks):
        block = first_block + <uint64_t> i
        philox4x32(
            <uint32_t> block,
            <uint32_t> (block >> 32) << 16 | <uint32_t> layer,
            step_low, step_high, k0, k1, out + 4 * i)


cdef inline uint64_t philox_uint64(
    Philox rng, int stream, uint64_t step, uint64_t index
) noexcept nogil:
    """A 64-bit number for one index."""
    cdef uint32_t out[4]
    philox_words(rng, stream, 0, step, index, 1, out)
    return <uint64_t> out[0] << 32 | out[1]


cdef inline void shuffle(
    Philox rng, uint64_t epoch, Py_ssize_t* order, Py_ssize_t n
) noexcept nogil:
    """order becomes a permutation of 0..n-1 that depends on key and epoch alone.

    Fisher and Yates, from the identity. An index below i comes from the high half
    of the product of i and a 64-bit number, its bias being below i / 2^64.
    """
    cdef Py_ssize_t i, j
    for i in range(n):
        order[i] = i
    for i in range(n - 1, 0, -1):
        j = below(philox_uint64(rng, STREAM_SHUFFLE, epoch, <uint64_t> i), i + 1)
        order[i], order[j] = order[j], order[i]


cdef inline Py_ssize_t below(uint64_t number, Py_ssize_t n) noexcept nogil:
    """floor(number * n / 2^64), by the 32-bit halves of number; n < 2^31 rows."""
    cdef uint64_t low = (number & 0xFFFFFFFFu) * <uint64_t> n
    cdef uint64_t high = (number >> 32) * <uint64_t> n
    return <Py_ssize_t> ((high + (low >> 32)) >> 32)
