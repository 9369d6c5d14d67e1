/*
 * The functions of NCCL that ranks call to exchange what they have on their devices. Vise is not linked with NCCL and is built
 * without its header: what is needed of it is declared here, as all versions from 2.7 on have it, and the library is loaded when
 * it is needed. When the device is emulated (VISE_I_LINKED_NCCL) the functions are those linked in
 * (tests/emulation/host/nccl.cpp, which is compiled with NVIDIA's header where there is one).
 */
#ifndef VISE_I_CUDA_NCCL_H
#define VISE_I_CUDA_NCCL_H

#include <cuda_runtime_api.h>

#include "host/base/error.h"

typedef struct vise_i_nccl_comm vise_i_nccl_comm; /* ncclComm */

/* ncclUniqueId: what rank 0 makes, and all ranks join by. */
typedef struct vise_i_nccl_id {
  char bytes[128];
} vise_i_nccl_id;

enum { VISE_I_NCCL_SUCCESS = 0, VISE_I_NCCL_IN_PROGRESS = 7, VISE_I_NCCL_BYTES = 0 /* ncclInt8 */ };

/* X(field, function, type of the result, arguments) */
#define VISE_I_NCCL_TABLE(X)                                                                           \
  X(error_text, ncclGetErrorString, const char *, (int result))                                        \
  X(make_id, ncclGetUniqueId, int, (vise_i_nccl_id * id))                                              \
  X(join, ncclCommInitRank, int, (vise_i_nccl_comm * *comm, int n_ranks, vise_i_nccl_id id, int rank)) \
  X(leave, ncclCommDestroy, int, (vise_i_nccl_comm * comm))                                            \
  X(end, ncclCommAbort, int, (vise_i_nccl_comm * comm))                                                \
  X(async_error, ncclCommGetAsyncError, int, (vise_i_nccl_comm * comm, int *result))                   \
  X(group_start, ncclGroupStart, int, (void))                                                          \
  X(group_end, ncclGroupEnd, int, (void))                                                              \
  X(send, ncclSend, int,                                                                               \
    (const void *data, size_t n, int type, int rank, vise_i_nccl_comm *comm, cudaStream_t stream))     \
  X(receive, ncclRecv, int, (void *data, size_t n, int type, int rank, vise_i_nccl_comm *comm, cudaStream_t stream))

typedef struct vise_i_nccl {
#define X(field, function, type, arguments) type(*field) arguments;
  VISE_I_NCCL_TABLE(X)
#undef X
} vise_i_nccl;

/* VISE_ERR_UNSUPPORTED, with the name that was looked for, if there is no NCCL. It stays loaded. */
VISE_WARN_UNUSED vise_status vise_i_nccl_open(vise_i_nccl *out, vise_error *err);

/* In a function with `status`, `err` and `done:`. */
#define VISE_I_NCCL_TRY(nccl, call) VISE_TRY(vise_i_nccl_check((nccl), (call), #call, err))
VISE_WARN_UNUSED vise_status vise_i_nccl_check(const vise_i_nccl *nccl, int result, const char *expression,
                                               vise_error *err);

#endif
