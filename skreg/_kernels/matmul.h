/* C = A B or C += A B for the matrices of a small network, in registers.
 *
 * Every element of C is one sum over k = 0, 1, ..., K-1, in that order, whichever
 * tile it falls into: so a row of C has the same bits alone or in a batch, and
 * later with any number of threads.
 *
 * A and B are given by a pointer and two strides, which makes all four
 * transpositions one function. C is row-major with row stride ldc. B is read in
 * panels of NV vectors of columns; a panel that is not contiguous or not full is
 * first copied to `panel`, padded with zeros.
 *
 * With GCC and clang the tile is written with vector types; other compilers get
 * plain loops that sum in the same order.
 */
#ifndef SKREG_MATMUL_H
#define SKREG_MATMUL_H

#include <stddef.h>
#include <string.h>

#if defined(__GNUC__) || defined(__clang__)
#define SKREG_VECTORS 1
#endif

/* VBYTES: bytes of a vector. MR x NV: the tile of accumulators, rows x vectors, as
 * large as the register file allows beside NV vectors of B and one value of A. */
#if defined(__AVX512F__)
#define VBYTES 64
#define MR 12
#define NV 2
#elif defined(__AVX__)
#define VBYTES 32
#define MR 6
#define NV 2
#elif defined(__aarch64__)
#define VBYTES 16
#define MR 8
#define NV 3
#else
#define VBYTES 16
#define MR 4
#define NV 2
#endif

/* K is cut into blocks, so that a panel of B and the rows of A stay in cache. */
#define KC 512

/* The shape of a product: C is m x n, the sums run over k. */
typedef struct {
    ptrdiff_t m, n, k;
} product_shape;

#define REAL float
#define FN(name) name##_f32
#include "matmul_tiles.h"
#undef REAL
#undef FN

#define REAL double
#define FN(name) name##_f64
#include "matmul_tiles.h"
#undef REAL
#undef FN

/* Numbers of REAL that `panel` must hold, for the widest panel of either type. */
#define SKREG_PANEL_SIZE (KC * NV * VBYTES / (ptrdiff_t)sizeof(float))

#endif
