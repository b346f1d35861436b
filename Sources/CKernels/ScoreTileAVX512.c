#if defined(__x86_64__)
#include "ScoreTiles.h"
#include <immintrin.h>
#pragma STDC FP_CONTRACT OFF
#pragma clang attribute push( \
    __attribute__((target("avx512f,avx512vl,avx512dq,avx512bw,fma"), min_vector_width(512))), apply_to = function)
#define NL_LOAD_TAIL(p, count) ((f16)_mm512_maskz_loadu_ps((__mmask16)((1u << (count)) - 1u), (p)))
#include "Lanes.h"
#define NL_TILE_VECTORS 2
#define NL_TILE_USERS 2
#include "TemplateScoreTile.h"
#pragma clang attribute pop
const nl_score_tile nl_score_tile_avx512 = nl_score_tile_any;
#endif
