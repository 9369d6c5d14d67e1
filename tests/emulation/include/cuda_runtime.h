// Stands in for <cuda_runtime.h> when kernels and host code are compiled for the emulated device. Types and prototypes
// of the runtime come from the toolkit's own cuda_runtime_api.h, so that they cannot drift.
#pragma once
#include <cuda_runtime_api.h>

#ifdef __cplusplus
#define VISE_EMULATED 1
#include <vector_functions.h>

#include "emu/atomics.h"
#include "emu/builtins.h"
#include "emu/launch.h"
#include "emu/math.h"
#include "emu/warps.h"
#endif
