/* Tables about runs: scores, what the regularization did, the data, the options. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "host/cli/html_run.h"
#include "host/cli/text_json.h"
#include "host/cli/text_stream.h"
#include "host/json/build.h"

enum { MOST_COLUMNS = 200, MOST_CLASSES = 60, MOST_LINES = 60, MOST_TEXT = 200, MOST_LISTED = 8 };

static void begin_table(FILE *page, const char *label, bool sorts) {
  (void)fprintf(page, "<div class=\"scroll%s\" tabindex=\"0\" role=\"group\" aria-label=\"%s\"><table%s>\n<thead><tr>",
                sorts ? " tall" : "", label, sorts ? " class=\"sort\"" : "");
}

static void end_table(FILE *page) {
  (void)fputs("</tbody></table></div>\n", page);
}

/* ---- scores -------------------------------------------------------------------------------------------------------------- */

typedef struct measure {
  const char *key, *head;
  bool is_share;
} measure;

static const measure measures[] = {{"loss", "loss", false}, {"accuracy", "accuracy", true}, {"auc", "AUC", false},
                                   {"rmse", "RMSE", false}, {"mae", "MAE", false},          {"r2", "R\xc2\xb2", false}};
enum { N_MEASURES = sizeof measures / sizeof *measures, N_SETS = 3 };
static const char *const sets[N_SETS] = {"train", "validation", "test"};
static const char *const set_names[N_SETS] = {"training", "validation", "test"};

static const json_t *metrics_of(const vise_i_cli_run_files *run, size_t set) {
  return json_object_get(json_object_get(run->end, "metrics"), sets[set]);
}

static void put_cell(FILE *page, double value, bool is_share) {
  char text[VISE_I_CLI_NUMBER_BYTES];
  (void)fputs("<td data-v=\"", page);
  if (isfinite(value)) (void)fprintf(page, "%.17g", value);
  (void)fprintf(page, "\">%s</td>",
                is_share ? vise_i_cli_html_share(value, text) : vise_i_cli_html_number(value, 5, text));
}

static bool has_measure(const vise_i_cli_runs *of, size_t set, size_t m) {
  for (size_t i = 0; i < of->n; i++) {
    if (isfinite(vise_i_cli_run_number(metrics_of(&of->runs[i], set), measures[m].key))) return true;
  }
  return false;
}

/* A row for each set of rows. */
static void put_sets(FILE *page, const vise_i_cli_runs *of) {
  begin_table(page, "Scores", false);
  (void)fputs("<th scope=\"col\" class=\"t\">rows</th><th scope=\"col\">number</th>", page);
  bool shown[N_MEASURES] = {false};
  for (size_t m = 0; m < N_MEASURES; m++) {
    for (size_t set = 0; set < N_SETS; set++) shown[m] = shown[m] || has_measure(of, set, m);
    if (shown[m]) (void)fprintf(page, "<th scope=\"col\">%s</th>", measures[m].head);
  }
  (void)fputs("</tr></thead><tbody>\n", page);

  for (size_t set = 0; set < N_SETS; set++) {
    const json_t *metrics = metrics_of(&of->runs[0], set);
    if (!json_is_object(metrics)) continue;
    (void)fprintf(page, "<tr><th scope=\"row\" class=\"t\">%s</th><td>%.0f</td>", set_names[set],
                  vise_i_cli_run_number(metrics, "rows"));
    for (size_t m = 0; m < N_MEASURES; m++) {
      if (shown[m]) put_cell(page, vise_i_cli_run_number(metrics, measures[m].key), measures[m].is_share);
    }
    (void)fputs("</tr>\n", page);
  }
  end_table(page);
}

static void put_run_name(FILE *page, const vise_i_cli_run_files *run) {
  (void)fputs("<bdi>", page);
  vise_i_cli_html_short(page, run->name, 60);
  (void)fputs("</bdi>", page);
}

/* A row for each run. */
static void put_runs(FILE *page, const vise_i_cli_runs *of) {
  begin_table(page, "Scores of the runs", true);
  (void)fputs("<th scope=\"col\" class=\"t\">run</th><th scope=\"col\">parameters</th><th scope=\"col\">epochs</th>",
              page);
  for (size_t set = 0; set < N_SETS; set++) {
    for (size_t m = 0; m < N_MEASURES; m++) {
      if (has_measure(of, set, m)) {
        (void)fprintf(page, "<th scope=\"col\">%s %s</th>", set_names[set], measures[m].head);
      }
    }
  }
  (void)fputs("<th scope=\"col\">seconds</th></tr></thead><tbody>\n", page);

  for (size_t i = 0; i < of->n; i++) {
    const vise_i_cli_run_files *run = &of->runs[i];
    (void)fputs("<tr><th scope=\"row\" class=\"t\">", page);
    put_run_name(page, run);
    (void)fputs("</th>", page);
    put_cell(page, vise_i_cli_run_number(json_object_get(run->end, "net"), "parameters"), false);
    put_cell(page, vise_i_cli_run_number(run->end, "epochs"), false);
    for (size_t k = 0; k < N_SETS * N_MEASURES; k++) {
      const size_t set = k / N_MEASURES, m = k % N_MEASURES;
      if (has_measure(of, set, m))
        put_cell(page, vise_i_cli_run_number(metrics_of(run, set), measures[m].key), measures[m].is_share);
    }
    put_cell(page, vise_i_cli_run_number(run->end, "seconds"), false);
    (void)fputs("</tr>\n", page);
  }
  end_table(page);
}

void vise_i_cli_run_scores(FILE *page, const vise_i_cli_runs *of) {
  bool has = false;
  for (size_t k = 0; k < N_SETS * N_MEASURES; k++) has = has || has_measure(of, k / N_MEASURES, k % N_MEASURES);
  if (of->n > 1) {
    put_runs(page, of);
  } else if (has) {
    put_sets(page, of);
  }
}

/* ---- what the regularization did ----------------------------------------------------------------------------------------- */

/* A part of a whole; whole 0: there is no such thing in this run. */
typedef struct effect {
  const char *name, *of, *none;
} effect;

static const effect effects[] = {{"weights at the lower bound", "boxed weights", "no box"},
                                 {"weights at the upper bound", "boxed weights", "no box"},
                                 {"steps whose norm was clipped", "steps", "off"},
                                 {"gradient entries value-clipped", "entries", "off"},
                                 {"rows at the bound of their sum", "bounded rows", "off"},
                                 {"norms at their bound", "bounded norms", "off"},
                                 {"weights with a sign that are 0", "weights with a sign", "none"},
                                 {"zero weights", "weights", "\xe2\x80\x93"},
                                 {"skipped steps", "steps", "\xe2\x80\x93"}};
enum { N_EFFECTS = sizeof effects / sizeof *effects };

static void effect_of(const vise_i_cli_run_files *run, size_t which, double *part, double *whole) {
  const json_t *regularization = json_object_get(run->end, "regularization");
  const vise_train_config *config = &run->options.training;
  const double steps = vise_i_cli_run_number(run->end, "steps"),
               skipped = vise_i_cli_run_number(run->end, "skipped_steps");
  const double values[N_EFFECTS][2] = {
      {vise_i_cli_run_number(regularization, "at_lower_bound"), vise_i_cli_run_number(regularization, "boxed_weights")},
      {vise_i_cli_run_number(regularization, "at_upper_bound"), vise_i_cli_run_number(regularization, "boxed_weights")},
      {vise_i_cli_run_number(regularization, "steps_norm_clipped"), steps},
      {vise_i_cli_run_number(regularization, "clipped_values"),
       (steps - skipped) * vise_i_cli_run_number(json_object_get(run->end, "net"), "parameters")},
      {vise_i_cli_run_number(regularization, "rows_at_bound"), vise_i_cli_run_number(regularization, "bounded_rows")},
      {vise_i_cli_run_number(regularization, "norms_at_bound"), vise_i_cli_run_number(regularization, "bounded_norms")},
      {vise_i_cli_run_number(regularization, "signed_at_zero"),
       vise_i_cli_run_number(regularization, "signed_weights")},
      {vise_i_cli_run_number(regularization, "zero_weights"), vise_i_cli_run_number(regularization, "weights")},
      {skipped, steps}};
  *part = values[which][0];
  *whole = values[which][1];

  const bool is_off = run->has_options && ((which == 2 && !(config->clip_norm > 0) && !(config->clip_agc > 0)) ||
                                           (which == 3 && !config->clip_value));
  if (is_off || !(*whole > 0) || !isfinite(*part)) *whole = 0;
}

static void put_bar(FILE *page, size_t which, double part, double whole) {
  char share[VISE_I_CLI_NUMBER_BYTES];
  (void)fprintf(page, "<tr><th scope=\"row\" class=\"t\">%s</th>", effects[which].name);
  if (!(whole > 0)) {
    (void)fprintf(page, "<td>%s</td><td></td><td></td></tr>\n", effects[which].none);
    return;
  }
  (void)fprintf(page,
                "<td>%s</td><td>%.0f of %.0f %s</td><td class=\"share\" aria-hidden=\"true\"><b><i "
                "style=\"width:%.2f%%\"></i></b></td></tr>\n",
                vise_i_cli_html_share(part / whole, share), part, whole, effects[which].of,
                100 * fmin(part / whole, 1));
}

void vise_i_cli_run_effects(FILE *page, const vise_i_cli_runs *of) {
  bool has = false;
  for (size_t i = 0; i < of->n; i++) has = has || json_is_object(json_object_get(of->runs[i].end, "regularization"));
  if (!has) return;

  vise_i_cli_html_section(page, "effects", "What the regularization did");
  begin_table(page, "What the regularization did", false);
  (void)fputs("<th scope=\"col\" class=\"t\">effect</th>", page);
  for (size_t i = 0; of->n > 1 && i < of->n; i++) {
    (void)fputs("<th scope=\"col\">", page);
    put_run_name(page, &of->runs[i]);
    (void)fputs("</th>", page);
  }
  if (of->n == 1)
    (void)fputs("<th scope=\"col\">share</th><th scope=\"col\">count</th><th aria-hidden=\"true\"></th>", page);
  (void)fputs("</tr></thead><tbody>\n", page);

  for (size_t which = 0; which < N_EFFECTS; which++) {
    double part, whole;
    effect_of(&of->runs[0], which, &part, &whole);
    if (of->n == 1) {
      put_bar(page, which, part, whole);
      continue;
    }
    (void)fprintf(page, "<tr><th scope=\"row\" class=\"t\">%s</th>", effects[which].name);
    for (size_t i = 0; i < of->n; i++) {
      char share[VISE_I_CLI_NUMBER_BYTES];
      effect_of(&of->runs[i], which, &part, &whole);
      (void)fprintf(page, "<td>%s</td>", whole > 0 ? vise_i_cli_html_share(part / whole, share) : effects[which].none);
    }
    (void)fputs("</tr>\n", page);
  }
  end_table(page);
}

/* ---- data ---------------------------------------------------------------------------------------------------------------- */

static void put_lines(FILE *page, const json_t *lines) {
  if (json_array_size(lines) == 0) return;
  (void)fputs("<div class=\"scroll\" tabindex=\"0\" role=\"group\" aria-label=\"What the data were taken for\"><pre>",
              page);
  for (size_t i = 0; i < json_array_size(lines) && i < MOST_LINES; i++) {
    vise_i_cli_html_json(page, json_array_get(lines, i), 2 * MOST_TEXT);
    (void)fputs("\n", page);
  }
  (void)fputs("</pre></div>\n", page);
}

static void put_text_cell(FILE *page, const json_t *value) {
  (void)fputs("<td class=\"t\">", page);
  if (value != NULL && !json_is_null(value)) vise_i_cli_html_json(page, value, MOST_TEXT);
  (void)fputs("</td>", page);
}

static void put_column(FILE *page, const json_t *column) {
  char text[VISE_I_CLI_NUMBER_BYTES];
  (void)fprintf(page, "<tr><td>%.0f</td>", vise_i_cli_run_number(column, "place"));
  put_text_cell(page, json_object_get(column, "name"));
  put_text_cell(page, json_object_get(column, "kind"));
  put_text_cell(page, json_object_get(column, "role"));
  (void)fprintf(page, "<td>%s</td>", vise_i_cli_html_number(vise_i_cli_run_number(column, "gaps"), 6, text));
  (void)fprintf(page, "<td>%s</td>", vise_i_cli_html_number(vise_i_cli_run_number(column, "inputs"), 6, text));
  (void)fprintf(page, "<td>%s</td>", vise_i_cli_html_number(vise_i_cli_run_number(column, "shift"), 4, text));
  (void)fprintf(page, "<td>%s</td>", vise_i_cli_html_number(vise_i_cli_run_number(column, "scale"), 4, text));
  put_text_cell(page, json_object_get(column, "reason"));
  (void)fputs("</tr>\n", page);
}

static void put_columns(FILE *page, const json_t *columns) {
  const size_t n = json_array_size(columns);
  if (n == 0) return;
  (void)fprintf(page, "<details%s><summary>%zu columns</summary>\n", n <= 12 ? " open" : "", n);
  begin_table(page, "Columns", true);
  (void)fputs(
      "<th scope=\"col\">place</th><th scope=\"col\" class=\"t\">name</th><th scope=\"col\" class=\"t\">kind</th><th "
      "scope=\"col\" class=\"t\">role</th><th scope=\"col\">gaps</th><th scope=\"col\">inputs</th><th "
      "scope=\"col\">shift</th><th scope=\"col\">scale</th><th scope=\"col\" class=\"t\">why it is left "
      "out</th></tr></thead><tbody>\n",
      page);
  for (size_t i = 0; i < n && i < MOST_COLUMNS; i++) put_column(page, json_array_get(columns, i));
  end_table(page);
  if (n > MOST_COLUMNS) (void)fprintf(page, "<p class=\"skip\">The first %d of %zu columns.</p>\n", MOST_COLUMNS, n);
  (void)fputs("</details>\n", page);
}

static const json_t *judged(const vise_i_cli_run_files *run, const char **name) {
  for (size_t set = N_SETS; set-- > 0;) {
    const json_t *classes = json_object_get(metrics_of(run, set), "classes");
    *name = set_names[set];
    if (json_array_size(classes) > 0) return classes;
  }
  return NULL;
}

/* The classes with their scores on the rows that judge the run. */
static void put_classes(FILE *page, const vise_i_cli_run_files *run) {
  const char *set = "";
  const json_t *classes = judged(run, &set);
  const size_t n = json_array_size(classes);
  if (n == 0) return;

  (void)fprintf(page, "<details%s><summary>%zu classes, on the %s rows</summary>\n", n <= 12 ? " open" : "", n, set);
  begin_table(page, "Classes", true);
  (void)fputs(
      "<th scope=\"col\" class=\"t\">class</th><th scope=\"col\">rows</th><th scope=\"col\">precision</th><th "
      "scope=\"col\">recall</th><th scope=\"col\">F1</th></tr></thead><tbody>\n",
      page);

  for (size_t i = 0; i < n && i < MOST_CLASSES; i++) {
    const json_t *item = json_array_get(classes, i);
    (void)fputs("<tr>", page);
    put_text_cell(page, json_object_get(item, "name"));
    put_cell(page, vise_i_cli_run_number(item, "rows"), false);
    put_cell(page, vise_i_cli_run_number(item, "precision"), true);
    put_cell(page, vise_i_cli_run_number(item, "recall"), true);
    put_cell(page, vise_i_cli_run_number(item, "f1"), true);
    (void)fputs("</tr>\n", page);
  }
  end_table(page);
  if (n > MOST_CLASSES) (void)fprintf(page, "<p class=\"skip\">The first %d of %zu classes.</p>\n", MOST_CLASSES, n);
  (void)fputs("</details>\n", page);
}

void vise_i_cli_run_data(FILE *page, const vise_i_cli_run_files *run) {
  const json_t *data = json_object_get(run->end, "data");
  if (!json_is_object(data)) return;
  vise_i_cli_html_section(page, "data", "The data");
  put_lines(page, json_object_get(data, "lines"));
  put_columns(page, json_object_get(data, "columns"));
  put_classes(page, run);
}

/* ---- options ------------------------------------------------------------------------------------------------------------- */

static void put_options(FILE *page, const json_t *config) {
  const char *name;
  json_t *value;
  (void)fputs("<details><summary>Every option as it was resolved</summary>\n", page);
  begin_table(page, "Options", false);
  (void)fputs("<th scope=\"col\" class=\"t\">option</th><th scope=\"col\" class=\"t\">value</th></tr></thead><tbody>\n",
              page);
  json_object_foreach((json_t *)(uintptr_t)config, name, value) {
    if (json_is_null(value) || (json_is_array(value) && json_array_size(value) == 0)) continue;
    (void)fputs("<tr><th scope=\"row\" class=\"t\">", page);
    vise_i_cli_html_short(page, name, 60);
    (void)fputs("</th>", page);
    put_text_cell(page, value);
    (void)fputs("</tr>\n", page);
  }
  end_table(page);
  (void)fputs("</details>\n", page);
}

void vise_i_cli_run_repeat(FILE *page, const vise_i_cli_runs *of) {
  bool has = false;
  for (size_t i = 0; i < of->n; i++) has = has || of->runs[i].config != NULL;
  if (!has) return;

  vise_i_cli_html_section(page, "repeat", "To repeat it");
  (void)fputs("<p><code>config.json</code> has every option; it repeats a run, bit for bit.</p>\n", page);
  for (size_t i = 0; i < of->n; i++) {
    json_t *options = json_object();
    char *path = NULL;
    const bool has_config = of->runs[i].config != NULL;
    const bool has_path = has_config && asprintf(&path, "%s/config.json", of->runs[i].dir) >= 0;
    if (has_config && !has_path) vise_i_cli_text_lacks(page);
    if (has_path) {
      vise_i_json_put(&options, "config", vise_i_cli_text_to_json(path));
      if (options == NULL) vise_i_cli_text_lacks(page);
      vise_i_cli_html_command(page, "train", options, "--out again");
      if (of->n <= MOST_LISTED) put_options(page, of->runs[i].config);
      free(path);
    }
    json_decref(options);
  }
}
