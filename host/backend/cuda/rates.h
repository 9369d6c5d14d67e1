/* What a device is, and what it reaches with nothing but copies and products: parts of vise_i_meter. */
#ifndef VISE_I_CUDA_RATES_H
#define VISE_I_CUDA_RATES_H

#include "host/base/error.h"
#include "vise/types.h"

VISE_WARN_UNUSED vise_status vise_i_cuda_rates_describe(int device, char *text, size_t n_bytes, vise_error *err);
VISE_WARN_UNUSED vise_status vise_i_cuda_rates_measure(int device, vise_precision precision, double *copy_bytes_per_s,
                                                       double *gemm_flop_per_s, char *note, size_t n_note_bytes,
                                                       vise_error *err);

#endif
