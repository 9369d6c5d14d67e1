// The seam between the two halves of the emulation. The host half (streams, graphs, copies, the CUDA runtime calls)
// decides when a launch happens and calls emu::run_grid; the device half (this directory) runs it to its end.
// One OS thread: nothing here is thread-safe, and run_grid returns when the grid has ended or failed.
#pragma once
#include <cuda_runtime_api.h>

#include <cstdarg>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace emu {

// ---- kernels ---------------------------------------------------------------------------------------------------

// What is known about a __global__ function. Made by emu::kernel_of at the first typed launch, or by VISE_KERNEL(k) at
// start-up for kernels that are launched from C through their address.
struct Kernel {
  const void *function = nullptr;
  void (*call)(const void *function, void *const *arguments) = nullptr;  // calls function in the running fiber
  size_t n_arguments = 0;
  const size_t *sizes = nullptr;      // one per argument
  size_t max_dynamic_shared = 49152;  // cudaFuncAttributeMaxDynamicSharedMemorySize: the host half sets it
};

// The registered kernel, or nullptr (cudaErrorInvalidDeviceFunction). Stays valid and may be modified.
Kernel *find_kernel(const void *function);
Kernel *register_kernel(const Kernel &kernel);  // the first registration of a function wins

// Name of a function or of a static object of this program, from its symbol table; "?" when unknown.
std::string symbol_name(const void *address);

// ---- launches --------------------------------------------------------------------------------------------------

struct Launch {
  const Kernel *kernel = nullptr;
  dim3 grid = dim3(1, 1, 1);
  dim3 block = dim3(1, 1, 1);
  dim3 cluster = dim3(1, 1, 1);
  size_t dynamic_shared = 0;
  bool cooperative = false;
  std::vector<std::vector<unsigned char>> arguments;  // copies, one per parameter
  // Copies the arguments at the moment of the launch call, as CUDA does.
  void copy_arguments(void *const *values);
};

// What cudaLaunchKernel and its relatives check before anything runs: dimensions, dynamic shared memory against
// max_dynamic_shared, cluster size and divisibility, room for all blocks of a cooperative launch. Returns
// cudaSuccess or the error.
cudaError_t check_launch(const Launch &launch);

// Runs the grid to its end and counts it. A sticky device error (see below) is returned without running.
cudaError_t run_grid(const Launch &launch);

// Where set, and it returns true, it has run the launch in place of the scheduler (tests/emulation/ptx).
extern bool (*run_elsewhere)(const Launch &launch);

// Resident blocks per emulated SM, 0 when one block does not fit; static shared memory is counted as given.
int max_blocks_per_sm(int threads, size_t dynamic_shared, size_t static_shared = 0);

// ---- the emulated device ---------------------------------------------------------------------------------------

constexpr size_t kSharedPerBlock = 49152, kSharedPerBlockOptin = 232448, kSharedPerSm = 233472, kSharedReserved = 1024;
constexpr int kThreadsPerBlock = 1024, kThreadsPerSm = 2048, kBlocksPerSm = 32, kClusterBlocks = 8, kWarpSize = 32;

enum class Order { kForward, kReverse, kRandom };
// Read from the environment at first use; a test may change the fields between launches.
struct Settings {
  int sms;               // VISE_EMU_SMS: multiprocessors, default 4
  Order order;           // VISE_EMU_SCHEDULE: forward (default), reverse or random:SEED
  uint64_t seed;         // for random; all launches share one sequence, restarted by reset_schedule
  size_t memory;         // VISE_EMU_MEMORY: bytes of device memory, default 4 GiB
  double stuck_seconds;  // VISE_EMU_TIMEOUT: CPU seconds a launch may run without any end in sight, default 60
  bool quiet;            // VISE_EMU_QUIET=1: reports are stored but not printed
};
Settings &settings();
void lose_store(unsigned block, uint64_t after);  // see emu_lose_store
void reset_schedule();  // starts the random sequence over, for a run that must equal another in the same process

// ---- errors ----------------------------------------------------------------------------------------------------

// As on a device, an error of a running kernel is sticky: every later launch returns it until reset_error, which stands
// for cudaDeviceReset. The report names the kernel, block, thread and call site, and what the others were doing.
cudaError_t device_error();
const std::string &device_report();
void reset_error();

std::string format_arguments(const char *format, va_list arguments);

// ---- counters --------------------------------------------------------------------------------------------------

// The device half counts launches, allocations and frees; the host half the rest. Tests read and reset them.
struct Counters {
  uint64_t launches, cooperative_launches, library_calls, graph_launches;
  uint64_t copies, copied_bytes, memsets;
  uint64_t allocations, frees, host_allocations;
  uint64_t synchronizations;
  uint64_t switches;  // between fibers: the emulation's own cost
};
Counters &counters();
inline void reset_counters() {
  counters() = Counters{};
}

// ---- typed kernels ---------------------------------------------------------------------------------------------

template <class... A, size_t... I>
__attribute__((no_sanitize("thread"))) inline void call_with(const void *function, void *const *arguments,
                                                             std::index_sequence<I...>) {
  (void)arguments;
  reinterpret_cast<void (*)(A...)>(const_cast<void *>(function))(
      *static_cast<std::remove_reference_t<A> *>(arguments[I])...);
}

template <class... A>
__attribute__((no_sanitize("thread"))) void call_typed(const void *function, void *const *arguments) {
  call_with<A...>(function, arguments, std::index_sequence_for<A...>{});
}

template <class... A>
Kernel *kernel_of(void (*function)(A...)) {
  static const size_t sizes[] = {sizeof(A)..., 0};
  Kernel kernel;
  kernel.function = reinterpret_cast<const void *>(function);
  if (Kernel *known = find_kernel(kernel.function)) return known;
  kernel.call = &call_typed<A...>;
  kernel.n_arguments = sizeof...(A);
  kernel.sizes = sizes;
  return register_kernel(kernel);
}

}  // namespace emu
