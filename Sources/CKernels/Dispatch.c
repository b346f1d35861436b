#include "Tables.h"

#if defined(__x86_64__)
static bool nl_has_avx512(void) {
    // __builtin_cpu_supports also asks whether the operating system saves the wide registers.
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq")
        && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("popcnt") && __builtin_cpu_supports("fma");
}
#endif

const nl_kernels *nl_kernels_for(nl_path path) {
    switch (path) {
#if defined(__x86_64__)
    case NL_AVX512VNNI:
        return nl_has_avx512() && __builtin_cpu_supports("avx512vnni") ? &nl_kernels_avx512vnni : NULL;
    case NL_AVX512: return nl_has_avx512() ? &nl_kernels_avx512 : NULL;
    case NL_AVX2:
        __builtin_cpu_init();
        if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return &nl_kernels_avx2;
        return NULL;
#elif defined(__aarch64__)
    case NL_NEON: return &nl_kernels_neon;
#endif
    case NL_PORTABLE: return &nl_kernels_portable;
    default: return NULL;
    }
}
