"""Pointers to the data of NumPy arrays, which are checked for what the kernels need."""

cimport numpy as cnp
from libc.stdint cimport int32_t, uint32_t


cdef inline void* address(cnp.ndarray array) except? NULL:
    if not cnp.PyArray_IS_C_CONTIGUOUS(array) or not cnp.PyArray_ISALIGNED(array):
        raise ValueError("the kernels need C-contiguous, aligned arrays")
    return cnp.PyArray_DATA(array)


cdef inline const void* typed_address(array, dtype, shape) except? NULL:
    """Pointer to an array that must have this dtype and shape; NULL for None."""
    if array is None:
        return NULL
    if array.dtype != dtype or array.shape != shape:
        name = getattr(dtype, "__name__", dtype)
        raise ValueError(
            f"expected {name} of shape {shape}, "
            f"got {array.dtype} of shape {array.shape}")
    return address(array)


cdef inline void* writable_address(array, dtype, shape) except NULL:
    """`typed_address` for an array that is written to."""
    if not array.flags.writeable:
        raise ValueError("the kernels cannot write to a read-only array")
    return <void*> typed_address(array, dtype, shape)


cdef inline aligned(array):
    """The array itself, or a copy where its numbers are not aligned.

    The numbers may not be aligned in a buffer that begins with something else, such as
    a file's or a message's header.
    """
    if array is None or array.flags.aligned:
        return array
    return array.copy()


cdef inline int check_compressed(
    const Py_ssize_t* starts, const int32_t* others, Py_ssize_t lines,
    Py_ssize_t across, Py_ssize_t stored,
) except -1:
    """Raises where CSR or CSC would lead out of its arrays; one pass over them.

    starts: (lines + 1,), into the `stored` numbers of others, each below `across`.
    """
    cdef Py_ssize_t line, k
    cdef bint valid = starts[0] >= 0
    cdef uint32_t bound = <uint32_t> min(across, <Py_ssize_t> 1 << 31)
    cdef uint32_t beyond = 0
    with nogil:
        for line in range(lines):
            valid = valid and starts[line] <= starts[line + 1]
        valid = valid and starts[lines] <= stored
        if valid:
            # a number below zero is large as an unsigned number
            for k in range(starts[0], starts[lines]):
                beyond |= <uint32_t> others[k] >= bound
    if not valid:
        raise ValueError(
            "the pointers of a sparse matrix must not decrease, nor leave its arrays")
    if beyond:
        raise ValueError(
            f"the indices of a sparse matrix must be whole numbers from 0 to "
            f"{across - 1}")
    return 0
