#if defined(__aarch64__)
#include "Tables.h"
#pragma STDC FP_CONTRACT OFF
#include "Lanes.h"
#include "TemplateScore.h"
#include "TemplateTopK.h"
#include "CodesNEON.h"
#include "TemplateCodes.h"
#define NL_OUTER_TILE 1
#define NL_TIMES_TILE 2
#include "TemplateGram.h"
#include "TemplateALS.h"
#define NL_TABLE nl_kernels_neon
#define NL_NAME "neon"
#include "TemplateTable.h"
#endif
