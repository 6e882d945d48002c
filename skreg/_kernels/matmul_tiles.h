/* Included by matmul.h once per type. */

#ifdef SKREG_VECTORS

#define VEC FN(vec)
#define LANES (VBYTES / (ptrdiff_t)sizeof(REAL))

/* aligned(...) lets a vector be loaded from any address of a REAL. */
typedef REAL VEC __attribute__((vector_size(VBYTES), aligned(sizeof(REAL)), may_alias));

/* Bytes of the part of a vector that lies within `left` columns. */
static inline size_t FN(lane_bytes)(ptrdiff_t left)
{
    return (size_t)(left < LANES ? left : LANES) * sizeof(REAL);
}

/* One tile: `rows` x (NV or 1) vectors of C, over k. The bounds of the loops over i
 * and j are constants, so the accumulators live in registers. Only the first
 * `width` columns are loaded from and stored to C. */
#define DEFINE_TILE(rows, vectors)                                                     \
    static void FN(tile_##rows##x##vectors)(                                           \
        ptrdiff_t k, const REAL *a, ptrdiff_t a_row, ptrdiff_t a_col, const REAL *b,   \
        ptrdiff_t b_row, REAL *c, ptrdiff_t ldc, ptrdiff_t width, int accumulate)      \
    {                                                                                  \
        VEC sum[rows][vectors];                                                        \
        int full = width == (vectors) * LANES;                                         \
        for (int i = 0; i < (rows); i++)                                               \
            for (int j = 0; j < (vectors); j++) {                                      \
                VEC start = {0};                                                       \
                if (accumulate && full)                                                \
                    start = *(const VEC *)(c + i * ldc + j * LANES);                   \
                else if (accumulate && width > j * LANES)                              \
                    memcpy(&start, c + i * ldc + j * LANES,                            \
                           FN(lane_bytes)(width - j * LANES));                         \
                sum[i][j] = start;                                                     \
            }                                                                          \
        for (ptrdiff_t p = 0; p < k; p++) {                                            \
            const VEC *row = (const VEC *)(b + p * b_row);                             \
            for (int i = 0; i < (rows); i++) {                                         \
                REAL value = a[i * a_row + p * a_col];                                 \
                for (int j = 0; j < (vectors); j++)                                    \
                    sum[i][j] += value * row[j];                                       \
            }                                                                          \
        }                                                                              \
        for (int i = 0; i < (rows); i++)                                               \
            for (int j = 0; j < (vectors); j++) {                                      \
                if (full)                                                              \
                    *(VEC *)(c + i * ldc + j * LANES) = sum[i][j];                     \
                else if (width > j * LANES) {                                          \
                    VEC part = sum[i][j];                                              \
                    memcpy(c + i * ldc + j * LANES, &part,                             \
                           FN(lane_bytes)(width - j * LANES));                         \
                }                                                                      \
            }                                                                          \
    }

/* Whole tiles of MR rows; what is left is done by 4, 2 and 1. */
#if MR == 12
DEFINE_TILE(12, 2)
DEFINE_TILE(12, 1)
#define TILE_MR_NV FN(tile_12x2)
#define TILE_MR_1 FN(tile_12x1)
#elif MR == 8
DEFINE_TILE(8, 3)
DEFINE_TILE(8, 1)
#define TILE_MR_NV FN(tile_8x3)
#define TILE_MR_1 FN(tile_8x1)
#elif MR == 6
DEFINE_TILE(6, 2)
DEFINE_TILE(6, 1)
#define TILE_MR_NV FN(tile_6x2)
#define TILE_MR_1 FN(tile_6x1)
#endif
#if NV == 3
DEFINE_TILE(4, 3)
DEFINE_TILE(2, 3)
DEFINE_TILE(1, 3)
#define TILE_4_NV FN(tile_4x3)
#define TILE_2_NV FN(tile_2x3)
#define TILE_1_NV FN(tile_1x3)
#else
DEFINE_TILE(4, 2)
DEFINE_TILE(2, 2)
DEFINE_TILE(1, 2)
#define TILE_4_NV FN(tile_4x2)
#define TILE_2_NV FN(tile_2x2)
#define TILE_1_NV FN(tile_1x2)
#endif
DEFINE_TILE(4, 1)
DEFINE_TILE(2, 1)
DEFINE_TILE(1, 1)
#if MR == 4
#define TILE_MR_NV TILE_4_NV
#define TILE_MR_1 FN(tile_4x1)
#endif

/* Every row of C for one panel of columns. */
static void FN(panel_product)(
    ptrdiff_t m, ptrdiff_t k, const REAL *a, ptrdiff_t a_row, ptrdiff_t a_col,
    const REAL *b, ptrdiff_t b_row, REAL *c, ptrdiff_t ldc, ptrdiff_t width,
    int accumulate)
{
    int narrow = width <= LANES;
    ptrdiff_t i = 0;
#define RUN(rows, wide, slim)                                                          \
    (narrow ? slim : wide)(k, a + i * a_row, a_row, a_col, b, b_row, c + i * ldc, ldc, \
                           width, accumulate);                                         \
    i += rows
    while (i + MR <= m) {
        RUN(MR, TILE_MR_NV, TILE_MR_1);
    }
    while (i + 4 <= m) {
        RUN(4, TILE_4_NV, FN(tile_4x1));
    }
    if (i + 2 <= m) {
        RUN(2, TILE_2_NV, FN(tile_2x1));
    }
    if (i < m) {
        RUN(1, TILE_1_NV, FN(tile_1x1));
    }
#undef RUN
}

/* C[m, n] (+)= A[m, k] B[k, n]; element (i, p) of A is a[i a_row + p a_col]. */
static void FN(matmul)(
    product_shape shape, const REAL *a, ptrdiff_t a_row, ptrdiff_t a_col, const REAL *b,
    ptrdiff_t b_row, ptrdiff_t b_col, REAL *c, ptrdiff_t ldc, int accumulate,
    REAL *panel)
{
    const ptrdiff_t panel_width = NV * LANES;
    for (ptrdiff_t p = 0; p < shape.k; p += KC) {
        ptrdiff_t depth = shape.k - p < KC ? shape.k - p : KC;
        for (ptrdiff_t j = 0; j < shape.n; j += panel_width) {
            ptrdiff_t left = shape.n - j;
            ptrdiff_t width = left < panel_width ? left : panel_width;
            ptrdiff_t padded = width <= LANES ? LANES : panel_width;
            const REAL *source = b + p * b_row + j * b_col;
            ptrdiff_t source_row = b_row;
            if (b_col != 1 || width != padded) {
                for (ptrdiff_t q = 0; q < depth; q++) {
                    for (ptrdiff_t v = 0; v < width; v++)
                        panel[q * padded + v] = source[q * b_row + v * b_col];
                    for (ptrdiff_t v = width; v < padded; v++)
                        panel[q * padded + v] = 0;
                }
                source = panel;
                source_row = padded;
            }
            FN(panel_product)(shape.m, depth, a + p * a_col, a_row, a_col, source,
                              source_row, c + j, ldc, width, accumulate || p > 0);
        }
    }
}

#undef VEC
#undef LANES
#undef DEFINE_TILE
#undef TILE_MR_NV
#undef TILE_MR_1
#undef TILE_4_NV
#undef TILE_2_NV
#undef TILE_1_NV

#else /* no vector types: the same sums in plain loops */

static void FN(matmul)(
    product_shape shape, const REAL *a, ptrdiff_t a_row, ptrdiff_t a_col, const REAL *b,
    ptrdiff_t b_row, ptrdiff_t b_col, REAL *c, ptrdiff_t ldc, int accumulate,
    REAL *panel)
{
    (void)panel;
    for (ptrdiff_t i = 0; i < shape.m; i++) {
        if (!accumulate)
            for (ptrdiff_t j = 0; j < shape.n; j++)
                c[i * ldc + j] = 0;
        for (ptrdiff_t p = 0; p < shape.k; p++) {
            REAL value = a[i * a_row + p * a_col];
            for (ptrdiff_t j = 0; j < shape.n; j++)
                c[i * ldc + j] += value * b[p * b_row + j * b_col];
        }
    }
}

#endif
