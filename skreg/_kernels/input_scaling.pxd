"""Scaling of dense X for the network: robust, with short tails.

    z = (x - centre) factor,    x' = 3 asinh(z / 3)

of each feature. Near the centre x' is z, and far away x' grows like a logarithm. So
neither the unit of a feature nor a few far-off values matter much, and different values
stay different. The rows of a batch are scaled in the buffer that they were copied to; X
itself is not changed.
"""

from libc.float cimport DBL_MAX, FLT_MAX

from skreg._kernels.types cimport real
from skreg._kernels.vecmath cimport exp, log, square_root

cdef struct InputScaling:
    const void* centre    # (n_features,); NULL: X is not scaled
    const void* factor    # (n_features,); 0 for a constant feature

cdef enum:
    # The size of z at which the logarithm begins: the 3 of the formula.
    BEND = 3
    # The bound of |z|, so that its square is finite in any dtype.
    FAR = 1000000000


cdef inline void scale_inputs(
    InputScaling* scaling, Py_ssize_t n_features, Py_ssize_t first, Py_ssize_t last,
    real* inputs, Py_ssize_t stride,
) noexcept nogil:
    """inputs[i] <- x' for positions first to last - 1."""
    cdef const real* centre = <const real*> scaling.centre
    cdef const real* factor = <const real*> scaling.factor
    cdef real largest = <real> (FLT_MAX if real is float else DBL_MAX)
    cdef real* x
    cdef real z, size, bent
    cdef Py_ssize_t i, j
    for i in range(first, last):
        x = inputs + i * stride
        for j in range(n_features):
            # finite, so that a factor of zero makes it zero
            z = min(max(x[j] - centre[j], -largest), largest) * factor[j]
            size = min(max(z, -z), <real> FAR) * <real> (1.0 / BEND)
            bent = BEND * log(size + square_root(1 + size * size))
            x[j] = bent if z > 0 else -bent


cdef inline void scale_gradient(
    InputScaling* scaling, Py_ssize_t n_features, Py_ssize_t first, Py_ssize_t last,
    const real* inputs, Py_ssize_t stride, real* gradient,
) noexcept nogil:
    """The gradient by x from that by x': dx'/dx = factor / cosh(x' / 3).

    inputs: x', with a stride; gradient: (rows, n_features).
    """
    cdef const real* factor = <const real*> scaling.factor
    cdef const real* x
    cdef real e
    cdef Py_ssize_t i, j
    for i in range(first, last):
        x = inputs + i * stride
        for j in range(n_features):
            e = exp(-max(x[j], -x[j]) * <real> (1.0 / BEND))
            gradient[i * n_features + j] *= factor[j] * (2 * e / (1 + e * e))
