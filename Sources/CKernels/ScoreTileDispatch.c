#include "ScoreTiles.h"

nl_score_tile nl_score_tile_for(nl_path path) {
    // One place asks the CPU: where the kernels of a path can run, so can its tiles.
    if (nl_kernels_for(path) == NULL) return NULL;
    switch (path) {
#if defined(__x86_64__)
    // Tiles are float32 only: VNNI adds nothing to them.
    case NL_AVX512VNNI:
    case NL_AVX512: return nl_score_tile_avx512;
    case NL_AVX2: return nl_score_tile_avx2;
#elif defined(__aarch64__)
    case NL_NEON: return nl_score_tile_neon;
#endif
    case NL_PORTABLE: return nl_score_tile_portable;
    default: return NULL;
    }
}
