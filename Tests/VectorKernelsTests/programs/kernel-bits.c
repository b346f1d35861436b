// Prints what the kernels of one instruction set make of seeded input: a line a function and shape, with a digest of
// the bytes that came out. Two instruction sets, on two kinds of CPU, agree when the lines do.
//   kernel-bits PATH        PATH is a number of nl_path in CKernels.h
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "CKernels.h"

static uint64_t state;

/// SplitMix64.
static uint64_t next(void) {
    uint64_t z = state += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

static float uniform(void) { return (float)(int32_t)(next() >> 40) / 0x1p24f * 2 - 1; }

/// Mostly plain values; some zeros of both signs, tiny, subnormal and large ones.
static float awkward(void) {
    float value = uniform();
    switch (next() % 16) {
    case 0: return value < 0 ? -0.0f : 0.0f;
    case 1: return value * 0x1p-70f;
    case 2: return value * 0x1p-140f;
    case 3: return value * 0x1p12f;
    default: return value;
    }
}

static void *room(size_t bytes) {
    void *memory = aligned_alloc(64, (bytes + 127) / 64 * 64);
    if (memory == NULL) abort();
    memset(memory, 0, (bytes + 127) / 64 * 64);
    return memory;
}

static float *values(size_t count, float (*one)(void)) {
    float *made = room(count * sizeof *made);
    for (size_t i = 0; i < count; i++) made[i] = one();
    return made;
}

/// FNV-1a.
static void say(const char *what, size_t a, size_t b, const void *bytes, size_t count) {
    uint64_t hash = 0xcbf29ce484222325;
    for (size_t i = 0; i < count; i++) hash = (hash ^ ((const uint8_t *)bytes)[i]) * 0x100000001b3;
    printf("%s %zu %zu %016" PRIx64 "\n", what, a, b, hash);
}

static void scores(const nl_kernels *k, nl_score_tile tile, size_t n) {
    enum { ROWS = 75, USERS = 7 };
    const size_t width = (n + NL_LANES - 1) / NL_LANES * NL_LANES, whole = USERS + NL_TILE_USERS_MAX;
    float *matrix = values(ROWS * n, awkward), *query = values(n, awkward), *out = room(ROWS * sizeof *out);
    uint32_t rows[ROWS];
    for (size_t r = 0; r < ROWS; r++) rows[r] = (uint32_t)(next() % ROWS);

    float one = k->dot(query, matrix, n);
    say("dot", n, 1, &one, sizeof one);
    k->score_rows(query, matrix, n, ROWS, out);
    say("score_rows", n, ROWS, out, ROWS * sizeof *out);
    for (size_t from = 0; from < ROWS; from += 9) {
        size_t found = k->first_at_least(out, from, ROWS, 0.25f);
        say("first_at_least", n, from, &found, sizeof found);
    }
    k->score_gather(query, matrix, n, rows, ROWS, out);
    say("score_gather", n, ROWS, out, ROWS * sizeof *out);
    bool finite = k->all_finite(matrix, ROWS * n);
    matrix[ROWS * n - 1] = 1 / 0.0f;
    bool infinite = k->all_finite(matrix, ROWS * n);
    printf("all_finite %zu %d %d\n", n, finite, infinite);
    matrix[ROWS * n - 1] = 1;

    float *users = room(whole * width * sizeof *users), *panel = room(width * NL_PANEL_ROWS * sizeof *panel);
    for (size_t u = 0; u < USERS; u++) for (size_t i = 0; i < n; i++) users[u * width + i] = awkward();
    float *tiled = room(whole * ROWS * sizeof *tiled);
    tile(users, USERS, width, matrix, n, NULL, ROWS, panel, tiled, ROWS);
    say("score_tile", n, ROWS, tiled, USERS * ROWS * sizeof *tiled);
    tile(users, USERS, width, matrix, n, rows, ROWS, panel, tiled, ROWS);
    say("score_tile rows", n, ROWS, tiled, USERS * ROWS * sizeof *tiled);
    free(matrix), free(query), free(out), free(users), free(panel), free(tiled);
}

static void best(const nl_kernels *k, size_t wanted, size_t count) {
    const float odd[] = {1 / 0.0f, -1 / 0.0f, 0.0f, -0.0f, 0x1p-140f, -0x1p-140f, 0.25f, 0.25f};
    float *offered = room((count + 1) * sizeof *offered);
    uint32_t *rows = room((count + 1) * sizeof *rows);
    for (size_t i = 0; i < count; i++) {
        offered[i] = next() % 4 ? awkward() : odd[next() % 8];
        if (next() % 32 == 0) offered[i] = __builtin_nanf("");
        rows[i] = (uint32_t)(next() % (2 * count));
    }
    for (int chosen = 0; chosen < 2; chosen++) {
        nl_few few = nl_few_of(wanted);
        // In three pieces: what is kept goes on from call to call.
        for (size_t piece = 0; piece < 3; piece++) {
            size_t from = count * piece / 3, end = count * (piece + 1) / 3;
            k->keep_best(&few, chosen ? rows + from : NULL, (uint32_t)from, offered + from, end - from);
        }
        uint32_t kept[2 * NL_FEW_MAX] = {0};
        for (size_t place = 0; place < few.count; place++) {
            float score = nl_few_score(&few, place) + 0.0f;  // -0 equals 0: which of them it was is not promised.
            kept[2 * place] = nl_few_row(&few, place);
            memcpy(&kept[2 * place + 1], &score, sizeof score);
        }
        say(chosen ? "keep_best rows" : "keep_best", wanted, 1000 * count + few.count, kept, sizeof kept);
    }
    free(offered), free(rows);
}

static void codes(const nl_kernels *k, size_t n, size_t rows) {
    const size_t groups = (n + 7) / 8, blocks = (rows + 63) / 64 * 4, places = 16 * blocks;
    float *matrix = values(rows * n, awkward), *query = values(n, uniform), *norms = room(rows * sizeof *norms);
    uint32_t *order = room(rows * sizeof *order), *found = room(places * sizeof *found);
    uint8_t *coded = room(64 * blocks * (groups + 1));
    float *reach = room(blocks * sizeof *reach), *bounds = room(places * sizeof *bounds);
    for (size_t r = 0; r < rows; r++) order[r] = (uint32_t)(rows - 1 - r);

    k->row_norms(matrix, n, rows, norms);
    say("row_norms", n, rows, norms, rows * sizeof *norms);
    k->encode_blocks(matrix, n, order, norms, rows, coded, reach);
    say("encode_blocks", n, rows, coded, 64 * blocks * (groups + 1));
    say("reach", n, rows, reach, blocks * sizeof *reach);

    int8_t *asked = room(8 * groups);
    nl_query_sums sums = k->code_query(query, n, asked);
    say("code_query", n, rows, asked, 8 * groups);
    say("query sums", n, rows, &sums, sizeof sums);

    const size_t words = blocks / 4;
    uint64_t *allowed = room(words * 8), *excluded = room(words * 8);
    for (size_t w = 0; w < words; w++) allowed[w] = next() | next(), excluded[w] = next() & next() & next();
    for (int filtered = 0; filtered < 2; filtered++) {
        nl_code_scan scan = {
            .blocks = coded, .groups = groups, .query = asked, .offset = 7.5f * (float)sums.sum, .weight = 12.25f};
        if (filtered) scan.allowed[1] = allowed, scan.excluded = excluded;
        uint32_t best[64];
        size_t count = k->code_bounds(&scan, 0, blocks, 10, bounds, best);
        say("code_bounds", n, rows, bounds, places * sizeof *bounds);
        say("best places", n, count, best, count * sizeof *best);
        float bar = count > 0 ? bounds[best[count - 1]] : 0;
        count = k->places_at_least(bounds, places, bar, found);
        say("places_at_least", n, count, found, count * sizeof *found);
        count = k->code_candidates(&scan, 0, blocks, bar, found, bounds);
        say("code_candidates", n, count, found, count * sizeof *found);
        say("their bounds", n, count, bounds, count * sizeof *bounds);
    }
    free(matrix), free(query), free(norms), free(order), free(found), free(coded), free(reach), free(bounds);
    free(asked), free(allowed), free(excluded);
}

static void training(const nl_kernels *k, size_t width, size_t factors) {
    enum { ROWS = 40, COLUMNS = 300 };
    float *fixed = room(COLUMNS * width * sizeof *fixed), *solved = room(ROWS * width * sizeof *solved);
    for (size_t c = 0; c < COLUMNS; c++) for (size_t i = 0; i < factors; i++) fixed[c * width + i] = uniform();

    float *tile = room(width * width * sizeof *tile), *gram = room(width * width * sizeof *gram);
    double *sum = room(width * width * sizeof *sum);
    k->gram(fixed, COLUMNS, width, tile, sum);
    for (size_t i = 0; i < width; i++) {
        for (size_t j = i; j < width; j++) {
            gram[i * width + j] = gram[j * width + i] = (float)sum[i * width + j] + (i == j ? 0.5f : 0);
        }
    }
    say("gram", width, factors, gram, width * width * sizeof *gram);

    uint64_t indptr[ROWS + 1] = {0};
    for (size_t r = 0; r < ROWS; r++) indptr[r + 1] = indptr[r] + (r == 3 ? 0 : r == 5 ? 130 : next() % 30);
    uint32_t *indices = room(indptr[ROWS] * sizeof *indices);
    float *strengths = room(indptr[ROWS] * sizeof *strengths);
    for (size_t i = 0; i < indptr[ROWS]; i++) indices[i] = (uint32_t)(next() % COLUMNS), strengths[i] = 2 + uniform();
    nl_als_side side = {
        .gram = gram, .fixed = fixed, .solved = solved, .indptr = indptr, .indices = indices, .strengths = strengths,
        .width = width, .alpha = 40, .steps = 3};
    k->cg_rows(&side, 0, ROWS);
    say("cg_rows", width, factors, solved, ROWS * width * sizeof *solved);
    double loss = k->observed_loss(&side, 0, ROWS);
    say("observed_loss", width, factors, &loss, sizeof loss);
    float *scratch = room(width * (width + 2 * NL_PACKED_ROWS) * sizeof *scratch);
    size_t end = k->cholesky_rows(&side, 0, ROWS, scratch);
    say("cholesky_rows", width, end, solved, ROWS * width * sizeof *solved);
    free(fixed), free(solved), free(tile), free(gram), free(sum), free(indices), free(strengths), free(scratch);
}

int main(int count, char **arguments) {
    nl_path path = count == 2 ? (nl_path)atoi(arguments[1]) : NL_PORTABLE;
    const nl_kernels *k = nl_kernels_for(path);
    if (k == NULL) return fprintf(stderr, "kernel-bits: this CPU has no path %d\n", (int)path), 66;
    fprintf(stderr, "kernel-bits: %s\n", k->name);
    const size_t lengths[] = {1, 5, 8, 15, 16, 17, 31, 32, 33, 48, 50, 64, 100, 128, 130, 250};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        state = lengths[i];
        scores(k, nl_score_tile_for(path), lengths[i]);
        codes(k, lengths[i], 64);
        codes(k, lengths[i], 333);
    }
    const size_t wanted[] = {0, 1, 2, 9, 10, 15, 16}, counts[] = {0, 1, 3, 15, 16, 17, 47, 48, 64, 333};
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        for (size_t j = 0; j < sizeof counts / sizeof *counts; j++) state = wanted[i], best(k, wanted[i], counts[j]);
    }
    const size_t factors[] = {1, 8, 16, 20, 32, 50, 64, 100, 128};
    for (size_t i = 0; i < sizeof factors / sizeof *factors; i++) {
        state = factors[i];
        training(k, (factors[i] + NL_LANES - 1) / NL_LANES * NL_LANES, factors[i]);
    }
    return 0;
}
