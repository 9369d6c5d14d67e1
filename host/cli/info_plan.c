/* vise info --plan TRAIN_OPTIONS: what the cuda backend would run for a training. */
#include <string.h>

#include "host/cli/cli.h"
#include "host/cli/message.h"
#include "host/cli/net_text.h"
#include "host/cli/setup.h"
#include "host/json/build.h"

#define KIB 1024.0

/* An H200, for machines without a GPU. */
static const vise_plan_device assumed = {.n_multiprocessors = 132, .shared_bytes = (size_t)227 * 1024};

typedef struct plan_case {
  vise_i_cli_options *options;
  vise_plan_device device;
  bool is_assumed;
  size_t n_rows, row_bytes;
  vise_plan plan;
} plan_case;

static vise_status choose_device(plan_case *c, vise_error *err) {
  const uint64_t n_sms = c->options->plan_sms;
  vise_device_info info;
  vise_status status = VISE_OK;
  c->device = assumed;
  c->is_assumed = n_sms > 0 || vise_list_devices(&info, 1) == 0;
  if (!c->is_assumed) status = vise_plan_device_get(c->options->training.device, &c->device, err);
  if (n_sms > 0) c->device.n_multiprocessors = (int)n_sms;
  return status;
}

/* Takes the sizes from the data and the model where these are given, else from --layers alone. */
static vise_status read_sizes(plan_case *c, vise_error *err) {
  vise_i_cli_options *options = c->options;
  vise_i_cli_setup setup;
  memset(&setup, 0, sizeof setup);

  if (options->train == NULL && options->init == NULL) {
    bool known = options->net.n_layers > 0;
    for (size_t i = 0; i <= options->net.n_layers; i++) known = known && options->net.widths[i] > 0;
    if (!known) {
      return vise_i_cli_fail(err, VISE_ERR_USAGE, "--plan needs --layers with all sizes, as in 784-128-10, or --train");
    }

    c->row_bytes = options->net.widths[0] * sizeof(float);
    return VISE_OK;
  }

  vise_status status = vise_i_cli_setup_make(options, &setup, err);
  if (status == VISE_OK) {
    const size_t n_targets = vise_dataset_n_targets(setup.train);
    c->n_rows = setup.made_up ? 0 : vise_dataset_n_rows(setup.train);
    c->row_bytes =
        options->net.widths[0] * vise_dtype_size(vise_dataset_feature_dtype(setup.train)) + n_targets * sizeof(float);
  }

  vise_i_cli_setup_free(&setup);
  return status;
}

/* Room for the text of a number of bytes. */
typedef struct bytes_text {
  char text[32];
} bytes_text;

static bytes_text text_of_bytes(double n) {
  bytes_text t;
  if (n < 10 * KIB) {
    (void)snprintf(t.text, sizeof t.text, "%.0f bytes", n);
  } else if (n < 10 * KIB * KIB) {
    (void)snprintf(t.text, sizeof t.text, "%.1f KiB", n / KIB);
  } else if (n < 10 * KIB * KIB * KIB) {
    (void)snprintf(t.text, sizeof t.text, "%.1f MiB", n / KIB / KIB);
  } else {
    (void)snprintf(t.text, sizeof t.text, "%.1f GiB", n / KIB / KIB / KIB);
  }
  return t;
}

static void print_bytes(double n) {
  (void)printf("%s", text_of_bytes(n).text);
}

static void print_phases(const vise_plan *plan) {
  for (size_t i = 0; i < plan->n_phases; i++) {
    const vise_plan_phase *p = &plan->phases[i];
    (void)printf("%-10s%2zu  %-9s", i == 0 ? "phases" : "", i + 1, p->name);
    if (p->layer >= 0) {
      (void)printf(" layer %-2d", p->layer);
    } else {
      (void)printf("         ");
    }

    char tiles[64] = "";
    if (p->tile > 0) {
      (void)snprintf(tiles, sizeof tiles, "%llu tiles of %d x %d", (unsigned long long)p->n_tiles, p->tile, p->units);
    } else if (p->n_tiles > 0) {
      const bool rows = p->layer >= 0;
      (void)snprintf(tiles, sizeof tiles, "%llu %s", (unsigned long long)p->n_tiles, rows ? "blocks of rows" : "tiles");
    }

    (void)printf("  %-26s%-18s", tiles, p->exchange ? "after an exchange" : "");
    if (i > 0) (void)printf("%11s a CTA", text_of_bytes(plan->phase_bytes[i]).text);
    (void)printf("\n");
  }
}

static void print_parts(const plan_case *c) {
  const vise_plan *plan = &c->plan;
  (void)printf(
      "parts     all but the memory is of a step on one part; a step on a batch is %u launches, which take up to the\n"
      "          gradient once for each part of a process; processes that share the parts meet %u time%s in it\n",
      plan->n_launches, plan->n_collectives, vise_i_cli_plural(plan->n_collectives));
}

static void print_text(const plan_case *c) {
  const vise_plan *plan = &c->plan;
  (void)printf("device    %d multiprocessors, ", c->device.n_multiprocessors);
  print_bytes((double)c->device.shared_bytes);
  (void)printf(" of shared memory a block%s\n", c->is_assumed ? " (assumed: an H200; the plan needs no GPU)" : "");
  (void)printf("net       ");
  vise_i_cli_print_widths(stdout, &c->options->net);
  vise_i_cli_print_extras(stdout, &c->options->net);
  (void)printf(", %s of %zu row%s\n", plan->n_launches > 0 ? "parts" : "batches", plan->n_rows,
               vise_i_cli_plural(plan->n_rows));

  (void)printf("kernel    %s, %u CTAs of %u threads, ", plan->kernel, plan->n_ctas, plan->n_threads);
  print_bytes((double)plan->shared_bytes);
  (void)printf(" of shared memory each\n");
  print_phases(plan);
  if (plan->near_rows > 0) {
    (void)printf(
        "inputs    each CTA keeps %u rows, and the columns of its tile of the gradient, in shared memory: floats\n"
        "          without scaling, or bytes that are divided; others are gathered, and all wait\n",
        plan->near_rows);
  }
  (void)printf("gradient  %u tiles, of which each CTA keeps up to %u on chip\n", plan->n_gradient_tiles, plan->n_held);

  for (size_t i = 0; i < plan->n_arrays; i++) {
    (void)printf("%-10s%-20s", i == 0 ? "memory" : "", plan->arrays[i].name);
    print_bytes((double)plan->arrays[i].n_bytes);
    (void)printf("\n");
  }
  (void)printf("%-10s%-20s", "", "all");
  print_bytes((double)plan->n_bytes);

  (void)printf("\nwork      %.4g MFLOP and ", plan->flop / 1e6);
  print_bytes(plan->bytes_moved);
  (void)printf(" in a step, %u exchanges; ", plan->n_exchanges);
  print_bytes(plan->cta_bytes);
  (void)printf(" between the CTA with most work and L2\n");
  (void)printf(
      "floor     %.2f us a step of one launch: %.2f for the launch and %u exchanges of %.2f, and the longer of\n",
      plan->floor_us, plan->launch_us, plan->n_exchanges, plan->exchange_us);
  (void)printf(
      "          %.2f at %.1f TFLOP/s and %.2f for the bytes, at %.2f TB/s for all or those of the CTA (assumed\n"
      "          rates)\n",
      plan->arithmetic_us, plan->flop_per_us / 1e6, plan->memory_us, plan->bytes_per_us / 1e6);
  if (plan->n_launches > 0) print_parts(c);
}

static vise_status print_json(const plan_case *c, vise_error *err) {
  const vise_plan *plan = &c->plan;
  json_t *phases = json_array(), *memory = json_object();

  for (size_t i = 0; i < plan->n_phases; i++) {
    const vise_plan_phase *p = &plan->phases[i];
    vise_i_json_add(&phases, json_pack("{s:s, s:i, s:i, s:i, s:I, s:b, s:f}", "name", p->name, "layer", p->layer,
                                       "tile", p->tile, "tile_units", p->units, "tiles", (json_int_t)p->n_tiles,
                                       "exchange", (int)p->exchange, "cta_bytes", plan->phase_bytes[i]));
  }

  for (size_t i = 0; i < plan->n_arrays; i++) {
    vise_i_json_put(&memory, plan->arrays[i].name, json_integer((json_int_t)plan->arrays[i].n_bytes));
  }

  char layers[VISE_MAX_LAYERS * 12];
  (void)vise_option_text(vise_option_find("layers", NULL), &c->options->net, layers, sizeof layers);
  json_t *object =
      json_pack("{s:i, s:b, s:s, s:I, s:s, s:I, s:I, s:I, s:I, s:o, s:o, s:I, s:I}", "multiprocessors",
                c->device.n_multiprocessors, "device_assumed", (int)c->is_assumed, "layers", layers, "batch",
                (json_int_t)plan->n_rows, "kernel", plan->kernel, "ctas", (json_int_t)plan->n_ctas, "shared_bytes",
                (json_int_t)plan->shared_bytes, "gradient_tiles", (json_int_t)plan->n_gradient_tiles, "held_tiles",
                (json_int_t)plan->n_held, "phases", phases, "memory", memory, "memory_bytes", (json_int_t)plan->n_bytes,
                "exchanges", (json_int_t)plan->n_exchanges);

  vise_i_json_put(&object, "near_rows", json_integer((json_int_t)plan->near_rows));
  vise_i_json_put(&object, "flop", json_real(plan->flop));
  vise_i_json_put(&object, "bytes_moved", json_real(plan->bytes_moved));
  vise_i_json_put(&object, "cta_bytes", json_real(plan->cta_bytes));
  vise_i_json_put(&object, "floor_us", json_real(plan->floor_us));
  vise_i_json_put(&object, "launches", json_integer((json_int_t)plan->n_launches));
  vise_i_json_put(&object, "collectives", json_integer((json_int_t)plan->n_collectives));
  return vise_i_cli_print_json(object, err);
}

vise_status vise_i_cli_info_plan(vise_i_cli_options *options, vise_error *err) {
  plan_case c;
  memset(&c, 0, sizeof c);
  c.options = options;

  vise_status status = choose_device(&c, err);
  if (status == VISE_OK) status = read_sizes(&c, err);
  if (status == VISE_OK) {
    status = vise_plan_make(&options->training, &options->net, c.n_rows, c.row_bytes, &c.device, &c.plan, err);
  }
  if (status != VISE_OK) return status;

  if (options->json) return print_json(&c, err);
  print_text(&c);
  return VISE_OK;
}
