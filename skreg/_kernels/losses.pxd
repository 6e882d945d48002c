"""Losses of a raw output f (before the inverse link) and a target y.

Each element function returns the loss and stores delta = dloss/df. The inverse link
is part of the loss, so delta has its simple form:

    loss               inverse link   loss(y, f)                        delta
    squared_error      f              (f - y)^2 / 2                     f - y
    absolute_error     f              |f - y|                           sign(f - y)
    huber (c)          f              (f - y)^2 / 2 where |f - y| <= c  f - y
                                      c (|f - y| - c / 2) elsewhere     c sign(f - y)
    quantile (q)       f              (q - [y < f]) (y - f)             [y < f] - q
    poisson            exp(f)         exp(f) - y f                      exp(f) - y
    gamma              exp(f)         f + y exp(-f)                     1 - y exp(-f)
    binary log loss    logistic(f)    log(1 + exp(f)) - y f             logistic(f) - y
    multinomial        softmax(f)     log sum exp(f) - y . f            softmax(f) - y

Poisson and gamma leave out the terms of the half deviance that do not depend on f.
Losses are summed in double precision.

Rows are taken LOSS_ROWS at a time and transposed, so that f, y and delta have the shape
(n_outputs, LOSS_ROWS): each lane of a vector is a row, and a softmax over few classes
costs no more per element than any other loss. To add a loss: write its function, give
it a number, a line in `loss_block`, and an entry in skreg/_problem/losses.py.
"""

from skreg._kernels.matmul cimport transpose
from skreg._kernels.types cimport real
from skreg._kernels.vecmath cimport exp, log, log1p_unit, logistic

cdef enum:
    LOSS_ROWS = 16

cdef enum Loss:
    SQUARED_ERROR = 0
    ABSOLUTE_ERROR = 1
    HUBER = 2
    QUANTILE = 3
    POISSON = 4
    GAMMA = 5
    BINARY_LOG_LOSS = 6
    MULTINOMIAL_LOG_LOSS = 7


cdef inline double squared_error(real f, real y, double _, real* delta) noexcept nogil:
    delta[0] = f - y
    return 0.5 * <double> delta[0] * <double> delta[0]


cdef inline double absolute_error(real f, real y, double _, real* delta) noexcept nogil:
    cdef real r = f - y
    # NaN stays NaN
    delta[0] = 1 if r > 0 else (-1 if r < 0 else r)
    return -r if r < 0 else r


cdef inline double huber(real f, real y, double c, real* delta) noexcept nogil:
    cdef real r = f - y
    cdef real bound = <real> c
    cdef real clipped = bound if r > bound else (-bound if r < -bound else r)
    delta[0] = clipped
    # r clipped - clipped^2 / 2 is the formula of both branches
    return <double> clipped * (<double> r - 0.5 * <double> clipped)


cdef inline double quantile(real f, real y, double q, real* delta) noexcept nogil:
    cdef real r = y - f
    delta[0] = <real> (1 - q) if r < 0 else (<real> -q if r > 0 else r)
    return (q - 1) * <double> r if r < 0 else q * <double> r


cdef inline double poisson(real f, real y, double _, real* delta) noexcept nogil:
    cdef real mean = exp(f)
    delta[0] = mean - y
    return <double> mean - <double> y * <double> f


cdef inline double gamma(real f, real y, double _, real* delta) noexcept nogil:
    cdef real ratio = y * exp(-f)
    delta[0] = 1 - ratio
    return <double> f + <double> ratio


cdef inline double binary_log_loss(
    real f, real y, double _, real* delta
) noexcept nogil:
    delta[0] = logistic(f) - y
    # log(1 + exp(f)) = max(f, 0) + log(1 + exp(-|f|)), which cannot overflow
    return (
        <double> (<real> 0 if f < 0 else f) - <double> y * <double> f
        + <double> log1p_unit(exp(f if f < 0 else -f)))


cdef inline void each_output(
    double (*element)(real, real, double, real*) noexcept nogil,
    Py_ssize_t n_outputs, const real* f, const real* y, double parameter,
    double* values, real* delta,
) noexcept nogil:
    """Losses that are sums over the outputs."""
    cdef Py_ssize_t i, j
    for j in range(n_outputs):
        for i in range(LOSS_ROWS):
            values[i] += element(
                f[j * LOSS_ROWS + i], y[j * LOSS_ROWS + i], parameter,
                &delta[j * LOSS_ROWS + i])


cdef inline void multinomial_log_loss(
    Py_ssize_t n_classes, const real* f, const real* y, double* values, real* delta
) noexcept nogil:
    """y sums to one over the classes, one-hot or mixed."""
    cdef double log_sum[LOSS_ROWS]
    cdef Py_ssize_t i, j
    softmax(n_classes, f, delta, log_sum)
    for i in range(LOSS_ROWS):
        values[i] = log_sum[i]
    for j in range(n_classes):
        for i in range(LOSS_ROWS):
            values[i] -= <double> y[j * LOSS_ROWS + i] * <double> f[j * LOSS_ROWS + i]
            delta[j * LOSS_ROWS + i] -= y[j * LOSS_ROWS + i]


cdef inline void softmax(
    Py_ssize_t n_classes, const real* f, real* probabilities, double* log_sum
) noexcept nogil:
    """probabilities = exp(f) / sum exp(f), and log sum exp(f), shifted by max f."""
    cdef real largest[LOSS_ROWS]
    cdef real total[LOSS_ROWS]
    cdef real value
    cdef Py_ssize_t i, j
    for i in range(LOSS_ROWS):
        largest[i] = f[i]
        total[i] = 0
    for j in range(1, n_classes):
        for i in range(LOSS_ROWS):
            value = f[j * LOSS_ROWS + i]
            # NaN stays NaN
            largest[i] = largest[i] if value < largest[i] else value
    for j in range(n_classes):
        for i in range(LOSS_ROWS):
            value = exp(f[j * LOSS_ROWS + i] - largest[i])
            probabilities[j * LOSS_ROWS + i] = value
            total[i] += value
    for i in range(LOSS_ROWS):
        log_sum[i] = <double> largest[i] + <double> log(total[i])
        total[i] = 1 / total[i]
    for j in range(n_classes):
        for i in range(LOSS_ROWS):
            probabilities[j * LOSS_ROWS + i] *= total[i]


cdef inline void loss_block(
    int loss, double parameter, Py_ssize_t n_outputs,
    const real* f, const real* y, double* values, real* delta,
) noexcept nogil:
    """Losses of LOSS_ROWS rows and their derivatives.

    f, y, delta: (n_outputs, LOSS_ROWS); values: (LOSS_ROWS,).
    """
    cdef Py_ssize_t i
    for i in range(LOSS_ROWS):
        values[i] = 0
    if loss == SQUARED_ERROR:
        each_output(squared_error[real], n_outputs, f, y, parameter, values, delta)
    elif loss == ABSOLUTE_ERROR:
        each_output(absolute_error[real], n_outputs, f, y, parameter, values, delta)
    elif loss == HUBER:
        each_output(huber[real], n_outputs, f, y, parameter, values, delta)
    elif loss == QUANTILE:
        each_output(quantile[real], n_outputs, f, y, parameter, values, delta)
    elif loss == POISSON:
        each_output(poisson[real], n_outputs, f, y, parameter, values, delta)
    elif loss == GAMMA:
        each_output(gamma[real], n_outputs, f, y, parameter, values, delta)
    elif loss == BINARY_LOG_LOSS:
        each_output(binary_log_loss[real], n_outputs, f, y, parameter, values, delta)
    else:
        multinomial_log_loss(n_outputs, f, y, values, delta)


cdef inline void inverse_link(
    int loss, Py_ssize_t rows, Py_ssize_t n_outputs, real* f, real* scratch
) noexcept nogil:
    """Raw outputs f, (rows, n_outputs), become predictions.

    scratch: (2, n_outputs, LOSS_ROWS), for the softmax.
    """
    cdef real* turned = scratch
    cdef real* probabilities = scratch + n_outputs * LOSS_ROWS
    cdef double log_sum[LOSS_ROWS]
    cdef Py_ssize_t i, block
    if loss == POISSON or loss == GAMMA:
        for i in range(rows * n_outputs):
            f[i] = exp(f[i])
    elif loss == BINARY_LOG_LOSS:
        for i in range(rows * n_outputs):
            f[i] = logistic(f[i])
    elif loss == MULTINOMIAL_LOG_LOSS:
        for i from 0 <= i < rows by LOSS_ROWS:
            block = min(<Py_ssize_t> LOSS_ROWS, rows - i)
            transpose(
                block, n_outputs, f + i * n_outputs, n_outputs,
                turned, LOSS_ROWS, LOSS_ROWS)
            softmax(n_outputs, turned, probabilities, log_sum)
            transpose(
                n_outputs, block, probabilities, LOSS_ROWS,
                f + i * n_outputs, n_outputs, 0)
