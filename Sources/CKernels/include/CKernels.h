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

/// Items in 4-bit codes and one query in 8-bit codes: what a scan reads. TemplateCodes.h has the layout.
typedef struct {
    const uint8_t *blocks;     // 256 * (groups + 1) bytes for each four blocks of 16 rows
    size_t groups;             // of 8 factors; the last may be part empty
    const int8_t *query;       // [8 * groups], -127...127, zeros beyond the factors
    float offset;              // 7.5 * the sum of `query`
    float weight;              // what a row's error counts for: at least |query as coded|
    // Sets of places, 64 to a word: a place is kept that is in both of `allowed`, NULL for all, and not in `excluded`, NULL
    // for none.
    const uint64_t *_Nullable allowed[2];
    const uint64_t *_Nullable excluded;
} nl_code_scan;

/// What a query's codes are made of and miss, in double.
typedef struct {
    double step;           // the query is about step * codes; 0 for a zero query
    double sum;            // of the codes, exact
    double codedSquares;   // of the codes, exact
    double squares;        // of the query
    double missSquares;    // of query - step * codes
} nl_query_sums;

/// Asks for the cache lines of bytes that will be read soon.
static inline void nl_prefetch(const void *bytes, size_t count) {
    const char *first = bytes;
    for (size_t offset = 0; offset < count; offset += 64) __builtin_prefetch(first + offset);
    if (count > 0) __builtin_prefetch(first + count - 1);
}

/// Rows that nl_few can keep.
enum { NL_FEW_MAX = 16 };

/// The best k <= NL_FEW_MAX rows so far, the best first, in lanes NL_FEW_MAX - k and on, so that the k-th best has the last lane whatever
/// k is. Lanes before them hold +infinity and row 0, which nothing is better than; those that no row has taken yet hold -infinity and the
/// highest row, which is as good as nothing.
typedef struct {
    float scores[16];
    uint32_t rows[16];
    uint32_t k;
    uint32_t count;  // how many are kept
} nl_few;

/// Nothing kept yet, k <= NL_FEW_MAX wanted.
static inline nl_few nl_few_of(size_t k) {
    nl_few few = {.k = (uint32_t)k, .count = 0};
    for (size_t lane = 0; lane < NL_FEW_MAX; lane++) {
        const bool isUsed = lane + k >= NL_FEW_MAX;
        few.scores[lane] = isUsed ? -__builtin_inff() : __builtin_inff();
        few.rows[lane] = isUsed ? UINT32_MAX : 0;
    }
    return few;
}

/// The row and the score at a place below `count`, 0 for the best.
static inline uint32_t nl_few_row(const nl_few *few, size_t place) { return few->rows[NL_FEW_MAX - few->k + place]; }
static inline float nl_few_score(const nl_few *few, size_t place) { return few->scores[NL_FEW_MAX - few->k + place]; }

/// Rows longer than this are not coded but always candidates: their products would leave float32.
#define NL_CODED_NORM_MAX 0x1p100f

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
    /// Keeps rows[j], or firstRow + j without `rows`, with scores[j], j < count, if they are among the best: higher scores first, equal
    /// ones by row, -0 equal to 0. NaN never is.
    void (*keep_best)(
        nl_few *few, const uint32_t *_Nullable rows, uint32_t firstRow, const float *scores, size_t count);
    /// No NaN and no infinity among n values.
    bool (*all_finite)(const float *values, size_t n);

    /// Codes a finite query of n values: codes[8 * groups], zeros beyond n. With |code| <= 127 whatever the values are.
    nl_query_sums (*code_query)(const float *query, size_t n, int8_t *codes);
    /// bounds[16 * (b - first) + r] = scale * (query . codes - offset) + error * weight of row r of block b, with one
    /// rounding for each operation; -infinity for a row that the sets do not let pass. In fours: first and end are
    /// multiples of 4.
    /// places[]: at least `rank` and not many more of the best, each the best of those that lie a multiple of 64 apart, from 0
    /// for the first row of `first`. Returns how many; 0 when there are not so many or rank is 0.
    size_t (*code_bounds)(
        const nl_code_scan *scan, size_t first, size_t end, size_t rank, float *bounds, uint32_t places[_Nonnull 64]);
    /// The places of the bounds that are at least `bar`, ascending. Returns how many.
    size_t (*places_at_least)(const float *bounds, size_t count, float bar, uint32_t *places);
    /// The places 16 * b + r, ascending, of blocks first..<end whose bound is at least `bar` and that the sets let pass,
    /// and their bounds. In fours, with room for 16 * (end - first) of each. Blocks of which no row passes are not
    /// read. Returns how many.
    size_t (*code_candidates)(
        const nl_code_scan *scan, size_t first, size_t end, float bar, uint32_t *places, float *bounds);
    /// norms[r] >= the length of row r, by less than 2^-20 of it; infinite when float32 has no such number.
    void (*row_norms)(const float *matrix, size_t n, size_t rows, float *norms);
    /// Codes rows order[0..<rows] into blocks, the first at `blocks`. reach[b] = the largest norm or error in block b.
    void (*encode_blocks)(
        const float *matrix, size_t n, const uint32_t *order, const float *norms, size_t rows, uint8_t *blocks,
        float *reach);

    /// sum += rows' rows on and above the diagonal, in double, from float32 sums of NL_GRAM_ROWS rows each. Below the
    /// diagonal nothing is promised.
    /// `tile` is scratch of width x width.
    void (*gram)(const float *rows, size_t count, size_t width, float *tile, double *sum);
    /// Improves solved rows first..<end by conjugate gradient from where they are. A row without interactions becomes
    /// zero; one whose numbers overflow becomes NaN.
    void (*cg_rows)(const nl_als_side *side, size_t first, size_t end);
    /// Solves rows first..<end by Cholesky factorization. Stops at a row whose matrix is not positive definite in
    /// float32, leaves that row as it was and returns it; else returns end. Zero and NaN rows as in cg_rows. `scratch` holds width * (width
    /// + 2 * NL_PACKED_ROWS) floats.
    size_t (*cholesky_rows)(const nl_als_side *side, size_t first, size_t end, float *scratch);
    /// The sum over the interactions of rows first..<end of c (1 - s)^2 - s^2, where s is the score: what the
    /// interactions add to the sum of s^2 over all pairs.
    double (*observed_loss)(const nl_als_side *side, size_t first, size_t end);
} nl_kernels;

/// In order of preference.
typedef enum { NL_AVX512VNNI = 0, NL_AVX512 = 1, NL_AVX2 = 2, NL_NEON = 3, NL_PORTABLE = 4 } nl_path;

/// The table of one instruction set, or NULL when this build or this CPU does not have it. NL_PORTABLE always is.
const nl_kernels *_Nullable nl_kernels_for(nl_path path);

#pragma clang assume_nonnull end
#include "ScoreTile.h"
