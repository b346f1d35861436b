// Integer products of codes with AVX-512 BW. A pair of products is at most 2 * 15 * 127, so 16 bits hold eight of them.
#define NL_CODE_SUMS

NL_INLINE void nl_code_sums(const uint8_t *codes, const int8_t *query, size_t groups, i16 sums[4]) {
    __m512i total[4];
    NL_UNROLL for (int b = 0; b < 4; b++) total[b] = _mm512_setzero_si512();
    const __m512i lowHalf = _mm512_set1_epi8(0x0f), ones = _mm512_set1_epi16(1);
    for (size_t g = 0; g < groups; g += 4) {
        const size_t end = groups - g < 4 ? groups : g + 4;
        __m512i pairs[4];
        NL_UNROLL for (int b = 0; b < 4; b++) pairs[b] = _mm512_setzero_si512();
        for (size_t h = g; h < end; h++) {
            int32_t q[2];
            __builtin_memcpy(q, query + 8 * h, sizeof q);
            const __m512i first = _mm512_set1_epi32(q[0]), second = _mm512_set1_epi32(q[1]);
            NL_UNROLL for (int b = 0; b < 4; b++) {
                __m512i both = _mm512_loadu_si512(codes + 256 * h + 64 * (size_t)b);
                __m512i low = _mm512_and_si512(both, lowHalf);
                __m512i high = _mm512_and_si512(_mm512_srli_epi16(both, 4), lowHalf);
                pairs[b] = _mm512_add_epi16(pairs[b], _mm512_maddubs_epi16(low, first));
                pairs[b] = _mm512_add_epi16(pairs[b], _mm512_maddubs_epi16(high, second));
            }
        }
        NL_UNROLL for (int b = 0; b < 4; b++) {
            total[b] = _mm512_add_epi32(total[b], _mm512_madd_epi16(pairs[b], ones));
        }
    }
    NL_UNROLL for (int b = 0; b < 4; b++) sums[b] = (i16)total[b];
}
