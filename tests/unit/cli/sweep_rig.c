#include "sweep_rig.h"

#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { LINE = 2048 };

static double uniform(uint64_t *state) {
  *state = *state * 6364136223846793005u + 1442695040888963407u;
  return (double)(*state >> 11) * 0x1p-53;
}

void sweep_write_people(const char *path, int n_rows) {
  FILE *file = fopen(path, "w");
  uint64_t state = 5;
  cr_assert(file != NULL, "%s", path);
  fprintf(file, "a,b,c,color,who,kind\n");
  for (int i = 0; i < n_rows; i++) {
    for (int j = 0; j < 3; j++) fprintf(file, "%.5f,", (i % 3 == j) + 3 * uniform(&state));
    fprintf(file, "%s,p%d,%c\n", i == 7 ? "blue" : uniform(&state) < 0.5 ? "red" : "green", i / 2 % 9, "xyz"[i % 3]);
  }
  fclose(file);
}

/* ---- calls --------------------------------------------------------------------------------------------------------- */

#define WRITE_ARGUMENTS(line, format)                                     \
  char line[LINE] = "sweep ";                                             \
  va_list arguments;                                                      \
  va_start(arguments, format);                                            \
  vsnprintf(line + strlen(line), LINE - strlen(line), format, arguments); \
  va_end(arguments)

tool_result sweep_run(const char *format, ...) {
  WRITE_ARGUMENTS(line, format);
  return tool_run(line);
}

void sweep_ok(const char *format, ...) {
  WRITE_ARGUMENTS(line, format);
  tool_expect_ok(line);
}

void sweep_refused(const char *says, const char *format, ...) {
  WRITE_ARGUMENTS(line, format);
  tool_expect_refused(line, says);
}

/* ---- fits.jsonl ---------------------------------------------------------------------------------------------------- */

json_t *sweep_fits(const char *dir) {
  char path[256], *rest, *line;
  snprintf(path, sizeof path, "%s/fits.jsonl", dir);
  char *text = tool_read(path, NULL);
  json_t *fits = json_array();
  rest = text;
  while ((line = strsep(&rest, "\n")) != NULL) {
    if (*line != '\0') json_array_append_new(fits, tool_json_text(line));
  }
  free(text);
  return fits;
}

static long integer(const json_t *object, const char *name) {
  const json_t *value = json_object_get(object, name);
  cr_assert(json_is_integer(value), "%s", name);
  return (long)json_integer_value(value);
}

double sweep_number(const json_t *object, const char *name) {
  const json_t *value = json_object_get(object, name);
  return json_is_number(value) ? json_number_value(value) : (double)NAN;
}

const json_t *sweep_fit(const json_t *fits, long config, long repeat, long fold) {
  for (size_t i = json_array_size(fits); i-- > 0;) {
    const json_t *fit = json_array_get(fits, i);
    if (integer(fit, "config") == config && integer(fit, "repeat") == repeat && integer(fit, "fold") == fold)
      return fit;
  }
  cr_assert_fail("no fit of configuration %ld, repeat %ld, fold %ld", config, repeat, fold);
  return NULL;
}

void sweep_expect_same_fits(const char *a, const char *b) {
  static const char *const names[] = {"params",     "score",       "epochs",   "status", "rung",
                                      "best_epoch", "train_score", "at_bound", "clipped"};
  json_t *fits = sweep_fits(a), *others = sweep_fits(b);
  cr_assert_gt(json_array_size(fits), 0);

  for (size_t i = 0; i < json_array_size(fits) + json_array_size(others); i++) {
    const bool first = i < json_array_size(fits);
    const json_t *line = first ? json_array_get(fits, i) : json_array_get(others, i - json_array_size(fits));
    const long config = integer(line, "config"), repeat = integer(line, "repeat"), fold = integer(line, "fold");
    const json_t *x = sweep_fit(fits, config, repeat, fold), *y = sweep_fit(others, config, repeat, fold);
    for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
      const json_t *v = json_object_get(x, names[k]), *w = json_object_get(y, names[k]);
      cr_assert(v == w || json_equal(v, w), "%s of configuration %ld, repeat %ld, fold %ld", names[k], config, repeat,
                fold);
    }
  }
  json_decref(fits);
  json_decref(others);
}

/* ---- results.csv ---------------------------------------------------------------------------------------------------- */

/* The field at *at, unquoted in place; *at moves past it and what ends it, which is returned. */
static char take_field(char **at, char **field) {
  char *from = *at, *to = *at;
  const bool quoted = *from == '"';
  *field = to;
  if (quoted) from++;
  for (; *from != '\0' && (quoted || (*from != ',' && *from != '\n')); from++) {
    if (quoted && *from == '"' && *++from != '"') break;
    *to++ = *from;
  }
  const char end = *from;
  cr_assert(end == ',' || end == '\n', "%c after a field of results.csv", end);
  *to = '\0';
  *at = from + 1;
  return end;
}

sweep_table sweep_results(const char *dir) {
  char path[256];
  size_t n = 0, room = 0;
  sweep_table table = {0};
  snprintf(path, sizeof path, "%s/results.csv", dir);
  table.text = tool_read(path, NULL);

  for (char *at = table.text; *at != '\0';) {
    if (n == room) {
      room = 2 * room + 64;
      table.fields = realloc(table.fields, room * sizeof *table.fields);
      cr_assert(table.fields != NULL);
    }
    if (take_field(&at, &table.fields[n++]) != '\n') continue;
    if (table.n_columns == 0) {
      table.n_columns = n;
    } else {
      table.n_rows++;
    }
    cr_assert_eq(n, (table.n_rows + 1) * table.n_columns, "row %zu of %s", table.n_rows, path);
  }
  return table;
}

void sweep_table_free(sweep_table *table) {
  free(table->text);
  free(table->fields);
}

const char *sweep_field(const sweep_table *table, size_t row, const char *column) {
  cr_assert_lt(row, table->n_rows);
  for (size_t i = 0; i < table->n_columns; i++) {
    if (strcmp(table->fields[i], column) == 0) return table->fields[(row + 1) * table->n_columns + i];
  }
  cr_assert_fail("no column %s", column);
  return NULL;
}

double sweep_value(const sweep_table *table, size_t row, const char *column) {
  const char *text = sweep_field(table, row, column);
  return *text != '\0' ? strtod(text, NULL) : (double)NAN;
}

char *sweep_results_without_times(const char *dir) {
  sweep_table table = sweep_results(dir);
  char *text = NULL;
  size_t n = 0;
  FILE *stream = open_memstream(&text, &n);
  for (size_t i = 0; i < (table.n_rows + 1) * table.n_columns; i++) {
    if (strstr(table.fields[i % table.n_columns], "_fit_time") != NULL) continue;
    fprintf(stream, "%s%s", table.fields[i], (i + 1) % table.n_columns == 0 ? "\n" : ",");
  }
  fclose(stream);
  sweep_table_free(&table);
  return text;
}

/* ---- alone ------------------------------------------------------------------------------------------------------------ */

/* The last event of the run in the folder "alone". */
static json_t *end_alone(void) {
  char *text = tool_read("alone/metrics.jsonl", NULL), *line = strstr(text, "{\"event\":\"end\"");
  cr_assert(line != NULL);
  line[strcspn(line, "\n")] = '\0';
  json_t *end = tool_json_text(line);
  free(text);
  return end;
}

/* " --name value", or of a flag " --name" and " --no-name". */
static void put_option(FILE *stream, const char *name, const char *value) {
  static const char flags[] = " batch-norm scale-target nesterov ";
  char word[64];
  snprintf(word, sizeof word, " %s ", name);
  if (strstr(flags, word) == NULL) {
    fprintf(stream, " --%s %s", name, value);
  } else {
    fprintf(stream, " --%s%s", strcmp(value, "yes") == 0 ? "" : "no-", name);
  }
}

json_t *sweep_alone(const json_t *fit, const char *options, int k) {
  char line[LINE];
  const char *name;
  json_t *value;
  FILE *stream = fmemopen(line, sizeof line, "w");
  cr_assert(stream != NULL);
  fprintf(stream, "train %s --threads 1 --cross-validate no --quiet --overwrite --out alone", options);
  if (k > 1) fprintf(stream, " --fold %ld/%d", integer(fit, "fold"), k);
  if (integer(fit, "repeat") > 0) fprintf(stream, " --fold-repeat %ld", integer(fit, "repeat"));
  json_object_foreach(json_object_get(fit, "params"), name, value) put_option(stream, name, json_string_value(value));
  cr_assert_eq(fclose(stream), 0);

  tool_expect_ok(line);
  return end_alone();
}

void sweep_expect_alone(const json_t *fit, const char *options, int k) {
  json_t *end = sweep_alone(fit, options, k);
  const double score = sweep_number(fit, "score"), loss = sweep_number(end, "val_loss");
  cr_assert(score == loss, "configuration %ld, repeat %ld, fold %ld of a sweep with %s: %.17g, alone %.17g",
            integer(fit, "config"), integer(fit, "repeat"), integer(fit, "fold"), options, score, loss);
  json_decref(end);
}
