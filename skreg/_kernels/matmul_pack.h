/* Included by matmul.h once per type: packs the panels of B into the layout that the
 * tile reads, and transposes them where needed.
 */

/* Transposes a square of LANES x LANES numbers. Interleaving the first half of the rows
 * with the second is a perfect shuffle of the whole; log2(LANES) of them exchange the
 * bits of the row's number with those of the column's. */
static inline void FN(transpose_square)(VEC row[LANES])
{
    VEC next[LANES];
    for (int size = 1; size < LANES; size *= 2) {
        for (int i = 0; i < LANES / 2; i++) {
            next[2 * i] = INTERLEAVE(LOW, row[i], row[i + LANES / 2]);
            next[2 * i + 1] = INTERLEAVE(HIGH, row[i], row[i + LANES / 2]);
        }
        for (int i = 0; i < LANES; i++)
            row[i] = next[i];
    }
}

/* to[j, i] = from[i, j] for i < rows, j < columns. Rows of `to` are filled with zeros
 * up to `padded`, a multiple of LANES; padded 0: rows of `to` have `rows` numbers. */
static void FN(transpose)(
    ptrdiff_t rows, ptrdiff_t columns, const REAL *from, ptrdiff_t from_row, REAL *to,
    ptrdiff_t to_row, ptrdiff_t padded)
{
    ptrdiff_t end = padded ? padded : rows;
    for (ptrdiff_t i = 0; i < end; i += LANES)
        for (ptrdiff_t j = 0; j < columns; j += LANES) {
            ptrdiff_t high = rows - i < LANES ? rows - i : LANES;
            ptrdiff_t wide = columns - j < LANES ? columns - j : LANES;
            VEC square[LANES];
            if (high == LANES && wide == LANES)
                for (int v = 0; v < LANES; v++)
                    square[v] = *(const VEC *)(from + (i + v) * from_row + j);
            else
                for (int v = 0; v < LANES; v++)
                    square[v] = v < high
                        ? LOAD_PART(from + (i + v) * from_row + j, wide) : (VEC){0};
            FN(transpose_square)(square);
            if (wide == LANES && (padded || high == LANES))
                for (int v = 0; v < LANES; v++)
                    *(VEC *)(to + (j + v) * to_row + i) = square[v];
            else
                for (int v = 0; v < wide; v++)
                    STORE_PART(to + (j + v) * to_row + i, square[v],
                               padded ? LANES : high);
        }
}

/* panel[q, v] = b[q, v] for q < depth, v < width, with zeros up to whole vectors. */
static void FN(pack_rows)(
    ptrdiff_t depth, ptrdiff_t width, const REAL *b, ptrdiff_t b_row, REAL *panel)
{
    for (ptrdiff_t q = 0; q < depth; q++, b += b_row) {
        ptrdiff_t v = 0;
        for (; v + LANES <= width; v += LANES, panel += LANES)
            *(VEC *)panel = *(const VEC *)(b + v);
        if (v < width) {
            *(VEC *)panel = LOAD_PART(b + v, width - v);
            panel += LANES;
        }
    }
}
