// No instruction set beyond the build's baseline: on x86-64 a fused multiply-add is a call of fmaf. Slow and right.
#include "ScoreTiles.h"
#pragma STDC FP_CONTRACT OFF
#pragma clang diagnostic ignored "-Wpsabi"  // Every function that passes a 512-bit vector is inlined.
#include "Lanes.h"
#define NL_TILE_VECTORS 1
#define NL_TILE_USERS 1
#include "TemplateScoreTile.h"
const nl_score_tile nl_score_tile_portable = nl_score_tile_any;
