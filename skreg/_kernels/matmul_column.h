/* Included by matmul.h once per type: the product with a single column, the output of a
 * regression or of two classes, where a tile would leave all lanes but one empty.
 */

/* c[i] = start + sum_k a[i, k] b[k], with one start for all rows or, if start_row = 1,
 * one for each. Lane v sums over k = v, v + LANES, ... Then the lanes are added up, for
 * LANES rows at a time: interleaving the lanes of two rows and adding the halves leaves
 * the sums of both rows in one vector. The order of a row's sum does not depend on the
 * other rows. */
static void FN(column_product)(
    ptrdiff_t m, ptrdiff_t k, const REAL *a, ptrdiff_t a_row, const REAL *b,
    const REAL *start, ptrdiff_t start_row, REAL *c)
{
    for (ptrdiff_t i = 0; i < m; i += LANES) {
        ptrdiff_t rows = m - i < LANES ? m - i : LANES;
        VEC sum[LANES];
        for (ptrdiff_t r = 0; r < LANES; r++) {
            VEC lanes = {0};
            if (r < rows) {
                const REAL *row = a + (i + r) * a_row;
                ptrdiff_t p = 0;
                for (; p + LANES <= k; p += LANES)
                    lanes += *(const VEC *)(row + p) * *(const VEC *)(b + p);
                if (p < k)
                    lanes += LOAD_PART(row + p, k - p) * LOAD_PART(b + p, k - p);
            }
            sum[r] = lanes;
        }
        for (int half = LANES / 2; half > 0; half /= 2)
            for (int r = 0; r < half; r++)
                sum[r] = INTERLEAVE(LOW, sum[r], sum[r + half])
                    + INTERLEAVE(HIGH, sum[r], sum[r + half]);
        if (start && start_row)
            sum[0] += LOAD_PART(start + i, rows);
        else if (start)
            sum[0] += *start;
        STORE_PART(c + i, sum[0], rows);
    }
}
