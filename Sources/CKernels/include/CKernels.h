// SIMD kernels with run-time dispatch: the only C that computes.
#pragma once
#include <stddef.h>
#include <stdint.h>
