/* What this build is, and what it can run on. */
#include "vise/info.h"

#include <stdio.h>
#include <unistd.h>

#include "host/backend/backend.h"
#include "host/backend/cuda/device.h"
#include "host/base/room.h"
#include "host/base/struct.h"
#include "host/product/product.h"
#include "host/train/commit.h"

/* The build makes host/train/commit.h (VISE_COMMIT_TEXT, where it is known) and passes these; the library is the only
 * place that knows them. */
#if !defined(VISE_VERSION_TEXT) || !defined(VISE_BUILD_TYPE_TEXT)
#error "VISE_VERSION_TEXT and VISE_BUILD_TYPE_TEXT come from host/train/CMakeLists.txt"
#endif
#ifdef VISE_COMMIT_TEXT
#define COMMIT ", commit=" VISE_COMMIT_TEXT
#else
#define COMMIT ""
#endif
#ifndef VISE_SANITIZE_TEXT
#define VISE_SANITIZE_TEXT "none"
#endif

#if defined(__clang__)
#define COMPILER_TEXT "clang " __clang_version__
#elif defined(__GNUC__)
#define COMPILER_TEXT "gcc " __VERSION__
#else
#define COMPILER_TEXT "unknown"
#endif

size_t vise_free_memory(void) {
  return vise_i_free_memory("");
}

const char *vise_version(void) {
  return VISE_VERSION_TEXT;
}

#define BUILD_OPTIONS(cuda) \
  "compiler=" COMPILER_TEXT ", build=" VISE_BUILD_TYPE_TEXT ", sanitizers=" VISE_SANITIZE_TEXT ", cuda=" cuda COMMIT

const char *vise_build_options(void) {
  return vise_i_cuda_is_built() ? BUILD_OPTIONS("yes") : BUILD_OPTIONS("no");
}

/* The first usable device, and how many there are. */
static void describe_cuda(char *text, size_t n_bytes) {
  const int n_devices = vise_i_cuda_n_devices();
  for (int i = 0; i < n_devices; i++) {
    vise_i_cuda_device device;
    if (vise_i_cuda_describe(i, &device, NULL) != VISE_OK || !device.usable) continue;
    snprintf(text, n_bytes, "float32, device %d of %d: %.120s", i, n_devices, device.name);
    return;
  }
  snprintf(text, n_bytes, "float32");
}

static void describe(vise_backend backend, vise_backend_info *info) {
  const char *why_not = NULL;
  info->backend = backend;
  info->available = vise_i_backend_find(backend, &why_not) != NULL;

  if (!info->available) {
    snprintf(info->detail, sizeof info->detail, "%s", why_not != NULL ? why_not : "not part of this build");
  } else if (backend == VISE_BACKEND_CUDA) {
    describe_cuda(info->detail, sizeof info->detail);
  } else {
    snprintf(info->detail, sizeof info->detail, "%s, %ld processors, %s",
             backend == VISE_BACKEND_CPU64 ? "float64, reference" : "float32", sysconf(_SC_NPROCESSORS_ONLN),
             vise_i_product_instructions());
  }
}

size_t vise_list_backends_sized(size_t out_bytes, vise_backend_info *out, size_t n) {
  static const vise_backend backends[] = {VISE_BACKEND_CUDA, VISE_BACKEND_CPU, VISE_BACKEND_CPU64};
  size_t n_backends = sizeof backends / sizeof backends[0];
  for (size_t i = 0; out != NULL && i < n && i < n_backends; i++) {
    vise_backend_info info;
    describe(backends[i], &info);
    vise_i_struct_give((char *)out + i * out_bytes, out_bytes, &info, sizeof info);
  }
  return n_backends;
}

size_t(vise_list_backends)(vise_backend_info *out, size_t n) {
  return vise_list_backends_sized(VISE_I_BYTES_UP_TO(vise_backend_info, detail), out, n);
}

size_t vise_list_devices_sized(size_t out_bytes, vise_device_info *out, size_t n) {
  const int n_devices = vise_i_cuda_n_devices();
  for (int i = 0; out != NULL && i < n_devices && (size_t)i < n; i++) {
    vise_error err = VISE_ERROR_INIT;
    vise_i_cuda_device device = {0};
    vise_device_info info = {.index = i};

    if (vise_i_cuda_describe(i, &device, &err) == VISE_OK) {
      snprintf(info.name, sizeof info.name, "%s", device.name);
    } else {
      snprintf(info.name, sizeof info.name, "%.*s", (int)sizeof info.name - 1, err.text);
    }

    info.usable = device.usable;
    info.compute_major = device.major;
    info.compute_minor = device.minor;
    info.n_multiprocessors = device.n_sms;
    info.memory_bytes = device.n_bytes;
    vise_i_struct_give((char *)out + (size_t)i * out_bytes, out_bytes, &info, sizeof info);
  }

  return (size_t)n_devices;
}

size_t(vise_list_devices)(vise_device_info *out, size_t n) {
  return vise_list_devices_sized(VISE_I_BYTES_UP_TO(vise_device_info, memory_bytes), out, n);
}
