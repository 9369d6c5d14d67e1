// The emulated device itself: settings, counters, known kernels, and the checks on a launch.
#include <algorithm>
#include <cstdlib>
#include <unordered_map>

#include "state.h"

namespace emu {

namespace {

const char *environment(const char *name) {
  const char *value = getenv(name);
  return value ? value : "";
}

Settings from_environment() {
  Settings made = {};
  made.sms = std::max(1, *environment("VISE_EMU_SMS") ? atoi(environment("VISE_EMU_SMS")) : 4);

  const std::string order = environment("VISE_EMU_SCHEDULE");
  made.order = order == "reverse"                   ? Order::kReverse
               : order.compare(0, 6, "random") == 0 ? Order::kRandom
                                                    : Order::kForward;
  made.seed = order.size() > 7 ? strtoull(order.c_str() + 7, nullptr, 10) : 1;

  made.memory =
      *environment("VISE_EMU_MEMORY") ? strtoull(environment("VISE_EMU_MEMORY"), nullptr, 10) : size_t(4) << 30;
  made.stuck_seconds = *environment("VISE_EMU_TIMEOUT") ? atof(environment("VISE_EMU_TIMEOUT")) : 60;
  made.quiet = atoi(environment("VISE_EMU_QUIET")) != 0;
  return made;
}

std::unordered_map<const void *, Kernel> &kernels() {
  static std::unordered_map<const void *, Kernel> known;  // also used by registrations before main
  return known;
}

}  // namespace

Settings &settings() {
  static Settings values = from_environment();
  return values;
}

Counters &counters() {
  static Counters values;
  return values;
}

Kernel *find_kernel(const void *function) {
  const auto found = kernels().find(function);
  return found == kernels().end() ? nullptr : &found->second;
}

Kernel *register_kernel(const Kernel &kernel) {
  return &kernels().emplace(kernel.function, kernel).first->second;
}

void Launch::copy_arguments(void *const *values) {
  arguments.clear();
  for (size_t i = 0; i < kernel->n_arguments; ++i) {
    const auto *bytes = static_cast<const unsigned char *>(values[i]);
    arguments.emplace_back(bytes, bytes + kernel->sizes[i]);
  }
}

int max_blocks_per_sm(int threads, size_t dynamic_shared, size_t static_shared) {
  if (threads < 1 || threads > kThreadsPerBlock || dynamic_shared + static_shared > kSharedPerBlockOptin) return 0;
  const int by_threads = kThreadsPerSm / ((threads + kWarpSize - 1) / kWarpSize * kWarpSize);
  const int by_shared = static_cast<int>(kSharedPerSm / (dynamic_shared + static_shared + kSharedReserved));
  return std::min({by_threads, by_shared, kBlocksPerSm});
}

cudaError_t check_launch(const Launch &launch) {
  if (!launch.kernel || !launch.kernel->call) return cudaErrorInvalidDeviceFunction;

  const dim3 g = launch.grid, b = launch.block, c = launch.cluster;
  const uint64_t threads = uint64_t(b.x) * b.y * b.z, blocks = uint64_t(g.x) * g.y * g.z;
  if (threads == 0 || b.x > 1024 || b.y > 1024 || b.z > 64 || threads > kThreadsPerBlock) {
    return cudaErrorInvalidConfiguration;
  }
  if (blocks == 0 || g.x > 2147483647u || g.y > 65535 || g.z > 65535) return cudaErrorInvalidConfiguration;

  const uint64_t per_cluster = uint64_t(c.x) * c.y * c.z;
  if (per_cluster == 0 || per_cluster > kClusterBlocks || g.x % c.x || g.y % c.y || g.z % c.z) {
    return cudaErrorInvalidClusterSize;
  }

  if (launch.dynamic_shared > launch.kernel->max_dynamic_shared) return cudaErrorInvalidValue;
  const int per_sm = max_blocks_per_sm(static_cast<int>(threads), launch.dynamic_shared);
  if (per_sm == 0) return cudaErrorInvalidValue;
  if (launch.cooperative && blocks > uint64_t(per_sm) * static_cast<uint64_t>(settings().sms)) {
    return cudaErrorCooperativeLaunchTooLarge;
  }

  return launch.arguments.size() == launch.kernel->n_arguments ? cudaSuccess : cudaErrorInvalidValue;
}

}  // namespace emu
