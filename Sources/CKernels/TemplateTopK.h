// The best few of many scores, sorted, in two vectors: see nl_few in CKernels.h.

/// Puts one candidate where it belongs, and the worst out. Nothing jumps: where a heap asks a question at each level whose answer nobody
/// can guess, every lane is told at once whether it stays, takes the candidate or takes its neighbour's.
NL_INLINE void nl_insert(f16 *scores, u16 *rows, float score, uint32_t row) {
    const f16 best = nl_splat(__builtin_inff()), before =
        __builtin_shufflevector(*scores, best, 16, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14);
    const u16 rowsBefore =
        __builtin_shufflevector(*rows, (u16)0, 16, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14);
    const f16 c = nl_splat(score);
    const u16 r = (u16)row;
    const i16 stays = (*scores > c) | ((*scores == c) & (*rows < r));
    const i16 takes = (before > c) | ((before == c) & (rowsBefore < r));
    *scores = stays ? *scores : takes ? c : before;
    *rows = stays ? *rows : takes ? r : rowsBefore;
}

static void nl_keep_best(
    nl_few *few, const uint32_t *chosen, uint32_t firstRow, const float *values, size_t count) {
    f16 scores = nl_load(few->scores);
    u16 rows;
    __builtin_memcpy(&rows, few->rows, sizeof rows);
    size_t taken = few->count;
    for (size_t j = 0; j < count; j += 16) {
        const f16 v = count - j >= 16 ? nl_load(values + j) : nl_load_tail(values + j, count - j);
        uint32_t left = count - j >= 16 ? 0xffff : (1u << (count - j)) - 1;
        while (true) {
            // The worst that is kept, or -infinity: a NaN is not at least that.
            const f16 bar =
                __builtin_shufflevector(scores, scores, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15);
            const b16 reaches = __builtin_convertvector(v >= bar, b16);
            uint16_t mask;
            __builtin_memcpy(&mask, &reaches, sizeof mask);
            left &= mask;
            if (left == 0) break;
            const size_t place = j + (size_t)__builtin_ctz(left);
            nl_insert(&scores, &rows, values[place], chosen ? chosen[place] : firstRow + (uint32_t)place);
            left &= left - 1;
            taken++;
        }
    }
    // Of k rows that are kept the worst went out each time.
    few->count = (uint32_t)(taken < few->k ? taken : few->k);
    nl_store(few->scores, scores);
    __builtin_memcpy(few->rows, &rows, sizeof rows);
}
