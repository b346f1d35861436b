#if defined(__x86_64__)
#include "ScoreTiles.h"
#include <immintrin.h>
#pragma STDC FP_CONTRACT OFF
#pragma clang diagnostic ignored "-Wpsabi"  // Every function that passes a 512-bit vector is inlined.
#pragma clang attribute push(__attribute__((target("avx2,fma"), min_vector_width(256))), apply_to = function)
#include "Lanes.h"
#define NL_TILE_VECTORS 1
#define NL_TILE_USERS 2
#include "TemplateScoreTile.h"
#pragma clang attribute pop
const nl_score_tile nl_score_tile_avx2 = nl_score_tile_any;
#endif
