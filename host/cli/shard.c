#include "host/cli/shard.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/cli/cli.h"
#include "host/cli/message.h"
#include "host/cli/table_data.h"

bool vise_i_cli_has_own_data(const vise_i_cli_options *options) {
  return options->training.sync_every > 0 && options->training.own_data;
}

bool vise_i_cli_shares_rows(const vise_i_cli_options *options) {
  return options->training.sync_every > 0 && !options->training.own_data;
}

vise_status vise_i_cli_shard_count(const vise_i_cli_options *options, size_t *n, vise_error *err) {
  uint64_t count = *n;
  if (!vise_i_cli_has_own_data(options)) return VISE_OK;
  const vise_status status = vise_ranks_add(options->training.ranks, &count, 1, err);
  *n = (size_t)count;
  return status;
}

/* ---- values of a column -------------------------------------------------------------------------------------------- */

/* A row and what it goes by; of numbers the text is NULL. */
typedef struct keyed_row {
  size_t i; /* among the rows that are dealt */
  const char *text;
  double number;
} keyed_row;

/* Rows of one value. */
typedef struct value_rows {
  size_t first, n; /* in their order by value */
} value_rows;

static int compare_keys(const keyed_row *a, const keyed_row *b) {
  if (a->text != NULL && b->text != NULL) return strcmp(a->text, b->text);
  if (a->text != NULL || b->text != NULL) return a->text == NULL ? -1 : 1;
  if (isnan(a->number) || isnan(b->number)) return (isnan(b->number) != 0) - (isnan(a->number) != 0);
  return (a->number > b->number) - (a->number < b->number);
}

static int compare_rows(const void *a, const void *b) {
  const keyed_row *x = a, *y = b;
  const int by_key = compare_keys(x, y);
  return by_key != 0 ? by_key : (x->i > y->i) - (x->i < y->i);
}

/* The largest first; of equal ones the first. */
static int compare_values(const void *a, const void *b) {
  const value_rows *x = a, *y = b;
  if (x->n != y->n) return x->n < y->n ? 1 : -1;
  return (x->first > y->first) - (x->first < y->first);
}

static vise_status find_column(const vise_i_cli_options *options, const vise_table *table, size_t *out,
                               vise_error *err) {
  *out = vise_i_cli_column_place(table, options->shard_by);
  if (*out != SIZE_MAX) return VISE_OK;
  return vise_i_cli_fail(err, VISE_ERR_USAGE, "--shard-by %s: %s has no such column", options->shard_by,
                         vise_table_name(table));
}

static vise_status read_keys(const vise_table *table, size_t column, const size_t *rows, keyed_row *keys, size_t n,
                             vise_error *err) {
  const bool is_text = vise_table_column_kind(table, column) == VISE_COLUMN_TEXT;
  for (size_t i = 0; i < n; i++) {
    const size_t row = rows != NULL ? rows[i] : i;
    keys[i] = (keyed_row){.i = i, .number = NAN};
    const vise_status status = is_text ? vise_table_text(table, row, column, &keys[i].text, err)
                                       : vise_table_number(table, row, column, &keys[i].number, err);
    if (status != VISE_OK) return status;
  }
  return VISE_OK;
}

/* Deals whole values out, the largest first, each to the process that has fewest rows; owner[i]: of row i. */
static void deal(const keyed_row *keys, const value_rows *values, size_t n_values, size_t *n_rows_of, size_t n_ranks,
                 size_t *owner) {
  memset(n_rows_of, 0, n_ranks * sizeof *n_rows_of);
  for (size_t v = 0; v < n_values; v++) {
    size_t to = 0;
    for (size_t r = 1; r < n_ranks; r++) {
      if (n_rows_of[r] < n_rows_of[to]) to = r;
    }
    n_rows_of[to] += values[v].n;
    for (size_t k = 0; k < values[v].n; k++) owner[keys[values[v].first + k].i] = to;
  }
}

static vise_status deal_by_column(const vise_i_cli_options *options, const vise_table *table, const size_t *rows,
                                  size_t n, size_t *owner, vise_error *err) {
  const size_t n_ranks = vise_ranks_size(options->training.ranks);
  size_t column = 0, n_values = 0, *n_rows_of = calloc(n_ranks, sizeof *n_rows_of);
  keyed_row *keys = calloc(n, sizeof *keys);
  value_rows *values = calloc(n, sizeof *values);
  vise_status status = VISE_OK;
  if (keys == NULL || values == NULL || n_rows_of == NULL) {
    status = vise_i_cli_fail(err, VISE_ERR_MEMORY, "out of memory for the shares of %zu rows", n);
  }

  if (status == VISE_OK) status = find_column(options, table, &column, err);
  if (status == VISE_OK) status = read_keys(table, column, rows, keys, n, err);
  if (status == VISE_OK) {
    qsort(keys, n, sizeof *keys, compare_rows);
    for (size_t k = 0; k < n; k++) {
      if (n_values == 0 || compare_keys(&keys[k - 1], &keys[k]) != 0) values[n_values++] = (value_rows){k, 0};
      values[n_values - 1].n++;
    }
    qsort(values, n_values, sizeof *values, compare_values);
    if (n_values < n_ranks) {
      status = vise_i_cli_fail(err, VISE_ERR_USAGE,
                               "--shard-by %s: the column has %zu value%s among the training rows, and there are %zu "
                               "processes; start at most as many as values",
                               options->shard_by, n_values, vise_i_cli_plural(n_values), n_ranks);
    }
  }
  if (status == VISE_OK) deal(keys, values, n_values, n_rows_of, n_ranks, owner);

  free(keys);
  free(values);
  free(n_rows_of);
  return status;
}

/* ---- shares -------------------------------------------------------------------------------------------------------- */

static vise_status check_share(const vise_i_cli_options *options, size_t n, size_t n_share, vise_error *err) {
  if (n_share > 0) return VISE_OK;
  return vise_i_cli_fail(err, VISE_ERR_USAGE, "--sync-every: %zu training rows for %zu processes, and each needs one",
                         n, vise_ranks_size(options->training.ranks));
}

vise_status vise_i_cli_shard_table(const vise_i_cli_options *options, const vise_table *table, const size_t *rows,
                                   size_t n_rows, vise_split *out, vise_error *err) {
  const size_t n = rows != NULL ? n_rows : vise_table_n_rows(table), n_ranks = vise_ranks_size(options->training.ranks);
  size_t *owner = calloc(n, sizeof *owner), *made = calloc(n, sizeof *made), n_made = 0;
  vise_status status = VISE_OK;
  if (owner == NULL || made == NULL) {
    status = vise_i_cli_fail(err, VISE_ERR_MEMORY, "out of memory for the shares of %zu rows", n);
  } else if (options->shard_by != NULL) {
    status = deal_by_column(options, table, rows, n, owner, err);
  } else {
    for (size_t i = 0; i < n; i++) owner[i] = i % n_ranks;
  }

  for (size_t i = 0; status == VISE_OK && i < n; i++) {
    if (owner[i] == vise_ranks_rank(options->training.ranks)) made[n_made++] = rows != NULL ? rows[i] : i;
  }
  if (status == VISE_OK) status = check_share(options, n, n_made, err);
  free(owner);
  if (status != VISE_OK) {
    free(made);
    return status;
  }
  *out = (vise_split){.kept = made, .n_kept = n_made};
  return VISE_OK;
}

vise_status vise_i_cli_shard_array(const vise_i_cli_options *options, vise_dataset **train, vise_error *err) {
  const size_t n = vise_dataset_n_rows(*train), n_ranks = vise_ranks_size(options->training.ranks);
  size_t *rows = calloc(n, sizeof *rows), n_rows = 0;
  vise_dataset *share = NULL;
  if (rows == NULL) return vise_i_cli_fail(err, VISE_ERR_MEMORY, "out of memory for the shares of %zu rows", n);

  for (size_t i = vise_ranks_rank(options->training.ranks); i < n; i += n_ranks) rows[n_rows++] = i;
  vise_status status = check_share(options, n, n_rows, err);
  if (status == VISE_OK) status = vise_dataset_select(*train, rows, n_rows, &share, err);
  free(rows);
  if (status != VISE_OK) return status;
  vise_dataset_free(*train);
  *train = share;
  return VISE_OK;
}

/* ---- paths --------------------------------------------------------------------------------------------------------- */

static void list_paths(vise_i_cli_options *options, const char **out[VISE_I_CLI_N_DATA_PATHS]) {
  const char **const all[VISE_I_CLI_N_DATA_PATHS] = {
      &options->train, &options->train_labels, &options->val,        &options->val_labels,
      &options->test,  &options->test_labels,  &options->row_weights};
  memcpy(out, all, sizeof all);
}

/* The path with this process's number in the place of each "{rank}". */
static char *with_rank(const char *path, size_t rank) {
  static const char mark[] = "{rank}";
  char number[24], *made = NULL;
  size_t n_marks = 0;
  for (const char *at = path; (at = strstr(at, mark)) != NULL; at += sizeof mark - 1) n_marks++;
  (void)snprintf(number, sizeof number, "%zu", rank);

  made = calloc(1, strlen(path) + n_marks * sizeof number + 1);
  char *to = made;
  while (made != NULL && *path != '\0') {
    if (strncmp(path, mark, sizeof mark - 1) == 0) {
      to = stpcpy(to, number);
      path += sizeof mark - 1;
    } else {
      *to++ = *path++;
    }
  }
  return made;
}

vise_status vise_i_cli_own_paths_take(vise_i_cli_options *options, vise_i_cli_own_paths *paths, vise_error *err) {
  const char **all[VISE_I_CLI_N_DATA_PATHS];
  if (!vise_i_cli_has_own_data(options)) return VISE_OK;
  list_paths(options, all);

  for (size_t i = 0; i < VISE_I_CLI_N_DATA_PATHS; i++) {
    if (*all[i] == NULL) continue;
    paths->made[i] = with_rank(*all[i], vise_ranks_rank(options->training.ranks));
    if (paths->made[i] == NULL) return vise_i_cli_fail(err, VISE_ERR_MEMORY, "out of memory for a path");
    paths->given[i] = *all[i];
    *all[i] = paths->made[i];
  }
  return VISE_OK;
}

void vise_i_cli_own_paths_put_back(vise_i_cli_options *options, vise_i_cli_own_paths *paths) {
  const char **all[VISE_I_CLI_N_DATA_PATHS];
  list_paths(options, all);
  for (size_t i = 0; i < VISE_I_CLI_N_DATA_PATHS; i++) {
    if (paths->given[i] != NULL) *all[i] = paths->given[i];
    free(paths->made[i]);
  }
  *paths = (vise_i_cli_own_paths){{NULL}, {NULL}};
}
