// Integer products of codes with NEON, no extension needed. A product is at most 15 * 127, so 16 bits hold sixteen.
#include <arm_neon.h>
#define NL_CODE_SUMS

NL_INLINE void nl_code_sums(const uint8_t *codes, const int8_t *query, size_t groups, i16 sums[4]) {
    const uint8x16_t lowHalf = vdupq_n_u8(0x0f);
    for (int b = 0; b < 4; b++) {
        int32x4_t total[8];  // Two rows each, two lanes a row.
        NL_UNROLL for (int i = 0; i < 8; i++) total[i] = vdupq_n_s32(0);
        for (size_t g = 0; g < groups; g += 8) {
            const size_t end = groups - g < 8 ? groups : g + 8;
            int16x8_t pairs[8];
            NL_UNROLL for (int i = 0; i < 8; i++) pairs[i] = vdupq_n_s16(0);
            for (size_t h = g; h < end; h++) {
                int32_t q[2];
                __builtin_memcpy(q, query + 8 * h, sizeof q);
                const int8x8_t first = vreinterpret_s8_s32(vdup_n_s32(q[0]));
                const int8x8_t second = vreinterpret_s8_s32(vdup_n_s32(q[1]));
                NL_UNROLL for (int i = 0; i < 4; i++) {
                    uint8x16_t both = vld1q_u8(codes + 256 * h + 64 * (size_t)b + 16 * (size_t)i);
                    int8x16_t low = vreinterpretq_s8_u8(vandq_u8(both, lowHalf));
                    int8x16_t high = vreinterpretq_s8_u8(vshrq_n_u8(both, 4));
                    pairs[2 * i] = vmlal_s8(pairs[2 * i], vget_low_s8(low), first);
                    pairs[2 * i] = vmlal_s8(pairs[2 * i], vget_low_s8(high), second);
                    pairs[2 * i + 1] = vmlal_s8(pairs[2 * i + 1], vget_high_s8(low), first);
                    pairs[2 * i + 1] = vmlal_s8(pairs[2 * i + 1], vget_high_s8(high), second);
                }
            }
            NL_UNROLL for (int i = 0; i < 8; i++) total[i] = vpadalq_s16(total[i], pairs[i]);
        }
        int32x4_t rows[4];
        NL_UNROLL for (int i = 0; i < 4; i++) rows[i] = vpaddq_s32(total[2 * i], total[2 * i + 1]);
        __builtin_memcpy(&sums[b], rows, sizeof rows);
    }
}
