"""The prox of LassoNet's hierarchy (Lemhadri et al. 2021) in a diagonal metric.

A group of features has weights t in the skip connection (LassoNet's linear weights),
with the metric d, and weights w into the hidden layer, with the metric e. The prox
solves

    min  sum_k (T_k - t_k)^2 / (2 d_k) + sum_i (W_i - w_i)^2 / (2 e_i) + lam ||T||_2
    subject to  |W_i| <= M ||T||_2 for all i.

Given r = ||T||, the hidden weights are W_i = clip(w_i, +- M r), and T is the point of
the sphere of radius r that is nearest to t: T_k = t_k / (1 + nu d_k), with a multiplier
nu > -1 / max d. What is left is a function of r alone, with the derivative

    F'(r) = N(r) + lam - M sum_i (|w_i| - M r)_+ / e_i,    N(r) = -nu(r) r,

where N is that of min { sum_k (T_k - t_k)^2 / (2 d_k) : ||T|| = r }.

F' increases. For the sum over i this is plain. For N let q_k = d_k / (1 + nu d_k) > 0,
so that T_k = t_k q_k / d_k, and let nu grow: every q_k falls, as q_k' = -q_k^2, and r
with them. With <x> the mean of x_k weighted by T_k^2, dr/dnu = -r <q>, and

    N' = dN/dr = 1 / <q> - nu = <1 - nu q> / <q> = <q / d> / <q> > 0

for 1 - nu q_k = q_k / d_k. So F is convex, the root of F' is unique, and all is zero
exactly if F'(0) >= 0, that is lam >= ||t / d|| + M sum_i |w_i| / e_i.

F' is concave, too. That of the sum over i, again, is plain; and

    dN'/dnu = -<q>' / <q>^2 - 1 = (3 <q^2> - 2 <q>^2) / <q>^2 - 1
            = 3 (<q^2> / <q>^2 - 1)

is not negative (the weights T_k^2 fall by 2 q_k of themselves), while r falls as nu
grows. So Newton's method, from a start at or before the root, goes up to it and never
beyond, as in group_lasso.pxd; on the pieces where N is linear (one linear weight, or
equal metrics) it ends after finitely many steps. It starts from ||T|| as it is without
hidden weights, for those only raise r; where no bound is exceeded there, it is done.

The multiplier: with sigma = nu + 1 / max d > 0 and b_k = 1 / d_k - 1 / max d >= 0,

    T_k = (t_k / d_k) / (sigma + b_k),   sum_k (t_k / (d_k r) / (sigma + b_k))^2 = 1,

which is the equation of group_lasso.pxd again, and has its closed form, sigma r =
||t|| / d, where all b_k = 0. It has no root in the hard case: all t_k of the largest
metric are zero, and the others have their largest length, at sigma = 0, below r. Then
nu stays at -1 / max d, N = r / max d, and one linear weight of the largest metric takes
up what is missing from r; either sign is as near, and it is positive.
"""

from libc.math cimport INFINITY, fabs, fmax, sqrt
from libc.string cimport memcpy, memset

from skreg._kernels.group_lasso cimport (
    LANES, LAST_STEP, MOST_NEWTON_STEPS, TINY, group_prox, secular_root, sum_of,
    sum_of_squares)


cdef struct Sphere:
    # The point T of the sphere of a radius r.
    double sigma
    double steepness   # N
    double slope       # N'


cdef inline Sphere sphere_at(
    double r, Py_ssize_t n, const double* pull, const double* b, double least,
    double* scaled,
) noexcept nogil:
    """sigma, N and N' at r; at 0, where sigma is infinite, the limits of N and N'.

    pull: t_k / d_k; least: 1 / max d; scaled: scratch for n numbers.
    """
    cdef Sphere at = Sphere(0, 0, least)
    cdef double total[LANES]
    cdef double weighted[LANES]
    cdef double q, share, sum_total
    cdef Py_ssize_t i
    cdef int k
    if r > 0:
        for i in range(n):
            scaled[i] = pull[i] / r
        at.sigma = secular_root(n, scaled, b)
        at.steepness = (least - at.sigma) * r
        if at.sigma == 0:
            return at
    else:
        at.steepness = -sqrt(sum_of_squares(n, pull))
    # N' = <q / d> / <q>, where 1 / d_k = least + b_k; at 0 all q_k are the same
    memset(total, 0, sizeof(total))
    memset(weighted, 0, sizeof(weighted))
    for i in range(n // LANES):
        for k in range(LANES):
            q = 1 / (at.sigma + b[LANES * i + k] + TINY) if r > 0 else 1
            share = pull[LANES * i + k] * q
            share *= share * q
            total[k] += share
            weighted[k] += share * b[LANES * i + k]
    sum_total = sum_of(total)
    if sum_total > 0:
        at.slope += sum_of(weighted) / sum_total
    return at


cdef inline void hierarchy_prox(
    double lam, double bound, Py_ssize_t n_linear, bint even, const double* d,
    double* t, Py_ssize_t n_hidden, const double* e, double* w, double* scratch,
) noexcept nogil:
    """t <- T and w <- W, in place.

    bound: M; infinity: no bound. even: all metrics d are equal. The metrics d that fill
    t up to a multiple of LANES do not count: they are tiny. The t and w that fill up
    are zero. scratch: 3 n_linear numbers.
    """
    cdef double* pull = scratch
    cdef double* b = scratch + n_linear
    cdef double* room = scratch + 2 * n_linear
    cdef double excess[LANES]
    cdef double active[LANES]
    cdef double r, over, step
    cdef double least = INFINITY
    cdef double longest = 0
    cdef Py_ssize_t largest = 0
    cdef Py_ssize_t i, _
    cdef int k
    cdef Sphere at
    for i in range(n_linear):
        room[i] = t[i]
        pull[i] = t[i] / d[i]
        if 1 / d[i] < least:
            least = 1 / d[i]
            largest = i
    for i in range(n_hidden):
        longest = fmax(longest, fabs(w[i]))
    group_prox(n_linear, lam, even, d, room, b)
    r = sqrt(sum_of_squares(n_linear, room))
    # NaN is passed on, so that the epoch is found to have diverged
    if longest <= bound * r or bound == INFINITY or r != r:
        memcpy(t, room, n_linear * sizeof(double))
        return
    for i in range(n_linear):
        b[i] = 1 / d[i] - least
    for _ in range(MOST_NEWTON_STEPS):
        at = sphere_at(r, n_linear, pull, b, least, room)
        memset(excess, 0, sizeof(excess))
        memset(active, 0, sizeof(active))
        for i in range(n_hidden // LANES):
            for k in range(LANES):
                over = fabs(w[LANES * i + k]) - bound * r
                excess[k] += (0 if over <= 0 else over) / e[LANES * i + k]
                active[k] += (0 if over <= 0 else 1) / e[LANES * i + k]
        step = (bound * sum_of(excess) - lam - at.steepness) / (
            at.slope + bound * bound * sum_of(active))
        if not step > 0:
            break
        r += step
        if step <= LAST_STEP * r:
            break
    if r == 0:
        if step <= 0:
            memset(t, 0, n_linear * sizeof(double))
            memset(w, 0, n_hidden * sizeof(double))
        return
    at = sphere_at(r, n_linear, pull, b, least, room)
    linear_weights(at.sigma, r, n_linear, pull, b, largest, t)
    for i in range(n_hidden):
        w[i] = (
            -bound * r if w[i] < -bound * r else (
                bound * r if w[i] > bound * r else w[i]))


cdef inline void linear_weights(
    double sigma, double r, Py_ssize_t n, const double* pull, const double* b,
    Py_ssize_t largest, double* t,
) noexcept nogil:
    """Writes the point T of the sphere to t; sigma = 0: the hard case."""
    cdef double rest = 0
    cdef Py_ssize_t i
    for i in range(n):
        t[i] = 0 if pull[i] == 0 else pull[i] / (sigma + b[i])
        rest += t[i] * t[i]
    if sigma == 0:
        t[largest] = sqrt(fmax(0, r * r - rest))
