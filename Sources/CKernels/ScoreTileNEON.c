#if defined(__aarch64__)
#include "ScoreTiles.h"
#pragma STDC FP_CONTRACT OFF
#include "Lanes.h"
#define NL_TILE_VECTORS 1
#define NL_TILE_USERS 1
#include "TemplateScoreTile.h"
const nl_score_tile nl_score_tile_neon = nl_score_tile_any;
#endif
