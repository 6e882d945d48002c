"""Single kernels opened to Python, for the tests and the tables of the documentation.

Nothing here is used by a fit: the same inline functions are compiled into _engine.
"""

cimport numpy as cnp
from libc.stdint cimport uint32_t

# Not `from skreg._kernels cimport activations`: Cython leaves such a file out of what
# it tells the build to watch.
cimport skreg._kernels.activations as activations
cimport skreg._kernels.losses as losses
cimport skreg._kernels.matmul as matmul
cimport skreg._kernels.optimizers as optimizers
cimport skreg._kernels.philox as philox
cimport skreg._kernels.vecmath as vecmath
from skreg._kernels.dropout cimport Noise, apply_dropout
from skreg._kernels.types cimport real

import numpy as np

cnp.import_array()


def philox4x32(counter, key):
    """The four words for a counter of four words and a key of two."""
    cdef uint32_t out[4]
    philox.philox4x32(
        counter[0], counter[1], counter[2], counter[3], key[0], key[1], out)
    return [out[0], out[1], out[2], out[3]]


def shuffled(Py_ssize_t n, key, epoch):
    """The order in which an epoch visits n rows."""
    cdef Py_ssize_t[::1] order = np.empty(n, dtype=np.intp)
    cdef philox.Philox rng
    rng.key[0], rng.key[1] = key
    philox.shuffle(rng, epoch, &order[0], n)
    return np.asarray(order)


def dropout_mask(const real[:, ::1] values, double rate, key, Py_ssize_t layer, step):
    """values, (rows, n_out), times the mask of layer `layer` (0: the input)."""
    cdef real[:, ::1] out = np.array(values)
    cdef Noise noise
    noise.on = True
    noise.rng.key[0], noise.rng.key[1] = key
    noise.step = step
    apply_dropout(
        noise, layer, rate, &out[0, 0], <real*> NULL, out.shape[0] * out.shape[1])
    return np.asarray(out)


def activate(int activation, const real[::1] z):
    """act(z) and act'(z)."""
    cdef real[::1] value = np.array(z)
    cdef real[::1] slope = np.empty_like(value)
    activations.activate(activation, &value[0], &slope[0], z.shape[0])
    return np.asarray(value), np.asarray(slope)


def vector_function(name, const real[::1] x):
    """exp, expm1_negative, tanh, logistic or normal_cdf of vecmath.h, by element."""
    cdef real[::1] y = np.empty_like(x)
    cdef Py_ssize_t i
    for i in range(x.shape[0]):
        if name == "exp":
            y[i] = vecmath.exp(x[i])
        elif name == "expm1_negative":
            y[i] = vecmath.expm1_negative(x[i])
        elif name == "tanh":
            y[i] = vecmath.tanh(x[i])
        elif name == "logistic":
            y[i] = vecmath.logistic(x[i])
        else:
            y[i] = vecmath.normal_cdf(x[i])
    return np.asarray(y)


def row_loss(int loss, double parameter, const real[::1] f, const real[::1] y):
    """The loss of one row and its derivative by f."""
    cdef real[::1] delta = np.empty_like(f)
    value = losses.row_loss(loss, parameter, f.shape[0], &f[0], &y[0], &delta[0])
    return value, np.asarray(delta)


def inverse_link(int loss, const real[:, ::1] f):
    """Predictions from raw outputs."""
    cdef real[:, ::1] out = np.array(f)
    losses.inverse_link(loss, f.shape[0], f.shape[1], &out[0, 0])
    return np.asarray(out)


def soft_threshold(const real[::1] w, double threshold):
    """argmin_u (u - w)^2 / 2 + threshold |u|."""
    cdef real[::1] out = np.empty_like(w)
    cdef Py_ssize_t i
    for i in range(w.shape[0]):
        out[i] = optimizers.soft_threshold(w[i], <real> threshold)
    return np.asarray(out)


def forward_product(const real[:, ::1] x, const real[:, ::1] w, const real[:, ::1] z):
    """z + x w."""
    cdef real[:, ::1] out = np.array(z)
    cdef real[::1] panel = panel_like(out)
    matmul.forward_product(
        matmul.Product(x.shape[0], x.shape[1], w.shape[1]),
        &x[0, 0], &w[0, 0], &out[0, 0], &panel[0])
    return np.asarray(out)


def weight_gradient_product(
    const real[:, ::1] x, const real[:, ::1] delta, const real[:, ::1] start,
    bint accumulate,
):
    """x^T delta, plus start if it accumulates."""
    cdef real[:, ::1] out = np.array(start)
    cdef real[::1] panel = panel_like(out)
    matmul.weight_gradient_product(
        matmul.Product(x.shape[0], x.shape[1], delta.shape[1]),
        &x[0, 0], &delta[0, 0], &out[0, 0], accumulate, &panel[0])
    return np.asarray(out)


def input_gradient_product(const real[:, ::1] delta, const real[:, ::1] w):
    """delta w^T."""
    cdef real[:, ::1] out = np.empty(
        (delta.shape[0], w.shape[0]), dtype=np.asarray(w).dtype)
    cdef real[::1] panel = panel_like(out)
    matmul.input_gradient_product(
        matmul.Product(delta.shape[0], w.shape[0], w.shape[1]),
        &delta[0, 0], &w[0, 0], &out[0, 0], &panel[0])
    return np.asarray(out)


cdef panel_like(out):
    return np.empty(matmul.SKREG_PANEL_SIZE, dtype=np.asarray(out).dtype)
