#include "table_support.h"

#include <stdio.h>

#include "host/base/array.h"

void expect_error(vise_status status, const vise_error *err, vise_status code, const char *text, const char *file,
                  int line) {
  cr_assert_eq(status, code, "%s:%d: got %s (%s), expected %s", file, line, vise_status_name(status), err->text,
               vise_status_name(code));
  cr_assert_eq(err->code, code, "%s:%d: the code in the error is %s", file, line, vise_status_name(err->code));
  cr_assert(strstr(err->text, text) != NULL, "%s:%d: \"%s\" does not contain \"%s\"", file, line, err->text, text);
}

vise_table_options table_options(void) {
  vise_table_options options;
  vise_table_options_init(&options);
  return options;
}

vise_status try_text(const char *text, const vise_table_options *options, vise_table **out, vise_error *err) {
  return vise_table_parse("x.csv", text, strlen(text), options, out, err);
}

vise_table *read_text(const char *text, const vise_table_options *options) {
  vise_error err = VISE_ERROR_INIT;
  vise_table *table = NULL;
  EXPECT_OK(try_text(text, options, &table, &err), err);
  return table;
}

static size_t show_field(const vise_table *table, size_t r, size_t c, char *out, size_t n) {
  vise_error err = VISE_ERROR_INIT;
  if (vise_table_column_kind(table, c) == VISE_COLUMN_TEXT) {
    const char *text = NULL;
    EXPECT_OK(vise_table_text(table, r, c, &text, &err), err);
    return (size_t)snprintf(out, n, "%s", text != NULL ? text : "_");
  }
  double v = 0;
  EXPECT_OK(vise_table_number(table, r, c, &v, &err), err);
  return (size_t)(isnan(v) ? snprintf(out, n, "_") : snprintf(out, n, "%.10g", v));
}

const char *shown(const vise_table *table) {
  static char texts[2][1 << 16];
  static int turn;
  char *text = texts[turn++ % 2];
  const size_t n = sizeof texts[0];
  size_t used = (size_t)snprintf(text, n, "%zu rows [", vise_table_n_rows(table));

  for (size_t c = 0; c < vise_table_n_columns(table); c++) {
    const char *name = vise_table_column_name(table, c);
    used += (size_t)snprintf(text + used, n - used, "%s%s:%s", c > 0 ? " " : "", name != NULL ? name : "",
                             vise_column_kind_name(vise_table_column_kind(table, c)));
  }
  used += (size_t)snprintf(text + used, n - used, "]");

  for (size_t r = 0; r < vise_table_n_rows(table); r++) {
    for (size_t c = 0; c < vise_table_n_columns(table); c++) {
      used += (size_t)snprintf(text + used, n - used, "%s", c > 0 ? "|" : (r > 0 ? " / " : " "));
      used += show_field(table, r, c, text + used, n - used);
    }
  }

  return text;
}

vise_preprocessor_options fit_options(void) {
  vise_preprocessor_options options;
  vise_preprocessor_options_init(&options);
  return options;
}

vise_preprocessor *fit_all(const vise_table *table, const vise_preprocessor_options *options) {
  vise_error err = VISE_ERROR_INIT;
  vise_preprocessor *p = NULL;
  EXPECT_OK(vise_preprocessor_fit(table, options, NULL, 0, &p, &err), err);
  return p;
}

vise_preprocessor *fit_text(const char *text, const vise_preprocessor_options *options, vise_table **table) {
  vise_table *made = read_text(text, NULL);
  vise_preprocessor *p = fit_all(made, options);
  if (table != NULL) {
    *table = made;
  } else {
    vise_table_free(made);
  }
  return p;
}

void expect_refusal(const char *text, const vise_preprocessor_options *options, const char *expected, const char *file,
                    int line) {
  vise_error err = VISE_ERROR_INIT;
  vise_table *table = read_text(text, NULL);
  vise_preprocessor *p = NULL;
  const vise_status status = vise_preprocessor_fit(table, options, NULL, 0, &p, &err);
  cr_assert(status != VISE_OK && p == NULL, "%s:%d: was not refused", file, line);
  cr_assert(strstr(err.text, expected) != NULL, "%s:%d: \"%s\" does not contain \"%s\"", file, line, err.text,
            expected);
  vise_table_free(table);
}

vise_transform_options transform_options(void) {
  vise_transform_options options;
  vise_transform_options_init(&options);
  return options;
}

vise_transformed *transform_all(const vise_preprocessor *p, vise_table *table, const vise_transform_options *options) {
  vise_error err = VISE_ERROR_INIT;
  vise_transformed *made = NULL;
  EXPECT_OK(vise_preprocessor_transform(p, table, options, &made, &err), err);
  return made;
}

double feature_at(const vise_transformed *made, size_t row, size_t input) {
  const vise_array array = vise_transformed_features(made);
  cr_assert(row < array.n_rows && input < array.n_cols, "row %zu, input %zu", row, input);
  return vise_i_array_get(&array, row, input);
}

double target_at(const vise_transformed *made, size_t row, size_t target) {
  const vise_array array = vise_transformed_targets(made);
  cr_assert(row < array.n_rows && target < array.n_cols, "row %zu, target %zu", row, target);
  return vise_i_array_get(&array, row, target);
}

bool has_line(const vise_preprocessor *p, const char *text) {
  for (size_t i = 0; i < vise_preprocessor_n_lines(p); i++) {
    if (strstr(vise_preprocessor_line(p, i), text) != NULL) return true;
  }
  for (size_t i = 0; i < vise_preprocessor_n_lines(p); i++) cr_log_warn("%s", vise_preprocessor_line(p, i));
  return false;
}

bool has_note(const vise_table *table, const char *text) {
  for (size_t i = 0; i < vise_table_n_notes(table); i++) {
    if (strstr(vise_table_note(table, i), text) != NULL) return true;
  }
  return false;
}

bool has_transform_note(const vise_transformed *made, const char *text) {
  for (size_t i = 0; i < vise_transformed_n_notes(made); i++) {
    if (strstr(vise_transformed_note(made, i), text) != NULL) return true;
  }
  return false;
}

const char *rows_of(const char *header, size_t n, void (*row)(size_t i, char *out, size_t n_bytes)) {
  static char text[1 << 20];
  size_t used = (size_t)snprintf(text, sizeof text, "%s\n", header);
  for (size_t i = 0; i < n && used < sizeof text - 256; i++) {
    row(i, text + used, sizeof text - used);
    used += strlen(text + used);
    text[used++] = '\n';
    text[used] = '\0';
  }
  return text;
}
