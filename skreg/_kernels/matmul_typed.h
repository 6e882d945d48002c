/* Included by matmul.h once per type: the product, panel by panel. */

#ifdef SKREG_VECTORS

#include "matmul_tile.h"
#include "matmul_pack.h"
#include "matmul_column.h"

/* panel: room for SKREG_PANEL_SIZE numbers. */
static void FN(matmul)(
    product_shape shape, const REAL *a, ptrdiff_t a_row, ptrdiff_t a_col, const REAL *b,
    ptrdiff_t b_row, ptrdiff_t b_col, const REAL *start, ptrdiff_t start_row, REAL *c,
    ptrdiff_t ldc, REAL *panel)
{
    if (shape.n == 1 && a_col == 1 && b_row == 1 && ldc == 1 && start_row <= 1) {
        FN(column_product)(shape.m, shape.k, a, a_row, b, start, start_row, c);
        return;
    }
    for (ptrdiff_t j = 0; j < shape.n; j += 2 * LANES) {
        ptrdiff_t left = shape.n - j;
        ptrdiff_t width = left < 2 * LANES ? left : 2 * LANES;
        ptrdiff_t padded = width <= LANES ? LANES : 2 * LANES;
        const REAL *from = start ? start + j : NULL;
        ptrdiff_t from_row = start_row;
        for (ptrdiff_t p = 0; p < shape.k; p += KC) {
            ptrdiff_t depth = shape.k - p < KC ? shape.k - p : KC;
            const REAL *source = b + p * b_row + j * b_col;
            ptrdiff_t source_row = b_row;
            int packed = 1;
            if (b_col != 1)
                FN(transpose)(width, depth, source, b_col, panel, padded, padded);
            else if ((!SKREG_MASKS && width != padded)
                     || (shape.m >= PACK_ROWS
                         && depth * b_row * (ptrdiff_t)sizeof(REAL) > PACK_BYTES))
                FN(pack_rows)(depth, width, source, b_row, panel);
            else
                packed = 0;
            if (packed) {
                source = panel;
                source_row = padded;
            }
            FN(panel_product)(shape.m, depth, a + p * a_col, a_row, a_col, source,
                              source_row, from, from_row, c + j, ldc, width, packed);
            from = c + j;
            from_row = ldc;
        }
    }
}

#else

static void FN(matmul)(
    product_shape shape, const REAL *a, ptrdiff_t a_row, ptrdiff_t a_col, const REAL *b,
    ptrdiff_t b_row, ptrdiff_t b_col, const REAL *start, ptrdiff_t start_row, REAL *c,
    ptrdiff_t ldc, REAL *panel)
{
    (void)panel;
    for (ptrdiff_t i = 0; i < shape.m; i++) {
        for (ptrdiff_t j = 0; j < shape.n; j++)
            c[i * ldc + j] = start ? start[i * start_row + j] : 0;
        for (ptrdiff_t p = 0; p < shape.k; p++) {
            REAL value = a[i * a_row + p * a_col];
            for (ptrdiff_t j = 0; j < shape.n; j++)
                c[i * ldc + j] += value * b[p * b_row + j * b_col];
        }
    }
}

static void FN(transpose)(
    ptrdiff_t rows, ptrdiff_t columns, const REAL *from, ptrdiff_t from_row, REAL *to,
    ptrdiff_t to_row, ptrdiff_t padded)
{
    for (ptrdiff_t j = 0; j < columns; j++) {
        for (ptrdiff_t i = 0; i < rows; i++)
            to[j * to_row + i] = from[i * from_row + j];
        for (ptrdiff_t i = rows; i < padded; i++)
            to[j * to_row + i] = 0;
    }
}

#endif
