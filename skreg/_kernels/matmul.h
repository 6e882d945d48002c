/* C = S + A B for the matrices of a small network.
 *
 * A and B are given by a pointer and two strides, so that one function does all
 * transpositions. C is row-major with row stride ldc. S is C itself, or a row to start
 * from (start_row = 0), or zero (start = NULL).
 *
 * Every element of C is one sum over k = 0, 1, ..., K-1 in that order, whichever tile
 * it falls into. So a row of C has the same bits alone or in a batch, and a block of C
 * has the same bits as within the whole, so that threads can compute blocks. (With one
 * column the order is a different one, which is also the same for every row.)
 *
 *     matmul_tile.h     the block of C that is held in registers
 *     matmul_pack.h     panels of B made contiguous, and transposed where B is
 *     matmul_column.h   B a single column
 *
 * Without vector extensions: plain loops that sum in the same order.
 */
#ifndef SKREG_MATMUL_H
#define SKREG_MATMUL_H

#include "vectors.h"

/* Rows of a tile. Each row takes two registers, beside two for vectors of B and one for
 * a number of A. AVX-512 and aarch64 have 32 registers, other processors 16. */
#if defined(__AVX512F__)
#define MR 12
#elif defined(__AVX2__)
#define MR 6
#elif defined(__aarch64__)
#define MR 12
#else
#define MR 4
#endif

/* K is cut into blocks of KC, so that a panel of B stays in the second-level cache. */
#define KC 512

/* A panel of B is copied before use if its part of B spans more than PACK_BYTES and A
 * has at least PACK_ROWS rows. On 256 x 1024 x 1024 the copy gains 4 %. Below these
 * limits reading B without a copy is as fast. */
#define PACK_BYTES (1 << 19)
#define PACK_ROWS 48

/* The shape of a product: C is m x n, the sums run over k. */
typedef struct {
    ptrdiff_t m, n, k;
} product_shape;

#define PASTE_(a, b) a##b
#define PASTE(a, b) PASTE_(a, b)
#define FN(name) PASTE(name##_, TYPE)
#define VEC PASTE(vec_, TYPE)
#define LANES PASTE(LANES_, TYPE)
#define LOAD_PART PASTE(LOAD_PART_, TYPE)
#define STORE_PART PASTE(STORE_PART_, TYPE)
#define INTERLEAVE PASTE(INTERLEAVE_, TYPE)

#define REAL float
#define TYPE f32
#include "matmul_typed.h"
#undef REAL
#undef TYPE

#define REAL double
#define TYPE f64
#include "matmul_typed.h"
#undef REAL
#undef TYPE

#undef FN
#undef VEC
#undef LANES
#undef LOAD_PART
#undef STORE_PART
#undef INTERLEAVE

#ifdef SKREG_VECTORS
/* The most columns of a panel, and the size of a buffer for one, for either type. */
#define SKREG_PANEL_COLUMNS (2 * LANES_f32)
#define SKREG_PANEL_SIZE (KC * SKREG_PANEL_COLUMNS)
#else
#define SKREG_PANEL_COLUMNS 32
#define SKREG_PANEL_SIZE 1
#endif

#endif
