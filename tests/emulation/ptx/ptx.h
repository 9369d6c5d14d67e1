// The interpreter of compiled kernels, as the emulated device calls it.
#pragma once
#include "program.h"
#include "tests/emulation/device/grid.h"

namespace emu::ptx {

// Runs a launch to its end; errors are recorded as those of any launch.
void run(const Module &module, const Function &kernel, const Launch &launch);

}  // namespace emu::ptx
