"""Groups of features, and their prox after the optimizer's step.

A group's outgoing weights are rows of W_0, and of theta where the inputs are connected
to the outputs. Once all of them have taken their step, the rows are gathered, shrunk
together (group_lasso.pxd), or those of theta with those of W_0 within the bound that
they set (hierarchy.pxd), and put back. A group is the work of one thread, so no bit
depends on their number.

The metric is that of the step, without the learning rate, which multiplies the strength
instead: the same prox, and one that a rate of zero leaves well defined.
"""

from libc.math cimport INFINITY

from skreg._kernels.group_lasso cimport TINY, group_prox, padded
from skreg._kernels.hierarchy cimport hierarchy_prox
from skreg._kernels.optimizers cimport Optimizer, Rates, Segment, average_step
from skreg._kernels.types cimport real
from skreg._kernels.vecmath cimport square_root

cdef struct Groups:
    Py_ssize_t n
    Py_ssize_t largest          # features in the largest
    const Py_ssize_t* starts    # of each in `features`, and its end; (n + 1,)
    const Py_ssize_t* features  # (n_features,)
    Py_ssize_t width            # columns of W_0
    Py_ssize_t n_outputs        # columns of theta; 0: there is none

cdef struct GroupRows:
    # Of a matrix in the flat buffer: one for each feature of a group.
    Py_ssize_t n
    const Py_ssize_t* features
    Py_ssize_t matrix  # offset of the matrix
    Py_ssize_t width


cdef inline Py_ssize_t group_scratch(Groups* groups) noexcept nogil:
    """Doubles that one thread needs: weights, metrics, and what the prox asks for."""
    return (
        2 * padded(groups.largest * groups.width)
        + 4 * padded(groups.largest * groups.n_outputs)
        + padded(groups.largest * (groups.width + groups.n_outputs)))


cdef inline void shrink_group(
    Optimizer* optimizer, Rates* rates, Segment* first, Segment* skip, Groups* groups,
    Py_ssize_t group, double* scratch, real* params,
) noexcept nogil:
    """The prox of one group, and the average of its weights.

    first, skip: the segments of W_0 and theta; NULL: there is no theta.
    """
    cdef GroupRows hidden, linear
    hidden.n = groups.starts[group + 1] - groups.starts[group]
    hidden.features = groups.features + groups.starts[group]
    hidden.matrix, hidden.width = first.start, groups.width
    linear = hidden
    # no row where there is no theta
    linear.matrix = 0 if skip == NULL else skip.start
    linear.width = groups.n_outputs
    if first.hierarchy > 0:
        shrink_in_hierarchy(optimizer, rates, first, &hidden, &linear, scratch, params)
    else:
        shrink_together(optimizer, rates, first, &hidden, &linear, scratch, params)
    # under max-norm they are averaged after the projection
    if first.max_norm == INFINITY:
        average_rows(optimizer, rates, &hidden, params)
    if skip != NULL and skip.max_norm == INFINITY:
        average_rows(optimizer, rates, &linear, params)


cdef inline double strength_of(
    Rates* rates, Segment* segment, Py_ssize_t n
) noexcept nogil:
    """That a norm of n weights has in the metric without the learning rate."""
    return rates.learning_rate * segment.group_l1 * square_root(<double> n)


cdef inline void shrink_together(
    Optimizer* optimizer, Rates* rates, Segment* segment, GroupRows* hidden,
    GroupRows* linear, double* scratch, real* params,
) noexcept nogil:
    """The norm of all of the group's weights is penalised."""
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
    """That of the linear weights is, and it bounds the hidden ones."""
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
    """The points that the steps led to, and the metrics of the steps."""
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
    """Weights of zero and their metrics, up to whole LANES."""
    cdef Py_ssize_t i
    for i in range(n, padded(n)):
        w[i] = 0
        metric[i] = filler


cdef inline real moved_to(Optimizer* sgd, real w, real velocity) noexcept nogil:
    """The iterate after SGD's step, exactly 0 where it is; see sgd_step.

    Nesterov's w is the point ahead of it.
    """
    cdef real ahead = <real> sgd.momentum * velocity
    if not sgd.nesterov:
        return w
    return 0 if w == ahead else w - ahead


cdef inline void scatter(
    Optimizer* optimizer, GroupRows* rows, const double* shrunk, real* params
) noexcept nogil:
    """Puts the shrunk weights where they came from.

    SGD's velocity is the way that the iterate really went, the prox included: see
    sgd_step. A weight that is now zero starts from rest instead. The way it went would
    lead Nesterov's point beyond zero, so that no weight were exactly zero before it has
    been held there for two steps; and the points of rest, where there is no velocity,
    are the same.

    Nesterov's point may be beyond the bound of a hierarchy, which the iterate keeps. To
    cut it there would couple all hidden weights to the velocity of a few small linear
    ones, and trainings diverge; so the iterates take its place when an epoch is done
    (skreg/_training/hierarchy.py).
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
