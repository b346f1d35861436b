// Integer products of codes with AVX2. A pair of products is at most 2 * 15 * 127, so 16 bits hold eight of them.
#define NL_CODE_SUMS

NL_INLINE void nl_code_sums(const uint8_t *codes, const int8_t *query, size_t groups, i16 sums[4]) {
    const __m256i lowHalf = _mm256_set1_epi8(0x0f), ones = _mm256_set1_epi16(1);
    // Two registers a block; two blocks at a time fill the sixteen that there are.
    for (int b = 0; b < 4; b += 2) {
        __m256i total[4];
        NL_UNROLL for (int i = 0; i < 4; i++) total[i] = _mm256_setzero_si256();
        for (size_t g = 0; g < groups; g += 4) {
            const size_t end = groups - g < 4 ? groups : g + 4;
            __m256i pairs[4];
            NL_UNROLL for (int i = 0; i < 4; i++) pairs[i] = _mm256_setzero_si256();
            for (size_t h = g; h < end; h++) {
                int32_t q[2];
                __builtin_memcpy(q, query + 8 * h, sizeof q);
                const __m256i first = _mm256_set1_epi32(q[0]), second = _mm256_set1_epi32(q[1]);
                NL_UNROLL for (int i = 0; i < 4; i++) {
                    const uint8_t *from = codes + 256 * h + 64 * (size_t)(b + i / 2) + 32 * (size_t)(i % 2);
                    __m256i both = _mm256_loadu_si256((const __m256i *)from);
                    __m256i low = _mm256_and_si256(both, lowHalf);
                    __m256i high = _mm256_and_si256(_mm256_srli_epi16(both, 4), lowHalf);
                    pairs[i] = _mm256_add_epi16(pairs[i], _mm256_maddubs_epi16(low, first));
                    pairs[i] = _mm256_add_epi16(pairs[i], _mm256_maddubs_epi16(high, second));
                }
            }
            NL_UNROLL for (int i = 0; i < 4; i++) {
                total[i] = _mm256_add_epi32(total[i], _mm256_madd_epi16(pairs[i], ones));
            }
        }
        __builtin_memcpy(&sums[b], total, sizeof total);
    }
}
