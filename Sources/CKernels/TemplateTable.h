// The table of one instruction set. NL_TABLE and NL_NAME are set by the file that includes this.
const nl_kernels NL_TABLE = {
    .name = NL_NAME,
    .dot = nl_dot,
    .score_rows = nl_score_rows,
    .score_gather = nl_score_gather,
    .first_at_least = nl_first_at_least,
    .all_finite = nl_all_finite,
    .code_query = nl_code_query,
    .code_bounds = nl_code_bounds,
    .places_at_least = nl_places_at_least,
    .code_candidates = nl_code_candidates,
    .row_norms = nl_row_norms,
    .encode_blocks = nl_encode_blocks,
    .gram = nl_gram,
    .cg_rows = nl_cg_rows,
    .cholesky_rows = nl_cholesky_rows,
    .observed_loss = nl_observed_loss,
};
