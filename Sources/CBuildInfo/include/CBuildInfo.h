// What only the compiler's command line knows.
#pragma once

/// The commit that was built, or "unknown": a string that lives as long as the program.
const char *nextloop_commit(void);
