"""The data of NumPy arrays as pointers, checked for what the kernels rely on."""

cimport numpy as cnp


cdef inline void* address(cnp.ndarray array) except? NULL:
    if not cnp.PyArray_IS_C_CONTIGUOUS(array):
        raise ValueError("the kernels need C-contiguous arrays")
    return cnp.PyArray_DATA(array)


cdef inline const void* typed_address(array, dtype, shape) except? NULL:
    """The data of an array that must have this dtype and shape; None: NULL."""
    if array is None:
        return NULL
    if array.dtype != dtype or array.shape != shape:
        name = getattr(dtype, "__name__", dtype)
        raise ValueError(
            f"expected {name} of shape {shape}, "
            f"got {array.dtype} of shape {array.shape}")
    return address(array)


cdef inline void* writable_address(array, dtype, shape) except NULL:
    """The same for an array that is written to."""
    if not array.flags.writeable:
        raise ValueError("the kernels cannot write to a read-only array")
    return <void*> typed_address(array, dtype, shape)
