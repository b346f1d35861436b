// Integer products of codes with AVX-512 VNNI: four products and their sum in each lane, in one instruction.
#define NL_CODE_SUMS

NL_INLINE void nl_code_sums(const uint8_t *codes, const int8_t *query, size_t groups, i16 sums[4]) {
    // Eight sums in flight hide the latency. The high halves stay where they are, so their sums are 16 times too large:
    // exact, and one shift at the end instead of one for each 64 bytes.
    __m512i low[4], high[4];
    NL_UNROLL for (int b = 0; b < 4; b++) low[b] = high[b] = _mm512_setzero_si512();
    const __m512i lowHalf = _mm512_set1_epi8(0x0f), highHalf = _mm512_set1_epi8((char)0xf0);
    for (size_t g = 0; g < groups; g++) {
        int32_t q[2];
        __builtin_memcpy(q, query + 8 * g, sizeof q);
        const __m512i first = _mm512_set1_epi32(q[0]), second = _mm512_set1_epi32(q[1]);
        NL_UNROLL for (int b = 0; b < 4; b++) {
            __m512i both = _mm512_loadu_si512(codes + 256 * g + 64 * (size_t)b);
            low[b] = _mm512_dpbusd_epi32(low[b], _mm512_and_si512(both, lowHalf), first);
            high[b] = _mm512_dpbusd_epi32(high[b], _mm512_and_si512(both, highHalf), second);
        }
    }
    NL_UNROLL for (int b = 0; b < 4; b++) {
        sums[b] = (i16)_mm512_add_epi32(low[b], _mm512_srai_epi32(high[b], 4));
    }
}
