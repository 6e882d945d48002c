/* Included by sparse_weights.h once per type. */

#ifdef SKREG_VECTORS

/* The products for chunks of n vectors; every call has a constant n. */
static inline __attribute__((always_inline)) void FN(add_products_of)(
    const ptrdiff_t n, ptrdiff_t n_out, const ptrdiff_t *starts, const int32_t *inputs,
    const REAL *values, const REAL *x, REAL *out)
{
    for (ptrdiff_t o = 0; o < n_out; o++) {
        VEC *to = (VEC *)(out + o * n * LANES);
        VEC even[SKREG_ROW_VECTORS], odd[SKREG_ROW_VECTORS];
        for (ptrdiff_t v = 0; v < n; v++)
            even[v] = odd[v] = (VEC){0};
        ptrdiff_t p = starts[o], end = starts[o + 1];
        for (; p + 1 < end; p += 2) {
            const VEC *first = (const VEC *)(x + inputs[p] * n * LANES);
            const VEC *second = (const VEC *)(x + inputs[p + 1] * n * LANES);
            for (ptrdiff_t v = 0; v < n; v++) {
                even[v] += values[p] * first[v];
                odd[v] += values[p + 1] * second[v];
            }
        }
        if (p < end) {
            const VEC *last = (const VEC *)(x + inputs[p] * n * LANES);
            for (ptrdiff_t v = 0; v < n; v++)
                even[v] += values[p] * last[v];
        }
        for (ptrdiff_t v = 0; v < n; v++)
            to[v] += even[v] + odd[v];
    }
}

/* rows: those of 1, 2 or 4 vectors; also the stride of x and out. */
static void FN(add_products)(
    ptrdiff_t rows, ptrdiff_t n_out, const ptrdiff_t *starts, const int32_t *inputs,
    const REAL *values, const REAL *x, REAL *out)
{
    if (rows == 4 * LANES)
        FN(add_products_of)(4, n_out, starts, inputs, values, x, out);
    else if (rows == 2 * LANES)
        FN(add_products_of)(2, n_out, starts, inputs, values, x, out);
    else
        FN(add_products_of)(1, n_out, starts, inputs, values, x, out);
}

#else

static void FN(add_products)(
    ptrdiff_t rows, ptrdiff_t n_out, const ptrdiff_t *starts, const int32_t *inputs,
    const REAL *values, const REAL *x, REAL *out)
{
    REAL sums[2][SKREG_ROW_VECTORS * LANES];
    for (ptrdiff_t o = 0; o < n_out; o++) {
        for (ptrdiff_t i = 0; i < rows; i++)
            sums[0][i] = sums[1][i] = 0;
        for (ptrdiff_t p = starts[o]; p < starts[o + 1]; p++)
            for (ptrdiff_t i = 0; i < rows; i++)
                sums[(p - starts[o]) % 2][i] += values[p] * x[inputs[p] * rows + i];
        for (ptrdiff_t i = 0; i < rows; i++)
            out[o * rows + i] += sums[0][i] + sums[1][i];
    }
}

#endif
