"""The products with CSR X: the work is in proportion to the number of non-zeros.

    forward          z_i = b + sum over the non-zeros x_ij of row i of  x_ij W[j]
    weight gradient  G[j] = sum over the non-zeros x_ij of column j of  x_ij D[i]

W is the first layer's matrix or theta, the weights of the skip connection. For the
second product a batch is also listed by columns. A row W[j] whose column is empty in a
batch has a gradient of zero, but Adam, momentum and the penalties move it nevertheless.
Such steps are done later, one by one with the rates of their time: when a batch has a
non-zero in the column again, and for all columns at the end of an epoch. The weights
are bit for bit those of dense X, but W and the optimizer's moments are read only where
the batch has non-zeros.
"""

from libc.stdint cimport int32_t

from skreg._kernels.dropout cimport Noise, dropout_factor
from skreg._kernels.feature_scaling cimport matrix_step
from skreg._kernels.optimizers cimport Optimizer, Rates, Segment
from skreg._kernels.rows cimport Rows, Selection, row_of
from skreg._kernels.team cimport Share
from skreg._kernels.types cimport real

cdef struct SparseBatch:
    # A batch of CSR X. The buffers hold the batch with the most non-zeros.
    const void* centre        # (n_features,), subtracted from non-zeros; or NULL
    void* values              # non-zeros of the batch, row by row, masked
    Py_ssize_t* row_starts    # (rows + 1,)
    # the same non-zeros by columns
    Py_ssize_t n_columns      # number of columns that have a non-zero
    int32_t* columns          # numbers of these columns, in the order of appearance
    Py_ssize_t* starts        # (n_columns + 1,)
    int32_t* rows             # positions in the batch
    void* by_column           # values, column by column
    int32_t* slots            # (n_features,): place in `columns`, or -1
    Py_ssize_t* steps_done    # (n_features,): steps of this epoch that W[j] has taken


cdef inline void list_batch(
    Rows* data, Selection* batch, double rate, Noise noise, SparseBatch* sparse,
    const real* _,
) noexcept nogil:
    """Reads the batch's non-zeros, applies input dropout, sorts them by column."""
    cdef const real* x = <const real*> data.values
    cdef const real* centre = <const real*> sparse.centre
    cdef real* values = <real*> sparse.values
    cdef real* by_column = <real*> sparse.by_column
    cdef bint masks = noise.on and rate > 0
    cdef Py_ssize_t i, k, n, row, slot, total
    cdef int32_t column
    for slot in range(sparse.n_columns):
        sparse.slots[sparse.columns[slot]] = -1
    sparse.n_columns = 0
    n = 0
    for i in range(batch.rows):
        row = row_of(data, batch, i)
        sparse.row_starts[i] = n
        for k in range(data.row_starts[row], data.row_starts[row + 1]):
            column = data.columns[k]
            values[n] = x[k]
            if centre != NULL:
                values[n] -= centre[column]
            if masks:
                values[n] *= <real> dropout_factor(
                    noise, 0, rate, i * data.n_features + column)
            n += 1
            slot = sparse.slots[column]
            if slot < 0:
                slot = sparse.n_columns
                sparse.n_columns += 1
                sparse.slots[column] = <int32_t> slot
                sparse.columns[slot] = column
                sparse.starts[slot] = 0
            sparse.starts[slot] += 1
    sparse.row_starts[batch.rows] = n
    # counts become ends, which the second pass, from the back, turns into starts
    total = 0
    for slot in range(sparse.n_columns):
        total += sparse.starts[slot]
        sparse.starts[slot] = total
    sparse.starts[sparse.n_columns] = total
    for i in range(batch.rows - 1, -1, -1):
        row = row_of(data, batch, i)
        n = sparse.row_starts[i] - data.row_starts[row]
        for k in range(data.row_starts[row + 1] - 1, data.row_starts[row] - 1, -1):
            slot = sparse.slots[data.columns[k]]
            sparse.starts[slot] -= 1
            sparse.rows[sparse.starts[slot]] = <int32_t> i
            by_column[sparse.starts[slot]] = values[n + k]


cdef inline void sparse_forward(
    Rows* data, Selection* batch, SparseBatch* sparse, Share rows,
    const real* w, const real* b, Py_ssize_t n_out, real* out, Py_ssize_t stride,
) noexcept nogil:
    """out = b + X W for some rows, or out += X W if b is NULL.

    sparse NULL: unchanged X, for prediction.
    """
    cdef const real* values
    cdef const real* w_row
    cdef real* out_row
    cdef real value
    cdef Py_ssize_t i, j, k, row, n
    for i in range(rows.first, rows.last):
        row = row_of(data, batch, i)
        values = <const real*> data.values + data.row_starts[row]
        if sparse != NULL:
            values = <const real*> sparse.values + sparse.row_starts[i]
        out_row = out + i * stride
        if b != NULL:
            for j in range(n_out):
                out_row[j] = b[j]
        n = data.row_starts[row + 1] - data.row_starts[row]
        for k in range(n):
            value = values[k]
            w_row = w + data.columns[data.row_starts[row] + k] * n_out
            for j in range(n_out):
                out_row[j] += value * w_row[j]


cdef inline void column_gradient(
    SparseBatch* sparse, Py_ssize_t slot, const real* delta, Py_ssize_t stride,
    Py_ssize_t n_out, real* g,
) noexcept nogil:
    """g += the sum over the non-zeros of one column of x_ij D[i]; g: (n_out,)."""
    cdef const real* values = <const real*> sparse.by_column
    cdef const real* delta_row
    cdef real value
    cdef Py_ssize_t j, k
    for k in range(sparse.starts[slot], sparse.starts[slot + 1]):
        value = values[k]
        delta_row = delta + sparse.rows[k] * stride
        for j in range(n_out):
            g[j] += value * delta_row[j]


cdef inline void catch_up(
    SparseBatch* sparse, Py_ssize_t column, Py_ssize_t to, Rates* rates,
    Optimizer* optimizer, Segment* segment, Py_ssize_t n_out,
    real* params, const real* zeros,
) noexcept nogil:
    """Gives W[column] the steps without gradient that it missed, up to step `to`.

    The caller updates `steps_done` when all matrices have taken their steps.
    """
    cdef Py_ssize_t step
    for step in range(sparse.steps_done[column], to):
        matrix_step(
            optimizer, &rates[step], segment, column * n_out, n_out, params, zeros)
