// The tables that this build has; the dispatcher asks the CPU before it hands one out.
#pragma once
#include "CKernels.h"

#if defined(__x86_64__)
extern const nl_kernels nl_kernels_avx512vnni;
extern const nl_kernels nl_kernels_avx512;
extern const nl_kernels nl_kernels_avx2;
#elif defined(__aarch64__)
extern const nl_kernels nl_kernels_neon;
#endif
extern const nl_kernels nl_kernels_portable;
