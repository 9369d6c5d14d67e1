/* A training described once and run on several backends. */
#ifndef VISE_T_CPU_CASE_H
#define VISE_T_CPU_CASE_H

#include "host/backend/backend.h"

enum { CPU_CASE_MAX_STEPS = 32 };

/* Start from cpu_case_make and change fields. */
typedef struct cpu_case {
  size_t n_layers, widths[17];
  vise_activation activation;
  bool bias, batch_norm, residual;
  double dropout, input_dropout;
  const vise_layer *layers; /* the net's list, in place of all this but widths[0]; NULL: none */
  size_t n_listed;
  size_t n_rows, batch, n_steps;
  size_t steps_per_call;           /* 0: one; a call ends with the rows */
  double zeros;                    /* this share of the features */
  size_t bad_every;                /* this often a row of the order has a NaN feature while the steps run; 0: never */
  bool (*keeps)(size_t parameter); /* of the mask; NULL: by chance */
  bool class_labels, row_weights, class_weights, mask, signs; /* signs: of those that the mask keeps */
  double target_low, target_high; /* targets that are not labels: uniform between, or only these two if binary */
  bool binary;
  double lr, clip_factor, clamp_factor, row_l1_factor;
  vise_i_step_spec spec; /* net is filled in by the run */
} cpu_case;

/* Cross-entropy with class labels on 13-17-5, batches of 12 of 31 rows, 6 steps of plain SGD. */
cpu_case cpu_case_make(void);
void cpu_case_shape(cpu_case *c, size_t n_layers, const size_t *widths);

/* What a run leaves; free with cpu_result_free. */
typedef struct cpu_result {
  vise_i_net net;
  size_t n_outputs;                     /* n_rows * K */
  double *params;                       /* [n_values] */
  double *moment1, *moment2, *gradient; /* [n_params]; a moment is NULL where it is not kept */
  double *outputs;                      /* [n_rows * K], at the end */
  double loss, penalty;                 /* at the end, as the gradient: over all rows, or a batch if there is
                                                    batch norm */
  vise_step_stats stats[CPU_CASE_MAX_STEPS];
  uint64_t n_launches;
  uint64_t tensor_sum[4]; /* the last step's tensor stats, summed over tensors */
} cpu_result;

/* Runs the steps (consecutive rows, over and over). Ends the test program on failure. */
cpu_result cpu_case_run(const cpu_case *c, const vise_i_backend_ops *ops);
void cpu_result_free(cpu_result *r);

/* Compares a float32 backend's result of the case with cpu64: true if they agree; if not, text (n_text bytes) says what
   differs. Tolerances are `slack` times those in cpu_case.c. */
bool cpu_result_agrees(const cpu_case *c, const cpu_result *got, double slack, char *text, size_t n_text);
/* The same for a fresh run. */
bool cpu_case_agrees(const cpu_case *c, const vise_i_backend_ops *ops, double slack, char *text, size_t n_text);

#endif
