"""Threads within one fit, and how the work of a batch is divided among them.

All threads of a team run the same epoch. Each phase of a batch (a product, a mask, the
losses) is cut into blocks with separate results, and every thread computes its part of
the blocks. `wait_for_team` stands before a phase that reads what other threads wrote.
No sum is ever split between threads, so the bits do not depend on their number.
"""

cdef extern from "team.h" nogil:
    void run_team(
        int size, void (*work)(void*, int, int) noexcept nogil,
        void* context) noexcept
    void run_training_team(
        int size, void (*work)(void*, int, int) noexcept nogil,
        void* context) noexcept
    void wait_for_team(int size) noexcept
    int team_limit() noexcept

cdef struct Team:
    # A team, as one of its threads sees it.
    int thread
    int size

cdef struct Share:
    # first, ..., last - 1
    Py_ssize_t first
    Py_ssize_t last

cdef struct Blocks:
    # How a matrix is cut: `down` x `across` blocks of rows x columns. The last blocks
    # may have fewer rows or columns.
    Py_ssize_t rows
    Py_ssize_t columns
    Py_ssize_t down
    Py_ssize_t across

cdef struct Block:
    Py_ssize_t row
    Py_ssize_t rows
    Py_ssize_t column
    Py_ssize_t columns


cdef inline Share share_of(Team team, Py_ssize_t n) noexcept nogil:
    """This thread's contiguous part of n things; the parts are as even as possible."""
    return Share(n * team.thread // team.size, n * (team.thread + 1) // team.size)


cdef inline Py_ssize_t parts(Py_ssize_t n, Py_ssize_t size) noexcept nogil:
    return (n + size - 1) // size


cdef inline Block block_of(
    Blocks* blocks, Py_ssize_t number, Py_ssize_t rows, Py_ssize_t columns
) noexcept nogil:
    """One block of a rows x columns matrix, counted down the columns of blocks."""
    cdef Py_ssize_t row = number % blocks.down * blocks.rows
    cdef Py_ssize_t column = number // blocks.down * blocks.columns
    return Block(
        row, min(blocks.rows, rows - row),
        column, min(blocks.columns, columns - column))
