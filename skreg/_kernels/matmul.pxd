"""The three products of a dense layer.

With X of shape (rows, n_in), W of shape (n_in, n_out) and D = dloss/dZ of shape
(rows, n_out), all row-major:

    forward          Z += X W
    weight gradient  G  = X^T D   (or +=, summing over chunks of rows)
    input gradient   dX = D W^T
"""

from skreg._kernels.types cimport real

cdef extern from "matmul.h" nogil:
    ctypedef struct product_shape:
        Py_ssize_t m
        Py_ssize_t n
        Py_ssize_t k
    Py_ssize_t SKREG_PANEL_SIZE
    void matmul_f32(
        product_shape shape, const float* a, Py_ssize_t a_row, Py_ssize_t a_col,
        const float* b, Py_ssize_t b_row, Py_ssize_t b_col,
        float* c, Py_ssize_t ldc, int accumulate, float* panel) noexcept
    void matmul_f64(
        product_shape shape, const double* a, Py_ssize_t a_row, Py_ssize_t a_col,
        const double* b, Py_ssize_t b_row, Py_ssize_t b_col,
        double* c, Py_ssize_t ldc, int accumulate, double* panel) noexcept

cdef struct Product:
    Py_ssize_t rows
    Py_ssize_t n_in
    Py_ssize_t n_out


cdef inline void forward_product(
    Product p, const real* x, const real* w, real* z, real* panel
) noexcept nogil:
    """Z += X W."""
    cdef product_shape shape = product_shape(p.rows, p.n_out, p.n_in)
    if real is float:
        matmul_f32(shape, x, p.n_in, 1, w, p.n_out, 1, z, p.n_out, True, panel)
    else:
        matmul_f64(shape, x, p.n_in, 1, w, p.n_out, 1, z, p.n_out, True, panel)


cdef inline void weight_gradient_product(
    Product p, const real* x, const real* delta, real* g, bint accumulate, real* panel
) noexcept nogil:
    """G = X^T D, or G += X^T D."""
    cdef product_shape shape
    if p.n_out == 1:
        # a column: computed as the row D^T X, whose sums run along contiguous X
        shape = product_shape(1, p.n_in, p.rows)
        if real is float:
            matmul_f32(shape, delta, 1, 1, x, p.n_in, 1, g, p.n_in, accumulate, panel)
        else:
            matmul_f64(shape, delta, 1, 1, x, p.n_in, 1, g, p.n_in, accumulate, panel)
        return
    shape = product_shape(p.n_in, p.n_out, p.rows)
    if real is float:
        matmul_f32(
            shape, x, 1, p.n_in, delta, p.n_out, 1, g, p.n_out, accumulate, panel)
    else:
        matmul_f64(
            shape, x, 1, p.n_in, delta, p.n_out, 1, g, p.n_out, accumulate, panel)


cdef inline void input_gradient_product(
    Product p, const real* delta, const real* w, real* dx, real* panel
) noexcept nogil:
    """dX = D W^T."""
    cdef product_shape shape = product_shape(p.rows, p.n_in, p.n_out)
    if real is float:
        matmul_f32(shape, delta, p.n_out, 1, w, 1, p.n_out, dx, p.n_in, False, panel)
    else:
        matmul_f64(shape, delta, p.n_out, 1, w, 1, p.n_out, dx, p.n_in, False, panel)
