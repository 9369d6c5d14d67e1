/* From the options of vise bench to cases, rows, modes and precisions. */
#include <stdlib.h>
#include <string.h>

#include "host/cli/bench_cli.h"
#include "host/cli/message.h"

/* Calls use for each piece of a comma list. */
static vise_status for_each(const char *option, const char *list, void *user,
                            vise_status (*use)(void *user, const char *piece, vise_error *err), vise_error *err) {
  vise_status status = VISE_OK;
  char *copy = strdup(list), *rest = copy, *piece;
  if (copy == NULL) return vise_i_cli_fail(err, VISE_ERR_MEMORY, "out of memory");
  while (status == VISE_OK && (piece = strsep(&rest, ",")) != NULL) {
    vise_error inner = VISE_ERROR_INIT;
    status = use(user, piece, &inner);
    if (status != VISE_OK) (void)vise_i_cli_fail(err, status, "--%s: %s", option, inner.text);
  }
  free(copy);
  return status;
}

static vise_status add_mode(void *user, const char *piece, vise_error *err) {
  vise_bench_mode mode;
  const vise_status status = vise_bench_mode_parse(piece, &mode, err);
  if (status == VISE_OK) *(unsigned *)user |= 1u << mode;
  return status;
}

static vise_status add_precision(void *user, const char *piece, vise_error *err) {
  vise_precision precision;
  if (strcmp(piece, "auto") == 0)
    return vise_i_cli_fail(err, VISE_ERR_USAGE, "'auto' cannot be timed: name a precision");
  const vise_status status = vise_precision_parse(piece, &precision, err);
  if (status == VISE_OK) *(unsigned *)user |= 1u << precision;
  return status;
}

vise_status vise_i_cli_bench_modes(const char *list, unsigned *out, vise_error *err) {
  *out = 0;
  return list == NULL ? VISE_OK : for_each("mode", list, out, add_mode, err);
}

vise_status vise_i_cli_bench_precisions(const char *list, unsigned *out, vise_error *err) {
  *out = 0;
  return list == NULL ? VISE_OK : for_each("precision", list, out, add_precision, err);
}

/* ---- cases ------------------------------------------------------------------------------------------------------ */

typedef struct case_list {
  vise_bench_case *items;
  size_t n;
} case_list;

static vise_status add_case(case_list *list, const vise_bench_case *item, vise_error *err) {
  vise_bench_case *longer = realloc(list->items, (list->n + 1) * sizeof *longer);
  if (longer == NULL) return vise_i_cli_fail(err, VISE_ERR_MEMORY, "out of memory");
  list->items = longer;
  list->items[list->n++] = *item;
  return VISE_OK;
}

static vise_status add_by_name(void *user, const char *piece, vise_error *err) {
  vise_bench_case found;
  const vise_status status = vise_bench_find_case(piece, &found, err);
  return status == VISE_OK ? add_case(user, &found, err) : status;
}

/* Sizes that pass; an empty list passes everything. */
typedef struct filter {
  const size_t *sizes;
  size_t n;
} filter;

static bool passes(const filter *f, size_t size) {
  for (size_t i = 0; i < f->n; i++) {
    if (f->sizes[i] == size) return true;
  }
  return f->n == 0;
}

static vise_status add_set(case_list *list, vise_bench_set set, const filter *widths, const filter *depths,
                           const filter *batches, vise_error *err) {
  const size_t n = vise_bench_list_cases(set, NULL, 0), before = list->n;
  vise_bench_case *all = calloc(n, sizeof *all);
  if (all == NULL) return vise_i_cli_fail(err, VISE_ERR_MEMORY, "out of memory");

  vise_status status = VISE_OK;
  (void)vise_bench_list_cases(set, all, n);
  for (size_t i = 0; status == VISE_OK && i < n; i++) {
    const vise_bench_case *c = &all[i];
    if (!passes(widths, c->widths[0]) || !passes(depths, c->n_layers) || !passes(batches, c->batch)) continue;
    status = add_case(list, c, err);
  }

  free(all);
  if (status == VISE_OK && list->n == before) {
    status = vise_i_cli_fail(err, VISE_ERR_USAGE, "--grid: no case has these --widths, --depths and --batch");
  }
  return status;
}

static vise_status add_shape(case_list *list, const vise_net_config *net, const filter *batches, vise_error *err) {
  vise_error inner = VISE_ERROR_INIT;
  vise_bench_case made;
  vise_status status = VISE_OK;
  if (net->widths[0] == 0 || net->widths[net->n_layers] == 0) {
    return vise_i_cli_fail(err, VISE_ERR_USAGE, "--layers: auto needs data to take a size from");
  }

  for (size_t i = 0; status == VISE_OK && i < (batches->n == 0 ? 1 : batches->n); i++) {
    status = vise_bench_make_case(net->widths, net->n_layers, batches->n == 0 ? 64 : batches->sizes[i], &made, &inner);
    if (status == VISE_OK) status = add_case(list, &made, &inner);
  }
  return status == VISE_OK ? VISE_OK : vise_i_cli_fail(err, status, "--layers: %s", inner.text);
}

static vise_status check_together(const vise_i_cli_options *options, vise_error *err) {
  if ((options->n_grid_widths > 0 || options->n_grid_depths > 0) && !options->grid) {
    return vise_i_cli_fail(err, VISE_ERR_USAGE, "--%s needs --grid", options->n_grid_depths > 0 ? "depths" : "widths");
  }
  if (options->n_batches > 0 && !options->grid && options->net.n_layers == 0) {
    return vise_i_cli_fail(err, VISE_ERR_USAGE, "--batch needs --grid or --layers: the named cases have their own");
  }
  return VISE_OK;
}

vise_status vise_i_cli_bench_cases(const vise_i_cli_options *options, vise_bench_case **out, size_t *n,
                                   vise_error *err) {
  case_list list = {NULL, 0};
  const filter widths = {options->grid_widths, options->n_grid_widths};
  const filter depths = {options->grid_depths, options->n_grid_depths};
  const filter batches = {options->batches, options->n_batches}, all = {NULL, 0};

  vise_status status = check_together(options, err);

  if (status == VISE_OK && options->cases != NULL) status = for_each("case", options->cases, &list, add_by_name, err);
  if (status == VISE_OK && options->net.n_layers > 0) status = add_shape(&list, &options->net, &batches, err);
  if (status == VISE_OK && options->grid) status = add_set(&list, VISE_BENCH_GRID, &widths, &depths, &batches, err);
  if (status == VISE_OK && list.n == 0) status = add_set(&list, VISE_BENCH_NAMED, &all, &all, &all, err);

  if (status != VISE_OK) {
    free(list.items);
    return status;
  }

  *out = list.items;
  *n = list.n;
  return VISE_OK;
}

/* ---- rows ------------------------------------------------------------------------------------------------------- */

vise_status vise_i_cli_bench_data(const vise_i_cli_options *options, vise_bench_case *cases, size_t n,
                                  vise_dataset **out, vise_error *err) {
  vise_dataset_source source;
  *out = NULL;
  if (options->data == NULL && options->labels == NULL) return VISE_OK;
  if (options->data == NULL) return vise_i_cli_fail(err, VISE_ERR_USAGE, "--labels needs --data");

  vise_table_options reading;
  vise_dataset_source_init(&source);
  vise_table_options_init(&reading);
  reading.max_bytes = options->memory_limit;
  source.table = &reading;
  source.features_path = options->data;
  source.labels_path = options->labels;
  vise_status status = vise_dataset_load(&source, out, err);
  for (size_t i = 0; status == VISE_OK && i < n; i++) {
    const size_t n_features = vise_dataset_n_features(*out), n_rows = vise_dataset_n_rows(*out);
    cases[i].byte_features = vise_dataset_feature_dtype(*out) == VISE_U8;
    if (n_features != cases[i].widths[0] || n_rows < cases[i].batch) { /* before anything is measured */
      status =
          vise_i_cli_fail(err, VISE_ERR_SHAPE, "--data: %zu rows of %zu features do not do for the case %s, batch %zu",
                          n_rows, n_features, cases[i].name, cases[i].batch);
    }
  }
  return status;
}
