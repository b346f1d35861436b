// Dot products and scans, over the lanes of Lanes.h.

static float nl_dot(const float *a, const float *b, size_t n) {
    f16 sum = nl_splat(0);
    size_t k = 0;
    for (; k + 16 <= n; k += 16) sum = nl_fma(nl_load(a + k), nl_load(b + k), sum);
    if (k < n) sum = nl_fma(nl_load_tail(a + k, n - k), nl_load_tail(b + k, n - k), sum);
    return nl_tree(sum);
}

/// Eight dot products with one query at once: a multiply-add takes four cycles and two start in each, so fewer than
/// eight sums in flight would wait.
NL_INLINE f8 nl_dot8(const float *query, const float *const rows[8], size_t n) {
    f16 sum[8];
    NL_UNROLL for (int r = 0; r < 8; r++) sum[r] = nl_splat(0);
    size_t k = 0;
    for (; k + 16 <= n; k += 16) {
        f16 q = nl_load(query + k);
        NL_UNROLL for (int r = 0; r < 8; r++) sum[r] = nl_fma(q, nl_load(rows[r] + k), sum[r]);
    }
    if (k < n) {
        f16 q = nl_load_tail(query + k, n - k);
        NL_UNROLL for (int r = 0; r < 8; r++) sum[r] = nl_fma(q, nl_load_tail(rows[r] + k, n - k), sum[r]);
    }
    return nl_tree8(sum);
}

NL_INLINE void nl_score_rows_of(const float *query, const float *matrix, size_t n, size_t rows, float *scores) {
    size_t r = 0;
    for (; r + 8 <= rows; r += 8) {
        const float *row[8];
        NL_UNROLL for (int i = 0; i < 8; i++) row[i] = matrix + (r + (size_t)i) * n;
        f8 dots = nl_dot8(query, row, n);
        __builtin_memcpy(scores + r, &dots, sizeof dots);
    }
    for (; r < rows; r++) scores[r] = nl_dot(query, matrix + r * n, n);
}

static void nl_score_rows(const float *query, const float *matrix, size_t n, size_t rows, float *scores) {
    // A constant length lets the compiler keep the query in registers and address rows by constant offsets.
    switch (n) {
    case 32: nl_score_rows_of(query, matrix, 32, rows, scores); break;
    case 64: nl_score_rows_of(query, matrix, 64, rows, scores); break;
    case 128: nl_score_rows_of(query, matrix, 128, rows, scores); break;
    default: nl_score_rows_of(query, matrix, n, rows, scores); break;
    }
}

static void nl_score_gather(
    const float *query, const float *matrix, size_t n, const uint32_t *rows, size_t count, float *scores) {
    size_t j = 0;
    for (; j + 8 <= count; j += 8) {
        const float *row[8];
        NL_UNROLL for (int i = 0; i < 8; i++) row[i] = matrix + (size_t)rows[j + (size_t)i] * n;
        if (j + 16 <= count) {
            // The hardware cannot guess the next rows; ask for their first lines while these are summed.
            NL_UNROLL for (int i = 0; i < 8; i++) {
                __builtin_prefetch(matrix + (size_t)rows[j + 8 + (size_t)i] * n);
            }
        }
        f8 dots = nl_dot8(query, row, n);
        __builtin_memcpy(scores + j, &dots, sizeof dots);
    }
    for (; j < count; j++) scores[j] = nl_dot(query, matrix + (size_t)rows[j] * n, n);
}

static size_t nl_first_at_least(const float *scores, size_t from, size_t count, float threshold) {
    size_t j = from;
    f16 bar = nl_splat(threshold);
    for (; j + 64 <= count; j += 64) {
        i16 hit = (nl_load(scores + j) >= bar) | (nl_load(scores + j + 16) >= bar) | (nl_load(scores + j + 32) >= bar)
            | (nl_load(scores + j + 48) >= bar);
        if (__builtin_reduce_or(hit)) break;
    }
    for (; j + 16 <= count; j += 16) {
        b16 hit = __builtin_convertvector(nl_load(scores + j) >= bar, b16);
        uint16_t mask;
        __builtin_memcpy(&mask, &hit, sizeof mask);
        if (mask) return j + (size_t)__builtin_ctz(mask);
    }
    for (; j < count; j++) {
        if (scores[j] >= threshold) return j;
    }
    return count;
}

static bool nl_all_finite(const float *values, size_t n) {
    // A value is finite when its bits without the sign are below those of infinity: one AND and one maximum each.
    const uint32_t infinity = 0x7f800000u;
    size_t k = 0;
    while (k + 64 <= n) {
        size_t end = n - k > 8192 ? k + 8192 : k + (n - k) / 64 * 64;
        u16 high[4] = {0};
        for (; k < end; k += 64) {
            NL_UNROLL for (int i = 0; i < 4; i++) {
                u16 bits;
                __builtin_memcpy(&bits, values + k + 16 * i, sizeof bits);
                high[i] = __builtin_elementwise_max(high[i], bits & 0x7fffffffu);
            }
        }
        u16 most = __builtin_elementwise_max(
            __builtin_elementwise_max(high[0], high[1]), __builtin_elementwise_max(high[2], high[3]));
        if (__builtin_reduce_max(most) >= infinity) return false;
    }
    for (; k < n; k++) {
        uint32_t bits;
        __builtin_memcpy(&bits, values + k, sizeof bits);
        if ((bits & 0x7fffffffu) >= infinity) return false;
    }
    return true;
}
