"""The three products of a dense layer, or of a block of the layer.

With X of shape (rows, n_in), W of shape (n_in, n_out) and D = dloss/dZ of shape
(rows, n_out), all row-major:

    forward          Z = b + X W, or Z += X W
    weight gradient  G = X^T D   (or +=, summing over chunks of rows)
    input gradient   dX = D W^T

Rows of X, D and Z may stand further apart than they are long (their strides).
"""

from skreg._kernels.types cimport real

cdef extern from "matmul.h" nogil:
    ctypedef struct product_shape:
        Py_ssize_t m
        Py_ssize_t n
        Py_ssize_t k
    Py_ssize_t SKREG_PANEL_SIZE
    Py_ssize_t SKREG_PANEL_COLUMNS
    void matmul_f32(
        product_shape shape, const float* a, Py_ssize_t a_row, Py_ssize_t a_col,
        const float* b, Py_ssize_t b_row, Py_ssize_t b_col, const float* start,
        Py_ssize_t start_row, float* c, Py_ssize_t ldc, float* panel) noexcept
    void matmul_f64(
        product_shape shape, const double* a, Py_ssize_t a_row, Py_ssize_t a_col,
        const double* b, Py_ssize_t b_row, Py_ssize_t b_col, const double* start,
        Py_ssize_t start_row, double* c, Py_ssize_t ldc, double* panel) noexcept
    void transpose_f32(
        Py_ssize_t rows, Py_ssize_t columns, const float* source,
        Py_ssize_t source_row, float* to, Py_ssize_t to_row,
        Py_ssize_t padded) noexcept
    void transpose_f64(
        Py_ssize_t rows, Py_ssize_t columns, const double* source,
        Py_ssize_t source_row, double* to, Py_ssize_t to_row,
        Py_ssize_t padded) noexcept


cdef inline void matmul(
    product_shape shape, const real* a, Py_ssize_t a_row, Py_ssize_t a_col,
    const real* b, Py_ssize_t b_row, Py_ssize_t b_col,
    const real* start, Py_ssize_t start_row, real* c, Py_ssize_t ldc, real* panel,
) noexcept nogil:
    """C = start + A B; see matmul.h."""
    if real is float:
        matmul_f32(
            shape, a, a_row, a_col, b, b_row, b_col, start, start_row, c, ldc, panel)
    else:
        matmul_f64(
            shape, a, a_row, a_col, b, b_row, b_col, start, start_row, c, ldc, panel)


cdef inline void transpose(
    Py_ssize_t rows, Py_ssize_t columns, const real* source, Py_ssize_t source_row,
    real* to, Py_ssize_t to_row, Py_ssize_t padded,
) noexcept nogil:
    """to[j, i] = source[i, j], rows of `to` filled with zeros up to `padded`."""
    if real is float:
        transpose_f32(rows, columns, source, source_row, to, to_row, padded)
    else:
        transpose_f64(rows, columns, source, source_row, to, to_row, padded)


cdef inline void forward_product(
    product_shape shape, const real* x, Py_ssize_t x_stride,
    const real* w, Py_ssize_t n_out, const real* b, real* z, Py_ssize_t z_stride,
    real* panel,
) noexcept nogil:
    """Z = b + X W: rows m, columns n of W's n_out, sums over k inputs."""
    matmul(shape, x, x_stride, 1, w, n_out, 1, b, 0, z, z_stride, panel)


cdef inline void add_product(
    product_shape shape, const real* x, Py_ssize_t x_stride,
    const real* w, Py_ssize_t n_out, real* z, Py_ssize_t z_stride, real* panel,
) noexcept nogil:
    """Z += X W: rows m, columns n of W's n_out, sums over k inputs."""
    matmul(shape, x, x_stride, 1, w, n_out, 1, z, z_stride, z, z_stride, panel)


cdef inline void weight_gradient_product(
    product_shape shape, const real* x, Py_ssize_t x_stride,
    const real* delta, Py_ssize_t delta_stride, real* g, bint accumulate, real* panel,
) noexcept nogil:
    """G = X^T D, or G += X^T D: inputs m, outputs n, sums over k rows."""
    cdef product_shape turned
    if shape.n == 1:
        # a column is computed as the row D^T X, whose sums run along contiguous X. A
        # single row may have any stride. The stride 2 keeps a single input out of the
        # product with one column, which would add up an earlier chunk's sum in another
        # order.
        turned = product_shape(1, shape.m, shape.k)
        matmul(
            turned, delta, 1, delta_stride, x, x_stride, 1,
            g if accumulate else NULL, 2, g, shape.m, panel)
        return
    matmul(
        shape, x, 1, x_stride, delta, delta_stride, 1,
        g if accumulate else NULL, shape.n, g, shape.n, panel)


cdef inline void input_gradient_product(
    product_shape shape, const real* delta, Py_ssize_t delta_stride,
    const real* w, Py_ssize_t n_out, real* dx, Py_ssize_t dx_stride, bint accumulate,
    real* panel,
) noexcept nogil:
    """dX = D W^T, or dX += D W^T: rows m, inputs n, sums over k = n_out outputs."""
    matmul(
        shape, delta, delta_stride, 1, w, 1, n_out, dx if accumulate else NULL,
        dx_stride, dx, dx_stride, panel)
