// Places of set bits with AVX-512.
// Compressed without a jump: whether one of 64 rows is a candidate is a question that nobody can guess the answer to.
#define NL_APPEND_PLACES

NL_INLINE size_t nl_append_places(uint64_t mask, uint32_t first, uint32_t *places) {
    const __m512i lanes = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    size_t found = 0;
    NL_UNROLL for (int i = 0; i < 4; i++) {
        const __mmask16 sixteen = (__mmask16)(mask >> (16 * i));
        const __m512i here = _mm512_add_epi32(lanes, _mm512_set1_epi32((int)first + 16 * i));
        _mm512_storeu_si512(places + found, _mm512_maskz_compress_epi32(sixteen, here));
        found += (size_t)__builtin_popcount(sixteen);
    }
    return found;
}

NL_INLINE bool nl_may_hit(const f16 v[4], float bar) { return true; }

NL_INLINE size_t nl_append_hits(uint64_t mask, uint32_t first, const f16 v[4], uint32_t *places, float *values) {
    size_t found = 0;
    NL_UNROLL for (int i = 0; i < 4; i++) {
        const __mmask16 sixteen = (__mmask16)(mask >> (16 * i));
        _mm512_storeu_ps(values + found, _mm512_maskz_compress_ps(sixteen, (__m512)v[i]));
        found += (size_t)__builtin_popcount(sixteen);
    }
    nl_append_places(mask, first, places);
    return found;
}
