#if defined(__x86_64__)
#include "Tables.h"
#include <immintrin.h>
#pragma STDC FP_CONTRACT OFF
#pragma clang attribute push( \
    __attribute__((target("avx512f,avx512vl,avx512dq,avx512bw,popcnt,avx512vnni,fma"), min_vector_width(512))), apply_to = function)
#define NL_LOAD_TAIL(p, count) ((f16)_mm512_maskz_loadu_ps((__mmask16)((1u << (count)) - 1u), (p)))
#include "Lanes.h"
#include "TemplateScore.h"
#include "TemplateTopK.h"
#include "CodesAVX512VNNI.h"
#include "CodesAVX512Places.h"
#include "TemplateCodes.h"
#define NL_OUTER_TILE 4
#define NL_TIMES_TILE 4
#include "TemplateGram.h"
#include "TemplateALS.h"
#define NL_TABLE nl_kernels_avx512vnni
#define NL_NAME "avx512vnni"
#include "TemplateTable.h"
#pragma clang attribute pop
#endif
