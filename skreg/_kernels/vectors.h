/* Vectors as wide as the registers of this build, by the extensions of GCC and clang.
 * Other compilers leave SKREG_VECTORS undefined and use plain loops.
 *
 * VBYTES: bytes of a vector; LANES_f32, LANES_f64: numbers in a vector. A `part` is the
 * first `count` numbers of a vector. Loads and stores of a part touch nothing beyond
 * it, as is necessary at the end of a row. SKREG_MASKS says that loading a part takes
 * no longer than loading a whole vector.
 */
#ifndef SKREG_VECTORS_H
#define SKREG_VECTORS_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__GNUC__) || defined(__clang__)
#define SKREG_VECTORS 1

#if defined(__AVX512F__) || defined(__AVX2__)
#include <immintrin.h>
#define SKREG_MASKS 1
#else
#define SKREG_MASKS 0
#if defined(__SSE2__)
#include <emmintrin.h>
#endif
#endif

#if defined(__AVX512F__)
#define VBYTES 64
#elif defined(__AVX2__)
#define VBYTES 32
#else
#define VBYTES 16
#endif

/* aligned(...): a vector may be loaded from any address of a number. */
typedef float vec_f32 __attribute__((vector_size(VBYTES), aligned(4), may_alias));
typedef double vec_f64 __attribute__((vector_size(VBYTES), aligned(8), may_alias));
#define LANES_f32 (VBYTES / 4)
#define LANES_f64 (VBYTES / 8)

/* ------------------------------------------------------------------------- parts */

#if VBYTES == 64
#define FIRST_16(count) ((__mmask16)((1u << (count)) - 1))
#define FIRST_8(count) ((__mmask8)((1u << (count)) - 1))
#define LOAD_PART_f32(p, n) (vec_f32) _mm512_maskz_loadu_ps(FIRST_16(n), p)
#define LOAD_PART_f64(p, n) (vec_f64) _mm512_maskz_loadu_pd(FIRST_8(n), p)
#define STORE_PART_f32(p, v, n) _mm512_mask_storeu_ps(p, FIRST_16(n), (__m512)(v))
#define STORE_PART_f64(p, v, n) _mm512_mask_storeu_pd(p, FIRST_8(n), (__m512d)(v))
#elif VBYTES == 32
#define FIRST_8(count)                                                                 \
    _mm256_cmpgt_epi32(_mm256_set1_epi32((int)(count)),                                \
                       _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7))
#define FIRST_4(count)                                                                 \
    _mm256_cmpgt_epi64(_mm256_set1_epi64x(count), _mm256_setr_epi64x(0, 1, 2, 3))
#define LOAD_PART_f32(p, n) (vec_f32) _mm256_maskload_ps(p, FIRST_8(n))
#define LOAD_PART_f64(p, n) (vec_f64) _mm256_maskload_pd(p, FIRST_4(n))
#define STORE_PART_f32(p, v, n) _mm256_maskstore_ps(p, FIRST_8(n), (__m256)(v))
#define STORE_PART_f64(p, v, n) _mm256_maskstore_pd(p, FIRST_4(n), (__m256d)(v))
#else
#define STORE_PART_f32(p, v, n) memcpy(p, &(v), (size_t)(n) * sizeof(float))
#define STORE_PART_f64(p, v, n) memcpy(p, &(v), (size_t)(n) * sizeof(double))
static inline vec_f32 LOAD_PART_f32(const float *p, ptrdiff_t n)
{
    vec_f32 v = {0};
    memcpy(&v, p, (size_t)n * sizeof(float));
    return v;
}
static inline vec_f64 LOAD_PART_f64(const double *p, ptrdiff_t n)
{
    vec_f64 v = {0};
    memcpy(&v, p, (size_t)n * sizeof(double));
    return v;
}
#endif

/* -------------------------------------------------------------------- interleaving */

/* INTERLEAVE(LOW, a, b) = a0 b0 a1 b1 ... of the lower halves; HIGH: the upper ones. */
#define LOW_2 0, 2
#define HIGH_2 1, 3
#define LOW_4 0, 4, 1, 5
#define HIGH_4 2, 6, 3, 7
#define LOW_8 0, 8, 1, 9, 2, 10, 3, 11
#define HIGH_8 4, 12, 5, 13, 6, 14, 7, 15
#define LOW_16 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23
#define HIGH_16 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31
#define SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#if VBYTES == 64
#define INTERLEAVE_f32(half, a, b) SHUFFLE(a, b, half##_16)
#define INTERLEAVE_f64(half, a, b) SHUFFLE(a, b, half##_8)
#elif VBYTES == 32
#define INTERLEAVE_f32(half, a, b) SHUFFLE(a, b, half##_8)
#define INTERLEAVE_f64(half, a, b) SHUFFLE(a, b, half##_4)
#else
#define INTERLEAVE_f32(half, a, b) SHUFFLE(a, b, half##_4)
#define INTERLEAVE_f64(half, a, b) SHUFFLE(a, b, half##_2)
#endif

/* ---------------------------------------------------------------- whole numbers */

typedef uint64_t vec_u64 __attribute__((vector_size(VBYTES), aligned(8), may_alias));
#define LANES_u64 (VBYTES / 8)

/* The product of the low 32 bits of each lane of a and the same of b, in 64 bits. The
 * compilers do not find this instruction by themselves. */
static inline vec_u64 multiply_low_halves(vec_u64 a, vec_u64 b)
{
#if VBYTES == 64
    return (vec_u64)_mm512_mul_epu32((__m512i)a, (__m512i)b);
#elif VBYTES == 32
    return (vec_u64)_mm256_mul_epu32((__m256i)a, (__m256i)b);
#elif defined(__SSE2__)
    return (vec_u64)_mm_mul_epu32((__m128i)a, (__m128i)b);
#else
    return (a & 0xffffffffu) * (b & 0xffffffffu);
#endif
}

#endif /* SKREG_VECTORS */
#endif
