/* What a core can compute at most: fused multiply-adds in registers, nothing else.

   A core of today starts one or two of them per cycle and finishes each after four
   or five, so ten must be under way; twelve accumulators and two operands also fit
   into the sixteen registers of AVX2. */

#if defined(__AVX512F__)
#define BYTES 64
#elif defined(__AVX__)
#define BYTES 32
#else
#define BYTES 16
#endif

typedef float vector __attribute__((vector_size(BYTES)));

/* Floating point operations of one turn of the loop below. */
int flops_per_turn(void) { return 12 * 2 * (int)(BYTES / sizeof(float)); }

/* The sum keeps the compiler from leaving the loop out. */
float multiply_add(long turns, float factor, float term)
{
    vector f = factor - (vector){0}, t = term - (vector){0};
    vector a0 = t, a1 = t + 1, a2 = t + 2, a3 = t + 3, a4 = t + 4, a5 = t + 5;
    vector a6 = t + 6, a7 = t + 7, a8 = t + 8, a9 = t + 9, a10 = t + 10, a11 = t + 11;
    for (long turn = 0; turn < turns; turn++) {
        a0 = a0 * f + t;
        a1 = a1 * f + t;
        a2 = a2 * f + t;
        a3 = a3 * f + t;
        a4 = a4 * f + t;
        a5 = a5 * f + t;
        a6 = a6 * f + t;
        a7 = a7 * f + t;
        a8 = a8 * f + t;
        a9 = a9 * f + t;
        a10 = a10 * f + t;
        a11 = a11 * f + t;
    }
    vector all = a0 + a1 + a2 + a3 + a4 + a5 + a6 + a7 + a8 + a9 + a10 + a11;
    float sum = 0;
    for (unsigned i = 0; i < BYTES / sizeof(float); i++)
        sum += all[i];
    return sum;
}
