// Sums of outer products, in register tiles. Each element of the result is one chain of fused multiply-adds over the
// rows in order, so the shape of a tile (NL_OUTER_TILE vectors wide) does not change the bits.

/// a[i0 ..< i0 + 4][16 v0 ..< 16 (v0 + vectors)] +/-= sum over k of left[k][i0 + i] * right[k][...].
NL_INLINE void nl_outer_tile(
    float *a, const float *left, const float *right, size_t count, size_t width, size_t i0, size_t v0,
    const int vectors, const bool subtract) {
    f16 sum[4][4];
    float *out = a + i0 * width + 16 * v0;
    NL_UNROLL for (int i = 0; i < 4; i++) {
        NL_UNROLL for (int v = 0; v < vectors; v++) sum[i][v] = nl_load(out + (size_t)i * width + 16 * v);
    }
    for (size_t k = 0; k < count; k++) {
        const float *l = left + k * width + i0;
        const float *r = right + k * width + 16 * v0;
        f16 row[4];
        NL_UNROLL for (int v = 0; v < vectors; v++) row[v] = nl_load(r + 16 * v);
        NL_UNROLL for (int i = 0; i < 4; i++) {
            f16 factor = nl_splat(subtract ? -l[i] : l[i]);
            NL_UNROLL for (int v = 0; v < vectors; v++) sum[i][v] = nl_fma(factor, row[v], sum[i][v]);
        }
    }
    NL_UNROLL for (int i = 0; i < 4; i++) {
        NL_UNROLL for (int v = 0; v < vectors; v++) nl_store(out + (size_t)i * width + 16 * v, sum[i][v]);
    }
}

/// Rows i0 ..< i0 + 4 of the upper triangle, from the vector that holds the diagonal to the end of the row.
NL_INLINE void nl_outer_rows(
    float *a, const float *left, const float *right, size_t count, size_t width, size_t i0, const bool subtract) {
    size_t v = i0 / 16, end = width / 16;
    for (; v + NL_OUTER_TILE <= end; v += NL_OUTER_TILE) {
        nl_outer_tile(a, left, right, count, width, i0, v, NL_OUTER_TILE, subtract);
    }
#if NL_OUTER_TILE == 4
    switch (end - v) {
    case 3: nl_outer_tile(a, left, right, count, width, i0, v, 3, subtract); break;
    case 2: nl_outer_tile(a, left, right, count, width, i0, v, 2, subtract); break;
    case 1: nl_outer_tile(a, left, right, count, width, i0, v, 1, subtract); break;
    default: break;
    }
#endif
}

static void nl_gram(const float *rows, size_t count, size_t width, float *tile, double *sum) {
    const size_t cached = 32768 / (4 * width) > 8 ? 32768 / (4 * width) : 8;  // Rows that stay in the first cache.
    for (size_t first = 0; first < count; first += NL_GRAM_ROWS) {
        size_t end = first + NL_GRAM_ROWS < count ? first + NL_GRAM_ROWS : count;
        for (size_t i = 0; i < width * width; i++) tile[i] = 0;
        for (size_t k = first; k < end; k += cached) {
            size_t some = end - k < cached ? end - k : cached;
            const float *block = rows + k * width;
            for (size_t i = 0; i < width; i += 4) nl_outer_rows(tile, block, block, some, width, i, false);
        }
        for (size_t i = 0; i < width; i++) {
            for (size_t j = i / 16 * 16; j < width; j++) sum[i * width + j] += (double)tile[i * width + j];
        }
    }
}
