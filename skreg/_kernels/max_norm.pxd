"""Max-norm (Srivastava et al. 2014): a bound c on each unit's incoming weights.

After every step each column w of W is projected onto the ball of radius c:

    w <- w min(1, c / ||w||_2)

The squares are summed up block by block while the step has the block in cache, and then
over the blocks, in the order of the rows. So the bits do not depend on which thread had
which block. W is only read again where a column is too long.
"""

from libc.math cimport sqrt

from skreg._kernels.optimizers cimport average_step
from skreg._kernels.types cimport real

cdef enum:
    # Columns that one thread projects at a time.
    MAX_NORM_COLUMNS = 32


cdef inline void column_squares(
    Py_ssize_t rows, Py_ssize_t n_out, const real* w, real* squares
) noexcept nogil:
    """squares[j] = sum_i w[i, j]^2 over some rows of W; squares: (n_out,)."""
    cdef Py_ssize_t i, j
    for j in range(n_out):
        squares[j] = 0
    for i in range(rows):
        for j in range(n_out):
            squares[j] += w[i * n_out + j] * w[i * n_out + j]


cdef inline void project_columns(
    double bound, Py_ssize_t first, Py_ssize_t columns, Py_ssize_t n_in,
    Py_ssize_t n_out, Py_ssize_t blocks, const real* squares, real* w,
    real average_share, real* average,
) noexcept nogil:
    """Projects columns first, ..., first + columns - 1 of W, (n_in, n_out).

    squares: (blocks, n_out), from `column_squares`. Then the moving average of the
    columns takes its step; average: (n_in, n_out), NULL: no average.
    """
    cdef real factor[MAX_NORM_COLUMNS]
    cdef double total
    cdef bint too_long = False
    cdef Py_ssize_t b, i, j
    for j in range(columns):
        total = 0
        for b in range(blocks):
            total += squares[b * n_out + first + j]
        factor[j] = 1
        if total > bound * bound:
            factor[j] = <real> (bound / sqrt(total))
            too_long = True
    w += first
    if too_long:
        for i in range(n_in):
            for j in range(columns):
                w[i * n_out + j] *= factor[j]
    if average != NULL:
        for i in range(n_in):
            average_step(
                average_share, columns, w + i * n_out, average + first + i * n_out)
