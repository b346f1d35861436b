// The tile functions that this build has; the dispatcher asks the CPU before it hands one out.
#pragma once
#include "ScoreTile.h"

#if defined(__x86_64__)
extern const nl_score_tile nl_score_tile_avx512;
extern const nl_score_tile nl_score_tile_avx2;
#elif defined(__aarch64__)
extern const nl_score_tile nl_score_tile_neon;
#endif
extern const nl_score_tile nl_score_tile_portable;
