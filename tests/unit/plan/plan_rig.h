/* Plans of many shapes, for the tests of host/plan. */
#ifndef VISE_T_PLAN_RIG_H
#define VISE_T_PLAN_RIG_H

#include "host/plan/plan.h"

/* Start from plan_case_make and change fields. */
typedef struct plan_case {
  vise_net_config net;
  vise_i_rule rule;
  size_t max_rows;
  vise_i_plan_request request; /* net, rule, boxes and max_rows are filled in */
} plan_case;

/* n_layers + 1 widths, batch max_rows, relu, plain SGD, on an H200. */
plan_case plan_case_make(size_t n_layers, const size_t *widths, size_t max_rows);

/* plan_case_plan fails the test if there is no plan. */
vise_i_plan plan_case_plan(const plan_case *c);
vise_status plan_case_try(const plan_case *c, vise_i_plan *out, vise_error *err);

/* Calls the function for nets of 1 to 16 layers, widths of 1 to 8192 and batches of 1 to 65536, on three machines, with
   all precisions; options vary too. */
void plan_for_all(void (*function)(const plan_case *c, const vise_i_plan *plan));

#endif
