/* Included by vecmath.h once per type. */

/* 2^n for an n that is a valid exponent of a normal number. The n of a NaN is not
 * valid, so the arithmetic is unsigned, where overflow is defined. */
static inline REAL FN(power_of_two)(BITS n)
{
    UBITS bits = ((UBITS)n + BIAS) << MANTISSA;
    REAL power;
    memcpy(&power, &bits, sizeof power);
    return power;
}

/* Splits x into n (returned) and r (stored), x = n ln2 + r. */
static inline BITS FN(reduce)(REAL x, REAL *r)
{
    REAL shifted = x * (REAL)1.4426950408889634 + ROUNDER;
    REAL rounder = ROUNDER;
    REAL n = shifted - ROUNDER;
    BITS high, low;
    memcpy(&high, &shifted, sizeof high);
    memcpy(&low, &rounder, sizeof low);
    *r = (x - n * LN2_HI) - n * LN2_LO;
    return high - low;
}

/* expm1(r) = r + r^2 (1/2! + r (1/3! + r (1/4! + ...))), |r| <= ln2/2. */
static inline REAL FN(expm1_series)(REAL r)
{
#if TAYLOR_TERMS == 13
    REAL sum = (REAL)(1.0 / 6227020800.0);
    sum = sum * r + (REAL)(1.0 / 479001600.0);
    sum = sum * r + (REAL)(1.0 / 39916800.0);
    sum = sum * r + (REAL)(1.0 / 3628800.0);
    sum = sum * r + (REAL)(1.0 / 362880.0);
    sum = sum * r + (REAL)(1.0 / 40320.0);
    sum = sum * r + (REAL)(1.0 / 5040.0);
#else
    REAL sum = (REAL)(1.0 / 5040.0);
#endif
    sum = sum * r + (REAL)(1.0 / 720.0);
    sum = sum * r + (REAL)(1.0 / 120.0);
    sum = sum * r + (REAL)(1.0 / 24.0);
    sum = sum * r + (REAL)(1.0 / 6.0);
    sum = sum * r + (REAL)0.5;
    return r + r * r * sum;
}

static inline REAL FN(exp)(REAL x)
{
    REAL r, p;
    BITS n, half;
    x = x < EXP_MIN ? EXP_MIN : x;
    x = x > EXP_MAX ? EXP_MAX : x;
    n = FN(reduce)(x, &r);
    p = FN(expm1_series)(r);
    half = n >> 1;
    return (1 + p) * FN(power_of_two)(half) * FN(power_of_two)(n - half);
}

/* expm1(x) for x <= 0: the activations need no other x. */
static inline REAL FN(expm1_negative)(REAL x)
{
    REAL r, p, power;
    BITS n;
    /* exp(-50) is far below the rounding of -1 in either type */
    x = x < -50 ? -50 : x;
    n = FN(reduce)(x, &r);
    p = FN(expm1_series)(r);
    power = FN(power_of_two)(n);
    return power * p + (power - 1);
}

/* tanh|x| = -t / (2 + t) with t = expm1(-2|x|): no cancellation near zero. */
static inline REAL FN(tanh)(REAL x)
{
    REAL a = x < 0 ? -x : x;
    REAL t = FN(expm1_negative)(-2 * a);
    REAL y = (0 - t) / (2 + t);
    return x < 0 ? -y : y;
}

static inline REAL FN(logistic)(REAL x)
{
    return 1 / (1 + FN(exp)(-x));
}

/* log((1 + s) / (1 - s)) = 2 (s + s^3/3 + s^5/5 + ...), for |s| <= 1/3. */
static inline REAL FN(log_ratio)(REAL s)
{
    REAL square = s * s;
    REAL sum = 0;
    for (int n = ATANH_TERMS; n > 0; n--)
        sum = sum * square + (REAL)1 / (REAL)(2 * n + 1);
    return 2 * s + 2 * s * square * sum;
}

/* log(1 + x) for 0 <= x <= 1, without loss of digits near zero. */
static inline REAL FN(log1p_unit)(REAL x)
{
    return FN(log_ratio)(x / (2 + x));
}

/* log(x) for normal numbers x > 0: x = 2^n m with m in [2/3, 4/3). The logarithm of
 * infinity is infinity, and that of NaN is NaN. */
static inline REAL FN(log)(REAL x)
{
    BITS bits, split;
    REAL m, n, result;
    const REAL two_thirds = (REAL)(2.0 / 3.0);
    memcpy(&bits, &x, sizeof bits);
    memcpy(&split, &two_thirds, sizeof split);
    n = (REAL)((bits - split) >> MANTISSA);
    /* takes n out of the exponent, without shifting a negative n back */
    bits -= (bits - split) & ~(((BITS)1 << MANTISSA) - 1);
    memcpy(&m, &bits, sizeof m);
    result = n * LN2_HI + (n * LN2_LO + FN(log_ratio)((m - 1) / (m + 1)));
    return x < (REAL)INFINITY ? result : x;
}
