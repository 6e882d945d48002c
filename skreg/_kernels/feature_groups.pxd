"""Groups of features, and their prox after the optimizer's step.

A group's outgoing weights are rows of W_0. Once all of them have taken their step, the
rows are gathered, shrunk together (group_lasso.pxd) in the metric of the step, and put
back. A group is the work of one thread, so no bit depends on their number.
"""

from libc.math cimport INFINITY
from libc.string cimport memset

from skreg._kernels.group_lasso cimport group_prox, padded
from skreg._kernels.optimizers cimport Optimizer, Rates, Segment, average_step
from skreg._kernels.types cimport real
from skreg._kernels.vecmath cimport square_root

cdef struct Groups:
    Py_ssize_t n
    Py_ssize_t largest          # features in the largest
    const Py_ssize_t* starts    # of each in `features`, and its end; (n + 1,)
    const Py_ssize_t* features  # (n_features,)

cdef struct GroupRows:
    # Of a matrix in the flat buffer: one for each feature of a group.
    Py_ssize_t n
    const Py_ssize_t* features
    Py_ssize_t matrix  # offset of the matrix
    Py_ssize_t width


cdef inline Py_ssize_t group_scratch(Groups* groups, Py_ssize_t width) noexcept nogil:
    """Doubles that one thread needs: weights, metrics, and room for as many."""
    return 3 * padded(groups.largest * width)


cdef inline void shrink_group(
    Optimizer* optimizer, Rates* rates, Segment* segment, Groups* groups,
    Py_ssize_t group, Py_ssize_t width, double* scratch, real* params,
) noexcept nogil:
    """The prox of one group of rows of W_0, (n_features, width), and their average."""
    cdef GroupRows rows
    cdef Py_ssize_t size
    rows.n = groups.starts[group + 1] - groups.starts[group]
    rows.features = groups.features + groups.starts[group]
    rows.matrix, rows.width = segment.start, width
    size = padded(rows.n * width)
    # without a step there is no metric
    if rates.learning_rate > 0:
        gather(optimizer, rates, &rows, params, scratch, scratch + size)
        group_prox(
            size, segment.group_l1 * square_root(<double> (rows.n * width)),
            not optimizer.adam, scratch + size, scratch, scratch + 2 * size)
        scatter(optimizer, &rows, scratch, params)
    # under max-norm they are averaged after the projection
    if segment.max_norm == INFINITY:
        average_rows(optimizer, rates, &rows, params)


cdef inline void gather(
    Optimizer* optimizer, Rates* rates, GroupRows* rows, const real* params,
    double* w, double* metric,
) noexcept nogil:
    """The points that the steps led to, and the metrics of the steps, filled up."""
    cdef Py_ssize_t n = rows.n * rows.width
    cdef Py_ssize_t k, j, at
    for k in range(rows.n):
        at = rows.matrix + rows.features[k] * rows.width
        if optimizer.adam:
            for j in range(rows.width):
                w[j] = params[at + j]
                metric[j] = rates.first_share * adam_metric(
                    optimizer, rates, <const real*> optimizer.second + at + j)
        else:
            for j in range(rows.width):
                w[j] = moved_to(
                    optimizer, params[at + j], (<const real*> optimizer.first)[at + j])
                metric[j] = rates.learning_rate
        w += rows.width
        metric += rows.width
    memset(w, 0, (padded(n) - n) * sizeof(double))
    for k in range(padded(n) - n):
        metric[k] = 1


cdef inline real adam_metric(
    Optimizer* adam, Rates* rates, const real* second
) noexcept nogil:
    """As in adam_step, to the last bit."""
    return <real> rates.corrected / (square_root(second[0]) + <real> adam.epsilon)


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
    """
    cdef real* v = <real*> optimizer.first
    cdef real u
    cdef Py_ssize_t k, j, at
    for k in range(rows.n):
        at = rows.matrix + rows.features[k] * rows.width
        if optimizer.adam:
            for j in range(rows.width):
                params[at + j] = <real> shrunk[j]
        else:
            for j in range(rows.width):
                u = <real> shrunk[j]
                v[at + j] = 0 if u == 0 else (
                    v[at + j] + (u - moved_to(optimizer, params[at + j], v[at + j])))
                params[at + j] = (
                    u + <real> optimizer.momentum * v[at + j] if optimizer.nesterov
                    else u)
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
