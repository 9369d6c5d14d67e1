/* What tests turn by hand; production leaves all of it 0. */
#ifndef VISE_I_HOOKS_H
#define VISE_I_HOOKS_H

#include <stddef.h>
#include <stdint.h>

typedef struct vise_i_hooks {
  int forced_tile;        /* 1 + a vise_k_tile of all products (gradients: at least 32); 0: chosen */
  uint32_t n_ctas;        /* size of the team; 0: chosen */
  int gradient_parts;     /* 1: gradients in parts wherever a batch has slices, -1: never; 0: chosen */
  int sums_in_memory;     /* 1: sums of the gradient do not travel, which the plain kernel cannot do either */
  size_t guard_bytes;     /* bands around arrays, a multiple of VISE_I_PLAN_ALIGN, for vise_i_cuda_check_guards */
  int without_epilogues;  /* unfused: 1 cuBLAS keeps no masks of relu, 2 it has no epilogues at all */
  int keeps_dense;        /* cpu: 1: no lists of what is not zero in the inputs */
  int shares_always;      /* cpu: 1: all threads, also where the work is too small to share */
  size_t workspace_bytes; /* unfused: given to cuBLAS; 0: chosen */
} vise_i_hooks;

#endif
