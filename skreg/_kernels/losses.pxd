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

Poisson and gamma leave out the terms of the half deviance that f does not enter.
Losses are summed in double. To add one: its function, its number, a line in
`row_loss`, and an entry in skreg/_losses.py.
"""

from libc.math cimport log, log1p

from skreg._kernels.types cimport real
from skreg._kernels.vecmath cimport exp, logistic

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
    # a NaN goes on as NaN
    delta[0] = 1 if r > 0 else (-1 if r < 0 else r)
    return -r if r < 0 else r


cdef inline double huber(real f, real y, double c, real* delta) noexcept nogil:
    cdef real r = f - y
    cdef real bound = <real> c
    cdef real clipped = bound if r > bound else (-bound if r < -bound else r)
    delta[0] = clipped
    # r clipped - clipped^2 / 2: both branches in one
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
        + log1p(<double> exp(f if f < 0 else -f)))


cdef inline double each_output(
    double (*element)(real, real, double, real*) noexcept nogil,
    Py_ssize_t n_outputs, const real* f, const real* y, double parameter, real* delta,
) noexcept nogil:
    """The sum over the outputs of one row."""
    cdef double total = 0
    cdef Py_ssize_t j
    for j in range(n_outputs):
        total += element(f[j], y[j], parameter, &delta[j])
    return total


cdef inline double multinomial_log_loss(
    Py_ssize_t n_classes, const real* f, const real* y, real* delta
) noexcept nogil:
    """One row; y sums to one, one-hot or mixed."""
    cdef double dot = 0
    cdef double log_sum
    cdef real total = softmax(n_classes, f, delta, &log_sum)
    cdef Py_ssize_t j
    for j in range(n_classes):
        dot += <double> y[j] * <double> f[j]
        delta[j] = delta[j] / total - y[j]
    return log_sum - dot


cdef inline real softmax(
    Py_ssize_t n_classes, const real* f, real* unscaled, double* log_sum
) noexcept nogil:
    """unscaled = exp(f - max f); returns its sum and stores log sum exp(f)."""
    cdef real largest = f[0]
    cdef real total = 0
    cdef Py_ssize_t j
    for j in range(1, n_classes):
        largest = largest if f[j] < largest else f[j]
    for j in range(n_classes):
        unscaled[j] = exp(f[j] - largest)
        total += unscaled[j]
    log_sum[0] = <double> largest + log(<double> total)
    return total


cdef inline double row_loss(
    int loss, double parameter, Py_ssize_t n_outputs,
    const real* f, const real* y, real* delta,
) noexcept nogil:
    """Loss of one row; delta gets its derivative. f, y, delta: (n_outputs,)."""
    if loss == SQUARED_ERROR:
        return each_output(squared_error[real], n_outputs, f, y, parameter, delta)
    if loss == ABSOLUTE_ERROR:
        return each_output(absolute_error[real], n_outputs, f, y, parameter, delta)
    if loss == HUBER:
        return each_output(huber[real], n_outputs, f, y, parameter, delta)
    if loss == QUANTILE:
        return each_output(quantile[real], n_outputs, f, y, parameter, delta)
    if loss == POISSON:
        return each_output(poisson[real], n_outputs, f, y, parameter, delta)
    if loss == GAMMA:
        return each_output(gamma[real], n_outputs, f, y, parameter, delta)
    if loss == BINARY_LOG_LOSS:
        return each_output(binary_log_loss[real], n_outputs, f, y, parameter, delta)
    return multinomial_log_loss(n_outputs, f, y, delta)


cdef inline void inverse_link(
    int loss, Py_ssize_t rows, Py_ssize_t n_outputs, real* f
) noexcept nogil:
    """Raw outputs f, (rows, n_outputs), become predictions."""
    cdef Py_ssize_t i, j
    cdef double log_sum
    cdef real total
    if loss == POISSON or loss == GAMMA:
        for i in range(rows * n_outputs):
            f[i] = exp(f[i])
    elif loss == BINARY_LOG_LOSS:
        for i in range(rows * n_outputs):
            f[i] = logistic(f[i])
    elif loss == MULTINOMIAL_LOG_LOSS:
        for i in range(rows):
            total = softmax(n_outputs, &f[i * n_outputs], &f[i * n_outputs], &log_sum)
            for j in range(n_outputs):
                f[i * n_outputs + j] /= total
