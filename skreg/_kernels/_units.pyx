"""Single kernels for Python: for the tests, the tables of the documentation, and the
values of constant units that pruning moves into biases.

A fit does not use this module: the same inline functions are compiled into _engine.
"""

cimport numpy as cnp
from libc.stdint cimport int32_t, uint8_t, uint32_t, uint64_t

# Not `from skreg._kernels cimport activations`: Cython does not list a file that is
# named in this way among the build's dependencies.
cimport skreg._kernels.activations as activations
cimport skreg._kernels.augmentation as augmentation
cimport skreg._kernels.augmentation_features as augmentation_features
cimport skreg._kernels.augmentation_images as augmentation_images
cimport skreg._kernels.augmentation_types as augmentation_types
cimport skreg._kernels.dropout as dropout
cimport skreg._kernels.group_lasso as group_lasso
cimport skreg._kernels.hierarchy as hierarchy
cimport skreg._kernels.losses as losses
cimport skreg._kernels.matmul as matmul
cimport skreg._kernels.optimizers as optimizers
cimport skreg._kernels.philox as philox
cimport skreg._kernels.vecmath as vecmath
from skreg._kernels.dropout cimport Noise
from skreg._kernels.team cimport Block, Team, parts
from skreg._kernels.types cimport real

import numpy as np

cnp.import_array()


def philox4x32(counter, key):
    """The four words for a counter of four words and a key of two."""
    cdef uint32_t word[4]
    word[0], word[1], word[2], word[3] = counter
    philox.philox_block(word, key[0], key[1])
    return [word[0], word[1], word[2], word[3]]


def philox_group(counter, key):
    """The 64 words of 16 blocks, from this counter on."""
    cdef uint32_t start[4]
    cdef uint32_t[::1] words = np.empty(64, dtype=np.uint32)
    start[0], start[1], start[2], start[3] = counter
    philox.philox_group(start, key[0], key[1], &words[0])
    return np.asarray(words)


def shuffled(Py_ssize_t n, key, epoch):
    """The order in which an epoch visits n rows."""
    cdef Py_ssize_t[::1] order = np.empty(n, dtype=np.intp)
    cdef philox.Philox rng
    rng.key[0], rng.key[1] = key
    philox.shuffle(rng, epoch, &order[0], n)
    return np.asarray(order)


def dropout_mask(shape, double rate, key, Py_ssize_t layer, step):
    """The mask of layer `layer` (0: the input) times its scale."""
    cdef Noise noise
    cdef Py_ssize_t size = shape[0] * shape[1]
    cdef uint8_t[::1] keep = np.empty(dropout.mask_size(size), dtype=np.uint8)
    noise.on = True
    noise.rng.key[0], noise.rng.key[1] = key
    noise.step = step
    dropout.draw_mask(
        noise, layer, rate, 0, parts(size, dropout.group_elements(rate)), &keep[0])
    return np.asarray(keep)[:size].reshape(shape) * dropout.draw_of(rate).scale


def dropout_factor(double rate, key, Py_ssize_t layer, step, uint64_t element):
    """One element of the mask of `dropout_mask`, times its scale."""
    cdef Noise noise
    noise.on = True
    noise.rng.key[0], noise.rng.key[1] = key
    noise.step = step
    return dropout.dropout_factor(noise, layer, rate, element)


def normal_numbers(key, Py_ssize_t layer, step, Py_ssize_t groups):
    """Standard normal numbers from the words of this layer's groups, float32."""
    cdef uint32_t words[64]
    cdef float[:, ::1] out = np.empty((groups, 64), dtype=np.float32)
    cdef philox.Philox rng
    cdef Py_ssize_t group
    rng.key[0], rng.key[1] = key
    for group in range(groups):
        philox.group_words(
            rng, philox.STREAM_AUGMENTATION, layer, step, group, words)
        augmentation_features.normal_numbers(words, &out[group, 0])
    return np.asarray(out).ravel()


def augmented(const real[:, ::1] x, table, key, step):
    """A batch after all augmentations of a table, and how it was mixed.

    Returns the inputs, lambda of each row (its own share in the mixed row), and the
    offset of the partners, which is 0 where nothing was mixed.
    """
    cdef real[:, ::1] inputs = np.array(x)
    cdef real[:, ::1] mixed = np.empty_like(inputs)
    cdef double[::1] shares = np.ones(len(x))
    cdef char[::1] steps = np.ascontiguousarray(table).view(np.int8)
    cdef augmentation.Augmentations all_
    cdef augmentation.ImageScratch scratch
    cdef Noise noise
    cdef Py_ssize_t i, size = 0
    cdef real* result
    all_.n = len(table)
    all_.steps = <augmentation_types.Augmentation*> &steps[0] if all_.n else NULL
    all_.mixing.inputs, all_.mixing.shares = &mixed[0, 0], &shares[0]
    for i in range(all_.n):
        size = max(size, augmentation_images.image_scratch(&all_.steps[i]))
    cdef real[::1] numbers = np.empty(size + 1, dtype=np.asarray(inputs).dtype)
    cdef int32_t[::1] offsets = np.empty(size + 1, dtype=np.int32)
    scratch.numbers, scratch.offsets = &numbers[0], &offsets[0]
    noise.on = True
    noise.rng.key[0], noise.rng.key[1] = key
    noise.step = step
    result = augmentation.augment(
        &all_, noise, inputs.shape[0], inputs.shape[1], &inputs[0, 0], inputs.shape[1],
        &scratch, Team(0, 1))
    after = np.asarray(mixed) if result == &mixed[0, 0] else np.asarray(inputs)
    return after, np.asarray(shares), all_.mixing.offset


def activate(int activation, const real[::1] z):
    """act(z) and act'(z)."""
    cdef real[::1] value = np.array(z)
    cdef real[::1] slope = np.empty_like(value)
    cdef Py_ssize_t n = z.shape[0]
    activations.activate(
        activation, Block(0, 1, 0, n), &value[0], &slope[0], n,
        activations.Mask(NULL, 0, 1.0))
    return np.asarray(value), np.asarray(slope)


def vector_function(name, const real[::1] x):
    """A function of vecmath.h, element by element."""
    cdef real[::1] y = np.empty_like(x)
    cdef Py_ssize_t i
    for i in range(x.shape[0]):
        if name == "exp":
            y[i] = vecmath.exp(x[i])
        elif name == "expm1_negative":
            y[i] = vecmath.expm1_negative(x[i])
        elif name == "tanh":
            y[i] = vecmath.tanh(x[i])
        elif name == "log":
            y[i] = vecmath.log(x[i])
        elif name == "log1p_unit":
            y[i] = vecmath.log1p_unit(x[i])
        elif name == "logistic":
            y[i] = vecmath.logistic(x[i])
        else:
            y[i] = vecmath.normal_cdf(x[i])
    return np.asarray(y)


def sine_and_cosine(const float[::1] x):
    """sin(pi x) and cos(pi x), element by element."""
    cdef float[::1] sine = np.empty_like(x)
    cdef float[::1] cosine = np.empty_like(x)
    cdef Py_ssize_t i
    for i in range(x.shape[0]):
        sine[i] = vecmath.sinpi_f32(x[i])
        cosine[i] = vecmath.cospi_f32(x[i])
    return np.asarray(sine), np.asarray(cosine)


def losses_of(
    int loss, double parameter, const real[:, ::1] f, const real[:, ::1] y
):
    """Losses of up to LOSS_ROWS rows, and their derivatives by f; (rows, n_outputs)."""
    rows, n_outputs = f.shape[0], f.shape[1]
    dtype = np.asarray(f).dtype
    cdef real[:, ::1] turned_f = np.zeros((n_outputs, losses.LOSS_ROWS), dtype)
    cdef real[:, ::1] turned_y = np.zeros((n_outputs, losses.LOSS_ROWS), dtype)
    cdef real[:, ::1] delta = np.zeros((n_outputs, losses.LOSS_ROWS), dtype)
    cdef double[::1] values = np.empty(losses.LOSS_ROWS)
    np.asarray(turned_f)[:, :rows] = np.asarray(f).T
    np.asarray(turned_y)[:, :rows] = np.asarray(y).T
    losses.loss_block(
        loss, parameter, n_outputs, &turned_f[0, 0], &turned_y[0, 0], &values[0],
        &delta[0, 0])
    return np.asarray(values)[:rows], np.asarray(delta)[:, :rows].T


def inverse_link(int loss, const real[:, ::1] f):
    """Predictions from raw outputs."""
    cdef real[:, ::1] out = np.array(f)
    cdef real[::1] scratch = np.empty(
        2 * losses.LOSS_ROWS * f.shape[1], dtype=np.asarray(f).dtype)
    losses.inverse_link(loss, f.shape[0], f.shape[1], &out[0, 0], &scratch[0])
    return np.asarray(out)


def soft_threshold(const real[::1] w, double threshold):
    """argmin_u (u - w)^2 / 2 + threshold |u|."""
    cdef real[::1] out = np.empty_like(w)
    cdef Py_ssize_t i
    for i in range(w.shape[0]):
        out[i] = optimizers.soft_threshold(w[i], <real> threshold)
    return np.asarray(out)


def group_prox(const double[::1] w, const double[::1] metric, double lam):
    """argmin_u sum (u - w)^2 / (2 metric) + lam ||u||."""
    cdef Py_ssize_t n = group_lasso.padded(len(w))
    cdef double[::1] u = filled(w, n, 0.0)
    cdef double[::1] d = filled(metric, n, 1.0)
    cdef double[::1] room = np.empty(n)
    even = np.ptp(metric) == 0
    group_lasso.group_prox(n, lam, even, &d[0], &u[0], &room[0])
    return np.asarray(u)[:len(w)]


def hierarchy_prox(
    const double[::1] t, const double[::1] t_metric, const double[::1] w,
    const double[::1] w_metric, double lam, double bound,
):
    """The weights T and W that hierarchy.pxd derives."""
    cdef Py_ssize_t n = group_lasso.padded(len(t))
    cdef Py_ssize_t m = group_lasso.padded(len(w))
    cdef double[::1] T = filled(t, n, 0.0)
    cdef double[::1] d = filled(t_metric, n, group_lasso.TINY)
    cdef double[::1] W = filled(w, m, 0.0)
    cdef double[::1] e = filled(w_metric, m, 1.0)
    cdef double[::1] room = np.empty(3 * n)
    even = np.ptp(t_metric) == 0
    hierarchy.hierarchy_prox(
        lam, bound, n, even, &d[0], &T[0], m, &e[0], &W[0], &room[0])
    return np.asarray(T)[:len(t)], np.asarray(W)[:len(w)]


cdef filled(values, Py_ssize_t n, double filler):
    return np.append(values, np.full(n - len(values), filler))


def forward_product(const real[:, ::1] x, const real[:, ::1] w, const real[::1] b):
    """b + x w."""
    cdef real[:, ::1] out = np.empty(
        (x.shape[0], w.shape[1]), dtype=np.asarray(w).dtype)
    cdef real[::1] panel = panel_like(out)
    matmul.forward_product(
        matmul.product_shape(x.shape[0], w.shape[1], x.shape[1]),
        &x[0, 0], x.shape[1], &w[0, 0], w.shape[1], &b[0], &out[0, 0], w.shape[1],
        &panel[0])
    return np.asarray(out)


def add_product(
    const real[:, ::1] x, const real[:, ::1] w, const real[:, ::1] start
):
    """start + x w."""
    cdef real[:, ::1] out = np.array(start)
    cdef real[::1] panel = panel_like(out)
    matmul.add_product(
        matmul.product_shape(x.shape[0], w.shape[1], x.shape[1]),
        &x[0, 0], x.shape[1], &w[0, 0], w.shape[1], &out[0, 0], w.shape[1], &panel[0])
    return np.asarray(out)


def weight_gradient_product(
    const real[:, ::1] x, const real[:, ::1] delta, const real[:, ::1] start,
    bint accumulate,
):
    """x^T delta, plus start if it accumulates."""
    cdef real[:, ::1] out = np.array(start)
    cdef real[::1] panel = panel_like(out)
    matmul.weight_gradient_product(
        matmul.product_shape(x.shape[1], delta.shape[1], x.shape[0]),
        &x[0, 0], x.shape[1], &delta[0, 0], delta.shape[1], &out[0, 0], accumulate,
        &panel[0])
    return np.asarray(out)


def input_gradient_product(
    const real[:, ::1] delta, const real[:, ::1] w, const real[:, ::1] start,
    bint accumulate,
):
    """delta w^T, plus start if it accumulates."""
    cdef real[:, ::1] out = np.array(start)
    cdef real[::1] panel = panel_like(out)
    matmul.input_gradient_product(
        matmul.product_shape(delta.shape[0], w.shape[0], w.shape[1]),
        &delta[0, 0], w.shape[1], &w[0, 0], w.shape[1], &out[0, 0], w.shape[0],
        accumulate, &panel[0])
    return np.asarray(out)


cdef panel_like(out):
    return np.empty(matmul.SKREG_PANEL_SIZE, dtype=np.asarray(out).dtype)
