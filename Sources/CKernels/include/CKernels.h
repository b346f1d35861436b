// SIMD kernels, one table per instruction set: the only C that computes.
//
// Every table gives the same bits for the same input. They are the same source (Template*.h) compiled for different
// targets, written over vectors of 16 float32 lanes with explicit fused multiply-add and no contraction:
//
//   lane l of 16 accumulates elements l, l + 16, l + 32, ... in that order, each with one fused multiply-add that
//   starts from +0; a short last block is padded with zeros; then lane i + lane i+8, i + i+4, i + i+2, i + i+1.
//
// The one exception is the payload of a NaN, which no path promises.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#pragma clang assume_nonnull begin

/// Lanes of the documented summation order.
enum { NL_LANES = 16 };

/// One side of an ALS iteration: rows of `solved` are found from the rows of `fixed`.
///
/// `width` is the factor count rounded up to a multiple of NL_LANES; the extra columns hold zeros everywhere.
typedef struct {
    const float *gram;         // [width x width], fixed' fixed + lambda I, symmetric
    const float *fixed;        // [columns x width]
    float *solved;             // [rows x width]; warm start in, solution out
    const uint64_t *indptr;    // [rows + 1]
    const uint32_t *indices;   // rows of `fixed`
    const float *strengths;    // r, beside indices
    size_t width;
    float alpha;               // confidence c = 1 + alpha r
    size_t steps;              // conjugate-gradient steps
} nl_als_side;

/// Widest row that the ALS kernels take; a multiple of NL_LANES.
enum { NL_WIDTH_MAX = 1024 };
/// Interactions that cholesky_rows packs at a time.
enum { NL_PACKED_ROWS = 64 };
/// Rows that gram sums in float32 before it adds them to the sum in double.
enum { NL_GRAM_ROWS = 256 };

typedef struct {
    const char *name;

    /// a . b over n elements.
    float (*dot)(const float *a, const float *b, size_t n);
    /// scores[r] = query . matrix[r * n ...], r < rows.
    void (*score_rows)(const float *query, const float *matrix, size_t n, size_t rows, float *scores);
    /// scores[j] = query . matrix[rows[j] * n ...], j < count.
    void (*score_gather)(
        const float *query, const float *matrix, size_t n, const uint32_t *rows, size_t count, float *scores);
    /// The first j in from..<count with scores[j] >= threshold, or count.
    size_t (*first_at_least)(const float *scores, size_t from, size_t count, float threshold);
    /// No NaN and no infinity among n values.
    bool (*all_finite)(const float *values, size_t n);

    /// sum += rows' rows on and above the diagonal, in double, from float32 sums of NL_GRAM_ROWS rows each. Below the
    /// diagonal nothing is promised.
    /// `tile` is scratch of width x width.
    void (*gram)(const float *rows, size_t count, size_t width, float *tile, double *sum);
    /// Improves solved rows first..<end by conjugate gradient from where they are. A row without interactions becomes
    /// zero; one whose numbers overflow becomes NaN.
    void (*cg_rows)(const nl_als_side *side, size_t first, size_t end);
    /// Solves rows first..<end by Cholesky factorization. Stops at a row whose matrix is not positive definite in
    /// float32, leaves that row as it was and returns it; else returns end. Zero and NaN rows as in cg_rows. `scratch` holds width * (width + 2 * NL_PACKED_ROWS) floats.
    size_t (*cholesky_rows)(const nl_als_side *side, size_t first, size_t end, float *scratch);
    /// The sum over the interactions of rows first..<end of c (1 - s)^2 - s^2, where s is the score: what the
    /// interactions add to the sum of s^2 over all pairs.
    double (*observed_loss)(const nl_als_side *side, size_t first, size_t end);
} nl_kernels;

/// In order of preference.
typedef enum { NL_AVX512 = 0, NL_AVX2 = 1, NL_NEON = 2, NL_PORTABLE = 3 } nl_path;

/// The table of one instruction set, or NULL when this build or this CPU does not have it. NL_PORTABLE always is.
const nl_kernels *_Nullable nl_kernels_for(nl_path path);

#pragma clang assume_nonnull end
#include "ScoreTile.h"
