// Vectors of 16 float32 lanes. Included by Kernels*.c inside the pragma that sets the target; see CKernels.h.
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Asked of every loop over a width, and right to fail where the width is not a constant.
#pragma clang diagnostic ignored "-Wpass-failed"

#define NL_INLINE static inline __attribute__((always_inline))
#define NL_UNROLL _Pragma("clang loop unroll(full)")

typedef float f16 __attribute__((ext_vector_type(16)));
typedef float f8 __attribute__((ext_vector_type(8)));
typedef float f4 __attribute__((ext_vector_type(4)));
typedef float f2 __attribute__((ext_vector_type(2)));
typedef int32_t i16 __attribute__((ext_vector_type(16)));
typedef uint32_t u16 __attribute__((ext_vector_type(16)));
typedef bool b16 __attribute__((ext_vector_type(16)));

NL_INLINE f16 nl_load(const float *p) {
    f16 v;
    __builtin_memcpy(&v, p, sizeof v);
    return v;
}

NL_INLINE void nl_store(float *p, f16 v) { __builtin_memcpy(p, &v, sizeof v); }

/// a * b + c with one rounding, lane by lane; without hardware for it the compiler calls fmaf.
NL_INLINE f16 nl_fma(f16 a, f16 b, f16 c) { return __builtin_elementwise_fma(a, b, c); }

NL_INLINE f16 nl_splat(float x) { return (f16)x; }

/// 0 < count < 16 elements, then zeros; reads nothing beyond them.
#ifdef NL_LOAD_TAIL
NL_INLINE f16 nl_load_tail(const float *p, size_t count) { return NL_LOAD_TAIL(p, count); }
#else
NL_INLINE f16 nl_load_tail(const float *p, size_t count) {
    float padded[16] = {0};
    for (size_t i = 0; i < count; i++) padded[i] = p[i];
    return nl_load(padded);
}
#endif

/// The documented tree over one vector.
NL_INLINE float nl_tree(f16 v) {
    f8 a = v.lo + v.hi;
    f4 b = a.lo + a.hi;
    f2 c = b.lo + b.hi;
    return c.x + c.y;
}

// The same tree over several vectors at once: each fold halves the lanes of two vectors into one, so eight rows cost
// 15 shuffled additions instead of 32 extractions. Row by row the same pairs are added, so the bits are the same.

/// 2 x 16 lanes -> 2 groups of 8.
NL_INLINE f16 nl_fold8(f16 a, f16 b) {
    return __builtin_shufflevector(a, b, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23)
        + __builtin_shufflevector(a, b, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31);
}

/// 2 x (2 groups of 8) -> 4 groups of 4, in order.
NL_INLINE f16 nl_fold4(f16 a, f16 b) {
    return __builtin_shufflevector(a, b, 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27)
        + __builtin_shufflevector(a, b, 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31);
}

/// Eight vectors -> eight sums, in order.
NL_INLINE f8 nl_tree8(const f16 v[8]) {
    f16 a = nl_fold4(nl_fold8(v[0], v[1]), nl_fold8(v[2], v[3]));  // rows 0 1 2 3, four lanes each
    f16 b = nl_fold4(nl_fold8(v[4], v[5]), nl_fold8(v[6], v[7]));  // rows 4 5 6 7
    // Two lanes each, rows 0 4 1 5 2 6 3 7: inside 128-bit lanes, where shuffles are cheap.
    f16 c = __builtin_shufflevector(a, b, 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29)
        + __builtin_shufflevector(a, b, 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31);
    return __builtin_shufflevector(c, c, 0, 4, 8, 12, 2, 6, 10, 14)
        + __builtin_shufflevector(c, c, 1, 5, 9, 13, 3, 7, 11, 15);
}

/// Four vectors -> four sums, each repeated in its group of four lanes.
NL_INLINE f16 nl_tree4(f16 v0, f16 v1, f16 v2, f16 v3) {
    f16 a = nl_fold4(nl_fold8(v0, v1), nl_fold8(v2, v3));
    a += __builtin_shufflevector(a, a, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13);
    return a + __builtin_shufflevector(a, a, 1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14);
}
