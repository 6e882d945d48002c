"""Augmentations of images: rows are (height, width, channels), row-major.

Each copies a row of a batch and makes its new values from the copy. Every thread has
its own scratch, of `image_scratch` numbers and `image_offsets` whole numbers.
"""

from libc.math cimport floor
from libc.stdint cimport int32_t
from libc.string cimport memcpy

from skreg._kernels.augmentation_types cimport (
    VERTICAL_FLIP, Augmentation, Draws, below_count, row_word, unit_interval)
from skreg._kernels.team cimport Share
from skreg._kernels.types cimport real


cdef inline Py_ssize_t image_scratch(Augmentation* step) noexcept nogil:
    """Size of the scratch: the image with a frame, one framed row, weights of a row."""
    return (step.height + 4) * (step.width + 2) * step.channels


cdef inline Py_ssize_t image_offsets(Augmentation* step) noexcept nogil:
    """Size of the scratch for whole numbers."""
    return step.width * step.channels


cdef inline void flip_images(
    Augmentation* step, Draws* draws, Share rows, real* x, Py_ssize_t stride,
    real* scratch,
) noexcept nogil:
    """Mirrors rows with the step's probability, drawn from word 0."""
    cdef Py_ssize_t line = step.width * step.channels
    cdef Py_ssize_t i, y
    cdef real* image
    for i in range(rows.first, rows.last):
        if row_word(draws, i, 0) >= step.probability * 4294967296.0:
            continue
        image = x + i * stride
        memcpy(scratch, image, step.height * line * sizeof(real))
        for y in range(step.height):
            if step.kind == VERTICAL_FLIP:
                memcpy(
                    image + y * line, scratch + (step.height - 1 - y) * line,
                    line * sizeof(real))
            else:
                mirror(
                    step.width, step.channels, scratch + y * line, image + y * line)


cdef inline void mirror(
    Py_ssize_t width, Py_ssize_t channels, const real* line, real* out
) noexcept nogil:
    """Writes one line of an image from right to left."""
    cdef Py_ssize_t x, c
    if channels == 1:
        for x in range(width):
            out[x] = line[width - 1 - x]
        return
    for x in range(width):
        for c in range(channels):
            out[x * channels + c] = line[(width - 1 - x) * channels + c]


cdef inline void shift_images(
    Augmentation* step, Draws* draws, Share rows, real* x, Py_ssize_t stride,
    real* scratch,
) noexcept nogil:
    """Moves each row's image by -pixels to pixels: down by word 0, right by word 1."""
    cdef Py_ssize_t pixels = <Py_ssize_t> step.strength
    cdef Py_ssize_t line = step.width * step.channels
    cdef real fill = <real> step.fill
    cdef Py_ssize_t i, y, source, down, right, k
    cdef real* out
    for i in range(rows.first, rows.last):
        down = below_count(row_word(draws, i, 0), 2 * pixels + 1) - pixels
        right = below_count(row_word(draws, i, 1), 2 * pixels + 1) - pixels
        right *= step.channels
        memcpy(scratch, x + i * stride, step.height * line * sizeof(real))
        for y in range(step.height):
            out = x + i * stride + y * line
            source = y - down
            if source < 0 or source >= step.height:
                for k in range(line):
                    out[k] = fill
                continue
            for k in range(right):
                out[k] = fill
            for k in range(line + right, line):
                out[k] = fill
            memcpy(
                out + max(right, <Py_ssize_t> 0),
                scratch + source * line + max(-right, <Py_ssize_t> 0),
                (line - max(right, -right)) * sizeof(real))


cdef inline double source_of(
    Py_ssize_t place, Py_ssize_t size, double factor
) noexcept nogil:
    """Where the pixel at `place` comes from when an image grows by a factor.

    The result counts pixels of the image with its frame, and lies within the frame.
    """
    cdef double centre = 0.5 * (size - 1)
    cdef double source = centre + (place - centre) / factor
    return min(max(source, -1.0), <double> size) + 1


cdef inline void scale_images(
    Augmentation* step, Draws* draws, Share rows, real* x, Py_ssize_t stride,
    real* scratch, int32_t* offsets,
) noexcept nogil:
    """Grows each row's image by 1 + scale * U(-1, 1), word 0, about its centre.

    The interpolation is bilinear: along y, a line at a time, then along x. A frame of
    `fill`, one pixel wide, stands for everything outside the image.
    """
    cdef Py_ssize_t channels = step.channels
    cdef Py_ssize_t line = step.width * channels
    cdef Py_ssize_t framed_line = line + 2 * channels
    cdef real* framed = scratch
    cdef real* between = scratch + (step.height + 2) * framed_line
    cdef real* weights = between + framed_line
    cdef const real* upper
    cdef const real* lower
    cdef real* out
    cdef real fill = <real> step.fill
    cdef real weight
    cdef double factor, source
    cdef Py_ssize_t i, y, k, whole
    for k in range((step.height + 2) * framed_line):
        framed[k] = fill
    for i in range(rows.first, rows.last):
        factor = 1 + step.strength * (2 * unit_interval(row_word(draws, i, 0)) - 1)
        for y in range(step.height):
            memcpy(
                framed + (y + 1) * framed_line + channels,
                x + i * stride + y * line, line * sizeof(real))
        for k in range(line):
            source = source_of(k // channels, step.width, factor)
            whole = min(<Py_ssize_t> floor(source), step.width)
            offsets[k] = <int32_t> (whole * channels + k % channels)
            weights[k] = <real> (source - whole)
        for y in range(step.height):
            source = source_of(y, step.height, factor)
            whole = min(<Py_ssize_t> floor(source), step.height)
            weight = <real> (source - whole)
            upper = framed + whole * framed_line
            lower = upper + framed_line
            for k in range(framed_line):
                between[k] = upper[k] + weight * (lower[k] - upper[k])
            out = x + i * stride + y * line
            for k in range(line):
                out[k] = between[offsets[k]] + weights[k] * (
                    between[offsets[k] + channels] - between[offsets[k]])
