/**
 * @file
 * What this build and this machine offer: version, backends, GPUs, options of the build.
 */
#ifndef VISE_INFO_H
#define VISE_INFO_H

#include "vise/types.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Version of the library, "major.minor.patch"; constant. */
VISE_API const char *vise_version(void);

/** One backend of this build on this machine. */
typedef struct vise_backend_info {
  vise_backend backend;
  bool available;
  char detail[256]; /**< what it runs on, or why it is not available */
} vise_backend_info;

/** Fills out[i] for i < n with the backends (out may be NULL when n is 0); returns how many there are. */
VISE_API size_t vise_list_backends(vise_backend_info *out, size_t n);
VISE_API size_t vise_list_backends_sized(size_t out_bytes, vise_backend_info *out, size_t n);
#define vise_list_backends(...) vise_list_backends_sized(sizeof(vise_backend_info), __VA_ARGS__)

/** One GPU of this machine, as vise_train_config.device counts them. */
typedef struct vise_device_info {
  int index;
  bool usable;                      /**< by the cuda backend: compute capability 8.0 or more */
  char name[256];                   /**< its name, or the error it answers with */
  int compute_major, compute_minor; /**< compute capability */
  int n_multiprocessors;
  uint64_t memory_bytes;
} vise_device_info;

/** Fills out[i] for i < n with the GPUs (out may be NULL when n is 0); returns their number: 0 without a GPU, its driver
   or the cuda backend. */
VISE_API size_t vise_list_devices(vise_device_info *out, size_t n);
VISE_API size_t vise_list_devices_sized(size_t out_bytes, vise_device_info *out, size_t n);
#define vise_list_devices(...) vise_list_devices_sized(sizeof(vise_device_info), __VA_ARGS__)

/** Bytes of memory that this process may still take: what the machine has available, or less where its control group or its
    address space is limited. SIZE_MAX: not known. */
VISE_API size_t vise_free_memory(void);

/** A constant text of build options ("compiler=..., build=..., cuda=no"). */
VISE_API const char *vise_build_options(void);

#ifdef __cplusplus
}
#endif
#endif
