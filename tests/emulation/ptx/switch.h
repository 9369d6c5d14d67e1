/* The interpreter of compiled kernels, as C programs on the emulated device see it. */
#ifndef VISE_EMU_PTX_SWITCH_H
#define VISE_EMU_PTX_SWITCH_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Whether launches are run from the PTX of VISE_EMU_PTX, as they are at first. */
void emu_ptx_use(bool use);

/* How many launches have been run so. */
uint64_t emu_ptx_launches(void);

#ifdef __cplusplus
}
#endif

#endif
