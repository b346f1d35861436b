// Scores of many users for the same items: one reading of the items for all of them.
//
// The bits are those of `dot` in CKernels.h: 16 lanes, fused multiply-add from +0, then the fixed tree. Here the lanes of a
// vector are 16 items and not 16 elements of one, so the tree is plain additions and nothing is shuffled but the items, once for
// all users.
#pragma once
#include "CKernels.h"

#pragma clang assume_nonnull begin

/// Items that are turned at a time; `panel` holds this many for each column of the padded width.
enum { NL_PANEL_ROWS = 32 };
/// `users` and `scores` have rows for userCount rounded up to a multiple of this.
enum { NL_TILE_USERS_MAX = 4 };

/// scores[u * stride + r] = users[u] . row r, for r < rowCount.
///
/// Tiles are whole: up to NL_TILE_USERS_MAX - 1 users behind the last one are read, and their scores written.
/// `users` is [userCount x width], width = n rounded up to a multiple of NL_LANES with zeros behind n. Row r is
/// matrix[(rows ? rows[r] : r) * n ...], n floats. `panel` is scratch of width * NL_PANEL_ROWS floats.
typedef void (*nl_score_tile)(
    const float *users, size_t userCount, size_t width, const float *matrix, size_t n, const uint32_t *_Nullable rows,
    size_t rowCount, float *panel, float *scores, size_t stride);

/// The function of one instruction set, or NULL when this build or this CPU does not have it. NL_PORTABLE always is.
nl_score_tile _Nullable nl_score_tile_for(nl_path path);

#pragma clang assume_nonnull end
