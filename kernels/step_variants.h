/* The addresses of the kernels of the fused step, each from its own source file. */
#ifndef VISE_K_STEP_VARIANTS_H
#define VISE_K_STEP_VARIANTS_H

#ifdef __cplusplus
extern "C" {
#endif

const void *vise_k_step_small_f32(void);
const void *vise_k_step_plain_f32(void);
const void *vise_k_step_large_f32(void);
const void *vise_k_step_tf32(void);
const void *vise_k_step_bf16(void);

/* Of integer nets. */
const void *vise_k_integer_small_f32(void);
const void *vise_k_integer_large_f32(void);

/* The same with many teams to a launch (kernels/teams.h). */
const void *vise_k_teams_small_f32(void);
const void *vise_k_teams_large_f32(void);

#ifdef __cplusplus
}
#endif

#endif
