"""Adversarial examples of a batch.

FGSM (Goodfellow et al. 2015) and PGD (Madry et al. 2018).

The perturbation d_i of a row seeks the largest loss in a ball of radius epsilon:

    d <- project(d + step * direction(dloss/dx))
    l-infinity:  direction(g) = sign(g),    project: each |d_j| <= epsilon
    l2:          direction(g) = g / ||g||,  project: ||d|| <= epsilon

One step from d = 0 with step = epsilon is FGSM. Where features have bounds, x + d is
cut to them. Under input dropout the network sees f (x + d) with the mask's factors f,
so the gradient by d is f dloss/d(f x), and dropped features stay zero.
"""

from libc.math cimport INFINITY, sqrt
from libc.stdint cimport uint8_t, uint32_t

from skreg._kernels.backward cimport deltas
from skreg._kernels.dropout cimport draw_of
from skreg._kernels.forward cimport masks_inputs
from skreg._kernels.matmul cimport input_gradient_product, product_shape
from skreg._kernels.philox cimport GROUP_WORDS, STREAM_ATTACK, group_words
from skreg._kernels.signals cimport is_stopped
from skreg._kernels.team cimport Block, Blocks, Share, block_of, share_of, wait_for_team
from skreg._kernels.types cimport Layer, Matrix, matrix_of, real
from skreg._kernels.workspace cimport Batch, Workspace, cut_outputs

cdef struct Attack:
    Py_ssize_t n_steps     # 0: no adversarial training
    bint l2                # the norm; otherwise l-infinity
    bint random_start      # from a random point of the ball
    double epsilon
    double step_size
    double clean_weight    # weight of the clean loss in the objective
    double lower           # bounds of the features
    double upper


cdef inline void start_attack(
    Attack* attack, Batch* batch, const real* inputs, Py_ssize_t stride
) noexcept nogil:
    """Sets d to 0 or at random, and the perturbed inputs, for this thread's rows."""
    cdef Workspace* work = batch.work
    cdef Py_ssize_t p = batch.data.n_features
    cdef Share rows = share_of(batch.team, batch.selection.rows)
    cdef real* shift
    cdef Py_ssize_t i, j
    for i in range(rows.first, rows.last):
        shift = <real*> work.shift + i * p
        if attack.random_start:
            random_shift(attack, batch, i, p, shift)
        else:
            for j in range(p):
                shift[j] = 0
        perturb_row(attack, batch, i, p, inputs + i * stride, shift)


cdef inline void random_shift(
    Attack* attack, Batch* batch, Py_ssize_t row, Py_ssize_t p, real* shift
) noexcept nogil:
    """Draws d from [-epsilon, epsilon]^p; for l2 d is then shortened into the ball."""
    cdef uint32_t words[GROUP_WORDS]
    cdef Py_ssize_t groups = (p + GROUP_WORDS - 1) // GROUP_WORDS
    cdef Py_ssize_t group, j
    cdef double scale = 2.0 * attack.epsilon / 4294967296.0
    for group in range(groups):
        group_words(
            batch.noise.rng, STREAM_ATTACK, 0, batch.noise.step, row * groups + group,
            words)
        for j in range(group * GROUP_WORDS, min(p, (group + 1) * GROUP_WORDS)):
            shift[j] = <real> (
                scale * (words[j - group * GROUP_WORDS] + 0.5) - attack.epsilon)
    if attack.l2:
        shorten(attack.epsilon, p, shift)


cdef inline void shorten(double longest, Py_ssize_t p, real* v) noexcept nogil:
    """v min(1, longest / ||v||)."""
    cdef double length = norm_of(p, v)
    cdef real factor
    cdef Py_ssize_t j
    if length > longest:
        factor = <real> (longest / length)
        for j in range(p):
            v[j] *= factor


cdef inline double norm_of(Py_ssize_t p, const real* v) noexcept nogil:
    cdef real total = 0
    cdef Py_ssize_t j
    for j in range(p):
        total += v[j] * v[j]
    return sqrt(<double> total)


cdef inline real cut(real x, real lower, real upper) noexcept nogil:
    return lower if x < lower else (upper if x > upper else x)


cdef inline void perturb_row(
    Attack* attack, Batch* batch, Py_ssize_t row, Py_ssize_t p,
    const real* clean, const real* shift,
) noexcept nogil:
    """Writes a row of the perturbed inputs, f (x + d) within the bounds; clean: f x."""
    cdef real* out = <real*> batch.work.perturbed + row * batch.work.input_stride
    cdef real lower = <real> attack.lower
    cdef real upper = <real> attack.upper
    cdef bint bounded = attack.lower > -INFINITY or attack.upper < INFINITY
    cdef const uint8_t* keep
    cdef real scale, f
    cdef Py_ssize_t j
    if masks_inputs(batch):
        keep = batch.work.keep_inputs + row * p
        scale = <real> draw_of(batch.net.input_dropout).scale
        for j in range(p):
            f = scale if keep[j] else 0
            out[j] = clean[j] + f * shift[j]
            if bounded and keep[j]:
                out[j] = cut(out[j], f * lower, f * upper)
        return
    for j in range(p):
        out[j] = clean[j] + shift[j]
    if bounded:
        for j in range(p):
            out[j] = cut(out[j], lower, upper)


cdef inline void attack_step(
    const real* params, Attack* attack, Batch* batch, const real* inputs,
    Py_ssize_t stride,
) noexcept nogil:
    """One step of d for all rows, given D_0 and D_L: see `gradient_by_inputs`."""
    cdef Workspace* work = batch.work
    cdef Py_ssize_t p = batch.data.n_features
    cdef real* gradient = <real*> work.input_gradient
    cdef Share rows = share_of(batch.team, batch.selection.rows)
    cdef Py_ssize_t i
    gradient_by_inputs(params, batch, gradient)
    wait_for_team(batch.team.size)
    for i in range(rows.first, rows.last):
        move_row(
            attack, batch, i, p, gradient + i * p, <real*> work.shift + i * p)
        perturb_row(
            attack, batch, i, p, inputs + i * stride, <real*> work.shift + i * p)


cdef inline void gradient_by_inputs(
    const real* params, Batch* batch, real* out
) noexcept nogil:
    """D_0 W_0^T [+ D_L theta^T], this thread's blocks; out: (rows, n_features)."""
    cdef Workspace* work = batch.work
    cdef Layer* layer = &batch.net.layers[0]
    cdef Py_ssize_t last = batch.net.n_layers - 1
    cdef Matrix theta
    cdef const real* delta = <const real*> work.slopes[0]
    cdef const real* output_delta = <const real*> work.slopes[last]
    cdef real* panel = <real*> work.scratch[batch.team.thread].panel
    cdef Py_ssize_t p = layer.n_in
    cdef Blocks blocks = cut_outputs(batch.selection.rows, p)
    cdef Share share = share_of(batch.team, blocks.down * blocks.across)
    cdef Block block
    cdef Py_ssize_t number
    for number in range(share.first, share.last):
        block = block_of(&blocks, number, batch.selection.rows, p)
        if is_stopped(
                batch.watch, batch.team,
                2.0 * block.rows * block.columns * layer.n_out):
            break
        input_gradient_product(
            product_shape(block.rows, block.columns, layer.n_out),
            delta + block.row * work.strides[0], work.strides[0],
            params + layer.weights + block.column * layer.n_out, layer.n_out,
            out + block.row * p + block.column, p, False, panel)
        if batch.net.skip >= 0:
            theta = matrix_of(batch.net, last + 1)
            input_gradient_product(
                product_shape(block.rows, block.columns, theta.n_out),
                output_delta + block.row * work.strides[last], work.strides[last],
                params + theta.start + block.column * theta.n_out, theta.n_out,
                out + block.row * p + block.column, p, True, panel)


cdef inline void move_row(
    Attack* attack, Batch* batch, Py_ssize_t row, Py_ssize_t p, real* g, real* shift
) noexcept nogil:
    """d <- project(d + step direction(g)); g: dloss/d(f x), (p,)."""
    cdef const uint8_t* keep
    cdef real epsilon = <real> attack.epsilon
    cdef real step = <real> attack.step_size
    cdef double length
    cdef Py_ssize_t j
    if masks_inputs(batch):
        # only the zeros of the mask matter: its scale does not change the direction
        keep = batch.work.keep_inputs + row * p
        for j in range(p):
            g[j] = g[j] if keep[j] else 0
    if attack.l2:
        length = norm_of(p, g)
        # a row whose gradient is zero is not moved
        step = <real> (attack.step_size / length) if length > 0 else 0
        for j in range(p):
            shift[j] += step * g[j]
        shorten(attack.epsilon, p, shift)
        return
    for j in range(p):
        shift[j] = cut(
            shift[j] + step * <real> ((g[j] > 0) - (g[j] < 0)), -epsilon, epsilon)
