/* The rows of every fold: read once, prepared once for all configurations that prepare them alike. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/cli/message.h"
#include "host/cli/sweep.h"
#include "host/cli/text_stream.h"

/* The values of a configuration that decide how rows are prepared; malloc'ed. */
static char *key_of(const vise_i_cli_sweeping *s, size_t config) {
  vise_i_cli_text_stream all;
  char *key = NULL;
  if (vise_i_cli_text_begin(&all, "a configuration", NULL) != VISE_OK) return NULL;

  for (size_t axis = 0; axis < s->n_axes; axis++) {
    char text[1024];
    if (!vise_i_cli_sweep_prepares(vise_space_axis_name(s->space, axis))) continue;
    (void)vise_space_text(s->space, config, axis, text, sizeof text);
    (void)fprintf(all.stream, "%zu=%s\n", axis, text);
  }
  return vise_i_cli_text_end(&all, "a configuration", &key, NULL, NULL) == VISE_OK ? key : NULL;
}

/* ---- one preparation ------------------------------------------------------------------------------------------------ */

/* Whether all rows have the targets of the first. */
static vise_status has_one_target(const vise_dataset *rows, bool *out, vise_error *err) {
  const size_t n = vise_dataset_n_targets(rows);
  double *first = calloc(2 * n, sizeof *first), *other = first + n;
  if (first == NULL) return vise_i_cli_fail(err, VISE_ERR_MEMORY, "out of memory for the targets of a row");

  vise_status status = vise_dataset_get_targets(rows, 0, first, err);
  *out = true;
  for (size_t i = 1; status == VISE_OK && *out && i < vise_dataset_n_rows(rows); i++) {
    status = vise_dataset_get_targets(rows, i, other, err);
    *out = memcmp(first, other, n * sizeof *first) == 0;
  }
  free(first);
  return status;
}

/* That there are held-out rows, and that they have what they are scored by. */
static vise_status check_held_out(const vise_i_cli_sweeping *s, const vise_i_cli_setup *setup, vise_error *err) {
  const vise_i_cli_score score = s->options->score;
  bool is_one = false;
  if (setup->validation == NULL) {
    return vise_i_cli_fail(err, VISE_ERR_USAGE,
                           "--folds 1 needs --val or --val-fraction: the rows that configurations are scored on");
  }
  if (score != VISE_I_CLI_SCORE_AUC && score != VISE_I_CLI_SCORE_R2) return VISE_OK;

  const vise_status status = has_one_target(setup->validation, &is_one, err);
  if (status != VISE_OK || !is_one) return status;
  return vise_i_cli_fail(err, VISE_ERR_USAGE,
                         "its held-out rows (%zu) all have the same target, and there is no %s of such: %s, or another "
                         "--score",
                         vise_dataset_n_rows(setup->validation), vise_i_cli_score_name(score),
                         s->n_folds > 1 ? "give fewer --folds" : "hold out other rows");
}

static vise_status make_split(vise_i_cli_sweeping *s, size_t config, size_t split, vise_i_cli_setup *setup,
                              vise_error *err) {
  vise_i_cli_options options;
  vise_error inner = VISE_ERROR_INIT;
  vise_status status = vise_i_cli_sweep_options(s, config, split, &options, err);
  if (status == VISE_OK) status = vise_i_cli_setup_make_data(&options, &s->input, setup, &inner);
  vise_i_cli_options_free(&options);

  if (status == VISE_OK) status = check_held_out(s, setup, &inner);
  if (status != VISE_OK && s->n_folds > 1) {
    return vise_i_cli_fail(err, status, "fold %zu of repeat %zu: %s", split % s->n_folds + 1, split / s->n_folds,
                           inner.text);
  }
  if (status != VISE_OK) return vise_i_cli_fail(err, status, "%s", inner.text);
  return VISE_OK;
}

static size_t bytes_of(const vise_i_cli_setup *setup) {
  /* Of arrays all folds share the values. */
  if (setup->preprocessor == NULL) return 0;
  return vise_dataset_n_bytes(setup->train) + vise_dataset_n_bytes(setup->validation);
}

/* The first fold is made, and all others will take as much. */
static vise_status check_memory(const vise_i_cli_sweeping *s, vise_error *err) {
  const size_t room = vise_free_memory(), n = s->n_data * s->n_splits - 1;
  if (room == SIZE_MAX || s->n_data_bytes == 0 || n <= room / s->n_data_bytes) return VISE_OK;
  return vise_i_cli_fail(
      err, VISE_ERR_MEMORY,
      "the rows of a fold take %.3g MiB, %zu folds are to be made for each of %zu ways to prepare them, and %zu MiB of "
      "memory are free; give fewer --folds or --repeats, or vary fewer options of the data",
      (double)s->n_data_bytes / (1 << 20), s->n_splits, s->n_data, room >> 20);
}

static vise_status make_splits(vise_i_cli_sweeping *s, size_t config, vise_i_cli_fold_data *data, vise_error *err) {
  vise_status status = VISE_OK;
  data->setups = calloc(s->n_splits, sizeof *data->setups);
  if (data->setups == NULL) return vise_i_cli_fail(err, VISE_ERR_MEMORY, "out of memory for %zu folds", s->n_splits);

  for (size_t split = 0; split < s->n_splits && status == VISE_OK; split++) {
    status = make_split(s, config, split, &data->setups[split], err);
    if (status == VISE_OK) s->n_data_bytes += bytes_of(&data->setups[split]);
    if (status == VISE_OK && data == s->data && split == 0) status = check_memory(s, err);
  }
  return status;
}

/* ---- all ------------------------------------------------------------------------------------------------------------- */

/* Which configurations share rows. */
static vise_status group(vise_i_cli_sweeping *s, vise_error *err) {
  for (size_t config = 0; config < s->n_configs; config++) {
    char *key = key_of(s, config);
    if (key == NULL) return vise_i_cli_fail(err, VISE_ERR_MEMORY, "out of memory");
    size_t i = 0;
    while (i < s->n_data && strcmp(s->data[i].key, key) != 0) i++;
    s->data_of[config] = i;
    if (i < s->n_data) {
      free(key);
      continue;
    }

    vise_i_cli_fold_data *grown = realloc(s->data, (s->n_data + 1) * sizeof *s->data);
    if (grown == NULL) {
      free(key);
      return vise_i_cli_fail(err, VISE_ERR_MEMORY, "out of memory");
    }
    s->data = grown;
    s->data[s->n_data++] = (vise_i_cli_fold_data){.key = key, .first = config};
  }
  return VISE_OK;
}

vise_status vise_i_cli_sweep_data(vise_i_cli_sweeping *s, vise_error *err) {
  vise_i_cli_options options;
  s->data_of = calloc(s->n_configs, sizeof *s->data_of);
  if (s->data_of == NULL) {
    return vise_i_cli_fail(err, VISE_ERR_MEMORY, "out of memory for %zu configurations", s->n_configs);
  }

  vise_status status = vise_i_cli_sweep_options(s, 0, 0, &options, err);
  if (status == VISE_OK) status = vise_i_cli_input_read(&options, &s->input, err);
  vise_i_cli_options_free(&options);

  if (status == VISE_OK) status = group(s, err);
  for (size_t i = 0; i < s->n_data && status == VISE_OK; i++) {
    status = make_splits(s, s->data[i].first, &s->data[i], err);
  }

  /* Every fold has its own rows of a table now. */
  vise_table_free(s->input.table);
  s->input.table = NULL;
  return status;
}

void vise_i_cli_sweep_data_free(vise_i_cli_sweeping *s) {
  for (size_t i = 0; i < s->n_data; i++) {
    for (size_t split = 0; s->data[i].setups != NULL && split < s->n_splits; split++) {
      vise_i_cli_setup_free(&s->data[i].setups[split]);
    }
    free(s->data[i].setups);
    free(s->data[i].key);
  }
  free(s->data);
  free(s->data_of);
  vise_i_cli_input_free(&s->input);
}

/* ---- which rows they are ---------------------------------------------------------------------------------------------- */

/* As FNV-1a, a number at a time. */
static uint64_t add_numbers(uint64_t hash, const double *values, size_t n) {
  for (size_t i = 0; i < n; i++) {
    uint64_t bits;
    memcpy(&bits, &values[i], sizeof bits);
    hash = (hash ^ bits) * 0x100000001b3u;
    hash ^= hash >> 29;
  }
  return hash;
}

static vise_status add_dataset(const vise_dataset *dataset, uint64_t *hash, vise_error *err) {
  const size_t n_x = vise_dataset_n_features(dataset), n_y = vise_dataset_n_targets(dataset);
  double *values = calloc(n_x + n_y, sizeof *values);
  vise_status status = values != NULL
                           ? VISE_OK
                           : vise_i_cli_fail(err, VISE_ERR_MEMORY, "out of memory for a row of %zu values", n_x + n_y);
  for (size_t row = 0; status == VISE_OK && row < vise_dataset_n_rows(dataset); row++) {
    status = vise_dataset_get_features(dataset, row, values, err);
    if (status == VISE_OK && n_y > 0) status = vise_dataset_get_targets(dataset, row, values + n_x, err);
    if (status == VISE_OK) *hash = add_numbers(*hash, values, n_x + n_y);
  }
  free(values);
  return status;
}

/* Mixes the hash of a dataset in; 0 stands for none. */
static vise_status add_rows(const vise_dataset *dataset, uint64_t *hash, vise_error *err) {
  uint64_t rows = 0;
  const vise_status status = dataset != NULL ? vise_dataset_hash(dataset, &rows, err) : VISE_OK;
  *hash = (*hash ^ rows) * 0x9e3779b97f4a7c15u;
  *hash ^= *hash >> 32;
  return status;
}

vise_status vise_i_cli_sweep_all_hash(const vise_i_cli_sweeping *s, uint64_t *out, vise_error *err) {
  const vise_i_cli_setup *setups = s->data[0].setups;
  uint64_t hash = 0x243f6a8885a308d3u;
  vise_status status = add_rows(setups[0].train, &hash, err);
  if (status == VISE_OK) status = add_rows(setups[0].test, &hash, err);
  for (size_t split = 0; status == VISE_OK && split < s->n_splits; split++) {
    status = add_rows(setups[split].validation, &hash, err);
  }
  *out = hash;
  return status;
}

vise_status vise_i_cli_sweep_data_hash(const vise_i_cli_sweeping *s, uint64_t *out, vise_error *err) {
  const vise_i_cli_setup *setups = s->data[0].setups;
  uint64_t hash = 0xcbf29ce484222325u;
  vise_status status = add_dataset(setups[0].train, &hash, err);
  for (size_t split = 0; status == VISE_OK && split < s->n_splits; split++) {
    status = add_dataset(setups[split].validation, &hash, err);
  }
  *out = hash;
  return status;
}
