// No instruction set beyond the build's baseline: on x86-64 a fused multiply-add is a call of fmaf. Slow and right.
#include "Tables.h"
#pragma STDC FP_CONTRACT OFF
#pragma clang diagnostic ignored "-Wpsabi"  // Every function that passes a 512-bit vector is inlined.
#include "Lanes.h"
#include "TemplateScore.h"
#include "TemplateTopK.h"
#include "TemplateCodes.h"
#define NL_OUTER_TILE 1
#define NL_TIMES_TILE 1
#include "TemplateGram.h"
#include "TemplateALS.h"
#define NL_TABLE nl_kernels_portable
#define NL_NAME "portable"
#include "TemplateTable.h"
