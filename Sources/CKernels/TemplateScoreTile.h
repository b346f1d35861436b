// Tiles of scores, over the lanes of Lanes.h. NL_TILE_VECTORS vectors of 16 items times NL_TILE_USERS users are in registers.
#include "ScoreTile.h"

#define NL_PANEL_VECTORS (NL_PANEL_ROWS / 16)

/// 16 x 16 elements of 16 rows -> the 16 columns: a perfect shuffle of 256 elements, four times a rotation of their 8 index bits by one.
NL_INLINE void nl_transpose(f16 v[16]) {
    NL_UNROLL for (int round = 0; round < 4; round++) {
        f16 w[16];
        NL_UNROLL for (int i = 0; i < 8; i++) {
            w[2 * i] = __builtin_shufflevector(
                v[i], v[i + 8], 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
            w[2 * i + 1] = __builtin_shufflevector(
                v[i], v[i + 8], 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
        }
        NL_UNROLL for (int i = 0; i < 16; i++) v[i] = w[i];
    }
}

/// Asks for the rows of a panel to come: they arrive while the one before is multiplied.
NL_INLINE void nl_fetch(
    const float *matrix, size_t n, const uint32_t *rows, size_t first, size_t count) {
    for (size_t i = 0; i < count; i++) {
        const float *row = matrix + (rows ? (size_t)rows[first + i] : first + i) * n;
        for (size_t c = 0; c < n; c += 16) __builtin_prefetch(row + c);
    }
}

/// panel[c * NL_PANEL_ROWS + r] = element c of row r; zeros for columns from n and rows from `count`.
NL_INLINE void nl_turn(
    const float *matrix, size_t n, size_t width, const uint32_t *rows, size_t first, size_t count, float *panel) {
    for (size_t part = 0; part < NL_PANEL_VECTORS; part++) {
        const float *row[16];
        for (size_t i = 0; i < 16; i++) {
            size_t r = first + 16 * part + i;
            if (16 * part + i >= count) r = first;  // Any row that is there; its scores are not kept.
            row[i] = matrix + (rows ? (size_t)rows[r] : r) * n;
        }
        for (size_t c = 0; c < width; c += 16) {
            f16 v[16];
            if (c + 16 <= n) {
                NL_UNROLL for (int i = 0; i < 16; i++) v[i] = nl_load(row[i] + c);
            } else {
                for (int i = 0; i < 16; i++) v[i] = nl_load_tail(row[i] + c, n - c);
            }
            nl_transpose(v);
            NL_UNROLL for (size_t i = 0; i < 16; i++) nl_store(panel + (c + i) * NL_PANEL_ROWS + 16 * part, v[i]);
        }
    }
}

typedef struct {
    f16 v[NL_TILE_USERS][NL_TILE_VECTORS];
} nl_tile;

/// Lane l of every dot product of the tile: elements l, l + 16, ... in that order.
NL_INLINE nl_tile nl_tile_lane(const float *users, size_t width, const float *panel, size_t l) {
    nl_tile sum;
    NL_UNROLL for (int u = 0; u < NL_TILE_USERS; u++) {
        NL_UNROLL for (int i = 0; i < NL_TILE_VECTORS; i++) sum.v[u][i] = nl_splat(0);
    }
    for (size_t c = l; c < width; c += 16) {
        NL_UNROLL for (int u = 0; u < NL_TILE_USERS; u++) {
            f16 q = nl_splat(users[(size_t)u * width + c]);
            NL_UNROLL for (int i = 0; i < NL_TILE_VECTORS; i++) {
                sum.v[u][i] = nl_fma(q, nl_load(panel + c * NL_PANEL_ROWS + 16 * i), sum.v[u][i]);
            }
        }
    }
    return sum;
}

NL_INLINE nl_tile nl_tile_add(nl_tile a, nl_tile b) {
    NL_UNROLL for (int u = 0; u < NL_TILE_USERS; u++) {
        NL_UNROLL for (int i = 0; i < NL_TILE_VECTORS; i++) a.v[u][i] += b.v[u][i];
    }
    return a;
}

// The documented tree, depth first: at most five tiles are alive.
#define NL_TILE_LEVEL(name, below, apart)                                                                    \
    NL_INLINE nl_tile name(const float *users, size_t width, const float *panel, size_t l) {                \
        nl_tile low = below(users, width, panel, l);                                                         \
        return nl_tile_add(low, below(users, width, panel, l + apart));                                      \
    }
NL_TILE_LEVEL(nl_tile_pair, nl_tile_lane, 8)
NL_TILE_LEVEL(nl_tile_quad, nl_tile_pair, 4)
NL_TILE_LEVEL(nl_tile_oct, nl_tile_quad, 2)
NL_TILE_LEVEL(nl_tile_all, nl_tile_oct, 1)

NL_INLINE void nl_score_tile_of(
    const float *users, size_t userCount, size_t width, const float *matrix, size_t n, const uint32_t *rows,
    size_t rowCount, float *panel, float *scores, size_t stride) {
    for (size_t first = 0; first < rowCount; first += NL_PANEL_ROWS) {
        size_t count = rowCount - first < NL_PANEL_ROWS ? rowCount - first : NL_PANEL_ROWS;
        nl_turn(matrix, n, width, rows, first, count, panel);
        size_t left = rowCount - first - count;
        nl_fetch(matrix, n, rows, first + count, left < NL_PANEL_ROWS ? left : NL_PANEL_ROWS);
        for (size_t u = 0; u < userCount; u += NL_TILE_USERS) {
            for (size_t i = 0; i < NL_PANEL_VECTORS; i += NL_TILE_VECTORS) {
                nl_tile tile = nl_tile_all(users + u * width, width, panel + 16 * i, 0);
                for (size_t k = 0; k < NL_TILE_USERS; k++) {
                    for (size_t v = 0; v < NL_TILE_VECTORS; v++) {
                        size_t at = 16 * (i + v);
                        if (at >= count) continue;
                        size_t some = count - at < 16 ? count - at : 16;
                        float *to = scores + (u + k) * stride + first + at;
                        if (some == 16) {
                            nl_store(to, tile.v[k][v]);
                        } else {
                            __builtin_memcpy(to, &tile.v[k][v], some * sizeof(float));
                        }
                    }
                }
            }
        }
    }
}

static void nl_score_tile_any(
    const float *users, size_t userCount, size_t width, const float *matrix, size_t n, const uint32_t *rows,
    size_t rowCount, float *panel, float *scores, size_t stride) {
    // A constant width unrolls the lanes.
    switch (width) {
    case 32: nl_score_tile_of(users, userCount, 32, matrix, n, rows, rowCount, panel, scores, stride); break;
    case 64: nl_score_tile_of(users, userCount, 64, matrix, n, rows, rowCount, panel, scores, stride); break;
    case 128: nl_score_tile_of(users, userCount, 128, matrix, n, rows, rowCount, panel, scores, stride); break;
    default: nl_score_tile_of(users, userCount, width, matrix, n, rows, rowCount, panel, scores, stride); break;
    }
}
