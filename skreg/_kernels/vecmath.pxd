"""The functions of vecmath.h, chosen by the type of the argument."""

from skreg._kernels.types cimport real

cdef extern from "vecmath.h" nogil:
    float exp_f32(float) noexcept
    double exp_f64(double) noexcept
    float expm1_negative_f32(float) noexcept
    double expm1_negative_f64(double) noexcept
    float tanh_f32(float) noexcept
    double tanh_f64(double) noexcept
    float logistic_f32(float) noexcept
    double logistic_f64(double) noexcept
    float log_f32(float) noexcept
    double log_f64(double) noexcept
    float log1p_unit_f32(float) noexcept
    double log1p_unit_f64(double) noexcept
    float normal_cdf_f32(float) noexcept
    double normal_cdf_f64(double) noexcept
    # single precision only
    float sinpi_f32(float) noexcept
    float cospi_f32(float) noexcept

cdef extern from "math.h" nogil:
    float sqrtf(float) noexcept
    double sqrt(double) noexcept


cdef inline real square_root(real x) noexcept nogil:
    if real is float:
        return sqrtf(x)
    else:
        return sqrt(x)


cdef inline real exp(real x) noexcept nogil:
    if real is float:
        return exp_f32(x)
    else:
        return exp_f64(x)


cdef inline real expm1_negative(real x) noexcept nogil:
    """expm1 for x <= 0."""
    if real is float:
        return expm1_negative_f32(x)
    else:
        return expm1_negative_f64(x)


cdef inline real tanh(real x) noexcept nogil:
    if real is float:
        return tanh_f32(x)
    else:
        return tanh_f64(x)


cdef inline real logistic(real x) noexcept nogil:
    """1 / (1 + exp(-x))."""
    if real is float:
        return logistic_f32(x)
    else:
        return logistic_f64(x)


cdef inline real normal_cdf(real x) noexcept nogil:
    """The standard normal distribution function."""
    if real is float:
        return normal_cdf_f32(x)
    else:
        return normal_cdf_f64(x)


cdef inline real log(real x) noexcept nogil:
    """For normal numbers x > 0."""
    if real is float:
        return log_f32(x)
    else:
        return log_f64(x)


cdef inline real log1p_unit(real x) noexcept nogil:
    """log(1 + x) for 0 <= x <= 1."""
    if real is float:
        return log1p_unit_f32(x)
    else:
        return log1p_unit_f64(x)
