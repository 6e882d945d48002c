"""Batch normalization (Ioffe & Szegedy 2015) before or after a layer's activation.

In training a unit's values v_i in the rows of a batch are normalised by their own mean
and variance, where row i has the weight p_i = s_i / sum s. Then they are scaled by
gamma and shifted by beta, which are learnt:

    m = sum_i p_i v_i,   q = sum_i p_i (v_i - m)^2,   r = 1 / sqrt(q + epsilon)
    n_i = r (v_i - m),   u_i = gamma n_i + beta

All rows of a batch depend on each other through m and q. With D_i = dloss/du_i:

    dbeta = sum_i D_i,   dgamma = sum_i D_i n_i
    dloss/dv_i = gamma r (D_i - p_i (dbeta + n_i dgamma))

Prediction uses running averages of m and q instead, which are folded into the weights:
see skreg/_network/batch_norm.py. A batch of one row has no variance. It is normalised
by the running averages, as a prediction would be, and does not change them.

The columns are cut into strips that stay in cache. One thread computes all rows of a
strip.
"""

from skreg._kernels.types cimport real
from skreg._kernels.vecmath cimport square_root

cdef enum:
    # Units that are normalised together; a multiple of every vector's lanes.
    STRIP = 32

cdef enum Position:
    NO_NORM = 0
    BEFORE = 1
    AFTER = 2

cdef struct Norm:
    # The norm of one layer.
    void* normalised      # n_i of the batch, (capacity, n_out), the outputs' stride
    void* inverse_spread  # r of the batch, (n_out,)
    void* mean            # running average of m, (n_out,)
    void* variance        # running average of q, (n_out,)


cdef struct Statistics:
    # How a pass treats the running averages.
    bint running          # normalise by the averages, as a batch of one row does
    double rate           # weight of this batch in the averages; 0: they do not change


cdef inline void normalise_strip(
    Norm* norm, Statistics statistics, double epsilon, const real* shares,
    Py_ssize_t rows, Py_ssize_t first, Py_ssize_t columns, Py_ssize_t stride,
    real* values, const real* gamma, const real* beta,
) noexcept nogil:
    """v becomes u for units first, ..., first + columns - 1; n and r are kept.

    values: (rows, n_out) by stride; shares: (rows,); gamma, beta: (n_out,).
    """
    # a call with the constant STRIP is compiled to loops of known length, without
    # overhead
    if columns == STRIP:
        normalise_columns(
            norm, statistics, epsilon, shares, rows, first, STRIP, stride, values,
            gamma, beta)
    else:
        normalise_columns(
            norm, statistics, epsilon, shares, rows, first, columns, stride, values,
            gamma, beta)


cdef inline void normalise_columns(
    Norm* norm, Statistics statistics, double epsilon, const real* shares,
    Py_ssize_t rows, Py_ssize_t first, Py_ssize_t columns, Py_ssize_t stride,
    real* values, const real* gamma, const real* beta,
) noexcept nogil:
    # local arrays, so that the compiler knows that no pointer leads to them
    cdef real mean[STRIP]
    cdef real variance[STRIP]
    cdef real spread[STRIP]
    cdef real scale[STRIP]
    cdef real shift[STRIP]
    cdef real* running_mean = <real*> norm.mean + first
    cdef real* running_variance = <real*> norm.variance + first
    cdef real* kept_spread = <real*> norm.inverse_spread + first
    cdef real* normalised = <real*> norm.normalised + first
    cdef real* v = values + first
    cdef real* n
    cdef real share, d
    cdef real rate = <real> statistics.rate
    # the variance within a sample is too small by the factor (rows - 1) / rows
    cdef real correction = <real> (rows / <double> max(<Py_ssize_t> 1, rows - 1))
    cdef Py_ssize_t i, j
    for j in range(columns):
        scale[j] = gamma[first + j]
        shift[j] = beta[first + j]
    if statistics.running:
        for j in range(columns):
            mean[j] = running_mean[j]
            variance[j] = running_variance[j]
    else:
        for j in range(columns):
            mean[j] = 0
            variance[j] = 0
        for i in range(rows):
            share = shares[i]
            for j in range(columns):
                mean[j] += share * v[i * stride + j]
        for i in range(rows):
            share = shares[i]
            for j in range(columns):
                d = v[i * stride + j] - mean[j]
                variance[j] += share * d * d
        if rate > 0:
            for j in range(columns):
                running_mean[j] += rate * (mean[j] - running_mean[j])
                running_variance[j] += rate * (
                    correction * variance[j] - running_variance[j])
    for j in range(columns):
        spread[j] = 1 / square_root(variance[j] + <real> epsilon)
        kept_spread[j] = spread[j]
    for i in range(rows):
        n = normalised + i * stride
        for j in range(columns):
            d = spread[j] * (v[i * stride + j] - mean[j])
            n[j] = d
            v[i * stride + j] = scale[j] * d + shift[j]


cdef inline void strip_gradient(
    Norm* norm, Statistics statistics, const real* shares,
    Py_ssize_t rows, Py_ssize_t first, Py_ssize_t columns, Py_ssize_t stride,
    real* delta, const real* gamma, real* dgamma, real* dbeta,
) noexcept nogil:
    """dloss/du becomes dloss/dv in place, for units first, ..., first + columns - 1.

    delta: (rows, n_out) by stride; gamma: (n_out,); dgamma, dbeta: (columns,).
    """
    if columns == STRIP:
        columns_gradient(
            norm, statistics, shares, rows, first, STRIP, stride, delta, gamma, dgamma,
            dbeta)
    else:
        columns_gradient(
            norm, statistics, shares, rows, first, columns, stride, delta, gamma,
            dgamma, dbeta)


cdef inline void columns_gradient(
    Norm* norm, Statistics statistics, const real* shares,
    Py_ssize_t rows, Py_ssize_t first, Py_ssize_t columns, Py_ssize_t stride,
    real* delta, const real* gamma, real* dgamma, real* dbeta,
) noexcept nogil:
    cdef const real* spread = <const real*> norm.inverse_spread + first
    cdef const real* normalised = <const real*> norm.normalised + first
    cdef const real* n
    cdef real factor[STRIP]
    cdef real by_scale[STRIP]
    cdef real by_shift[STRIP]
    cdef real* d
    cdef real share
    cdef Py_ssize_t i, j
    gamma += first
    delta += first
    for j in range(columns):
        by_scale[j] = 0
        by_shift[j] = 0
        factor[j] = gamma[j] * spread[j]
    for i in range(rows):
        d = delta + i * stride
        n = normalised + i * stride
        for j in range(columns):
            by_shift[j] += d[j]
            by_scale[j] += d[j] * n[j]
    for i in range(rows):
        d = delta + i * stride
        n = normalised + i * stride
        # running averages are constants, without a gradient
        share = 0 if statistics.running else shares[i]
        for j in range(columns):
            d[j] = factor[j] * (d[j] - share * (by_shift[j] + n[j] * by_scale[j]))
    for j in range(columns):
        dgamma[j] = by_scale[j]
        dbeta[j] = by_shift[j]
