/* Included by matmul.h once per type: the tile, where nearly all time is spent.
 *
 * A tile is a block of C of up to MR rows and one or two vectors of columns, held in
 * registers while k runs:
 *
 *     for each k:   take one or two vectors of row k of B
 *                   for each row i of the tile:   sum_i += A[i, k] * those vectors
 *
 * Each number of A is used for one or two vectors, and each vector of B for all rows.
 * So a step has about MR + 2 loads and 2 MR multiplications, and the multiplications
 * limit the speed. Macros write out the rows, because compilers keep plain variables in
 * registers, but not always arrays.
 *
 * The last vector of a tile may be a part, `tail` columns wide. `readable` is how much
 * of the last vector may be read from B: less than a vector only where B is not packed.
 */

#define DECLARE(i) VEC sum_##i = {0}, last_##i = {0};
#define START(i)                                                                       \
    if (wide)                                                                          \
        sum_##i = *(const VEC *)(start + i * start_row);                               \
    last_##i = LOAD_PART(start + i * start_row + before, tail);
#define MULTIPLY_ADD(i)                                                                \
    sum_##i += a[i * a_row] * first;                                                   \
    last_##i += a[i * a_row] * last;
#define STORE(i)                                                                       \
    if (wide)                                                                          \
        *(VEC *)(c + i * ldc) = sum_##i;                                               \
    STORE_PART(c + i * ldc + before, last_##i, tail);

#define ROWS_1(DO) DO(0)
#define ROWS_2(DO) ROWS_1(DO) DO(1)
#define ROWS_4(DO) ROWS_2(DO) DO(2) DO(3)
#define ROWS_6(DO) ROWS_4(DO) DO(4) DO(5)
#define ROWS_8(DO) ROWS_6(DO) DO(6) DO(7)
#define ROWS_12(DO) ROWS_8(DO) DO(8) DO(9) DO(10) DO(11)

#define DEFINE_TILE(rows, vectors)                                                     \
    static void FN(tile_##rows##x##vectors)(                                           \
        ptrdiff_t k, const REAL *a, ptrdiff_t a_row, ptrdiff_t a_col, const REAL *b,   \
        ptrdiff_t b_row, const REAL *start, ptrdiff_t start_row, REAL *c,              \
        ptrdiff_t ldc, ptrdiff_t tail, ptrdiff_t readable)                             \
    {                                                                                  \
        enum { wide = (vectors) == 2, before = wide ? LANES : 0 };                     \
        ROWS_##rows(DECLARE)                                                           \
        if (start) {                                                                   \
            ROWS_##rows(START)                                                         \
        }                                                                              \
        for (ptrdiff_t p = 0; p < k; p++) {                                            \
            VEC first = {0}, last;                                                     \
            if (wide)                                                                  \
                first = *(const VEC *)b;                                               \
            if (SKREG_MASKS)                                                           \
                last = LOAD_PART(b + before, readable);                                \
            else                                                                       \
                last = *(const VEC *)(b + before);                                     \
            ROWS_##rows(MULTIPLY_ADD)                                                  \
            a += a_col;                                                                \
            b += b_row;                                                                \
        }                                                                              \
        ROWS_##rows(STORE)                                                             \
    }
#define DEFINE_TILES(rows) DEFINE_TILE(rows, 1) DEFINE_TILE(rows, 2)

DEFINE_TILES(1)
DEFINE_TILES(2)
DEFINE_TILES(4)
#if MR == 6
DEFINE_TILES(6)
#elif MR > 6
DEFINE_TILES(8)
#endif
#if MR == 12
DEFINE_TILES(12)
#endif

/* Every row of C for one panel, `width` columns of at most two vectors. */
static void FN(panel_product)(
    ptrdiff_t m, ptrdiff_t k, const REAL *a, ptrdiff_t a_row, ptrdiff_t a_col,
    const REAL *b, ptrdiff_t b_row, const REAL *start, ptrdiff_t start_row, REAL *c,
    ptrdiff_t ldc, ptrdiff_t width, int packed)
{
    int narrow = width <= LANES;
    ptrdiff_t tail = narrow ? width : width - LANES;
    ptrdiff_t readable = packed ? LANES : tail;
    ptrdiff_t i = 0;
#define RUN(rows)                                                                      \
    while (i + rows <= m) {                                                            \
        (narrow ? FN(tile_##rows##x1) : FN(tile_##rows##x2))(                          \
            k, a + i * a_row, a_row, a_col, b, b_row,                                  \
            start ? start + i * start_row : NULL, start_row, c + i * ldc, ldc, tail,   \
            readable);                                                                 \
        i += rows;                                                                     \
    }
#if MR == 12
    RUN(12)
#endif
#if MR == 6
    RUN(6)
#elif MR > 6
    RUN(8)
#endif
    RUN(4)
    RUN(2)
    RUN(1)
#undef RUN
}

#undef DECLARE
#undef START
#undef MULTIPLY_ADD
#undef STORE
#undef ROWS_1
#undef ROWS_2
#undef ROWS_4
#undef ROWS_6
#undef ROWS_8
#undef ROWS_12
#undef DEFINE_TILE
#undef DEFINE_TILES
