/* The host's side of kernels/watchdog.h, in builds with VISE_WATCHDOG=1. */
#ifndef VISE_I_CUDA_WATCHDOG_H
#define VISE_I_CUDA_WATCHDOG_H

#include <stddef.h>

#include "kernels/watchdog.h"

#if VISE_WATCHDOG

/* Clears the reports; a wait may last for VISE_WATCHDOG_POLLS polls (environment), else for some seconds. */
void vise_i_cuda_watchdog_arm(vise_k_watchdog *watchdog);

/* Who waits for whom; "" without a report. */
void vise_i_cuda_watchdog_tell(const vise_k_watchdog *watchdog, char *text, size_t n_bytes);

#endif
#endif
