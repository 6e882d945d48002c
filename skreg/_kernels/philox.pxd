"""Philox4x32-10, a counter-based random number generator (Salmon et al. 2011).

Four 32-bit words are a pure function of a key and a counter. So a mask needs no state,
does not depend on which thread or chunk draws it, and can be computed again instead of
stored. The counter says what the numbers are used for:

    word 0   number of the block, low half
    word 1   its high half << 16 | layer
    word 2   step, low half              (optimizer steps since the first fit)
    word 3   step, high half << 8 | stream

Blocks are drawn in groups of 16, which is 64 words, in the order of philox.h: word w
of block b of a group stands at position 16 w + 2 (b % 8) + b // 8.
"""

from libc.stdint cimport uint32_t, uint64_t

cdef extern from "philox.h" nogil:
    void philox_block(uint32_t* word, uint32_t key_0, uint32_t key_1) noexcept
    void philox_group(
        const uint32_t* counter, uint32_t key_0, uint32_t key_1,
        uint32_t* out) noexcept

cdef enum Stream:
    STREAM_DROPOUT = 0
    STREAM_SHUFFLE = 1
    STREAM_AUGMENTATION = 2
    STREAM_ATTACK = 3

cdef enum:
    GROUP_BLOCKS = 16
    GROUP_WORDS = 64

cdef struct Philox:
    uint32_t key[2]


cdef inline void set_counter(
    uint32_t* counter, uint64_t block, Py_ssize_t layer, uint64_t step, int stream
) noexcept nogil:
    """counter: (4,)."""
    counter[0] = <uint32_t> block
    counter[1] = <uint32_t> (block >> 32) << 16 | <uint32_t> layer
    counter[2] = <uint32_t> step
    counter[3] = <uint32_t> (step >> 32) << 8 | <uint32_t> stream


cdef inline void group_words(
    Philox rng, int stream, Py_ssize_t layer, uint64_t step, uint64_t group,
    uint32_t* out,
) noexcept nogil:
    """The words of one group; out: (GROUP_WORDS,)."""
    cdef uint32_t counter[4]
    set_counter(counter, group * GROUP_BLOCKS, layer, step, stream)
    philox_group(counter, rng.key[0], rng.key[1], out)


cdef inline uint32_t word_at(
    Philox rng, int stream, Py_ssize_t layer, uint64_t step, uint64_t position
) noexcept nogil:
    """One word, without the rest of its group."""
    cdef uint32_t word[4]
    cdef uint64_t group = position // GROUP_WORDS
    cdef uint64_t within = position % GROUP_WORDS
    cdef uint64_t block = within % 16 // 2 + 8 * (within % 2)
    set_counter(word, group * GROUP_BLOCKS + block, layer, step, stream)
    philox_block(word, rng.key[0], rng.key[1])
    return word[within // 16]


cdef inline void shuffle(
    Philox rng, uint64_t epoch, Py_ssize_t* order, Py_ssize_t n
) noexcept nogil:
    """order becomes a permutation of 0..n-1 that depends on key and epoch alone.

    The Fisher-Yates shuffle, starting from the identity. For index i the words 2i and
    2i + 1 are the halves of a 64-bit number x, and floor(x (i + 1) / 2^64) is an index
    from 0 to i. The bias of the index is below i / 2^64.
    """
    cdef uint32_t words[GROUP_WORDS]
    cdef Py_ssize_t numbers = GROUP_WORDS // 2
    cdef Py_ssize_t i, j, group
    cdef Py_ssize_t drawn = -1
    for i in range(n):
        order[i] = i
    for i in range(n - 1, 0, -1):
        group = i // numbers
        if group != drawn:
            group_words(rng, STREAM_SHUFFLE, 0, epoch, group, words)
            drawn = group
        j = 2 * (i % numbers)
        j = below(<uint64_t> words[j] << 32 | words[j + 1], i + 1)
        order[i], order[j] = order[j], order[i]


cdef inline Py_ssize_t below(uint64_t number, Py_ssize_t n) noexcept nogil:
    """floor(number * n / 2^64), by the 32-bit halves of number; n < 2^31 rows."""
    cdef uint64_t low = (number & 0xFFFFFFFFu) * <uint64_t> n
    cdef uint64_t high = (number >> 32) * <uint64_t> n
    return <Py_ssize_t> ((high + (low >> 32)) >> 32)
