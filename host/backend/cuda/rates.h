/* What a device is, and what it reaches with nothing but copies and products: parts of vise_i_meter. */
#ifndef VISE_I_CUDA_RATES_H
#define VISE_I_CUDA_RATES_H

#include "host/backend/meter.h"

VISE_WARN_UNUSED vise_status vise_i_cuda_rates_describe(int device, char *text, size_t n_bytes, vise_error *err);
VISE_WARN_UNUSED vise_status vise_i_cuda_rates_measure(int device, vise_precision precision, vise_i_meter_rates *out,
                                                       vise_error *err);

#endif
