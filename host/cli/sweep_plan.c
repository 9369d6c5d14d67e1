/* vise sweep --plan: what would be trained, and on a GPU how. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/cli/cli.h"
#include "host/cli/message.h"
#include "host/cli/progress.h"
#include "host/cli/sweep.h"

/* Fits whose nets have the same widths. */
typedef struct shape {
  size_t config; /* the first of them */
  vise_net_config net;
  size_t n_fits;
} shape;

typedef struct planning {
  const vise_i_cli_sweeping *s;
  vise_plan_device device;
  bool has_device;
  shape *shapes;
  size_t n, n_integer; /* n_integer: fits of nets in integers, which are trained on the CPU */
  double seconds;
} planning;

static vise_status choose_device(planning *p, vise_error *err) {
  vise_device_info info;
  p->has_device = vise_list_devices(&info, 1) > 0;
  return p->has_device ? vise_plan_device_get(p->s->options->training.device, &p->device, err) : VISE_OK;
}

static bool same_widths(const vise_net_config *a, const vise_net_config *b) {
  return a->n_layers == b->n_layers && memcmp(a->widths, b->widths, (a->n_layers + 1) * sizeof *a->widths) == 0;
}

static vise_status add_shape(planning *p, size_t config, const vise_net_config *net, vise_error *err) {
  size_t i = 0;
  while (i < p->n && !same_widths(&p->shapes[i].net, net)) i++;
  if (i == p->n) {
    shape *grown = realloc(p->shapes, (p->n + 1) * sizeof *grown);
    if (grown == NULL) return vise_i_cli_fail(err, VISE_ERR_MEMORY, "out of memory for the plan");
    p->shapes = grown;
    p->shapes[p->n++] = (shape){.config = config, .net = *net};
  }
  p->shapes[i].n_fits += p->s->n_splits;
  return VISE_OK;
}

static vise_status find_shapes(planning *p, vise_error *err) {
  vise_status status = VISE_OK;
  for (size_t config = 0; config < p->s->n_configs && status == VISE_OK; config++) {
    char format[VISE_I_CLI_FORMAT_BYTES];
    vise_i_cli_options options;
    vise_i_cli_setup setup;
    if (p->s->same_as[config] != config) continue;
    if (vise_i_cli_sweep_quantizes(p->s, config, format, sizeof format)) {
      p->n_integer += p->s->n_splits;
      continue;
    }
    status = vise_i_cli_sweep_resolve(p->s, config, 0, &options, &setup, err);
    if (status == VISE_OK) status = add_shape(p, config, &options.net, err);
    vise_model_free(setup.model);
    vise_i_cli_options_free(&options);
  }
  return status;
}

static size_t row_bytes_of(const vise_i_cli_setup *setup) {
  return vise_dataset_n_features(setup->train) * vise_dtype_size(vise_dataset_feature_dtype(setup->train)) +
         vise_dataset_n_targets(setup->train) * sizeof(float);
}

static vise_status plan_shape(planning *p, const shape *of, vise_plan_many *out, vise_error *err) {
  vise_i_cli_options options;
  vise_i_cli_setup setup;
  vise_plan_many_request request;
  vise_status status = vise_i_cli_sweep_resolve(p->s, of->config, 0, &options, &setup, err);

  if (status == VISE_OK) {
    const vise_train_config training = vise_i_cli_trainer_config(&options, &setup);
    vise_plan_many_request_init(&request);
    request.training = &training;
    request.net = &of->net;
    request.n_nets = of->n_fits;
    request.n_rows = vise_dataset_n_rows(setup.train);
    request.row_bytes = row_bytes_of(&setup);
    request.data_bytes = p->s->n_data_bytes + vise_dataset_n_bytes(setup.train);
    request.device = p->has_device ? &p->device : NULL;
    status = vise_plan_many_make(&request, out, err);
  }
  vise_model_free(setup.model);
  vise_i_cli_options_free(&options);
  return status;
}

static void print_shape(const shape *of, const vise_plan_many *plan) {
  (void)printf("%-15s ", "net");
  vise_i_cli_print_widths(stdout, &of->net);
  (void)printf(": %zu fits of %llu steps\n", of->n_fits, (unsigned long long)plan->n_steps);
  (void)printf("  launches      %zu net%s in each, %zu group%s one after the other\n", plan->bucket,
               vise_i_cli_plural(plan->bucket), plan->n_buckets, vise_i_cli_plural(plan->n_buckets));
  (void)printf("  teams         %u CTA%s to a net, %u to a multiprocessor: %zu nets at work at a time\n", plan->n_ctas,
               vise_i_cli_plural(plan->n_ctas), plan->ctas_per_sm, plan->n_at_once);
  (void)printf("  memory        %.1f KiB for a net, %.1f MiB in all\n", (double)plan->net_bytes / 1024,
               (double)plan->n_bytes / 1024 / 1024);
  (void)printf("  time          %.3g s expected (%.3g us for a step of %zu nets)\n", plan->seconds, plan->step_us,
               plan->n_at_once);
}

/* How the cuda backend would train them; what it does not take is said. */
static vise_status print_device(planning *p, vise_error *err) {
  vise_status status = choose_device(p, err);
  if (status == VISE_OK) status = find_shapes(p, err);
  if (status != VISE_OK) return status;

  (void)printf(
      "\n%-15s %s\n", "on a GPU",
      p->has_device ? "that of this machine" : "an H200, for there is none here; nothing of this was measured");
  for (size_t i = 0; i < p->n; i++) {
    vise_plan_many plan;
    vise_error why = VISE_ERROR_INIT;
    if (plan_shape(p, &p->shapes[i], &plan, &why) == VISE_OK) {
      print_shape(&p->shapes[i], &plan);
      p->seconds += plan.seconds;
      continue;
    }
    (void)printf("%-15s ", "net");
    vise_i_cli_print_widths(stdout, &p->shapes[i].net);
    (void)printf(": not on a GPU: %s\n", why.text);
  }
  if (p->n_integer > 0) {
    (void)printf("%-15s %zu fits: not on a GPU, but on the CPU\n", "in integers", p->n_integer);
  }
  if (p->n > 1) (void)printf("%-15s %.3g s expected\n", "in all", p->seconds);
  if (p->s->n_rungs > 1) (void)printf("%-15s --halving trains fewer of them to the end, in less time\n", "");
  return VISE_OK;
}

vise_status vise_i_cli_sweep_print_plan(const vise_i_cli_sweeping *s, vise_error *err) {
  planning p = {.s = s};
  vise_i_cli_sweep_print_start(s);
  (void)printf("%-15s %.1f MiB for the rows of the folds, %.1f MiB for what is kept of fits\n", "host memory",
               (double)s->n_data_bytes / 1024 / 1024,
               (double)(s->n_configs * s->n_splits * sizeof(vise_i_cli_fit)) / 1024 / 1024);
  const vise_status status = print_device(&p, err);
  free(p.shapes);
  return status;
}
