"""The rows a network reads: X dense or CSR, targets, weights. Nothing is copied."""

from libc.stdint cimport int32_t
from libc.string cimport memcpy

from skreg._kernels.types cimport real

cdef struct Rows:
    Py_ssize_t n                  # rows in use
    Py_ssize_t n_features
    const Py_ssize_t* subset      # (n,), the rows in use; NULL: the first n rows
    # X: either dense, (n, n_features), or the three arrays of CSR
    const void* dense
    const void* values
    const int32_t* columns
    const Py_ssize_t* row_starts
    # targets: either class numbers or rows of n_outputs values; both NULL: no targets
    const int32_t* classes
    const void* targets
    const void* weights           # of mean 1 over the rows in use; NULL: all 1

cdef struct Selection:
    # A batch: the rows in use at order[first], order[first + 1], ... (order NULL:
    # first, first + 1, ...)
    const Py_ssize_t* order
    Py_ssize_t first
    Py_ssize_t rows


cdef inline Py_ssize_t row_of(
    Rows* data, Selection* batch, Py_ssize_t i
) noexcept nogil:
    """The row of the arrays that stands at position i of the batch."""
    cdef Py_ssize_t row = batch.first + i
    if batch.order != NULL:
        row = batch.order[row]
    if data.subset != NULL:
        row = data.subset[row]
    return row


cdef inline void gather_inputs(
    Rows* data, Selection* batch, Py_ssize_t first, Py_ssize_t last,
    real* out, Py_ssize_t stride,
) noexcept nogil:
    """Copies positions first to last - 1 of a batch's dense X to these rows of out."""
    cdef const real* x = <const real*> data.dense
    cdef Py_ssize_t p = data.n_features
    cdef Py_ssize_t i
    for i in range(first, last):
        memcpy(out + i * stride, x + row_of(data, batch, i) * p, p * sizeof(real))


cdef inline void subtract_centre(
    const real* centre, Py_ssize_t n_features, Py_ssize_t first, Py_ssize_t last,
    real* inputs, Py_ssize_t stride,
) noexcept nogil:
    """inputs[i] -= centre for positions first to last - 1; centre: (n_features,)."""
    cdef Py_ssize_t i, j
    for i in range(first, last):
        for j in range(n_features):
            inputs[i * stride + j] -= centre[j]


cdef inline void gather_target(
    Rows* data, Py_ssize_t row, Py_ssize_t n_outputs, real* out, Py_ssize_t stride
) noexcept nogil:
    """Writes a row's target to out[0], out[stride], ...; class numbers one-hot."""
    cdef const real* target
    cdef Py_ssize_t j
    if data.classes == NULL:
        target = <const real*> data.targets + row * n_outputs
        for j in range(n_outputs):
            out[j * stride] = target[j]
        return
    for j in range(n_outputs):
        out[j * stride] = 0
    out[data.classes[row] * stride] = 1


cdef inline double row_weight(Rows* data, Py_ssize_t row, real* _) noexcept nogil:
    """The weight of one row; the last argument only selects the floating type."""
    if data.weights == NULL:
        return 1.0
    return (<const real*> data.weights)[row]
