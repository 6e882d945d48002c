"""Activations: value and slope, element by element, with dropout's mask.

Each function takes z and returns a = act(z), storing d = da/dz. Backward multiplies
by d (times the mask), so it needs neither z nor a nor the mask. To add one: write its
function, give it a number, a line in `activate`, and an entry in
skreg/_problem/activations.py.
"""

from libc.stdint cimport uint8_t

from skreg._kernels.team cimport Block
from skreg._kernels.types cimport real
from skreg._kernels.vecmath cimport exp, expm1_negative, logistic, normal_cdf, tanh

cdef enum Activation:
    IDENTITY = 0
    LOGISTIC = 1
    TANH = 2
    RELU = 3
    LEAKY_RELU = 4
    ELU = 5
    SELU = 6
    GELU = 7
    SILU = 8
    MISH = 9

cdef enum:
    N_ACTIVATIONS = 10


cdef inline real identity_unit(real z, real* d) noexcept nogil:
    d[0] = 1
    return z


cdef inline real logistic_unit(real z, real* d) noexcept nogil:
    """a = 1 / (1 + exp(-z)), d = a (1 - a)."""
    cdef real a = logistic(z)
    d[0] = a * (1 - a)
    return a


cdef inline real tanh_unit(real z, real* d) noexcept nogil:
    """a = tanh(z), d = 1 - a^2."""
    cdef real a = tanh(z)
    d[0] = 1 - a * a
    return a


cdef inline real relu_unit(real z, real* d) noexcept nogil:
    """a = max(z, 0); d = 0 at z = 0."""
    d[0] = 1 if z > 0 else 0
    return 0 if z < 0 else z


cdef inline real leaky_relu_unit(real z, real* d) noexcept nogil:
    """a = z for z > 0, else z / 100 (Maas et al. 2013)."""
    cdef real slope = <real> 1 if z > 0 else <real> 0.01
    d[0] = slope
    return slope * z


cdef inline real elu_unit(real z, real* d) noexcept nogil:
    """a = z for z > 0, else exp(z) - 1 (Clevert et al. 2016)."""
    cdef real below = expm1_negative(<real> 0 if z > 0 else z)
    d[0] = 1 if z > 0 else 1 + below
    return z if z > 0 else below


cdef inline real selu_unit(real z, real* d) noexcept nogil:
    """a = s z for z > 0, else s alpha (exp(z) - 1) (Klambauer et al. 2017)."""
    cdef real s = <real> 1.0507009873554804934193349852946
    cdef real s_alpha = <real> 1.7580993408473766
    cdef real below = s_alpha * expm1_negative(<real> 0 if z > 0 else z)
    d[0] = s if z > 0 else s_alpha + below
    return s * z if z > 0 else below


cdef inline real gelu_unit(real z, real* d) noexcept nogil:
    """a = z Phi(z), d = Phi(z) + z phi(z) (Hendrycks & Gimpel 2016)."""
    cdef real cdf = normal_cdf(z)
    cdef real density = <real> 0.39894228040143267794 * exp(<real> -0.5 * z * z)
    d[0] = cdf + z * density
    return z * cdf


cdef inline real silu_unit(real z, real* d) noexcept nogil:
    """a = z s with s = logistic(z), d = s (1 + z (1 - s)) (Elfwing et al. 2018)."""
    cdef real s = logistic(z)
    d[0] = s * (1 + z * (1 - s))
    return z * s


cdef inline real mish_unit(real z, real* d) noexcept nogil:
    """a = z t with t = tanh(softplus(z)) (Misra 2019).

    With e = exp(z) and q = e^2 + 2e: t = q / (q + 2), dt/dz = 4 e (1 + e) / (q + 2)^2.
    For z > 20, t = 1 to rounding, so z is cut there to keep e^2 finite.
    """
    cdef real cut = <real> 20 if z > 20 else z
    cdef real e = exp(cut)
    cdef real q = e * (e + 2)
    cdef real t = q / (q + 2)
    d[0] = t + cut * (4 * e * (1 + e)) / ((q + 2) * (q + 2))
    return z * t


cdef struct Mask:
    # Dropout's mask of a layer's output, (rows, n_out); keep NULL: no dropout.
    const uint8_t* keep
    Py_ssize_t stride
    double scale


cdef inline void each(
    real (*unit)(real, real*) noexcept nogil, Block block,
    real* z, real* slopes, Py_ssize_t stride, Mask mask,
) noexcept nogil:
    """One block of z becomes mask * unit(z), and slopes its derivative. Inlined."""
    cdef Py_ssize_t rows = block.rows
    cdef Py_ssize_t columns = block.columns
    cdef real scale = <real> mask.scale
    cdef const uint8_t* keep
    cdef real* value
    cdef real* slope
    cdef real d, factor
    cdef Py_ssize_t i, j
    if columns == stride and (mask.keep == NULL or columns == mask.stride):
        # rows without gaps are treated as one long row
        columns *= rows
        rows = 1
    for i in range(rows):
        value = z + i * stride
        if slopes == NULL:
            for j in range(columns):
                value[j] = unit(value[j], &d)
            continue
        slope = slopes + i * stride
        if mask.keep == NULL:
            for j in range(columns):
                value[j] = unit(value[j], &d)
                slope[j] = d
            continue
        keep = mask.keep + i * mask.stride
        for j in range(columns):
            factor = scale if keep[j] else 0
            value[j] = factor * unit(value[j], &d)
            slope[j] = factor * d


cdef inline void activate(
    int activation, Block block, real* z, real* slopes, Py_ssize_t stride, Mask mask
) noexcept nogil:
    """One block of a layer: z becomes mask * act(z), slopes gets mask * act'(z).

    z and slopes have rows of `stride` numbers, and point to the corner of the block.
    slopes NULL: slopes are not stored, and there is no mask.
    """
    if activation == IDENTITY:
        each(identity_unit[real], block, z, slopes, stride, mask)
    elif activation == LOGISTIC:
        each(logistic_unit[real], block, z, slopes, stride, mask)
    elif activation == TANH:
        each(tanh_unit[real], block, z, slopes, stride, mask)
    elif activation == RELU:
        each(relu_unit[real], block, z, slopes, stride, mask)
    elif activation == LEAKY_RELU:
        each(leaky_relu_unit[real], block, z, slopes, stride, mask)
    elif activation == ELU:
        each(elu_unit[real], block, z, slopes, stride, mask)
    elif activation == SELU:
        each(selu_unit[real], block, z, slopes, stride, mask)
    elif activation == GELU:
        each(gelu_unit[real], block, z, slopes, stride, mask)
    elif activation == SILU:
        each(silu_unit[real], block, z, slopes, stride, mask)
    elif activation == MISH:
        each(mish_unit[real], block, z, slopes, stride, mask)
