"""One optimizer step on a segment of the flat parameter buffer, prox included.

A segment is one weight matrix or one bias vector with its strengths. The strengths of a
bias are zero, except that of the L2-SP penalty (`anchor`), which pulls towards the
starting point w0. With g the gradient of the loss, every step is, in order:

    1. g <- g + l2 w + anchor (w - w0)    the L2 and L2-SP penalties are part of the
                                          gradient
    2. w <- w - lr weight_decay w         decoupled decay (Loshchilov & Hutter 2019)
    3. the optimizer's own step
    4. w <- soft-threshold(w, metric l1)  the L1 penalty by its proximal operator

The threshold of 4 is taken in the metric of 3, so that a point is at rest exactly
if it is stationary for the penalised objective (ProxGen, Yun et al. 2021). With
l1 = 0 step 4 changes no bit.

`Optimizer.adam` tells the optimizers apart; there is no registry. Another optimizer
needs its state in `Optimizer`, its steps in this file, with l1 and without, its metric
in feature_groups.pxd and skreg/_training/adaptive.py, its iterate in
skreg/_training/iterates.py, the copy of its fields in `run_epoch` of _engine.pyx, and
its name and arrays in skreg/_problem/optimizers.py.
"""

from libc.math cimport INFINITY, pow, sqrt

from skreg._kernels.types cimport real
from skreg._kernels.vecmath cimport square_root

cdef struct Segment:
    Py_ssize_t start
    Py_ssize_t size
    double l1
    double l2
    double weight_decay
    double max_norm      # of a unit's incoming weights; infinity: no bound
    # For groups of features: the same in the segments of W_0 and theta, 0 in others.
    double group_l1
    double hierarchy     # M; 0: group lasso of W_0 and theta together
    double anchor        # strength of the L2-SP penalty towards Optimizer.anchor
    Py_ssize_t row       # numbers in a row of W_0 under learnt scales; 0: no scales
    bint frozen          # takes no step: no function here is called for it

cdef struct Optimizer:
    bint adam  # otherwise SGD
    double beta_1
    double beta_2
    double epsilon
    double momentum
    bint nesterov
    void* first    # Adam: mean of the gradient; SGD: velocity; (n_parameters,)
    void* second   # Adam: mean of its square; SGD: NULL
    void* average  # exponential moving average of the parameters; NULL: no average
    void* anchor   # w0, the starting point of the L2-SP penalty; NULL: no penalty
    # Under a learnt scale of each feature, see feature_scaling.pxd; else NULL:
    void* scales         # s, (n_features,)
    void* scale_first    # Adam's means for the scales
    void* scale_second
    void* unscaled       # V, of W_0's size
    double scale_rate    # learning rate of the scales / learning rate

cdef enum:
    # Elements whose gradient with the L2-SP penalty is held at a time.
    PULLED = 256

cdef struct Rates:
    # The numbers of one step that hold for all parameters.
    double learning_rate
    double corrected    # Adam: lr_t
    double first_share  # Adam: 1 - beta_1^t
    double second_root  # Adam: sqrt(1 - beta_2^t)
    double average_share    # weight of the new parameters in their average


cdef inline Rates rates_of(
    Optimizer* optimizer, double learning_rate, double step, double average_share
) noexcept nogil:
    """The numbers of a step; `step` counts from 1, over all epochs."""
    cdef double share, root
    if not optimizer.adam:
        return Rates(learning_rate, learning_rate, 1.0, 1.0, average_share)
    # pow, because Cython computes ** of two doubles with complex numbers
    share = 1.0 - pow(optimizer.beta_1, step)
    root = sqrt(1.0 - pow(optimizer.beta_2, step))
    return Rates(
        learning_rate, learning_rate * root / share, share, root, average_share)


cdef inline bint shrinks_in_groups(Segment* segment) noexcept nogil:
    """Whether a prox of groups of features follows the step."""
    return segment.group_l1 > 0 or 0 < segment.hierarchy < INFINITY


cdef inline void optimizer_step(
    Optimizer* optimizer, Rates* rates, Segment* segment,
    Py_ssize_t first, Py_ssize_t size, real* params, const real* gradient,
) noexcept nogil:
    """The step for a segment's elements first, ..., first + size - 1.

    params: the whole buffer; gradient: the gradient by these elements alone.
    """
    first += segment.start
    if optimizer.anchor != NULL and segment.anchor > 0:
        anchored_step(optimizer, rates, segment, first, size, params, gradient)
    else:
        own_step(optimizer, rates, segment, first, size, params, gradient)
    # weights that max-norm or groups still change are averaged later: see max_norm.pxd
    # and feature_groups.pxd
    if (
        optimizer.average != NULL and segment.max_norm == INFINITY
        and not shrinks_in_groups(segment)
    ):
        average_step(
            <real> rates.average_share, size, params + first,
            <real*> optimizer.average + first)


cdef inline void own_step(
    Optimizer* optimizer, Rates* rates, Segment* segment, Py_ssize_t start,
    Py_ssize_t size, real* params, const real* gradient,
) noexcept nogil:
    if optimizer.adam:
        adam_step(optimizer, rates, segment, start, size, params, gradient)
    else:
        sgd_step(optimizer, rates, segment, start, size, params, gradient)


cdef inline void anchored_step(
    Optimizer* optimizer, Rates* rates, Segment* segment, Py_ssize_t start,
    Py_ssize_t size, real* params, const real* gradient,
) noexcept nogil:
    """The step for F + anchor / 2 ||w - w0||^2 (L2-SP, Li et al. 2018)."""
    cdef const real* w0 = <const real*> optimizer.anchor + start
    cdef const real* w = params + start
    cdef real strength = <real> segment.anchor
    cdef real pulled[PULLED]
    cdef Py_ssize_t first = 0
    cdef Py_ssize_t n, i
    while first < size:
        n = min(<Py_ssize_t> PULLED, size - first)
        for i in range(n):
            pulled[i] = gradient[first + i] + strength * (w[first + i] - w0[first + i])
        own_step(optimizer, rates, segment, start + first, n, params, pulled)
        first += n


cdef inline void average_step(
    real share, Py_ssize_t size, const real* w, real* average
) noexcept nogil:
    """average <- average + share (w - average)."""
    cdef Py_ssize_t i
    for i in range(size):
        average[i] += share * (w[i] - average[i])


cdef inline real soft_threshold(real w, real threshold) noexcept nogil:
    """argmin_u (u - w)^2 / 2 + threshold |u|. Exactly +0.0 where |w| <= threshold."""
    cdef real cut = (
        -threshold if w < -threshold else (threshold if w > threshold else w))
    return w - cut


cdef inline void adam_step(
    Optimizer* adam, Rates* rates, Segment* segment, Py_ssize_t start,
    Py_ssize_t size, real* params, const real* gradient,
) noexcept nogil:
    """Adam (Kingma & Ba 2015), at step t.

        m <- beta_1 m + (1 - beta_1) g,    v <- beta_2 v + (1 - beta_2) g^2
        lr_t = lr sqrt(1 - beta_2^t) / (1 - beta_1^t)
        metric = lr_t / (sqrt(v) + epsilon),    w <- w - metric m

    m is the mean gradient times 1 - beta_1^t, and lr_t compensates for this factor. So
    the step multiplies the mean gradient by metric (1 - beta_1^t), which is the metric
    of the prox.
    """
    cdef real* w = params + start
    cdef real* m = <real*> adam.first + start
    cdef real* v = <real*> adam.second + start
    cdef real beta_1 = <real> adam.beta_1
    cdef real beta_2 = <real> adam.beta_2
    cdef real rest_1 = <real> (1.0 - adam.beta_1)
    cdef real rest_2 = <real> (1.0 - adam.beta_2)
    cdef real epsilon = <real> adam.epsilon
    cdef real lr_t = <real> rates.corrected
    cdef real l1 = <real> (rates.first_share * segment.l1)
    cdef real l2 = <real> segment.l2
    cdef real decay = <real> (rates.learning_rate * segment.weight_decay)
    cdef real g, metric
    cdef Py_ssize_t i
    for i in range(size):
        g = gradient[i] + l2 * w[i]
        m[i] = beta_1 * m[i] + rest_1 * g
        v[i] = beta_2 * v[i] + rest_2 * g * g
        metric = lr_t / (square_root(v[i]) + epsilon)
        w[i] = soft_threshold(w[i] - decay * w[i] - metric * m[i], metric * l1)


cdef inline void sgd_step(
    Optimizer* sgd, Rates* rates, Segment* segment, Py_ssize_t start,
    Py_ssize_t size, real* params, const real* gradient,
) noexcept nogil:
    """SGD with (Nesterov) momentum mu, in its proximal form.

    Without momentum: w <- prox(w - lr g). With momentum, the velocity is the difference
    of the iterates, prox included:

        heavy ball   w'  = prox(w - lr g + mu v),    v <- w' - w
        Nesterov     x'  = prox(w - lr g),           v <- x' - x,   w <- x' + mu v
                     where w = x + mu v is the point at which g was taken

    If v were made of gradients alone, a weight held at zero would gather a velocity of
    -lr g / (1 - mu), and the L1 strength would act as (1 - mu) l1. Where l1 = 0 both
    are the usual v <- mu v - lr g, w <- w + v (or w + mu v - lr g). Decay shifts the
    iterate and does not enter the velocity (Loshchilov & Hutter 2019).
    """
    cdef real* w = params + start
    cdef real* v = <real*> sgd.first + start
    cdef real mu = <real> sgd.momentum
    cdef real lr = <real> rates.learning_rate
    cdef real l1 = <real> segment.l1
    cdef real l2 = <real> segment.l2
    cdef real threshold = <real> (rates.learning_rate * segment.l1)
    cdef real decay = <real> (rates.learning_rate * segment.weight_decay)
    cdef real decayed, moved, ahead, iterate, shift
    cdef Py_ssize_t i
    if l1 == 0:
        for i in range(size):
            moved = lr * (gradient[i] + l2 * w[i])
            v[i] = mu * v[i] - moved
            w[i] = w[i] - decay * w[i] + (mu * v[i] - moved if sgd.nesterov else v[i])
    elif sgd.nesterov:
        for i in range(size):
            # Zeros must be exact. An iterate that was set to zero must be 0, though a
            # fused w - mu v has a rounding error, and so must the velocity of an
            # iterate that stays at zero.
            ahead = mu * v[i]
            iterate = 0 if w[i] == ahead else w[i] - ahead
            shift = decay * w[i]
            moved = soft_threshold(
                w[i] - shift - lr * (gradient[i] + l2 * w[i]), threshold)
            v[i] = 0 if iterate == 0 and moved == 0 else moved - (iterate - shift)
            w[i] = moved + mu * v[i]
    else:
        for i in range(size):
            decayed = w[i] - decay * w[i]
            moved = soft_threshold(
                decayed - lr * (gradient[i] + l2 * w[i]) + mu * v[i], threshold)
            v[i] = moved - decayed
            w[i] = moved
