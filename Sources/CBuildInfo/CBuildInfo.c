#include "CBuildInfo.h"

#ifndef NEXTLOOP_COMMIT
#define NEXTLOOP_COMMIT "unknown"
#endif

const char *nextloop_commit(void) { return NEXTLOOP_COMMIT; }
