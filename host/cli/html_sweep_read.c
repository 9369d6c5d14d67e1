/* What a sweep left in its folder. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/cli/files.h"
#include "host/cli/html_sweep.h"
#include "host/cli/json_file.h"
#include "host/cli/message.h"
#include "host/cli/text_json.h"

enum { KEPT_FAILURES = 2000 };

/* More than any sweep writes: a row for each configuration. */
#define MOST_RESULTS ((size_t)1 << 30)

static vise_status out_of_memory(vise_error *err) {
  return vise_i_cli_fail(err, VISE_ERR_MEMORY, "out of memory for the report");
}

static vise_status path_in(const char *dir, const char *name, char **out, vise_error *err) {
  if (asprintf(out, "%s/%s", dir, name) >= 0) return VISE_OK;
  *out = NULL;
  return out_of_memory(err);
}

/* ---- sweep.json ---------------------------------------------------------------------------------------------------------- */

static size_t count_of(const json_t *object, const char *name) {
  const json_int_t value = json_integer_value(json_object_get(object, name));
  return value > 0 && value < 1 << 30 ? (size_t)value : 0;
}

static vise_status take_varied(vise_i_cli_sheet *sheet, const char *path, vise_error *err) {
  const json_t *varied = json_object_get(sheet->root, "varied");
  sheet->varied = calloc(json_array_size(varied) + 1, sizeof *sheet->varied);
  if (sheet->varied == NULL) return out_of_memory(err);
  for (; sheet->n_varied < json_array_size(varied); sheet->n_varied++) {
    const json_t *name = json_array_get(varied, sheet->n_varied);
    const vise_status status = vise_i_cli_text_from_json(name, &sheet->varied[sheet->n_varied].name);
    if (status == VISE_ERR_MEMORY) return out_of_memory(err);
    if (status != VISE_OK) return vise_i_cli_fail(err, status, "%s: \"varied\" is not a list of names", path);
  }
  return VISE_OK;
}

static bool take_config(const vise_i_cli_sheet *sheet, const json_t *choice, const char *name, size_t *out) {
  const json_t *config = json_object_get(json_object_get(choice, name), "config");
  *out = (size_t)json_integer_value(config);
  return json_is_integer(config) && json_integer_value(config) >= 0 && *out < sheet->n_configs;
}

static vise_status take_root(vise_i_cli_sheet *sheet, const char *path, vise_error *err) {
  const json_t *root = sheet->root, *choice = json_object_get(root, "choice");
  sheet->score = json_string_value(json_object_get(root, "score"));
  sheet->larger_is_better = json_is_true(json_object_get(root, "larger_is_better"));
  sheet->n_configs = count_of(root, "configs");
  sheet->n_folds = count_of(root, "folds");
  sheet->n_repeats = count_of(root, "repeats");
  sheet->n_splits = sheet->n_folds * sheet->n_repeats;
  sheet->n_steps = json_array_size(json_object_get(root, "rungs"));

  if (sheet->score == NULL || sheet->n_configs == 0 || sheet->n_splits == 0 || sheet->n_steps == 0 ||
      sheet->n_steps > VISE_I_CLI_MOST_STEPS || sheet->n_splits > 1 << 20) {
    return vise_i_cli_fail(err, VISE_ERR_FORMAT, "%s: is not what a sweep writes", path);
  }
  if (choice != NULL) {
    sheet->has_winner = take_config(sheet, choice, "winner", &sheet->winner) &&
                        take_config(sheet, choice, "best", &sheet->best) &&
                        take_config(sheet, choice, "one_se", &sheet->one_se);
    if (!sheet->has_winner) return vise_i_cli_fail(err, VISE_ERR_FORMAT, "%s: \"choice\" is damaged", path);
  }
  return take_varied(sheet, path, err);
}

static vise_status read_root(vise_i_cli_sheet *sheet, vise_error *err) {
  char *path = NULL;
  vise_status status = path_in(sheet->dir, "sweep.json", &path, err);
  if (status != VISE_OK) return status;

  status = vise_i_cli_json_read(path, &sheet->root, err);
  if (status == VISE_OK) status = take_root(sheet, path, err);
  free(path);
  return status;
}

/* ---- results.csv --------------------------------------------------------------------------------------------------------- */

/* The field at *at, cut out in place; *at moves on. *last: it was the last one of its line. NULL: there are no more. */
static char *next_field(char **at, bool *last) {
  char *from = *at, *field = from, *to = from;
  if (*from == '\0') return NULL;
  if (*from == '"') {
    for (from++; *from != '\0' && (*from != '"' || from[1] == '"'); from++) {
      if (*from == '"') from++;
      *to++ = *from;
    }
    if (*from == '"') from++;
  }
  while (*from != '\0' && *from != ',' && *from != '\n') *to++ = *from++;

  *last = *from != ',';
  *at = *from == '\0' ? from : from + 1;
  *to = '\0';
  return field;
}

/* What a column is; splits and params are counted from 0. */
typedef enum column_kind { OTHER, PARAM, SPLIT, NUMBER, RANK, NONFINITE } column_kind;

typedef struct column {
  column_kind kind;
  size_t place; /* of a split or param; of a number, in the row */
} column;

static column column_of(const char *name, size_t *n_params, size_t *n_splits) {
  static const struct {
    const char *name;
    size_t place;
  } numbers[] = {
      {"mean_test_score", offsetof(vise_i_cli_row, score)},     {"se_test_score", offsetof(vise_i_cli_row, error)},
      {"mean_train_score", offsetof(vise_i_cli_row, train)},    {"mean_fit_time", offsetof(vise_i_cli_row, seconds)},
      {"mean_epochs", offsetof(vise_i_cli_row, epochs)},        {"mean_at_bound", offsetof(vise_i_cli_row, at_bound)},
      {"mean_clipped_steps", offsetof(vise_i_cli_row, clipped)}};

  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
    if (strcmp(name, numbers[i].name) == 0) return (column){NUMBER, numbers[i].place};
  }
  const size_t n = strlen(name);
  if (strncmp(name, "param_", 6) == 0) return (column){PARAM, (*n_params)++};
  if (strncmp(name, "split", 5) == 0 && n > 11 && strcmp(name + n - 11, "_test_score") == 0) {
    return (column){SPLIT, (*n_splits)++};
  }
  if (strcmp(name, "rank_test_score") == 0) return (column){RANK, 0};
  return (column){strcmp(name, "n_nonfinite") == 0 ? NONFINITE : OTHER, 0};
}

static bool number_of(const char *text, double *out) {
  char *end;
  *out = (double)NAN;
  if (*text == '\0') return true;
  *out = strtod(text, &end);
  return *end == '\0';
}

/* VISE_ERR_FORMAT, VISE_ERR_MEMORY. */
static vise_status take_field(const vise_i_cli_sheet *sheet, vise_i_cli_row *row, column c, const char *text) {
  double number;
  if (c.kind == OTHER) return VISE_OK;
  if (c.kind == PARAM) {
    if (c.place >= sheet->n_varied) return VISE_ERR_FORMAT;
    row->params[c.place] = strdup(text);
    return row->params[c.place] != NULL ? VISE_OK : VISE_ERR_MEMORY;
  }
  if (!number_of(text, &number)) return VISE_ERR_FORMAT;
  if (c.kind == SPLIT) row->splits[c.place] = number;
  if (c.kind == NUMBER) *(double *)(void *)((char *)row + c.place) = number;
  if (c.kind == RANK) row->rank = number >= 0 && number < 1e9 ? (size_t)number : 0;
  if (c.kind == NONFINITE) row->n_nonfinite = number >= 0 && number < 1e9 ? (size_t)number : 0;
  return VISE_OK;
}

/* Made as it is read: a damaged sweep.json may speak of any number of them. */
static bool make_row(const vise_i_cli_sheet *sheet, vise_i_cli_row *row) {
  row->params = calloc(sheet->n_varied + 1, sizeof *row->params);
  row->splits = calloc(sheet->n_splits, sizeof *row->splits);
  row->score = row->error = row->train = row->seconds = row->epochs = row->at_bound = row->clipped = (double)NAN;
  return row->params != NULL && row->splits != NULL;
}

/* The first line. Returns how many columns there are; 0: they are not those of the sweep. */
static size_t take_heads(const vise_i_cli_sheet *sheet, char **at, column *columns, size_t most) {
  size_t n = 0, n_params = 0, n_splits = 0;
  bool last = false, has_score = false, has_rank = false;
  const char *name;
  while (!last && n < most && (name = next_field(at, &last)) != NULL) {
    columns[n] = column_of(name, &n_params, &n_splits);
    has_score = has_score || strcmp(name, "mean_test_score") == 0;
    has_rank = has_rank || columns[n].kind == RANK;
    n++;
  }
  return last && has_score && has_rank && n_params == sheet->n_varied && n_splits == sheet->n_splits ? n : 0;
}

static vise_status take_results(vise_i_cli_sheet *sheet, const char *path, char *text, vise_error *err) {
  const size_t most = sheet->n_varied + 2 * sheet->n_splits + 32;
  column *columns = calloc(most, sizeof *columns);
  char *at = text;
  vise_status status = columns != NULL ? VISE_OK : out_of_memory(err);
  const size_t n_columns = status == VISE_OK ? take_heads(sheet, &at, columns, most) : 0;
  if (status == VISE_OK && n_columns == 0) {
    status =
        vise_i_cli_fail(err, VISE_ERR_FORMAT, "%s: its columns are not those of the sweep in %s", path, sheet->dir);
  }

  for (size_t i = 0; status == VISE_OK && i < sheet->n_configs; i++) {
    size_t n = 0;
    bool last = false;
    const char *field;
    status = make_row(sheet, &sheet->rows[i]) ? VISE_OK : VISE_ERR_MEMORY;
    while (!last && status == VISE_OK && n < n_columns && (field = next_field(&at, &last)) != NULL) {
      status = take_field(sheet, &sheet->rows[i], columns[n++], field);
    }
    if (status == VISE_OK && last && n == n_columns) continue;
    if (status == VISE_ERR_MEMORY) {
      status = out_of_memory(err);
      break;
    }
    status = vise_i_cli_fail(err, VISE_ERR_FORMAT, "%s: the row of configuration %zu is damaged or missing", path, i);
  }
  if (status == VISE_OK && *at != '\0') {
    status = vise_i_cli_fail(err, VISE_ERR_FORMAT, "%s: has more rows than the sweep has configurations", path);
  }
  free(columns);
  return status;
}

static vise_status read_results(vise_i_cli_sheet *sheet, vise_error *err) {
  char *path = NULL;
  vise_status status = path_in(sheet->dir, "results.csv", &path, err);
  if (status != VISE_OK) return status;

  char *text = NULL;
  size_t n = 0;
  bool there = false;
  status = vise_i_cli_exists(path, &there, err);
  if (status == VISE_OK && !there) {
    status = vise_i_cli_fail(err, VISE_ERR_STATE,
                             "%s: the sweep has not ended, so there is no results.csv; go on with it by vise sweep "
                             "--resume %s",
                             sheet->dir, sheet->dir);
  } else if (status == VISE_OK) {
    status = vise_i_cli_read_file(path, MOST_RESULTS, &text, &n, err);
  }
  if (status == VISE_OK) {
    sheet->rows = calloc(sheet->n_configs, sizeof *sheet->rows);
    if (sheet->rows == NULL) status = out_of_memory(err);
  }
  if (status == VISE_OK) status = take_results(sheet, path, text, err);
  free(text);
  free(path);
  return status;
}

/* ---- fits.jsonl ---------------------------------------------------------------------------------------------------------- */

static vise_status make_steps(vise_i_cli_sheet *sheet, vise_error *err) {
  for (size_t i = 0; i < sheet->n_steps; i++) {
    vise_i_cli_step *step = &sheet->steps[i];
    step->sums = calloc(sheet->n_configs, sizeof *step->sums);
    step->n_scores = calloc(sheet->n_configs, sizeof *step->n_scores);
    if (step->sums == NULL || step->n_scores == NULL) return out_of_memory(err);
  }
  sheet->failures = calloc(KEPT_FAILURES, sizeof *sheet->failures);
  return sheet->failures != NULL ? VISE_OK : out_of_memory(err);
}

static vise_status take_failure(vise_i_cli_sheet *sheet, const json_t *fit, size_t config) {
  if (sheet->n_failures++ >= KEPT_FAILURES) return VISE_OK;
  vise_i_cli_failure *failure = &sheet->failures[sheet->n_kept++];
  failure->config = config;
  failure->repeat = count_of(fit, "repeat");
  failure->fold = count_of(fit, "fold");
  const json_t *error = json_object_get(fit, "error");
  return error != NULL ? vise_i_cli_text_from_json(error, &failure->reason) : VISE_OK;
}

static vise_status take_fit(vise_i_cli_sheet *sheet, const json_t *fit) {
  const json_int_t config = json_integer_value(json_object_get(fit, "config"));
  const size_t step = count_of(fit, "rung");
  const char *status = json_string_value(json_object_get(fit, "status"));
  const json_t *score = json_object_get(fit, "score");
  if (!json_is_integer(json_object_get(fit, "config")) || config < 0 || (size_t)config >= sheet->n_configs ||
      step < 1 || step > sheet->n_steps || status == NULL) {
    return VISE_ERR_FORMAT;
  }

  vise_i_cli_step *at = &sheet->steps[step - 1];
  at->n_fits++;
  at->epochs = fmax(at->epochs, (double)count_of(fit, "epochs"));
  at->n_configs += at->n_scores[config]++ == 0;
  at->sums[config] += json_is_number(score) ? json_number_value(score) : (double)INFINITY;
  return strcmp(status, "nonfinite") == 0 ? take_failure(sheet, fit, (size_t)config) : VISE_OK;
}

static vise_status read_fits(vise_i_cli_sheet *sheet, vise_error *err) {
  char *path = NULL;
  vise_status status = make_steps(sheet, err);
  if (status == VISE_OK) status = path_in(sheet->dir, "fits.jsonl", &path, err);
  FILE *stream = status == VISE_OK ? vise_i_cli_open(path) : NULL;
  if (status == VISE_OK && stream == NULL) {
    status = vise_i_cli_fail(err, VISE_ERR_IO, "%s: cannot be read: %s", path, vise_i_cli_open_error());
  }

  vise_i_cli_lines lines = {.stream = stream, .path = path};
  while (status == VISE_OK && (status = vise_i_cli_lines_next(&lines, err)) == VISE_OK && lines.n > 0) {
    json_t *fit = NULL;
    status = vise_i_cli_lines_json(&lines, &fit, NULL);
    if (status == VISE_OK) status = take_fit(sheet, fit);
    json_decref(fit);
    if (status == VISE_ERR_MEMORY) (void)out_of_memory(err);
    if (status == VISE_ERR_FORMAT) {
      vise_i_cli_fail(err, status, "%s:%zu: this line is damaged, or of another sweep", path, lines.number);
    }
  }
  free(lines.text);
  free(path);
  if (stream != NULL) (void)fclose(stream);
  return status;
}

/* ---- all ----------------------------------------------------------------------------------------------------------------- */

/* A rank, and a configuration's place, which decides among equal ranks. */
typedef struct ranked {
  size_t rank, config;
} ranked;

static int by_rank(const void *a, const void *b) {
  const ranked *x = a, *y = b;
  if (x->rank != y->rank) return x->rank < y->rank ? -1 : 1;
  return x->config < y->config ? -1 : x->config > y->config;
}

static vise_status put_in_order(vise_i_cli_sheet *sheet, vise_error *err) {
  ranked *all = calloc(sheet->n_configs, sizeof *all);
  sheet->order = calloc(sheet->n_configs, sizeof *sheet->order);
  if (all == NULL || sheet->order == NULL) {
    free(all);
    return out_of_memory(err);
  }
  for (size_t i = 0; i < sheet->n_configs; i++) all[i] = (ranked){sheet->rows[i].rank, i};
  qsort(all, sheet->n_configs, sizeof *all, by_rank);
  for (size_t i = 0; i < sheet->n_configs; i++) sheet->order[i] = all[i].config;
  free(all);
  return VISE_OK;
}

vise_status vise_i_cli_sheet_read(const char *dir, vise_i_cli_sheet *sheet, vise_error *err) {
  memset(sheet, 0, sizeof *sheet);
  sheet->dir = dir;
  vise_status status = read_root(sheet, err);
  if (status == VISE_OK) status = read_results(sheet, err);
  if (status == VISE_OK) status = read_fits(sheet, err);
  if (status == VISE_OK) status = put_in_order(sheet, err);
  return status == VISE_OK ? vise_i_cli_sheet_values(sheet, err) : status;
}

void vise_i_cli_sheet_free(vise_i_cli_sheet *sheet) {
  for (size_t i = 0; sheet->rows != NULL && i < sheet->n_configs; i++) {
    for (size_t k = 0; sheet->rows[i].params != NULL && k < sheet->n_varied; k++) free(sheet->rows[i].params[k]);
    free(sheet->rows[i].params);
    free(sheet->rows[i].splits);
  }
  for (size_t i = 0; sheet->varied != NULL && i < sheet->n_varied; i++) {
    free(sheet->varied[i].name);
    free(sheet->varied[i].values);
    free(sheet->varied[i].value_of);
    free(sheet->varied[i].bin_of);
  }
  for (size_t i = 0; i < sheet->n_kept; i++) free(sheet->failures[i].reason);
  for (size_t i = 0; i < VISE_I_CLI_MOST_STEPS; i++) {
    free(sheet->steps[i].sums);
    free(sheet->steps[i].n_scores);
  }

  free(sheet->failures);
  free(sheet->varied);
  free(sheet->rows);
  free(sheet->order);
  json_decref(sheet->root);
}
