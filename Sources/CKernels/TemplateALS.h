// One row of an implicit-feedback ALS half-step: A x = b with
//     A = Y'Y + lambda I + sum over the row's interactions of t y y',   b = sum of (1 + t) y,   t = alpha r.
//
// Interactions are taken four at a time: their rows are read once, the four dot products come out of one tree, and
// the four rows are added while they are still in registers. A last group of fewer repeats its first row with weight
// zero. Every element is one chain in the order of the interactions, so the bits do not depend on the tiling.

typedef double d4 __attribute__((ext_vector_type(4)));

/// Four interactions: rows of Y, and t and 1 (0 for padding) in groups of four lanes.
typedef struct {
    const float *y[4];
    f4 t, one;
} nl_group;

NL_INLINE nl_group nl_group_at(const nl_als_side *side, size_t j, size_t end, size_t width) {
    nl_group g;
    if (end - j >= 4) {
        NL_UNROLL for (int k = 0; k < 4; k++) g.y[k] = side->fixed + side->indices[j + (size_t)k] * width;
        __builtin_memcpy(&g.t, side->strengths + j, sizeof g.t);
        g.one = (f4)1.0f;
    } else {
        g.t = (f4)0.0f;
        g.one = (f4)0.0f;
        NL_UNROLL for (int k = 0; k < 4; k++) {
            bool real = j + (size_t)k < end;
            g.y[k] = side->fixed + side->indices[real ? j + (size_t)k : j] * width;
            g.t[k] = real ? side->strengths[j + (size_t)k] : 0.0f;
            g.one[k] = real ? 1.0f : 0.0f;
        }
    }
    g.t *= (f4)side->alpha;
    return g;
}

/// One value of each of four -> groups of four lanes.
NL_INLINE f16 nl_groups(f4 v) {
    return __builtin_shufflevector(v, v, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3);
}

/// The four dot products of the group with x, each in its group of four lanes.
NL_INLINE f16 nl_group_dots(const nl_group *g, const float *x, size_t width) {
    f16 s[4];
    NL_UNROLL for (int k = 0; k < 4; k++) s[k] = nl_splat(0);
    NL_UNROLL for (size_t v = 0; v < width; v += 16) {
        f16 q = nl_load(x + v);
        NL_UNROLL for (int k = 0; k < 4; k++) s[k] = nl_fma(q, nl_load(g->y[k] + v), s[k]);
    }
    return nl_tree4(s[0], s[1], s[2], s[3]);
}

/// out += sum of w y: with w = t s for the product with A, w = (1 + t) - t s for the first residual b - A x.
NL_INLINE void nl_add_confidence(
    const nl_als_side *side, size_t begin, size_t end, const float *x, float *out, size_t width, const bool residual) {
    f16 sum[NL_WIDTH_MAX / 16];
    NL_UNROLL for (size_t v = 0; v < width / 16; v++) sum[v] = nl_load(out + 16 * v);
    for (size_t j = begin; j < end; j += 4) {
        nl_group g = nl_group_at(side, j, end, width);
        if (residual && end - j >= 12) {
            // The first pass meets rows that no prefetcher can guess; later passes find them in the cache.
            NL_UNROLL for (int k = 0; k < 4; k++) {
                const float *next = side->fixed + side->indices[j + 8 + (size_t)k] * width;
                NL_UNROLL for (size_t v = 0; v < width; v += 16) __builtin_prefetch(next + v);
            }
        }
        f16 dots = nl_group_dots(&g, x, width);
        f16 t = nl_groups(g.t);
        f16 w = residual ? nl_fma(-t, dots, nl_groups(g.one) + t) : t * dots;
        f16 w0 = __builtin_shufflevector(w, w, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
        f16 w1 = __builtin_shufflevector(w, w, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4);
        f16 w2 = __builtin_shufflevector(w, w, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8);
        f16 w3 = __builtin_shufflevector(w, w, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12);
        NL_UNROLL for (size_t v = 0; v < width / 16; v++) {
            f16 o = nl_fma(w0, nl_load(g.y[0] + 16 * v), sum[v]);
            o = nl_fma(w1, nl_load(g.y[1] + 16 * v), o);
            o = nl_fma(w2, nl_load(g.y[2] + 16 * v), o);
            sum[v] = nl_fma(w3, nl_load(g.y[3] + 16 * v), o);
        }
    }
    NL_UNROLL for (size_t v = 0; v < width / 16; v++) nl_store(out + 16 * v, sum[v]);
}

/// `vectors` vectors of G x: even and odd rows in two chains, which hide the latency of the multiply-add.
NL_INLINE void nl_gram_times_tile(
    const float *gram, const float *x, float *out, size_t width, size_t v0, const int vectors) {
    f16 even[4], odd[4];
    NL_UNROLL for (int v = 0; v < vectors; v++) even[v] = odd[v] = nl_splat(0);
    for (size_t j = 0; j < width; j += 2) {
        const float *row = gram + j * width + 16 * v0;
        f16 a = nl_splat(x[j]), b = nl_splat(x[j + 1]);
        NL_UNROLL for (int v = 0; v < vectors; v++) {
            even[v] = nl_fma(a, nl_load(row + 16 * v), even[v]);
            odd[v] = nl_fma(b, nl_load(row + width + 16 * v), odd[v]);
        }
    }
    NL_UNROLL for (int v = 0; v < vectors; v++) nl_store(out + 16 * (v0 + (size_t)v), even[v] + odd[v]);
}

/// out = G x; G is symmetric, so its rows are its columns.
NL_INLINE void nl_gram_times(const float *gram, const float *x, float *out, size_t width) {
    size_t v = 0;
    for (; v + NL_TIMES_TILE <= width / 16; v += NL_TIMES_TILE) {
        nl_gram_times_tile(gram, x, out, width, v, NL_TIMES_TILE);
    }
    for (; v < width / 16; v++) nl_gram_times_tile(gram, x, out, width, v, 1);
}

NL_INLINE float nl_dot_width(const float *a, const float *b, size_t width) {
    f16 sum = nl_splat(0);
    NL_UNROLL for (size_t k = 0; k < width; k += 16) sum = nl_fma(nl_load(a + k), nl_load(b + k), sum);
    return nl_tree(sum);
}

/// Conjugate gradient after Takacs, Pilaszy and Tikk 2011, warm-started from the row as it is.
NL_INLINE void nl_cg_row(const nl_als_side *side, size_t row, size_t width) {
    size_t begin = side->indptr[row], end = side->indptr[row + 1];
    float *x = side->solved + row * width;
    if (begin == end) {
        for (size_t k = 0; k < width; k++) x[k] = 0;
        return;
    }
    float r[NL_WIDTH_MAX], p[NL_WIDTH_MAX], ap[NL_WIDTH_MAX];
    nl_gram_times(side->gram, x, ap, width);
    NL_UNROLL for (size_t k = 0; k < width; k += 16) nl_store(r + k, -nl_load(ap + k));
    nl_add_confidence(side, begin, end, x, r, width, true);
    NL_UNROLL for (size_t k = 0; k < width; k += 16) nl_store(p + k, nl_load(r + k));
    float rr = nl_dot_width(r, r, width);
    // The residual has no more digits to give below 1e-7 of the first one.
    const float enough = rr * 1e-14f > 1e-30f ? rr * 1e-14f : 1e-30f;
    for (size_t step = 0; step < side->steps && rr > enough; step++) {
        nl_gram_times(side->gram, p, ap, width);
        nl_add_confidence(side, begin, end, p, ap, width, false);
        float curvature = nl_dot_width(p, ap, width);
        if (curvature <= 0) break;  // Only when lambda is 0 and rounding has the last word.
        float length = rr / curvature;
        NL_UNROLL for (size_t k = 0; k < width; k += 16) {
            nl_store(x + k, nl_fma(nl_splat(length), nl_load(p + k), nl_load(x + k)));
            nl_store(r + k, nl_fma(nl_splat(-length), nl_load(ap + k), nl_load(r + k)));
        }
        float next = nl_dot_width(r, r, width);
        float turn = next / rr;
        NL_UNROLL for (size_t k = 0; k < width; k += 16) {
            nl_store(p + k, nl_fma(nl_splat(turn), nl_load(p + k), nl_load(r + k)));
        }
        rr = next;
    }
    if (!(rr <= 3.4e38f)) {  // Overflow must not pass for a solution.
        for (size_t k = 0; k < width; k++) x[k] = __builtin_nanf("");
    }
}

NL_INLINE void nl_cg_rows_of(const nl_als_side *side, size_t first, size_t end, size_t width) {
    for (size_t row = first; row < end; row++) nl_cg_row(side, row, width);
}

static void nl_cg_rows(const nl_als_side *side, size_t first, size_t end) {
    // A constant width lets a row's sums stay in registers.
    switch (side->width) {
    case 16: nl_cg_rows_of(side, first, end, 16); break;
    case 32: nl_cg_rows_of(side, first, end, 32); break;
    case 64: nl_cg_rows_of(side, first, end, 64); break;
    default: nl_cg_rows_of(side, first, end, side->width); break;
    }
}

typedef enum { NL_SOLVED, NL_NOT_POSITIVE, NL_OVERFLOWED } nl_outcome;

/// A = U'U in place, on and above the diagonal, four rows at a time; inverse[i] = 1 / U[i][i].
NL_INLINE nl_outcome nl_factorize(float *a, float *inverse, size_t width) {
    for (size_t i0 = 0; i0 < width; i0 += 4) {
        nl_outer_rows(a, a, a, i0, width, i0, true);
        for (size_t i = i0; i < i0 + 4; i++) {
            float *row = a + i * width;
            for (size_t k = i0; k < i; k++) {
                f16 factor = nl_splat(-a[k * width + i]);
                for (size_t v = i0 / 16 * 16; v < width; v += 16) {
                    nl_store(row + v, nl_fma(factor, nl_load(a + k * width + v), nl_load(row + v)));
                }
            }
            float pivot = row[i];
            if (!(pivot - pivot == 0)) return NL_OVERFLOWED;
            if (pivot <= 0) return NL_NOT_POSITIVE;
            inverse[i] = 1.0f / __builtin_sqrtf(pivot);
            for (size_t v = i0 / 16 * 16; v < width; v += 16) {
                nl_store(row + v, nl_load(row + v) * nl_splat(inverse[i]));
            }
        }
    }
    return NL_SOLVED;
}

static bool nl_cholesky_row(const nl_als_side *side, size_t row, float *scratch) {
    const size_t width = side->width;
    size_t begin = side->indptr[row], end = side->indptr[row + 1];
    float *x = side->solved + row * width;
    if (begin == end) {
        for (size_t k = 0; k < width; k++) x[k] = 0;
        return true;
    }
    float *a = scratch, *packed = a + width * width, *scaled = packed + NL_PACKED_ROWS * width;
    float b[NL_WIDTH_MAX], inverse[NL_WIDTH_MAX], z[NL_WIDTH_MAX];
    for (size_t k = 0; k < width * width; k++) a[k] = side->gram[k];
    for (size_t k = 0; k < width; k++) b[k] = 0;
    for (size_t first = begin; first < end; first += NL_PACKED_ROWS) {
        size_t some = end - first < NL_PACKED_ROWS ? end - first : NL_PACKED_ROWS;
        for (size_t k = 0; k < some; k++) {
            const float *y = side->fixed + side->indices[first + k] * width;
            float t = side->strengths[first + k] * side->alpha;
            for (size_t v = 0; v < width; v += 16) {
                f16 part = nl_load(y + v);
                nl_store(packed + k * width + v, part);
                nl_store(scaled + k * width + v, part * nl_splat(t));
                nl_store(b + v, nl_fma(nl_splat(1.0f + t), part, nl_load(b + v)));
            }
        }
        for (size_t i = 0; i < width; i += 4) nl_outer_rows(a, scaled, packed, some, width, i, false);
    }
    nl_outcome outcome = nl_factorize(a, inverse, width);
    if (outcome == NL_NOT_POSITIVE) return false;
    if (outcome == NL_OVERFLOWED) {
        for (size_t k = 0; k < width; k++) x[k] = __builtin_nanf("");
        return true;
    }
    // U' z = b, then U x = z.
    for (size_t i = 0; i < width; i++) {
        z[i] = b[i] * inverse[i];
        f16 factor = nl_splat(-z[i]);
        for (size_t v = i / 16 * 16; v < width; v += 16) {
            nl_store(b + v, nl_fma(factor, nl_load(a + i * width + v), nl_load(b + v)));
        }
    }
    for (size_t k = 0; k < width; k++) x[k] = 0;
    for (size_t i = width; i-- > 0;) {
        // Elements of x up to i are still zero, so whole vectors may be taken.
        f16 sum = nl_splat(0);
        for (size_t v = i / 16 * 16; v < width; v += 16) sum = nl_fma(nl_load(a + i * width + v), nl_load(x + v), sum);
        x[i] = (z[i] - nl_tree(sum)) * inverse[i];
    }
    return true;
}

static size_t nl_cholesky_rows(const nl_als_side *side, size_t first, size_t end, float *scratch) {
    for (size_t row = first; row < end; row++) {
        if (!nl_cholesky_row(side, row, scratch)) return row;
    }
    return end;
}

static double nl_observed_loss(const nl_als_side *side, size_t first, size_t end) {
    const size_t width = side->width;
    d4 sum = (d4)0.0;
    for (size_t row = first; row < end; row++) {
        const float *x = side->solved + row * width;
        for (size_t j = side->indptr[row]; j < side->indptr[row + 1]; j += 4) {
            nl_group g = nl_group_at(side, j, side->indptr[row + 1], width);
            f16 dots = nl_group_dots(&g, x, width);
            // Padding has c = 0 and its square is taken out again by `one`.
            d4 s = __builtin_convertvector(__builtin_shufflevector(dots, dots, 0, 4, 8, 12), d4);
            d4 one = __builtin_convertvector(g.one, d4);
            d4 c = one + __builtin_convertvector(g.t, d4);
            d4 miss = (d4)1.0 - s;
            sum += c * miss * miss - one * s * s;
        }
    }
    return (sum.x + sum.z) + (sum.y + sum.w);
}
