"""Groups of features, and their prox after the optimizer's step.

A group's outgoing weights are rows of W_0 and, with a skip connection, of its weights
theta. After all weights have taken their step, a group's rows are gathered, shrunk and
written back. Either all of them are shrunk together (group_lasso.pxd), or the rows of
theta are shrunk and bound those of W_0 (hierarchy.pxd). One thread does all work on a
group, so no bit depends on the number of threads.

The metric is that of the step without the learning rate, which multiplies the strength
instead. The prox is the same, and is defined for a learning rate of zero, too.
"""

from libc.math cimport INFINITY

from skreg._kernels.group_lasso cimport TINY, group_prox, padded
from skreg._kernels.hierarchy cimport hierarchy_prox
from skreg._kernels.optimizers cimport Optimizer, Rates, Segment, average_step
from skreg._kernels.types cimport real
from skreg._kernels.vecmath cimport square_root

cdef struct Groups:
    Py_ssize_t n
    Py_ssize_t largest          # features in the largest group
    const Py_ssize_t* starts    # (n + 1,): where groups begin in `features`; the end
    const Py_ssize_t* features  # (n_features,): feature numbers, group by group
    Py_ssize_t width            # columns of W_0
    Py_ssize_t n_outputs        # columns of theta; 0: no skip connection

cdef struct GroupRows:
    # Rows of a matrix in the flat buffer, one for each feature of a group.
    Py_ssize_t n
    const Py_ssize_t* features
    Py_ssize_t matrix  # offset of the matrix
    Py_ssize_t width


cdef inline Py_ssize_t group_scratch(Groups* groups) noexcept nogil:
    """Doubles that one thread needs: weights, metrics, and the scratch of the prox."""
    return (
        2 * padded(groups.largest * groups.width)
        + 4 * padded(groups.largest * groups.n_outputs)
        + padded(groups.largest * (groups.width + groups.n_outputs)))


cdef inline void shrink_group(
    Optimizer* optimizer, Rates* rates, Segment* first, Segment* skip, Groups* groups,
    Py_ssize_t group, double* scratch, real* params,
) noexcept nogil:
    """The prox of one group, and the average of its weights.

    first, skip: the segments of W_0 and theta; skip NULL: no skip connection.
    """
    cdef GroupRows hidden, linear
    hidden.n = groups.starts[group + 1] - groups.starts[group]
    hidden.features = groups.features + groups.starts[group]
    hidden.matrix, hidden.width = first.start, groups.width
    linear = hidden
    # without a skip connection the rows of theta have no columns
    linear.matrix = 0 if skip == NULL else skip.start
    linear.width = groups.n_outputs
    if first.hierarchy > 0:
        shrink_in_hierarchy(optimizer, rates, first, &hidden, &linear, scratch, params)
    else:
        shrink_together(optimizer, rates, first, &hidden, &linear, scratch, params)
    # under max-norm the weights are averaged after the projection
    if first.max_norm == INFINITY:
        average_rows(optimizer, rates, &hidden, params)
    if skip != NULL and skip.max_norm == INFINITY:
        average_rows(optimizer, rates, &linear, params)


cdef inline double strength_of(
    Rates* rates, Segment* segment, Py_ssize_t n
) noexcept nogil:
    """Strength of the norm of n weights, in the metric without the learning rate."""
    return rates.learning_rate * segment.group_l1 * square_root(<double> n)


cdef inline void shrink_together(
    Optimizer* optimizer, Rates* rates, Segment* segment, GroupRows* hidden,
    GroupRows* linear, double* scratch, real* params,
) noexcept nogil:
    """Group lasso: the penalty is on the norm of all of the group's weights."""
    cdef Py_ssize_t n_hidden = hidden.n * hidden.width
    cdef Py_ssize_t n = n_hidden + linear.n * linear.width
    cdef double* w = scratch
    cdef double* metric = w + padded(n)
    gather(optimizer, rates, hidden, params, w, metric)
    gather(optimizer, rates, linear, params, w + n_hidden, metric + n_hidden)
    fill_up(n, 1, w, metric)
    group_prox(
        padded(n), strength_of(rates, segment, n), not optimizer.adam, metric, w,
        metric + padded(n))
    scatter(optimizer, hidden, w, params)
    scatter(optimizer, linear, w + n_hidden, params)


cdef inline void shrink_in_hierarchy(
    Optimizer* optimizer, Rates* rates, Segment* segment, GroupRows* hidden,
    GroupRows* linear, double* scratch, real* params,
) noexcept nogil:
    """Hierarchy: the norm of theta's rows is penalised, and bounds those of W_0."""
    cdef Py_ssize_t n_hidden = hidden.n * hidden.width
    cdef Py_ssize_t n_linear = linear.n * linear.width
    cdef double* w = scratch
    cdef double* e = w + padded(n_hidden)
    cdef double* t = e + padded(n_hidden)
    cdef double* d = t + padded(n_linear)
    gather(optimizer, rates, hidden, params, w, e)
    gather(optimizer, rates, linear, params, t, d)
    fill_up(n_hidden, 1, w, e)
    fill_up(n_linear, TINY, t, d)
    hierarchy_prox(
        strength_of(rates, segment, n_linear), segment.hierarchy, padded(n_linear),
        not optimizer.adam, d, t, padded(n_hidden), e, w, d + padded(n_linear))
    scatter(optimizer, hidden, w, params)
    scatter(optimizer, linear, t, params)


cdef inline void gather(
    Optimizer* optimizer, Rates* rates, GroupRows* rows, const real* params,
    double* w, double* metric,
) noexcept nogil:
    """Reads the weights after the step, and the metric of the step."""
    cdef const real* first = <const real*> optimizer.first
    cdef const real* second = <const real*> optimizer.second
    cdef Py_ssize_t k, j, at
    for k in range(rows.n):
        at = rows.matrix + rows.features[k] * rows.width
        if optimizer.adam:
            for j in range(rows.width):
                w[j] = params[at + j]
                metric[j] = rates.second_root / <double> (
                    square_root(second[at + j]) + <real> optimizer.epsilon)
        else:
            for j in range(rows.width):
                w[j] = moved_to(optimizer, params[at + j], first[at + j])
                metric[j] = 1
        w += rows.width
        metric += rows.width


cdef inline void fill_up(
    Py_ssize_t n, double filler, double* w, double* metric
) noexcept nogil:
    """Fills w with zeros, and the metric with `filler`, up to a multiple of LANES."""
    cdef Py_ssize_t i
    for i in range(n, padded(n)):
        w[i] = 0
        metric[i] = filler


cdef inline real moved_to(Optimizer* sgd, real w, real velocity) noexcept nogil:
    """The iterate after SGD's step, see sgd_step; an iterate of zero is exactly 0.

    Nesterov's w is the point ahead of the iterate.
    """
    cdef real ahead = <real> sgd.momentum * velocity
    if not sgd.nesterov:
        return w
    return 0 if w == ahead else w - ahead


cdef inline void scatter(
    Optimizer* optimizer, GroupRows* rows, const double* shrunk, real* params
) noexcept nogil:
    """Writes the shrunk weights back to their places.

    SGD's velocity is the difference of the iterates, the prox included: see sgd_step.
    The velocity of a weight that is now zero is set to zero instead. With the
    difference as velocity, Nesterov's point would lie beyond zero, and a weight would
    only be exactly zero after two steps at zero. The fixed points are the same, because
    the velocity is zero there.

    The iterate keeps the bound of a hierarchy, but Nesterov's point may exceed it.
    Cutting the point at the bound would couple all hidden weights to the velocity of a
    few small weights of theta, and training would diverge. So the iterates replace
    Nesterov's points at the end of an epoch (skreg/_training/iterates.py).
    """
    cdef real* v = <real*> optimizer.first
    cdef real u
    cdef Py_ssize_t k, j, at
    for k in range(rows.n):
        at = rows.matrix + rows.features[k] * rows.width
        for j in range(rows.width):
            u = <real> shrunk[j]
            if optimizer.adam:
                params[at + j] = u
                continue
            v[at + j] = 0 if u == 0 else (
                v[at + j] + (u - moved_to(optimizer, params[at + j], v[at + j])))
            params[at + j] = (
                u + <real> optimizer.momentum * v[at + j] if optimizer.nesterov else u)
        shrunk += rows.width


cdef inline void average_rows(
    Optimizer* optimizer, Rates* rates, GroupRows* rows, const real* params
) noexcept nogil:
    cdef Py_ssize_t k, at
    if optimizer.average == NULL:
        return
    for k in range(rows.n):
        at = rows.matrix + rows.features[k] * rows.width
        average_step(
            <real> rates.average_share, rows.width, params + at,
            <real*> optimizer.average + at)
