"""Mixup (Zhang et al. 2018) and CutMix (Yun et al. 2019): mixing rows of a batch.

Row i is mixed with its partner j = (i + offset) % rows of the batch. The epoch's
shuffle makes the partner random, and the offset is drawn for each step. With lambda_i
the share of row i in the result, the loss of the mixed row is to be

    lambda_i s_i loss(y_i, f) + (1 - lambda_i) s_j loss(y_j, f).

Where the loss is linear in y (up to a term without f), this is s loss(y, f) with

    s = lambda_i s_i + (1 - lambda_i) s_j
    y = (lambda_i s_i y_i + (1 - lambda_i) s_j y_j) / s,

and so a mixed row is a row like any other, of weight s and target y.
"""

from libc.math cimport sqrt
from libc.stdint cimport uint16_t, uint32_t
from libc.string cimport memcpy

from skreg._kernels.augmentation_types cimport (
    FEATURE_CUTMIX, IMAGE_CUTMIX, MIXUP, QUANTILES, Augmentation, Draws, below_count,
    draw_group, element_draws, row_draws, row_word, unit_interval)
from skreg._kernels.dropout cimport Noise
from skreg._kernels.philox cimport GROUP_WORDS
from skreg._kernels.rows cimport Rows, Selection, row_of, row_weight
from skreg._kernels.team cimport Share, Team, wait_for_team
from skreg._kernels.types cimport real

cdef struct Mixing:
    # How the rows of the current batch were mixed.
    Py_ssize_t offset     # of the partners; 0: nothing is mixed
    double* shares        # (capacity,), lambda of each row
    void* inputs          # (capacity, n_features), the mixed rows


cdef inline bint mixes(Augmentation* step) noexcept nogil:
    return MIXUP <= step.kind <= IMAGE_CUTMIX


cdef inline double quantile(const double* table, double u) noexcept nogil:
    """Interpolates a table at 0, 1 / (QUANTILES - 1), ..., 1; 0 < u < 1."""
    cdef double place = u * (QUANTILES - 1)
    cdef Py_ssize_t k = <Py_ssize_t> place
    return table[k] + (place - k) * (table[k + 1] - table[k])


cdef inline double share_of_row(
    Augmentation* step, Draws* draws, Py_ssize_t row
) noexcept nogil:
    """The lambda of a row: 1 if word 1 leaves the row unmixed, else drawn by word 0."""
    if row_word(draws, row, 1) >= step.probability * 4294967296.0:
        return 1.0
    return quantile(step.quantiles, unit_interval(row_word(draws, row, 0)))


cdef inline void mix_rows(
    Augmentation* step, Noise noise, Py_ssize_t position, Share rows,
    Py_ssize_t n_rows, Py_ssize_t n_features, const real* x, Py_ssize_t stride,
    Mixing* mixing, Team team,
) noexcept nogil:
    """Mixes this thread's rows of a batch into mixing.inputs; n_rows > 1."""
    cdef Draws draws = row_draws(noise, position)
    cdef Draws bits = element_draws(noise, position)
    # drawn from word 3 of the first row
    cdef Py_ssize_t offset = 1 + below_count(row_word(&draws, 0, 3), n_rows - 1)
    cdef const real* own
    cdef const real* other
    cdef real* out
    cdef double share
    cdef Py_ssize_t i
    if team.thread == 0:
        mixing.offset = offset
    # the partners may be rows of another thread
    wait_for_team(team.size)
    for i in range(rows.first, rows.last):
        own = x + i * stride
        other = x + (i + offset) % n_rows * stride
        out = <real*> mixing.inputs + i * stride
        share = share_of_row(step, &draws, i)
        if share == 1:
            memcpy(out, own, n_features * sizeof(real))
        elif step.kind == MIXUP:
            blend(<real> share, n_features, own, other, out)
        elif step.kind == FEATURE_CUTMIX:
            share = take_features(share, &bits, i, n_features, own, other, out)
        else:
            share = paste_rectangle(
                share, row_word(&draws, i, 2), step, own, other, out)
        mixing.shares[i] = share


cdef inline void blend(
    real share, Py_ssize_t n, const real* own, const real* other, real* out
) noexcept nogil:
    """share * own + (1 - share) * other."""
    cdef real rest = 1 - share
    cdef Py_ssize_t j
    for j in range(n):
        out[j] = share * own[j] + rest * other[j]


cdef inline double take_features(
    double share, Draws* draws, Py_ssize_t row, Py_ssize_t n,
    const real* own, const real* other, real* out,
) noexcept nogil:
    """Takes each feature from the other row with probability 1 - share, by 16 bits.

    Returns the share of features that stayed.
    """
    cdef Py_ssize_t size = 2 * GROUP_WORDS
    cdef const uint16_t* halves = <const uint16_t*> draws.words
    cdef uint32_t threshold = <uint32_t> ((1 - share) * 65536 + 0.5)
    cdef Py_ssize_t taken = 0
    cdef Py_ssize_t done = 0
    cdef Py_ssize_t begin, count, k
    cdef int in_group
    cdef bint take
    while done < n:
        draw_group(draws, (row * n + done) // size)
        begin = (row * n + done) % size
        count = min(size - begin, n - done)
        in_group = 0
        for k in range(count):
            take = halves[begin + k] < threshold
            out[done + k] = other[done + k] if take else own[done + k]
            in_group += take
        taken += in_group
        done += count
    return 1 - taken / <double> n


cdef inline double paste_rectangle(
    double share, uint32_t word, Augmentation* step,
    const real* own, const real* other, real* out,
) noexcept nogil:
    """Pastes a rectangle of the other image, 1 - share of it, cut at the edges.

    The two halves of the word are the place of the rectangle's centre. Returns the
    share of pixels that stayed.
    """
    cdef Py_ssize_t height = step.height
    cdef Py_ssize_t width = step.width
    cdef Py_ssize_t channels = step.channels
    cdef double side = sqrt(1 - share)
    cdef Py_ssize_t down = <Py_ssize_t> (height * side)
    cdef Py_ssize_t across = <Py_ssize_t> (width * side)
    cdef Py_ssize_t top = ((word >> 16) * height >> 16) - down // 2
    cdef Py_ssize_t left = ((word & 0xFFFF) * width >> 16) - across // 2
    cdef Py_ssize_t bottom = min(top + down, height)
    cdef Py_ssize_t right = min(left + across, width)
    cdef Py_ssize_t y, corner
    top = max(top, <Py_ssize_t> 0)
    left = max(left, <Py_ssize_t> 0)
    memcpy(out, own, height * width * channels * sizeof(real))
    for y in range(top, bottom):
        corner = (y * width + left) * channels
        memcpy(out + corner, other + corner, (right - left) * channels * sizeof(real))
    return 1 - (bottom - top) * (right - left) / <double> (height * width)


cdef inline double mixed_weight(
    Mixing* mixing, Rows* data, Selection* batch, Py_ssize_t i, const real* type_
) noexcept nogil:
    """The weight s of the row at position i of a batch, mixed or not."""
    cdef double weight = row_weight(data, row_of(data, batch, i), <real*> type_)
    cdef Py_ssize_t partner
    cdef double share
    if mixing.offset == 0 or mixing.shares[i] == 1:
        return weight
    share = mixing.shares[i]
    partner = row_of(data, batch, (i + mixing.offset) % batch.rows)
    return share * weight + (1 - share) * row_weight(data, partner, <real*> type_)


cdef inline void mix_target(
    Mixing* mixing, Rows* data, Selection* batch, Py_ssize_t i, Py_ssize_t n_outputs,
    double mixed, real* target, Py_ssize_t target_stride,
) noexcept nogil:
    """Turns the target of position i, y_i, into y; `mixed` is its weight s.

    The target's values stand at target[0], target[target_stride], ...
    """
    cdef double share = mixing.shares[i]
    cdef const real* other
    cdef Py_ssize_t row, k
    if share == 1:
        return
    if mixed > 0:
        # now the share of y_i in y
        share *= row_weight(data, row_of(data, batch, i), target) / mixed
    row = row_of(data, batch, (i + mixing.offset) % batch.rows)
    for k in range(n_outputs):
        target[k * target_stride] *= <real> share
    if data.classes != NULL:
        target[data.classes[row] * target_stride] += <real> (1 - share)
    else:
        other = <const real*> data.targets + row * n_outputs
        for k in range(n_outputs):
            target[k * target_stride] += <real> (1 - share) * other[k]
