// Faults on demand, from outside: the n-th allocation, launch or kernel of the process fails.
#include <cstdlib>

#include "tests/emulation/host/runtime.h"

namespace emu {
namespace {

// Counts calls down to the one that fails; 0: none does.
class Countdown {
 public:
  explicit Countdown(const char *variable) {
    const char *value = getenv(variable);
    left_ = value ? strtoull(value, nullptr, 10) : 0;
  }
  bool ends() {
    return left_ > 0 && --left_ == 0;
  }

 private:
  unsigned long long left_ = 0;
};

}  // namespace

cudaError_t allocation_fault(size_t bytes) {
  static Countdown countdown("VISE_EMU_FAIL_ALLOCATION");
  if (!countdown.ends()) return cudaSuccess;
  return misuse(cudaErrorMemoryAllocation, "VISE_EMU_FAIL_ALLOCATION: no %zu bytes", bytes);
}

cudaError_t launch_fault() {
  static Countdown countdown("VISE_EMU_FAIL_LAUNCH");
  if (!countdown.ends()) return cudaSuccess;
  return misuse(cudaErrorLaunchOutOfResources, "VISE_EMU_FAIL_LAUNCH: no launch");
}

bool kernel_fault() {
  static Countdown countdown("VISE_EMU_FAIL_KERNEL");
  if (!countdown.ends()) return false;
  device_fault(cudaErrorLaunchFailure, "VISE_EMU_FAIL_KERNEL: the device fails");
  return true;
}

}  // namespace emu
