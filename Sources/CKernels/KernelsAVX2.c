#if defined(__x86_64__)
#include "Tables.h"
#include <immintrin.h>
#pragma STDC FP_CONTRACT OFF
#pragma clang diagnostic ignored "-Wpsabi"  // Every function that passes a 512-bit vector is inlined.
#pragma clang attribute push(__attribute__((target("avx2,fma"), min_vector_width(256))), apply_to = function)
#include "Lanes.h"
#include "TemplateScore.h"
#include "TemplateTopK.h"
#include "CodesAVX2.h"
#include "TemplateCodes.h"
#define NL_OUTER_TILE 1
#define NL_TIMES_TILE 2
#include "TemplateGram.h"
#include "TemplateALS.h"
#define NL_TABLE nl_kernels_avx2
#define NL_NAME "avx2"
#include "TemplateTable.h"
#pragma clang attribute pop
#endif
