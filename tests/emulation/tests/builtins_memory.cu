// Shared memory and copies into it, device memory, errors, counters.
#include <cuda_runtime.h>

#include <cmath>
#include <string>

#include "builtins.h"
#include "run.h"
#include "tally.h"

using emu::Buffer;
using emu::Shape;

namespace {

__global__ void reverse_dynamic(float *out, int n) {
  VISE_DYNAMIC_SHARED(float, tile);
  for (int i = static_cast<int>(threadIdx.x); i < n; i += static_cast<int>(blockDim.x)) tile[i] = static_cast<float>(i);
  __syncthreads();
  for (int i = static_cast<int>(threadIdx.x); i < n; i += static_cast<int>(blockDim.x)) out[i] = tile[n - 1 - i];
}

__global__ void copy_in_pieces(const float *in, float *out, int n_pieces) {
  __shared__ __align__(16) float tile[2][64 * 4];
  const int t = static_cast<int>(threadIdx.x);

  emu::async_copy(&tile[0][t * 4], in + t * 4, 16, 16);
  emu::async_commit();

  for (int piece = 0; piece < n_pieces; ++piece) {
    if (piece + 1 < n_pieces)
      emu::async_copy(&tile[(piece + 1) & 1][t * 4], in + (piece + 1) * 256 + t * 4, 16, t == 9 ? 8 : 16);
    emu::async_commit();
    emu::async_wait(1);
    __syncthreads();
    for (int i = t; i < 256; i += 64) out[piece * 256 + i] = tile[piece & 1][255 - i];
    __syncthreads();
  }
}

__global__ void copy_in_bulk(const float *in, float *out, int n_pieces) {
  __shared__ __align__(128) float tile[2][256];
  __shared__ __align__(8) uint64_t full[2];
  const int t = static_cast<int>(threadIdx.x);

  if (t == 0) {
    emu::mbarrier_init(&full[0], 1);
    emu::mbarrier_init(&full[1], 1);
  }
  __syncthreads();

  const auto issue = [&](int piece) {
    if (t != 0) return;
    emu::mbarrier_arrive(&full[piece & 1], sizeof tile[0]);
    emu::bulk_copy(tile[piece & 1], in + piece * 256, sizeof tile[0], &full[piece & 1]);
  };

  issue(0);
  for (int piece = 0; piece < n_pieces; ++piece) {
    if (piece + 1 < n_pieces) issue(piece + 1);
    while (!emu::mbarrier_try_wait(&full[piece & 1], static_cast<unsigned>(piece >> 1 & 1))) {
    }
    for (int i = t; i < 256; i += static_cast<int>(blockDim.x)) out[piece * 256 + i] = 2 * tile[piece & 1][i];
    __syncthreads();
  }
}

__global__ void read_unwritten(float *out) {
  __shared__ float tile[32];
  VISE_DYNAMIC_SHARED(float, more);
  out[threadIdx.x * 2] = tile[threadIdx.x];
  out[threadIdx.x * 2 + 1] = more[threadIdx.x];
  __syncthreads();
  tile[threadIdx.x] = more[threadIdx.x] = 1.0f;
}

__global__ void fail_on_request(int *out, int how) {
  *out = how;
  if (how == 1) __trap();
  if (how == 2) __shfl_sync(2u, 1, 0);
}

}  // namespace

int check_dynamic_shared(void) {
  Tally tally;
  for (int n : {1, 100, 12288, 50000}) {
    Buffer<float> out(static_cast<size_t>(n));
    Shape shape = {dim3(2), dim3(64)};
    shape.shared = static_cast<size_t>(n) * sizeof(float);
    shape.grid = dim3(1);
    tally.launched(emu::run(shape, reverse_dynamic, out.get(), n));
    for (int i = 0; i < n; ++i) tally.same(out[static_cast<size_t>(i)], static_cast<float>(n - 1 - i));
  }
  return tally.wrong;
}

int check_async_copies(void) {
  Tally tally;
  const int n_pieces = 5;
  Buffer<float> in(256 * n_pieces), out(256 * n_pieces);
  for (int i = 0; i < 256 * n_pieces; ++i) in[static_cast<size_t>(i)] = static_cast<float>(i + 1);

  tally.launched(
      emu::run({dim3(1), dim3(64)}, copy_in_pieces, static_cast<const float *>(in.get()), out.get(), n_pieces));

  for (int i = 0; i < 256 * n_pieces; ++i) {
    const int from = i / 256 * 256 + 255 - i % 256;
    const bool filled = i >= 256 && (from % 256 == 38 || from % 256 == 39);
    tally.same(out[static_cast<size_t>(i)], filled ? 0.0f : static_cast<float>(from + 1));
  }

  return tally.wrong;
}

int check_bulk_copies(void) {
  Tally tally;
  const int n_pieces = 7;
  Buffer<float> in(256 * n_pieces), out(256 * n_pieces);
  for (int i = 0; i < 256 * n_pieces; ++i) in[static_cast<size_t>(i)] = static_cast<float>(i);
  tally.launched(
      emu::run({dim3(1), dim3(64)}, copy_in_bulk, static_cast<const float *>(in.get()), out.get(), n_pieces));
  for (int i = 0; i < 256 * n_pieces; ++i) tally.same(out[static_cast<size_t>(i)], 2.0f * static_cast<float>(i));
  return tally.wrong;
}

int check_poison(void) {
  Tally tally;
  Buffer<float> out(64);
  for (size_t i = 0; i < 64; ++i) tally.holds(std::isnan(out[i]));

  Shape shape = {dim3(1), dim3(32)};
  shape.shared = 32 * sizeof(float);
  for (int round = 0; round < 2; ++round) {
    for (size_t i = 0; i < 64; ++i) out[i] = 0;
    tally.launched(emu::run(shape, read_unwritten, out.get()));
    for (size_t i = 0; i < 64; ++i) tally.holds(std::isnan(out[i]));
  }

  return tally.wrong;
}

int check_memory(void) {
  Tally tally;
  const size_t before = emu::memory_used(), live = emu::memory_live();
  void *a = emu::memory_allocate(1000), *b = emu::memory_allocate(0);
  tally.holds(a && b && a != b && reinterpret_cast<uintptr_t>(a) % 256 == 0);
  tally.holds(emu::memory_used() == before + 1000 && emu::memory_live() == live + 2);

  void *base = nullptr;
  size_t size = 0;
  tally.holds(emu::memory_contains(static_cast<char *>(a) + 999, 1, &base, &size) && base == a && size == 1000);
  tally.holds(!emu::memory_contains(static_cast<char *>(a) + 999, 2));

  tally.holds(emu::memory_free(static_cast<char *>(a) + 256) == cudaErrorInvalidValue);
  tally.holds(emu::memory_free(a) == cudaSuccess && emu::memory_free(a) == cudaErrorInvalidValue);
  tally.holds(!emu::memory_contains(a, 1) && emu::memory_free(b) == cudaSuccess);
  tally.holds(emu::memory_allocate(emu::settings().memory + 1) == nullptr);
  return tally.wrong;
}

int check_errors(void) {
  Tally tally;
  emu::settings().quiet = true;
  Buffer<int> out(1);

  for (int how = 1; how <= 2; ++how) {
    tally.holds(emu::run({dim3(2), dim3(32)}, fail_on_request, out.get(), how) == cudaErrorLaunchFailure);
    tally.holds(emu::device_report().find("fail_on_request") != std::string::npos);
    tally.holds(emu::device_report().find("builtins_memory.cu:") != std::string::npos);

    out[0] = -1;
    tally.holds(emu::run({dim3(1), dim3(1)}, fail_on_request, out.get(), 0) == cudaErrorLaunchFailure && out[0] == -1);
    emu::reset_error();
    tally.launched(emu::run({dim3(1), dim3(1)}, fail_on_request, out.get(), 0));
    tally.same(out[0], 0);
  }

  Shape shape = {dim3(1), dim3(1025)};
  tally.holds(emu::run(shape, fail_on_request, out.get(), 0) == cudaErrorInvalidConfiguration);
  shape = {dim3(6), dim3(32), dim3(4)};
  tally.holds(emu::run(shape, fail_on_request, out.get(), 0) == cudaErrorInvalidClusterSize);
  shape = {dim3(static_cast<unsigned>(emu::settings().sms * 2 + 1)), dim3(1024)};
  shape.cooperative = true;
  tally.holds(emu::run(shape, fail_on_request, out.get(), 0) == cudaErrorCooperativeLaunchTooLarge);
  shape = {dim3(1), dim3(1)};
  shape.shared = emu::kSharedPerBlockOptin + 1;
  tally.holds(emu::run(shape, fail_on_request, out.get(), 0) == cudaErrorInvalidValue);

  return tally.wrong;
}

int check_counters(void) {
  Tally tally;
  emu::reset_counters();
  {
    Buffer<int> out(256);
    for (int i = 0; i < 2; ++i) tally.launched(emu::run({dim3(1), dim3(1)}, fail_on_request, out.get(), 0));
  }
  tally.holds(emu::counters().launches == 2 && emu::counters().cooperative_launches == 0);
  tally.holds(emu::counters().allocations == 1 && emu::counters().frees == 1 && emu::counters().copies == 0);
  return tally.wrong;
}
