// Items in 4-bit codes: encoding, and the scan that bounds every score. Layout and proof: docs/kernels.md.
//
// A block is 16 rows. Four blocks lie together, in the order in which they are read: 64 bytes of row constants for each,
// then for each group of 8 factors 64 bytes for each, four a row. Byte j of a row's four holds the code of factor 8g + j
// in its low half and that of factor 8g + 4 + j in its high half.

typedef double d8 __attribute__((ext_vector_type(8)));

/// sums[b][r] = the integer product of the query and the codes of row r of block b, for four blocks.
#ifndef NL_CODE_SUMS  // Codes*.h brings its own.
NL_INLINE void nl_code_sums(const uint8_t *codes, const int8_t *query, size_t groups, i16 sums[4]) {
    int32_t total[4][16] = {{0}};
    for (int b = 0; b < 4; b++) {
        for (size_t g = 0; g < groups; g++) {
            const uint8_t *c = codes + 256 * g + 64 * (size_t)b;
            for (int r = 0; r < 16; r++) {
                for (int j = 0; j < 4; j++) {
                    int32_t both = c[4 * r + j];
                    total[b][r] += (both & 15) * query[8 * g + (size_t)j] + (both >> 4) * query[8 * g + 4 + (size_t)j];
                }
            }
        }
    }
    __builtin_memcpy(sums, total, sizeof total);
}
#endif

/// Upper bounds, in units of the query's step, of four blocks' rows.
NL_INLINE void nl_block_bounds(const nl_code_scan *scan, const uint8_t *block, size_t groups, f16 bounds[4]) {
    i16 sums[4];
    nl_code_sums(block + 256, scan->query, groups, sums);
    NL_UNROLL for (int b = 0; b < 4; b++) {
        u16 constants;
        __builtin_memcpy(&constants, block + 64 * (size_t)b, sizeof constants);
        u16 upper = constants & 0xffff0000u, lower = constants << 16;
        f16 scale, error;
        __builtin_memcpy(&scale, &upper, sizeof scale);
        __builtin_memcpy(&error, &lower, sizeof error);
        f16 product = __builtin_convertvector(sums[b], f16) - scan->offset;  // Exact: below 2^23 in halves.
        bounds[b] = scale * product + error * scan->weight;
    }
}

/// The places first + i, ascending, of the bits i of `mask`; returns how many. May write up to 64 places, whatever they are behind those.
#ifndef NL_APPEND_PLACES  // Codes*.h may bring its own.
NL_INLINE size_t nl_append_places(uint64_t mask, uint32_t first, uint32_t *places) {
    size_t found = 0;
    for (; mask; mask &= mask - 1) places[found++] = first + (uint32_t)__builtin_ctzll(mask);
    return found;
}

/// Whether a look at which of 64 values are at least `bar` is worth while.
NL_INLINE bool nl_may_hit(const f16 v[4], float bar) {
    const i16 hit = (v[0] >= bar) | (v[1] >= bar) | (v[2] >= bar) | (v[3] >= bar);
    return __builtin_expect(__builtin_reduce_or(hit) != 0, 0);
}

/// As nl_append_places, and the values of these lanes.
NL_INLINE size_t nl_append_hits(uint64_t mask, uint32_t first, const f16 v[4], uint32_t *places, float *values) {
    float stored[64];
    __builtin_memcpy(stored, v, sizeof stored);
    const size_t found = nl_append_places(mask, first, places);
    for (size_t i = 0; i < found; i++) values[i] = stored[places[i] - first];
    return found;
}
#endif

// Not __builtin_elementwise_max, which takes three instructions to be right about NaN: there is none.
NL_INLINE f16 nl_larger(f16 a, f16 b) { return a > b ? a : b; }

NL_INLINE float nl_largest(f16 v) {
    f8 a = v.lo > v.hi ? v.lo : v.hi;
    f4 b = a.lo > a.hi ? a.lo : a.hi;
    f2 c = b.lo > b.hi ? b.lo : b.hi;
    return c.x > c.y ? c.x : c.y;
}

/// Which of 64 values are at least `bar`: bit 16 * i + l for lane l of vector i.
NL_INLINE uint64_t nl_mask_at_least(const f16 v[4], float bar) {
    uint64_t mask = 0;
    NL_UNROLL for (int i = 0; i < 4; i++) {
        b16 above = __builtin_convertvector(v[i] >= bar, b16);
        uint16_t bits;
        __builtin_memcpy(&bits, &above, sizeof bits);
        mask |= (uint64_t)bits << (16 * i);
    }
    return mask;
}

/// Orders as the floats do that are not NaN.
NL_INLINE int32_t nl_ordered(float x) {
    int32_t bits;
    __builtin_memcpy(&bits, &x, sizeof bits);
    return bits ^ ((bits >> 31) & 0x7fffffff);
}

/// A bar that at least `rank` >= 1 of 64 values reach, and not many more unless they are equal; -infinity when fewer are above it.
///
/// Halves the interval: a few comparisons of all 64, where taking the largest `rank` times waits for each before it finds the next.
NL_INLINE float nl_ranked(const f16 v[4], size_t rank) {
    f16 least = v[0], most = v[0];
    NL_UNROLL for (int i = 1; i < 4; i++) {
        least = v[i] < least ? v[i] : least;
        most = nl_larger(most, v[i]);
    }
    int64_t low = nl_ordered(-nl_largest(-least)), high = (int64_t)nl_ordered(nl_largest(most)) + 1;
    // Reached at `low`, not at `high`.
    while (high - low > 1) {
        const int32_t middle = (int32_t)(low + (high - low) / 2);
        const int32_t bits = middle ^ ((middle >> 31) & 0x7fffffff);
        float bar;
        __builtin_memcpy(&bar, &bits, sizeof bar);
        const size_t count = (size_t)__builtin_popcountll(nl_mask_at_least(v, bar));
        if (count < rank) {
            high = middle;
        } else {
            low = middle;
            if (count <= rank + rank / 4) break;
        }
    }
    const int32_t bits = (int32_t)low ^ (((int32_t)low >> 31) & 0x7fffffff);
    float bar;
    __builtin_memcpy(&bar, &bits, sizeof bar);
    return bar;
}

/// Which of the 64 rows of block b and the three after it the sets let pass: bit 16 * i + l for row l of block b + i.
NL_INLINE uint64_t nl_passing(const nl_code_scan *scan, size_t b) {
    uint64_t passing = ~(uint64_t)0;
    if (scan->allowed[0]) passing &= scan->allowed[0][b / 4];
    if (scan->allowed[1]) passing &= scan->allowed[1][b / 4];
    if (scan->excluded) passing &= ~scan->excluded[b / 4];
    return passing;
}

NL_INLINE void nl_keep_passing(f16 v[4], uint64_t passing) {
    if (__builtin_expect(passing == ~(uint64_t)0, 1)) return;
    NL_UNROLL for (int i = 0; i < 4; i++) {
        b16 kept;
        const uint16_t bits = (uint16_t)(passing >> (16 * i));
        __builtin_memcpy(&kept, &bits, sizeof kept);
        v[i] = __builtin_convertvector(kept, i16) != 0 ? v[i] : nl_splat(-__builtin_inff());
    }
}

NL_INLINE size_t nl_code_bounds_of(
    const nl_code_scan *scan, size_t groups, bool hasSets, size_t first, size_t end, size_t rank, float *bounds,
    uint32_t *places) {
    f16 most[4];
    i16 at[4];
    NL_UNROLL for (int i = 0; i < 4; i++) {
        most[i] = nl_splat(-__builtin_inff());
        at[i] = (i16)0;
    }
    for (size_t b = first; b < end; b += 4) {
        f16 four[4];
        const uint64_t passing = hasSets ? nl_passing(scan, b) : ~(uint64_t)0;
        if (hasSets && passing == 0) {
            NL_UNROLL for (int i = 0; i < 4; i++) four[i] = nl_splat(-__builtin_inff());
        } else {
            nl_block_bounds(scan, scan->blocks + b * 64 * (groups + 1), groups, four);
            if (hasSets) nl_keep_passing(four, passing);
            NL_UNROLL for (int i = 0; i < 4; i++) {
                const i16 more = four[i] > most[i];
                most[i] = more ? four[i] : most[i];
                at[i] = more ? (i16)(int32_t)(16 * (b - first)) : at[i];
            }
        }
        __builtin_memcpy(bounds + 16 * (b - first), four, sizeof four);
    }
    const float bar = rank == 0 ? -__builtin_inff() : nl_ranked(most, rank);
    if (bar == -__builtin_inff()) return 0;
    int32_t rows[64];
    __builtin_memcpy(rows, at, sizeof rows);
    size_t found = 0;
    for (uint64_t mask = nl_mask_at_least(most, bar); mask; mask &= mask - 1) {
        const unsigned lane = (unsigned)__builtin_ctzll(mask);
        places[found++] = (uint32_t)rows[lane] + lane;
    }
    return found;
}

/// `of`(scan, groups, hasSets, ...) with both as constants: a constant length keeps the query in registers, and a scan without
/// sets asks for none.
#define NL_SPECIALIZED(of, scan, ...) do { \
    if ((scan)->allowed[0] || (scan)->allowed[1] || (scan)->excluded) { NL_BY_GROUPS(of, scan, true, __VA_ARGS__); } \
    NL_BY_GROUPS(of, scan, false, __VA_ARGS__); \
} while (0)
#define NL_BY_GROUPS(of, scan, hasSets, ...) \
    switch ((scan)->groups) { \
    case 4: return of(scan, 4, hasSets, __VA_ARGS__); \
    case 8: return of(scan, 8, hasSets, __VA_ARGS__); \
    case 16: return of(scan, 16, hasSets, __VA_ARGS__); \
    default: return of(scan, (scan)->groups, hasSets, __VA_ARGS__); \
    }

static size_t nl_code_bounds(
    const nl_code_scan *scan, size_t first, size_t end, size_t rank, float *bounds, uint32_t places[64]) {
    NL_SPECIALIZED(nl_code_bounds_of, scan, first, end, rank, bounds, places);
}

static size_t nl_places_at_least(const float *bounds, size_t count, float bar, uint32_t *places) {
    size_t found = 0, first = 0;
    for (; first + 64 <= count; first += 64) {
        f16 v[4];
        __builtin_memcpy(v, bounds + first, sizeof v);
        found += nl_append_places(nl_mask_at_least(v, bar), (uint32_t)first, places + found);
    }
    for (; first < count; first++) {
        if (bounds[first] >= bar) places[found++] = (uint32_t)first;
    }
    return found;
}

NL_INLINE size_t nl_code_candidates_of(
    const nl_code_scan *scan, size_t groups, bool hasSets, size_t first, size_t end, float bar, uint32_t *places,
    float *bounds) {
    size_t found = 0;
    for (size_t b = first; b < end; b += 4) {
        const uint64_t passing = hasSets ? nl_passing(scan, b) : ~(uint64_t)0;
        if (hasSets && passing == 0) continue;
        f16 four[4];
        nl_block_bounds(scan, scan->blocks + b * 64 * (groups + 1), groups, four);
        if (!nl_may_hit(four, bar)) continue;
        const uint64_t mask = nl_mask_at_least(four, bar) & passing;
        found += nl_append_hits(mask, (uint32_t)(16 * b), four, places + found, bounds + found);
    }
    return found;
}

static size_t nl_code_candidates(
    const nl_code_scan *scan, size_t first, size_t end, float bar, uint32_t *places, float *bounds) {
    NL_SPECIALIZED(nl_code_candidates_of, scan, first, end, bar, places, bounds);
}

NL_INLINE d8 nl_load_doubles(const float *p, size_t count) {
    f8 v = (f8)0;
    if (count >= 8) {
        __builtin_memcpy(&v, p, sizeof v);
    } else {
        for (size_t i = 0; i < count; i++) v[i] = p[i];
    }
    return __builtin_convertvector(v, d8);
}

NL_INLINE double nl_sum_doubles(d8 v) {
    double s[8];
    __builtin_memcpy(s, &v, sizeof s);
    return ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]));
}

static nl_query_sums nl_code_query(const float *query, size_t n, int8_t *codes) {
    f16 largest = nl_splat(0);
    for (size_t k = 0; k < n; k += 16) {
        f16 x = n - k >= 16 ? nl_load(query + k) : nl_load_tail(query + k, n - k);
        largest = nl_larger(largest, __builtin_elementwise_abs(x));
    }
    const double most = (double)nl_largest(largest), step = most / 127, perStep = most == 0 ? 0 : 127 / most;
    d8 sum = (d8)0, codedSquares = (d8)0, squares = (d8)0, missSquares = (d8)0;
    for (size_t k = 0; k < n; k += 8) {
        const d8 x = nl_load_doubles(query + k, n - k);
        // The least double quotient of the largest value may be above 127 by a rounding: to the nearest whole number it is 127.
        const d8 code = __builtin_elementwise_floor(x * perStep + 0.5);
        const d8 miss = x - step * code;
        sum += code;
        codedSquares += code * code;
        squares += x * x;
        missSquares += miss * miss;
        for (int j = 0; j < 8; j++) codes[k + (size_t)j] = (int8_t)code[j];
    }
    return (nl_query_sums){
        step, nl_sum_doubles(sum), nl_sum_doubles(codedSquares), nl_sum_doubles(squares), nl_sum_doubles(missSquares)};
}

/// A float32 that is at least x >= 0, by at most two steps or 2^-20 of it.
NL_INLINE float nl_float_above(double x) {
    double wide = x * (1 + 0x1p-40);
    float f = (float)wide;
    uint32_t bits;
    __builtin_memcpy(&bits, &f, sizeof bits);
    if ((double)f < wide && bits < 0x7f800000u) bits += 1;
    __builtin_memcpy(&f, &bits, sizeof f);
    return f;
}

static void nl_row_norms(const float *matrix, size_t n, size_t rows, float *norms) {
    for (size_t r = 0; r < rows; r++) {
        d8 squares = (d8)0;
        for (size_t k = 0; k < n; k += 8) {
            d8 y = nl_load_doubles(matrix + r * n + k, n - k);
            squares += y * y;
        }
        norms[r] = nl_float_above(__builtin_sqrt(nl_sum_doubles(squares)));
    }
}

/// The upper half of a float32 that is at least x >= 0; the bit pattern of infinity when there is none.
NL_INLINE uint32_t nl_bfloat_above(double x) {
    float f = nl_float_above(x);
    uint32_t bits;
    __builtin_memcpy(&bits, &f, sizeof bits);
    return (bits + 0xffffu) >> 16;
}

/// Encodes one row; returns its constants: scale (bfloat16) above error (bfloat16, rounded up).
NL_INLINE uint32_t nl_encode_row(const float *y, size_t n, size_t groups, float norm, uint8_t *codes) {
    if (!(norm <= NL_CODED_NORM_MAX)) return 0x00007f80u;  // Scale 0, error infinite: always a candidate.
    float most = 0;
    for (size_t k = 0; k < n; k++) most = y[k] > most ? y[k] : -y[k] > most ? -y[k] : most;
    if (most == 0) return 0;
    const double perStep = 7.5 / (double)most;
    d8 products = (d8)0, squares = (d8)0;
    for (size_t g = 0; g < groups; g++) {
        d8 v = nl_load_doubles(y + 8 * g, n - 8 * g);
        d8 code = __builtin_elementwise_floor(v * perStep) + 8;
        code = __builtin_elementwise_min(__builtin_elementwise_max(code, (d8)0), (d8)15);
        d8 level = code - 7.5;
        products += v * level;
        squares += level * level;
        int32_t c[8];
        for (int j = 0; j < 8; j++) c[j] = (int32_t)code[j];
        for (int j = 0; j < 4; j++) codes[256 * g + (size_t)j] = (uint8_t)(c[j] | c[j + 4] << 4);
    }
    // The least-squares scale, to the nearest bfloat16. The error is then measured, whatever the scale became.
    float scale = (float)(nl_sum_doubles(products) / nl_sum_doubles(squares));
    uint32_t bits;
    __builtin_memcpy(&bits, &scale, sizeof bits);
    bits = (bits + 0x7fffu + (bits >> 16 & 1)) & 0xffff0000u;
    __builtin_memcpy(&scale, &bits, sizeof scale);
    d8 rest = (d8)0;
    for (size_t g = 0; g < groups; g++) {
        d8 v = nl_load_doubles(y + 8 * g, n - 8 * g), level;
        for (int j = 0; j < 4; j++) {
            level[j] = (codes[256 * g + (size_t)j] & 15) - 7.5;
            level[j + 4] = (codes[256 * g + (size_t)j] >> 4) - 7.5;
        }
        // Beyond the row's end the query is zero, so whatever the codes say there is no error.
        d8 miss = v - (double)scale * level;
        for (size_t j = n - 8 * g; j < 8; j++) miss[j] = 0;
        rest += miss * miss;
    }
    return bits | nl_bfloat_above(__builtin_sqrt(nl_sum_doubles(rest)));
}

static void nl_encode_blocks(
    const float *matrix, size_t n, const uint32_t *order, const float *norms, size_t rows, uint8_t *blocks,
    float *reach) {
    const size_t groups = (n + 7) / 8;
    for (size_t first = 0; first < rows; first += 16) {
        uint8_t *block = blocks + first / 64 * 256 * (groups + 1) + first % 64 * 4;
        if (first % 64 == 0) __builtin_memset(block, 0, 256 * (groups + 1));
        float most = 0;
        for (size_t r = 0; r < 16; r++) {
            uint32_t constants = 0x0000ff80u;  // No row here: its bound is -infinity.
            if (first + r < rows) {
                const size_t row = order[first + r];
                constants = nl_encode_row(matrix + row * n, n, groups, norms[row], block + 256 + 4 * r);
                uint32_t bits = constants << 16;
                float error;
                __builtin_memcpy(&error, &bits, sizeof error);
                most = norms[row] > most ? norms[row] : most;
                most = error > most ? error : most;
            }
            __builtin_memcpy(block + 4 * r, &constants, sizeof constants);
        }
        reach[first / 16] = most;
    }
}
