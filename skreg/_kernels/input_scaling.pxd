"""Dense X on the scale that the network reads: robust, and clipped smoothly.

    z = (x - centre) factor,    x' = z / sqrt(1 + (z / 3)^2)

of each feature (Holzmueller et al. 2024): near the centre x' is z, and none is beyond
-3 and 3, so that a feature of any unit, and one far-off value, is like any other. The
rows of a batch are scaled where they were copied to; X stays as it is.
"""

from libc.float cimport DBL_MAX, FLT_MAX

from skreg._kernels.types cimport real
from skreg._kernels.vecmath cimport square_root

cdef struct InputScaling:
    const void* centre    # (n_features,); NULL: X is read as it is
    const void* factor    # (n_features,); 0 where a feature says nothing

cdef enum:
    # Of the bound of x'.
    SQUARED_BOUND = 9
    # Where z ends, so that its square is finite; x' is at its bound there.
    FAR = 1000000


cdef inline void scale_inputs(
    InputScaling* scaling, Py_ssize_t n_features, Py_ssize_t first, Py_ssize_t last,
    real* inputs, Py_ssize_t stride,
) noexcept nogil:
    """inputs[i] <- x' for positions first to last - 1."""
    cdef const real* centre = <const real*> scaling.centre
    cdef const real* factor = <const real*> scaling.factor
    cdef real share = <real> (1.0 / SQUARED_BOUND)
    cdef real largest = <real> (FLT_MAX if real is float else DBL_MAX)
    cdef real* x
    cdef real z
    cdef Py_ssize_t i, j
    for i in range(first, last):
        x = inputs + i * stride
        for j in range(n_features):
            # finite, so that a factor of zero makes it zero
            z = min(max(x[j] - centre[j], -largest), largest) * factor[j]
            z = min(max(z, <real> -FAR), <real> FAR)
            x[j] = z / square_root(1 + share * z * z)


cdef inline void scale_gradient(
    InputScaling* scaling, Py_ssize_t n_features, Py_ssize_t first, Py_ssize_t last,
    const real* inputs, Py_ssize_t stride, real* gradient,
) noexcept nogil:
    """The gradient by x from that by x': dx'/dx = factor (1 - (x' / 3)^2)^(3/2).

    inputs: x', with a stride; gradient: (rows, n_features).
    """
    cdef const real* factor = <const real*> scaling.factor
    cdef real share = <real> (1.0 / SQUARED_BOUND)
    cdef const real* x
    cdef real rest
    cdef Py_ssize_t i, j
    for i in range(first, last):
        x = inputs + i * stride
        for j in range(n_features):
            # rounding may lead beyond the bound
            rest = max(<real> 0, 1 - share * x[j] * x[j])
            gradient[i * n_features + j] *= factor[j] * rest * square_root(rest)
