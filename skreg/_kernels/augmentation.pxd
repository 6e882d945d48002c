"""All augmentations of a batch's inputs, in the order of the list.

Augmentations that treat rows one by one work in place, on each thread's own rows.
Mixing reads rows of other threads and writes to a second buffer, where the rest of the
list continues; a list has at most one mixing augmentation. A new augmentation is a
function in one of the files augmentation_*.pxd, a number in augmentation_types.pxd, a
line here, and a class in skreg/augmentation.py.
"""

from libc.stdint cimport int32_t

from skreg._kernels.augmentation_features cimport (
    add_noise, mask_features, scale_features, scale_samples)
from skreg._kernels.augmentation_images cimport (
    flip_images, scale_images, shift_images)
from skreg._kernels.augmentation_mixing cimport Mixing, mix_rows, mixes
from skreg._kernels.augmentation_types cimport (
    FEATURE_MASKING, FEATURE_SCALING, GAUSSIAN_NOISE, IMAGE_SCALE, IMAGE_SHIFT,
    SAMPLE_SCALING, Augmentation, Draws, element_draws, row_draws)
from skreg._kernels.dropout cimport Noise
from skreg._kernels.team cimport Share, Team, share_of
from skreg._kernels.types cimport real

cdef struct Augmentations:
    Py_ssize_t n
    Augmentation* steps
    Mixing mixing

cdef struct ImageScratch:
    # Buffers of one thread; NULL without augmentations of images.
    void* numbers
    int32_t* offsets


cdef inline real* augment(
    Augmentations* list_, Noise noise, Py_ssize_t n_rows, Py_ssize_t n_features,
    real* inputs, Py_ssize_t stride, ImageScratch* scratch, Team team,
) noexcept nogil:
    """Augments this thread's rows of a batch; returns the buffer of the result."""
    cdef Share rows = share_of(team, n_rows)
    cdef real* x = inputs
    cdef Py_ssize_t position
    if team.thread == 0:
        list_.mixing.offset = 0
    for position in range(list_.n):
        if not mixes(&list_.steps[position]):
            augment_rows(
                &list_.steps[position], noise, position, rows, n_features, x, stride,
                scratch)
        elif n_rows > 1:
            mix_rows(
                &list_.steps[position], noise, position, rows, n_rows, n_features, x,
                stride, &list_.mixing, team)
            x = <real*> list_.mixing.inputs
    return x


cdef inline void augment_rows(
    Augmentation* step, Noise noise, Py_ssize_t position, Share rows,
    Py_ssize_t n_features, real* x, Py_ssize_t stride, ImageScratch* scratch,
) noexcept nogil:
    """One augmentation that treats rows one by one, in place."""
    cdef Draws elements = element_draws(noise, position)
    cdef Draws draws = row_draws(noise, position)
    if step.kind == GAUSSIAN_NOISE:
        add_noise(step, &elements, rows, n_features, x, stride)
    elif step.kind == FEATURE_SCALING:
        scale_features(step, &elements, rows, n_features, x, stride)
    elif step.kind == SAMPLE_SCALING:
        scale_samples(step, &draws, rows, n_features, x, stride)
    elif step.kind == FEATURE_MASKING:
        mask_features(step, &elements, rows, n_features, x, stride)
    elif step.kind == IMAGE_SHIFT:
        shift_images(step, &draws, rows, x, stride, <real*> scratch.numbers)
    elif step.kind == IMAGE_SCALE:
        scale_images(
            step, &draws, rows, x, stride, <real*> scratch.numbers, scratch.offsets)
    else:
        flip_images(step, &draws, rows, x, stride, <real*> scratch.numbers)
