// Copies and fills: their checks, and running them when they are due.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "tests/emulation/host/runtime.h"

namespace emu {
namespace {

enum class Place { kHost, kDevice };

double fake_time;

// Bytes from the first to the last one of a rectangle.
size_t extent(size_t pitch, size_t width, size_t height) {
  return width == 0 || height == 0 ? 0 : pitch * (height - 1) + width;
}

Place place_of(const void *pointer) {
  return memory_contains(pointer, 1) ? Place::kDevice : Place::kHost;
}

// One side of a copy or the target of a fill: the range must lie in one allocation of the right kind.
cudaError_t check_side(const char *side, const void *pointer, size_t bytes, Place wanted) {
  if (!pointer) return misuse(cudaErrorInvalidValue, "the %s is NULL", side);

  if (wanted == Place::kDevice) {
    void *base = nullptr;
    size_t size = 0;
    if (memory_contains(pointer, bytes, &base, &size)) return cudaSuccess;
    if (base && memory_contains(pointer, 1)) {
      const size_t offset = size_t(static_cast<const char *>(pointer) - static_cast<const char *>(base));
      return misuse(cudaErrorInvalidValue,
                    "the %s runs %zu bytes past the end of its allocation (%zu bytes at offset "
                    "%zu of %zu)",
                    side, offset + bytes - size, bytes, offset, size);
    }
    return misuse(cudaErrorInvalidValue, "the %s %p is not device memory: freed, never allocated, or of the host", side,
                  pointer);
  }

  if (memory_contains(pointer, 1))
    return misuse(cudaErrorInvalidValue, "the %s %p is device memory, the direction says host", side, pointer);
  if (host_memory_contains(pointer, 1) && !host_memory_contains(pointer, bytes))
    return misuse(cudaErrorInvalidValue, "the %s runs past the end of its pinned allocation (%zu bytes)", side, bytes);
  return cudaSuccess;
}

void perform_copy(const Copy &copy) {
  Copy checked = copy;
  // Memory may have been freed since the call (cudaFreeAsync, or between two launches of a graph).
  if (!copy.staged
          ? check_copy(checked)
          : check_side("destination", copy.to, extent(copy.to_pitch, copy.width, copy.height), Place::kDevice)) {
    device_fault(cudaErrorIllegalAddress, "a queued copy of %zu bytes no longer fits its memory: %s",
                 copy.width * copy.height, emu_last_report());
    return;
  }

  const auto *from = copy.staged ? copy.staged->data() : static_cast<const unsigned char *>(copy.from);
  const size_t from_pitch = copy.staged ? copy.width : copy.from_pitch;
  for (size_t row = 0; row < copy.height; ++row)
    memcpy(static_cast<unsigned char *>(copy.to) + row * copy.to_pitch, from + row * from_pitch, copy.width);

  ++counters().copies;
  counters().copied_bytes += copy.width * copy.height;
}

void perform_fill(const Fill &fill) {
  if (check_fill(fill)) {
    device_fault(cudaErrorIllegalAddress, "a queued memset no longer fits its memory: %s", emu_last_report());
    return;
  }

  for (size_t row = 0; row < fill.height; ++row) {
    auto *to = static_cast<unsigned char *>(fill.to) + row * fill.pitch;
    if (fill.element == 1) {
      memset(to, int(fill.value & 0xff), fill.width);
    } else {
      for (size_t i = 0; i < fill.width; ++i) memcpy(to + i * fill.element, &fill.value, fill.element);
    }
  }

  ++counters().memsets;
}

}  // namespace

cudaError_t check_copy(Copy &copy) {
  const size_t to_bytes = extent(copy.to_pitch, copy.width, copy.height);
  const size_t from_bytes = extent(copy.from_pitch, copy.width, copy.height);
  if (copy.height > 1 && (copy.width > copy.to_pitch || copy.width > copy.from_pitch))
    return misuse(cudaErrorInvalidPitchValue, "rows of %zu bytes do not fit pitches of %zu and %zu", copy.width,
                  copy.to_pitch, copy.from_pitch);
  if (to_bytes == 0) return cudaSuccess;

  Place to = Place::kHost, from = Place::kHost;
  switch (copy.kind) {
    case cudaMemcpyHostToHost:
      break;
    case cudaMemcpyHostToDevice:
      to = Place::kDevice;
      break;
    case cudaMemcpyDeviceToHost:
      from = Place::kDevice;
      break;
    case cudaMemcpyDeviceToDevice:
      to = from = Place::kDevice;
      break;
    case cudaMemcpyDefault:
      to = place_of(copy.to);
      from = place_of(copy.from);
      copy.kind = to == Place::kDevice ? (from == Place::kDevice ? cudaMemcpyDeviceToDevice : cudaMemcpyHostToDevice)
                                       : (from == Place::kDevice ? cudaMemcpyDeviceToHost : cudaMemcpyHostToHost);
      break;
    default:
      return misuse(cudaErrorInvalidMemcpyDirection, "%d is no direction of a copy", int(copy.kind));
  }

  if (cudaError_t error = check_side("destination", copy.to, to_bytes, to)) return error;
  if (cudaError_t error = check_side("source", copy.from, from_bytes, from)) return error;

  const auto a = reinterpret_cast<uintptr_t>(copy.to), b = reinterpret_cast<uintptr_t>(copy.from);
  if (copy.height == 1 && a < b + copy.width && b < a + copy.width)
    return misuse(cudaErrorInvalidValue, "source and destination overlap");
  return cudaSuccess;
}

cudaError_t check_fill(const Fill &fill) {
  const size_t width = fill.width * fill.element;
  if (fill.height > 1 && width > fill.pitch)
    return misuse(cudaErrorInvalidPitchValue, "rows of %zu bytes do not fit a pitch of %zu", width, fill.pitch);
  const size_t bytes = extent(fill.pitch, width, fill.height);
  if (bytes == 0) return cudaSuccess;
  // Pinned host memory may be filled as well.
  if (fill.to && !memory_contains(fill.to, 1) && host_memory_contains(fill.to, 1))
    return check_side("target", fill.to, bytes, Place::kHost);
  return check_side("target", fill.to, bytes, Place::kDevice);
}

void perform(const Work &work) {
  if (sticky_error()) return;
  if ((work.kind == Work::kKernel || work.kind == Work::kLibrary) && kernel_fault()) return;

  switch (work.kind) {
    case Work::kEmpty:
      break;
    case Work::kKernel:
      run_grid(work.launch);  // its error is sticky and found later
      break;
    case Work::kCopy:
      perform_copy(work.copy);
      break;
    case Work::kFill:
      perform_fill(work.fill);
      break;
    case Work::kHost:
      in_host_function() = true;
      work.function(work.data);
      in_host_function() = false;
      break;
    case Work::kLibrary:
      ++counters().launches;
      ++counters().library_calls;
      work.library();
      if (const char *overrun = memory_check())
        if (*overrun) device_fault(cudaErrorIllegalAddress, "%s", overrun);
      break;
  }

  advance_clock(work);
}

double device_time() {
  static const bool real = [] {
    const char *clock = getenv("VISE_EMU_CLOCK");
    return clock && !strcmp(clock, "real");
  }();
  if (!real) return fake_time;
  using namespace std::chrono;
  return duration<double, std::milli>(steady_clock::now().time_since_epoch()).count();
}

// A made-up device: 4 us per kernel; 2 us plus 1 us per 25 KB for a copy or fill. Exact in binary, as differences are.
void advance_clock(const Work &work) {
  const double us = 1.0 / 1024;
  if (work.kind == Work::kKernel || work.kind == Work::kLibrary) fake_time += 4 * us;
  if (work.kind == Work::kCopy) fake_time += (2 + double(work.copy.width * work.copy.height / 25000)) * us;
  if (work.kind == Work::kFill)
    fake_time += (2 + double(work.fill.width * work.fill.element * work.fill.height / 25000)) * us;
}

void reset_clock() {
  fake_time = 0;
}

}  // namespace emu

extern "C" {

emu_counts emu_read_counts(void) {
  const emu::Counters &c = emu::counters();
  emu_counts counts = {};

  counts.launches = c.launches;
  counts.cooperative_launches = c.cooperative_launches;
  counts.library_calls = c.library_calls;
  counts.graph_launches = c.graph_launches;
  counts.copies = c.copies;
  counts.copied_bytes = c.copied_bytes;
  counts.memsets = c.memsets;
  counts.allocations = c.allocations;
  counts.frees = c.frees;
  counts.host_allocations = c.host_allocations;
  counts.synchronizations = c.synchronizations;

  return counts;
}

void emu_reset_counts(void) {
  emu::reset_counters();
}

void emu_set_sms(int sms) {
  emu::settings().sms = sms;
}

void emu_set_memory(size_t bytes) {
  emu::settings().memory = bytes;
}

void emu_set_printing(int printing) {
  emu::settings().quiet = !printing;
}

void emu_lose_store(unsigned block, uint64_t after) {
  emu::lose_store(block, after);
}

size_t emu_live_allocations(void) {
  return emu::memory_live();
}

}  // extern "C"
