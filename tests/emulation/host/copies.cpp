// The calls that copy and fill. "Synchronous" is taken to the letter: cudaMemcpy from pageable memory and between
// device addresses, and cudaMemset, may return before the device is done, and with deferred streams they do.
#include <cstring>

#include "tests/emulation/host/runtime.h"

namespace {

using emu::Copy;
using emu::Fill;
using emu::misuse;
using emu::result;
using emu::Work;

Fill flat_fill(void *to, int value, size_t bytes) {
  Fill fill;
  fill.to = to;
  fill.value = unsigned(value) & 0xff;
  fill.width = fill.pitch = bytes;
  return fill;
}

Fill rectangle_fill(void *to, size_t pitch, int value, size_t width, size_t height) {
  Fill fill = flat_fill(to, value, width);
  fill.pitch = pitch;
  fill.height = height;
  return fill;
}

Work work_of(Copy copy) {
  Work work;
  work.kind = Work::kCopy;
  work.copy = std::move(copy);
  return work;
}

Work work_of(const Fill &fill) {
  Work work;
  work.kind = Work::kFill;
  work.fill = fill;
  return work;
}

// Runs the legacy stream's work so far, and all that it waits for.
void wait_for_legacy() {
  emu::enqueue(emu::legacy_stream(), {[] {}, {}, nullptr, 0});
  emu::reach(emu::point_of(emu::legacy_stream()));
}

cudaError_t copy_now(Copy copy) {
  if (cudaError_t error = emu::refuse_implicit()) return result(error);
  if (cudaError_t error = emu::refuse_unsafe()) return result(error);
  if (cudaError_t error = emu::check_copy(copy)) return error;
  if (copy.width == 0 || copy.height == 0) return cudaSuccess;

  const bool pageable = !emu::host_memory_contains(copy.from, 1);
  if (copy.kind == cudaMemcpyHostToDevice && pageable) {
    wait_for_legacy();
    copy.staged = std::make_shared<std::vector<unsigned char>>(copy.width * copy.height);
    for (size_t row = 0; row < copy.height; ++row)
      memcpy(copy.staged->data() + row * copy.width, static_cast<const char *>(copy.from) + row * copy.from_pitch,
             copy.width);
  }

  const bool waits = copy.kind != cudaMemcpyDeviceToDevice && !copy.staged;
  if (copy.kind != cudaMemcpyDeviceToDevice) ++emu::counters().synchronizations;

  if (cudaError_t error = emu::submit(cudaStreamLegacy, work_of(std::move(copy)))) return result(error);
  if (waits) emu::reach(emu::point_of(emu::legacy_stream()));
  return result(emu::sticky_error());
}

cudaError_t copy_later(Copy copy, cudaStream_t handle) {
  if (cudaError_t error = emu::check_copy(copy)) return error;
  EMU_FIND_STREAM(stream, handle);
  if (copy.width == 0 || copy.height == 0) return cudaSuccess;
  const bool in_host = copy.kind == cudaMemcpyHostToHost;
  if (cudaError_t error = emu::submit(handle, work_of(std::move(copy)))) return result(error);
  // "For transfers from any host memory to any host memory, the function is fully synchronous."
  if (in_host && !stream->capture) emu::reach(emu::point_of(stream));
  return cudaSuccess;
}

cudaError_t fill_now(const Fill &fill) {
  if (cudaError_t error = emu::refuse_implicit()) return result(error);
  if (cudaError_t error = emu::refuse_unsafe()) return result(error);
  if (cudaError_t error = emu::check_fill(fill)) return error;
  if (fill.width == 0 || fill.height == 0) return cudaSuccess;
  const bool pinned = !emu::memory_contains(fill.to, 1);  // then it is synchronous
  if (cudaError_t error = emu::submit(cudaStreamLegacy, work_of(fill))) return result(error);
  if (pinned) emu::reach(emu::point_of(emu::legacy_stream()));
  return result(emu::sticky_error());
}

cudaError_t fill_later(const Fill &fill, cudaStream_t handle) {
  if (cudaError_t error = emu::check_fill(fill)) return error;
  EMU_FIND_STREAM(stream, handle);
  if (fill.width == 0 || fill.height == 0) return cudaSuccess;
  return result(emu::submit(handle, work_of(fill)));
}

}  // namespace

extern "C" {

cudaError_t cudaMemcpy(void *to, const void *from, size_t bytes, enum cudaMemcpyKind kind) {
  EMU_ENTER();
  return copy_now(emu::flat_copy(to, from, bytes, kind));
}

cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, enum cudaMemcpyKind kind, cudaStream_t stream) {
  EMU_ENTER();
  return copy_later(emu::flat_copy(to, from, bytes, kind), stream);
}

cudaError_t cudaMemcpy2D(void *to, size_t to_pitch, const void *from, size_t from_pitch, size_t width, size_t height,
                         enum cudaMemcpyKind kind) {
  EMU_ENTER();
  return copy_now({to, from, to_pitch, from_pitch, width, height, kind, nullptr});
}

cudaError_t cudaMemcpy2DAsync(void *to, size_t to_pitch, const void *from, size_t from_pitch, size_t width,
                              size_t height, enum cudaMemcpyKind kind, cudaStream_t stream) {
  EMU_ENTER();
  return copy_later({to, from, to_pitch, from_pitch, width, height, kind, nullptr}, stream);
}

cudaError_t cudaMemset(void *to, int value, size_t bytes) {
  EMU_ENTER();
  return fill_now(flat_fill(to, value, bytes));
}

cudaError_t cudaMemsetAsync(void *to, int value, size_t bytes, cudaStream_t stream) {
  EMU_ENTER();
  return fill_later(flat_fill(to, value, bytes), stream);
}

cudaError_t cudaMemset2D(void *to, size_t pitch, int value, size_t width, size_t height) {
  EMU_ENTER();
  return fill_now(rectangle_fill(to, pitch, value, width, height));
}

cudaError_t cudaMemset2DAsync(void *to, size_t pitch, int value, size_t width, size_t height, cudaStream_t stream) {
  EMU_ENTER();
  return fill_later(rectangle_fill(to, pitch, value, width, height), stream);
}

}  // extern "C"
