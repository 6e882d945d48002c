/* exp, expm1, tanh, log, the normal distribution, sine and cosine without branches or
 * library calls (except the normal distribution in double), so that compilers turn a
 * loop over them into vector instructions. The file of the
 * functions is included once per type: REAL is the type, BITS the integer type of its
 * width.
 *
 * Range reduction: x = n ln2 + r with |r| <= ln2/2, hence
 *     exp(x)   = 2^n (1 + p(r)),        p(r) = expm1(r) by its Taylor series,
 *     expm1(x) = 2^n p(r) + (2^n - 1).
 * n is found by adding 1.5 * 2^(mantissa bits), which rounds to an integer and
 * leaves the integer in the low bits. 2^n is applied as two factors, so that results
 * can be subnormal numbers and infinity. Comparisons are written so that the result of
 * NaN is NaN.
 */
#ifndef SKREG_VECMATH_H
#define SKREG_VECMATH_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#define REAL float
#define BITS int32_t
#define UBITS uint32_t
#define FN(name) name##_f32
#define MANTISSA 23
#define BIAS 127
#define ROUNDER 12582912.0f /* 1.5 * 2^23 */
#define LN2_HI 0.693145752f
#define LN2_LO 1.42860677e-6f
#define EXP_MIN -104.0f
#define EXP_MAX 89.0f
#define TAYLOR_TERMS 7
#define ATANH_TERMS 7
#include "vecmath_functions.h"
#undef REAL
#undef BITS
#undef UBITS
#undef FN
#undef MANTISSA
#undef BIAS
#undef ROUNDER
#undef LN2_HI
#undef LN2_LO
#undef EXP_MIN
#undef EXP_MAX
#undef TAYLOR_TERMS
#undef ATANH_TERMS

#define REAL double
#define BITS int64_t
#define UBITS uint64_t
#define FN(name) name##_f64
#define MANTISSA 52
#define BIAS 1023
#define ROUNDER 6755399441055744.0 /* 1.5 * 2^52 */
#define LN2_HI 0.69314718036912382
#define LN2_LO 1.9082149292705877e-10
#define EXP_MIN -746.0
#define EXP_MAX 710.0
#define TAYLOR_TERMS 13
#define ATANH_TERMS 16
#include "vecmath_functions.h"
#undef REAL
#undef BITS
#undef UBITS
#undef FN
#undef MANTISSA
#undef BIAS
#undef ROUNDER
#undef LN2_HI
#undef LN2_LO
#undef EXP_MIN
#undef EXP_MAX
#undef TAYLOR_TERMS
#undef ATANH_TERMS

/* Phi(z) = (1 + erf(z / sqrt2)) / 2, the normal distribution function.
 * float: Abramowitz & Stegun (1964) 7.1.26, absolute error below 3e-7 with rounding;
 * double: the C library, to full precision. */
static inline float normal_cdf_f32(float z)
{
    float x = fabsf(z) * 0.70710678f;
    float t = 1.0f / (1.0f + 0.3275911f * x);
    float series = t * (0.254829592f + t * (-0.284496736f + t * (1.421413741f
                 + t * (-1.453152027f + t * 1.061405429f))));
    float tail = 0.5f * series * exp_f32(-x * x);
    return z < 0.0f ? tail : 1.0f - tail;
}

static inline double normal_cdf_f64(double z)
{
    return 0.5 * erfc(-z * 0.70710678118654752440);
}

/* sin(pi x) for |x| <= 1/2: the odd polynomial with the least relative error, 5e-9. */
static inline float sine_half_turn_f32(float x)
{
    float s = x * x;
    float sum = 0.0775603931f;
    sum = sum * s - 0.598242130f;
    sum = sum * s + 2.55006973f;
    sum = sum * s - 5.16770968f;
    sum = sum * s + 3.14159264f;
    return x * sum;
}

/* cos(pi x) for |x| <= 1. */
static inline float cospi_f32(float x)
{
    return sine_half_turn_f32(0.5f - fabsf(x));
}

/* sin(pi x) for |x| <= 1: sin(pi |x|) = sin(pi (1/2 - ||x| - 1/2|)). */
static inline float sinpi_f32(float x)
{
    float sine = sine_half_turn_f32(0.5f - fabsf(fabsf(x) - 0.5f));
    return x < 0.0f ? -sine : sine;
}

#endif
