#include "tests/unit/plan/plan_rig.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

plan_case plan_case_make(size_t n_layers, const size_t *widths, size_t max_rows) {
  plan_case c;
  memset(&c, 0, sizeof c);
  vise_net_config_init(&c.net);
  c.net.n_layers = n_layers;
  memcpy(c.net.widths, widths, (n_layers + 1) * sizeof *widths);
  c.max_rows = max_rows;
  c.request = (vise_i_plan_request){.precision = VISE_FP32, .machine = VISE_I_PLAN_H200};
  return c;
}

vise_status plan_case_try(const plan_case *c, vise_i_plan *out, vise_error *err) {
  vise_i_net net;
  vise_i_box boxes[VISE_MAX_LAYERS];
  vise_i_plan_request request = c->request;
  const vise_status status = vise_i_net_make(&c->net, &net, err);
  if (status != VISE_OK) return status;

  request.net = &net;
  for (size_t l = 0; l < VISE_MAX_LAYERS; l++) boxes[l] = (vise_i_box){-INFINITY, INFINITY};
  request.rule = &c->rule;
  request.boxes = boxes;
  request.max_rows = c->max_rows;

  return vise_i_plan_make(&request, out, err);
}

vise_i_plan plan_case_plan(const plan_case *c) {
  vise_error err = VISE_ERROR_INIT;
  vise_i_plan plan;
  const vise_status status = plan_case_try(c, &plan, &err);
  cr_assert(status == VISE_OK, "%s", err.text);
  return plan;
}

/* Options that add arrays and phases, by remainders of i. */
static void vary(plan_case *c, unsigned i) {
  static const size_t shared[] = {99, 163, 227};

  c->net.bias = i % 5 != 0;
  c->net.activation = i % 3 == 0 ? VISE_SILU : VISE_RELU;
  c->net.batch_norm = i % 7 == 3 && c->net.n_layers <= 12;
  c->net.dropout = i % 5 == 2 ? 0.5 : 0;
  c->net.residual = i % 11 == 5;
  c->rule.clip_norm = i % 2;
  c->rule.clip_norm_type = (vise_clip_norm_type)(i % 3);
  c->rule.clip_norm_p = i % 7 == 0 ? VISE_NORM_INF : VISE_NORM_2;
  c->rule.k2 = i % 4 == 1;
  c->rule.max_norm = i % 6 < 2;
  c->rule.max_norm_scope = i % 6 == 1 ? VISE_MAX_NORM_TENSOR : VISE_MAX_NORM_UNIT;

  c->rule.optimizer = i % 4 == 0 ? VISE_ADAM : VISE_SGD;
  c->rule.momentum = i % 4 == 2;
  c->request.has_mask = i % 8 == 0;
  c->request.precision = i % 3 == 0 ? VISE_FP32 : i % 3 == 1 ? VISE_TF32 : VISE_BF16;

  c->request.machine.n_sms = i % 4 == 0 ? 1 : i % 4 == 1 ? 8 : 132;
  c->request.machine.shared_bytes = shared[i % 3] * 1024;
  c->request.hooks.forced_tile = i % 11 < 4 ? 1 + (int)(i % 11) : 0;
  c->request.hooks.gradient_parts = (int)(i % 13 % 3) - 1;
  c->request.hooks.guard_bytes = i % 9 == 0 ? 512 : 0;
}

void plan_for_all(void (*function)(const plan_case *c, const vise_i_plan *plan)) {
  static const size_t widths[] = {1, 2, 7, 31, 33, 64, 65, 127, 130, 784, 1024, 1531, 4096, 8192};
  static const size_t rows[] = {1, 3, 31, 64, 65, 129, 1000, 4096, 65536};
  enum { N_WIDTHS = sizeof widths / sizeof *widths, N_ROWS = sizeof rows / sizeof *rows };

  unsigned i = 0;
  for (size_t n_layers = 1; n_layers <= 16; n_layers += n_layers < 4 ? 1 : 3) {
    for (size_t w = 0; w < N_WIDTHS; w++) {
      for (size_t r = 0; r < N_ROWS; r++, i++) {
        size_t net[VISE_K_MAX_LAYERS + 1];
        for (size_t l = 0; l <= n_layers; l++) net[l] = widths[(w + l * (1 + i % 5)) % N_WIDTHS];

        plan_case c = plan_case_make(n_layers, net, rows[r]);
        vary(&c, i);
        const vise_i_plan plan = plan_case_plan(&c);
        function(&c, &plan);
      }
    }
  }
}
