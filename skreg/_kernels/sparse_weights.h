/* out += W^T x for a sparse W, stored by column.
 *
 * x and out hold a chunk of rows, transposed: x is (n_in, rows), out (n_out, rows). So
 * a non-zero W[k, o] adds a multiple of the contiguous x[k] to the contiguous out[o],
 * which stays in registers until all non-zeros of output o are done. Zeros take no
 * time.
 *
 * Every element is out[o] + sum_even + sum_odd: the sums over the output's non-zeros at
 * even and at odd places, in their order. There are two sums, because an addition has
 * to wait for the addition before it in the same sum. A row has a lane of its own, so
 * its bits depend neither on the other rows of the chunk nor on their number.
 *
 * Without vector extensions: plain loops that sum in the same order.
 */
#ifndef SKREG_SPARSE_WEIGHTS_H
#define SKREG_SPARSE_WEIGHTS_H

#include "vectors.h"

/* The most vectors of rows in a chunk; a chunk of few rows has fewer. */
#define SKREG_ROW_VECTORS 4

#ifdef SKREG_VECTORS
#define SKREG_VECTOR_BYTES VBYTES
#else
#define SKREG_VECTOR_BYTES 32
#endif

#define PASTE_(a, b) a##b
#define PASTE(a, b) PASTE_(a, b)
#define FN(name) PASTE(name##_, TYPE)
#define VEC PASTE(vec_, TYPE)
#define LANES (SKREG_VECTOR_BYTES / (ptrdiff_t)sizeof(REAL))

#define REAL float
#define TYPE f32
#include "sparse_weights_typed.h"
#undef REAL
#undef TYPE

#define REAL double
#define TYPE f64
#include "sparse_weights_typed.h"
#undef REAL
#undef TYPE

#undef FN
#undef VEC
#undef LANES

#endif
