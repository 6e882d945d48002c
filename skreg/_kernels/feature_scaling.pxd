"""Steps of W_0 under a learnt scale of each feature: W_0 = diag(s) V.

With G the gradient by W_0, those of the L2 and L2-SP penalties included, the factors
have

    dV_j = s_j G_j,    ds_j = sum_k G_jk V_jk        (j a feature, k a unit)

as gradients. V takes Adam's steps with weight decay and the learning rate lr. s takes
Adam's steps without weight decay and with the learning rate scale_rate * lr. Then W_0 =
diag(s) V. The network's outputs and the objective depend on W_0 alone, so the scales
change only the path of training: the weights of a useful feature grow together (the
scaling layer of RealMLP, Holzmueller et al. 2024).

Both factors are kept from epoch to epoch. If W_0 was changed between two epochs, it is
not the product of the factors. The features whose rows differ then start again with s =
1, V = W_0.
"""

from libc.math cimport sqrt

from skreg._kernels.optimizers cimport (
    Optimizer, Rates, Segment, adam_step, average_step, optimizer_step)
from skreg._kernels.types cimport real

cdef enum:
    # Weights whose gradient is held at a time.
    SCALED = 256
    # Partial sums of a scalar product of rows, which become vector instructions.
    LANES = 16


cdef inline void matrix_step(
    Optimizer* optimizer, Rates* rates, Segment* segment,
    Py_ssize_t first, Py_ssize_t size, real* params, const real* gradient,
) noexcept nogil:
    """The step for whole rows of a weight matrix, scaled or not.

    The arguments are those of `optimizer_step`, which is called without scales.
    """
    cdef Py_ssize_t row
    if segment.row == 0:
        optimizer_step(optimizer, rates, segment, first, size, params, gradient)
        return
    for row in range(first // segment.row, (first + size) // segment.row):
        scaled_step(
            optimizer, rates, segment, row, params,
            gradient + row * segment.row - first)


cdef inline void match_scales(
    Optimizer* optimizer, Segment* segment, Py_ssize_t first, Py_ssize_t last,
    const real* params,
) noexcept nogil:
    """Resets s, V of features first, ..., last - 1 where W_0 is not their product."""
    cdef Py_ssize_t n = segment.row
    cdef real* scales = <real*> optimizer.scales
    cdef real* v = <real*> optimizer.unscaled
    cdef const real* w = params + segment.start
    cdef Py_ssize_t j, k
    cdef bint same
    for j in range(first, last):
        same = True
        for k in range(j * n, (j + 1) * n):
            same &= w[k] == scales[j] * v[k]
        if same:
            continue
        scales[j] = 1
        for k in range(j * n, (j + 1) * n):
            v[k] = w[k]


cdef inline void scaled_step(
    Optimizer* adam, Rates* rates, Segment* segment, Py_ssize_t row, real* params,
    const real* gradient,
) noexcept nogil:
    """The step of one feature's scale and weights; gradient: that of its weights."""
    cdef Py_ssize_t n = segment.row
    cdef Py_ssize_t start = row * n
    cdef real* scale = <real*> adam.scales + row
    cdef real* v = <real*> adam.unscaled + start
    cdef real* w = params + segment.start + start
    cdef const real* w0 = <const real*> adam.anchor + segment.start + start
    cdef real l2 = <real> segment.l2
    cdef real pull = <real> segment.anchor if adam.anchor != NULL else 0
    cdef real s = scale[0]
    cdef real g[SCALED]
    cdef real part[LANES]
    cdef Segment factor = segment[0]
    cdef Py_ssize_t first = 0
    cdef Py_ssize_t i, block, lane, size
    cdef real total = 0
    factor.l1 = factor.l2 = 0
    for lane in range(LANES):
        part[lane] = 0
    while first < n:
        size = min(<Py_ssize_t> SCALED, n - first)
        for i in range(size):
            g[i] = gradient[first + i] + l2 * w[first + i]
        if pull > 0:
            for i in range(size):
                g[i] += pull * (w[first + i] - w0[first + i])
        for block in range(size // LANES):
            i = block * LANES
            for lane in range(LANES):
                part[lane] += g[i + lane] * v[first + i + lane]
        for i in range(size - size % LANES, size):
            total += g[i] * v[first + i]
        for i in range(size):
            g[i] *= s
        adam_step(
            adam, rates, &factor, start + first, size, <real*> adam.unscaled, g)
        first += size
    for lane in range(LANES):
        total += part[lane]
    step_of_scale(adam, rates, row, total)
    s = scale[0]
    for i in range(n):
        w[i] = s * v[i]
    if adam.average != NULL:
        average_step(
            <real> rates.average_share, n, w,
            <real*> adam.average + segment.start + start)


cdef inline void step_of_scale(
    Optimizer* adam, Rates* rates, Py_ssize_t row, real gradient
) noexcept nogil:
    """Adam's step of one scale; see `adam_step`."""
    cdef real* scale = <real*> adam.scales + row
    cdef real* m = <real*> adam.scale_first + row
    cdef real* v = <real*> adam.scale_second + row
    m[0] = <real> adam.beta_1 * m[0] + <real> (1.0 - adam.beta_1) * gradient
    v[0] = <real> adam.beta_2 * v[0] + <real> (1.0 - adam.beta_2) * gradient * gradient
    scale[0] -= <real> (
        adam.scale_rate * rates.corrected * m[0] / (sqrt(v[0]) + adam.epsilon))
