"""The prox of the group lasso in a diagonal metric: it keeps or zeroes whole groups.

For one group with the weights w, the metric d > 0 (the factors by which the optimizer's
step multiplies the gradients) and the strength lam, the prox is

    u = argmin_u  sum_i (u_i - w_i)^2 / (2 d_i) + lam ||u||_2,

whose fixed points under w <- u(w - d g) are those of the penalised objective. With
a_i = lam d_i: u = 0 is the minimum exactly if w / d is a subgradient of lam ||.|| at 0,
which is the ball of radius lam,

    sum_i (w_i / a_i)^2 <= 1.

Otherwise the gradient vanishes, (u_i - w_i) / d_i + lam u_i / r = 0 with r = ||u||, so

    u_i = w_i r / (r + a_i),   where r is the root of   h(r) = sum_i p_i^2 = 1
    with p_i = w_i / (r + a_i).

Newton's method solves s(r) = h(r)^(-1/2) = 1, which is a straight line where the a_i
are all the same, and concave and increasing in any case:

    s'  = h^(-3/2) sum p_i^2 / (r + a_i)
    s'' = 3 h^(-5/2) [(sum p_i^2 / (r + a_i))^2 - h sum p_i^2 / (r + a_i)^2] <= 0

by Cauchy and Schwarz. A tangent lies above a concave function and so reaches 1 before
it does: from a start at or before the root, every step stays at or before it, and none
goes back. No other safeguard is needed. The start is the largest of three bounds: 0;
max |w_i| - a_i, for no term of h is above 1 at the root; and ||w|| - (the mean of the
a_i, weighted by w_i^2), where the tangent at infinity reaches 1. For weights that are
large beside a_i the last is close to the root, and one or two steps are enough.

With an L1 penalty too, w is what its soft threshold left, in the same metric: that the
prox of the sum is one after the other is seen from the conditions of optimality. Let
(w0 - w) / d be l1 times a subgradient of ||.||_1 at w, and (w - u) / d one of lam ||.||
at u. Their sum is (w0 - u) / d, and it is a subgradient of both at u: each u_i has the
sign of w_i, or is 0, where every number of [-1, 1] is a subgradient of |.|.

Arrays of a group are doubles, filled up to a multiple of LANES with w = 0 and d = 1.
"""

from libc.math cimport fabs, fmax, sqrt
from libc.string cimport memset

cdef enum:
    # Partial sums, which become vector instructions and are added up at the end. The
    # order of summation is therefore the same for every instruction set.
    LANES = 8
    # A bound only: three to five Newton steps are usual.
    MOST_NEWTON_STEPS = 100

cdef extern from * nogil:
    """
    /* A Newton step that is smaller, relative to r, is the last: the next would be of
       the order of its square. */
    #define SKREG_LAST_STEP 1e-9
    /* Prevents 0 / 0 where a metric times a strength is below the smallest number; it
       is lost in rounding everywhere else. */
    #define SKREG_TINY 1e-300
    """
    double LAST_STEP "SKREG_LAST_STEP"
    double TINY "SKREG_TINY"


cdef inline Py_ssize_t padded(Py_ssize_t n) noexcept nogil:
    """n up to the next multiple of LANES."""
    return (n + LANES - 1) // LANES * LANES


cdef inline double sum_of(const double* lanes) noexcept nogil:
    cdef double total = 0
    cdef int k
    for k in range(LANES):
        total += lanes[k]
    return total


cdef inline double sum_of_squares(Py_ssize_t n, const double* w) noexcept nogil:
    """n: a multiple of LANES, as in all functions below."""
    cdef double squares[LANES]
    cdef Py_ssize_t i
    cdef int k
    memset(squares, 0, sizeof(squares))
    for i in range(n // LANES):
        for k in range(LANES):
            squares[k] += w[LANES * i + k] * w[LANES * i + k]
    return sum_of(squares)


cdef inline double secular_root(
    Py_ssize_t n, const double* w, const double* a
) noexcept nogil:
    """The root r >= 0 of sum_i (w_i / (r + a_i))^2 = 1; 0 where there is no root."""
    cdef double first[LANES]
    cdef double second[LANES]
    cdef double ratio, square, h, r, step
    cdef double largest = 0
    cdef Py_ssize_t i, _
    cdef int k
    memset(first, 0, sizeof(first))
    memset(second, 0, sizeof(second))
    for i in range(n // LANES):
        for k in range(LANES):
            ratio = w[LANES * i + k] / (a[LANES * i + k] + TINY)
            first[k] += ratio * ratio
    if sum_of(first) <= 1:
        return 0
    memset(first, 0, sizeof(first))
    for i in range(n // LANES):
        for k in range(LANES):
            square = w[LANES * i + k] * w[LANES * i + k]
            first[k] += square
            second[k] += square * a[LANES * i + k]
            largest = fmax(largest, fabs(w[LANES * i + k]) - a[LANES * i + k])
    h = sum_of(first)
    r = largest if h == 0 else fmax(largest, sqrt(h) - sum_of(second) / h)
    for _ in range(MOST_NEWTON_STEPS):
        memset(first, 0, sizeof(first))
        memset(second, 0, sizeof(second))
        for i in range(n // LANES):
            for k in range(LANES):
                ratio = w[LANES * i + k] / (r + a[LANES * i + k] + TINY)
                square = ratio * ratio
                first[k] += square
                second[k] += square / (r + a[LANES * i + k] + TINY)
        h = sum_of(first)
        step = h * (sqrt(h) - 1) / sum_of(second)
        # ends, too, where rounding put r beyond the root, or where step is not a number
        if not step > 0:
            break
        r += step
        if step <= LAST_STEP * r:
            break
    return r


cdef inline void group_prox(
    Py_ssize_t n, double lam, bint even, const double* metric, double* w, double* a
) noexcept nogil:
    """w <- u, in place.

    even: all metrics equal the first, and ||u|| = ||w|| - lam metric[0]. a: scratch for
    n numbers.
    """
    cdef double r, length
    cdef Py_ssize_t i
    if even:
        length = sqrt(sum_of_squares(n, w))
        r = length - lam * metric[0]
        if not r <= 0:
            for i in range(n):
                w[i] *= r / length
            return
    else:
        for i in range(n):
            a[i] = lam * metric[i]
        r = secular_root(n, w, a)
        if not r <= 0:
            for i in range(n):
                w[i] *= r / (r + a[i])
            return
    memset(w, 0, n * sizeof(double))
