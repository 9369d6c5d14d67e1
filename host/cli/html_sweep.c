/* The report of a sweep: what won and why, in words, and the sections after it. */
#include "host/cli/html_sweep.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/cli/files.h"
#include "host/cli/message.h"
#include "host/cli/options.h"
#include "host/cli/text_json.h"
#include "host/cli/text_stream.h"
#include "host/json/build.h"
#include "vise/folder.h"

enum { NAME_BYTES = 400 };

/* ---- in words ------------------------------------------------------------------------------------------------------------ */

static void put_name(FILE *page, const vise_i_cli_sheet *sheet, size_t config) {
  char name[NAME_BYTES];
  vise_i_cli_sheet_name(sheet, config, name, sizeof name);
  (void)fputs("<code>", page);
  vise_i_cli_html_short(page, name, 160);
  (void)fputs("</code>", page);
}

static void put_score(FILE *page, const vise_i_cli_sheet *sheet, size_t config) {
  const vise_i_cli_row *row = &sheet->rows[config];
  char number[VISE_I_CLI_NUMBER_BYTES];
  (void)fputs(vise_i_cli_html_number(row->score, 5, number), page);
  if (isfinite(row->error))
    (void)fprintf(page, "&nbsp;\xc2\xb1&nbsp;%s", vise_i_cli_html_number(row->error, 2, number));
}

static const char *plural(size_t n) {
  return n == 1 ? "" : "s";
}

static void put_why(FILE *page, const vise_i_cli_sheet *sheet) {
  const char *select = json_string_value(json_object_get(json_object_get(sheet->root, "choice"), "select"));
  const bool by_se = select != NULL && strcmp(select, "one-se") == 0;
  (void)fputs("<p class=\"lead\">", page);
  put_name(page, sheet, sheet->winner);
  (void)fprintf(page,
                by_se
                    ? " is the most regularised of %zu configuration%s within one standard error of the best: its mean "
                    : " has, of %zu configuration%s, the ",
                sheet->n_configs, plural(sheet->n_configs));
  if (!by_se) (void)fprintf(page, "%s mean ", sheet->larger_is_better ? "highest" : "lowest");

  vise_i_cli_html_short(page, sheet->score, 40);
  (void)fputs(by_se ? " is <strong>" : ": <strong>", page);
  put_score(page, sheet, sheet->winner);
  (void)fputs("</strong>", page);
  if (sheet->n_folds > 1) {
    (void)fprintf(page, " over %zu held-out folds", sheet->n_folds);
    if (sheet->n_repeats > 1) (void)fprintf(page, ", dealt out %zu times", sheet->n_repeats);
  } else {
    (void)fputs(" on the validation rows", page);
  }
  (void)fputs(".</p>\n", page);
}

static void put_others(FILE *page, const vise_i_cli_sheet *sheet) {
  const json_t *within = json_object_get(json_object_get(sheet->root, "choice"), "within_one_se");
  const vise_i_cli_row *row = &sheet->rows[sheet->winner];
  char number[VISE_I_CLI_NUMBER_BYTES];
  (void)fputs("<p>", page);
  if (isfinite(row->train)) {
    (void)fprintf(page, "On the rows that it was trained on it has %s. ",
                  vise_i_cli_html_number(row->train, 5, number));
  }
  if (sheet->best != sheet->winner) {
    (void)fputs("The best mean has ", page);
    put_name(page, sheet, sheet->best);
    (void)fputs(": ", page);
    put_score(page, sheet, sheet->best);
    (void)fputs(". ", page);
  } else if (sheet->one_se != sheet->winner && isfinite(row->error)) {
    (void)fputs("Within one standard error, ", page);
    put_name(page, sheet, sheet->one_se);
    (void)fputs(" is the most regularised: ", page);
    put_score(page, sheet, sheet->one_se);
    (void)fputs(". ", page);
  }

  if (isfinite(row->error) && json_integer_value(within) > 1) {
    (void)fprintf(page, "%lld configurations, the best one among them, are within one standard error of it.",
                  (long long)json_integer_value(within));
  }
  (void)fputs("</p>\n", page);
}

static void put_warnings(FILE *page, const vise_i_cli_sheet *sheet) {
  const json_t *warnings = json_object_get(json_object_get(sheet->root, "choice"), "warnings");
  if (json_array_size(warnings) == 0) return;
  (void)fputs("<ul class=\"notes\" aria-label=\"Warnings\">\n", page);
  for (size_t i = 0; i < json_array_size(warnings) && i < 60; i++) {
    (void)fputs("<li class=\"cap\">", page);
    vise_i_cli_html_json(page, json_array_get(warnings, i), 500);
    (void)fputs("</li>\n", page);
  }
  (void)fputs("</ul>\n", page);
}

static void put_tile(FILE *page, const char *name, const char *value, const char *more) {
  (void)fprintf(page, "<div><dt>%s</dt><dd>%s", name, value);
  if (more != NULL) (void)fprintf(page, "<small>%s</small>", more);
  (void)fputs("</dd></div>\n", page);
}

static void format_seconds(double seconds, char text[VISE_I_CLI_NUMBER_BYTES]) {
  if (seconds < 120) {
    (void)snprintf(text, VISE_I_CLI_NUMBER_BYTES, "%.3g s", seconds);
  } else if (seconds < 7200) {
    (void)snprintf(text, VISE_I_CLI_NUMBER_BYTES, "%.3g min", seconds / 60);
  } else {
    (void)snprintf(text, VISE_I_CLI_NUMBER_BYTES, "%.4g h", seconds / 3600);
  }
}

static void put_tiles(FILE *page, const vise_i_cli_sheet *sheet) {
  char value[VISE_I_CLI_NUMBER_BYTES], more[120];
  double seconds = 0;
  size_t n_fits = 0;
  for (size_t i = 0; i < sheet->n_steps; i++) n_fits += sheet->steps[i].n_fits;
  for (size_t i = 0; i < sheet->n_configs; i++) {
    if (isfinite(sheet->rows[i].seconds)) seconds += sheet->rows[i].seconds * (double)sheet->n_splits;
  }

  (void)fputs("<dl class=\"tiles\">\n", page);
  (void)snprintf(value, sizeof value, "%zu", sheet->n_configs);
  (void)snprintf(more, sizeof more, "of %zu varied option%s", sheet->n_varied, plural(sheet->n_varied));
  put_tile(page, "Configurations", value, more);
  (void)snprintf(value, sizeof value, "%zu", n_fits);
  (void)snprintf(more, sizeof more, "on %zu fold%s%s", sheet->n_splits, plural(sheet->n_splits),
                 sheet->n_steps > 1 ? ", each round counted" : "");
  put_tile(page, "Fits", value, more);
  (void)snprintf(value, sizeof value, "%zu", sheet->n_failures);
  put_tile(page, "Fits not finite", value, NULL);
  format_seconds(seconds, value);
  put_tile(page, "Time of all fits", value, "on a thread each");
  (void)fputs("</dl>\n", page);
}

/* ---- the parts of the page ----------------------------------------------------------------------------------------------- */

/* The name of the file of training rows, without folders; to be freed. */
static char *data_name(const json_t *options) {
  const json_t *train = json_object_get(options, "train");
  const char *path = json_string_value(train);
  if (path == NULL) return strdup("a sweep");
  const char *slash = strrchr(path, '/');
  return strdup(slash != NULL && slash[1] != '\0' ? slash + 1 : path);
}

static void put_facts(FILE *page, const vise_i_cli_sheet *sheet) {
  const json_t *data = json_object_get(sheet->root, "data"), *options = json_object_get(sheet->root, "options");
  const json_t *search = json_object_get(options, "search");
  (void)fprintf(page, "<p class=\"facts\">%lld rows, %lld inputs; ",
                (long long)json_integer_value(json_object_get(data, "rows")),
                (long long)json_integer_value(json_object_get(data, "inputs")));
  vise_i_cli_html_short(page, json_is_string(search) ? json_string_value(search) : "grid", 40);
  (void)fputs(" search over ", page);
  for (size_t i = 0; i < sheet->n_varied; i++) {
    if (i > 0) (void)fputs(i + 1 == sheet->n_varied ? " and " : ", ", page);
    (void)fputs("<bdi>", page);
    vise_i_cli_html_short(page, sheet->varied[i].name, 40);
    (void)fputs("</bdi>", page);
  }
  (void)fputs("; scored by ", page);
  vise_i_cli_html_short(page, sheet->score, 40);
  (void)fprintf(page, ", %s is better</p>\n", sheet->larger_is_better ? "larger" : "smaller");
}

static void put_what(FILE *page, const vise_i_cli_sheet *sheet) {
  vise_i_cli_html_section(page, "what", sheet->has_winner ? "What won" : "Nothing won");
  if (!sheet->has_winner) {
    (void)fputs(
        "<p class=\"lead\">No configuration has finite scores on all folds. Smaller learning rates, clipping of "
        "gradients or scaled features may help.</p>\n",
        page);
    put_tiles(page, sheet);
    return;
  }
  put_why(page, sheet);
  put_others(page, sheet);
  put_warnings(page, sheet);
  put_tiles(page, sheet);
  if (sheet->has_best_model) {
    (void)fputs("<p>The winner, trained on all rows, is in <code>best/</code>.</p>\n", page);
  }
}

/* The options of one fit of the winner; a new reference. */
static json_t *fit_options(const vise_i_cli_sheet *sheet, const json_t *options) {
  const vise_option *rows[VISE_I_CLI_MAX_OPTIONS];
  const size_t n_rows = vise_i_cli_list_rows(rows);
  json_t *one = json_object();
  char fold[64];

  for (size_t i = 0; i < n_rows; i++) {
    json_t *value = json_object_get(options, rows[i]->name);
    if (value != NULL && (rows[i]->commands & VISE_COMMAND_TRAIN) != 0) {
      vise_i_json_put(&one, rows[i]->name, json_incref(value));
    }
    for (size_t k = 0; k < sheet->n_varied; k++) {
      const char *text = sheet->rows[sheet->winner].params[k];
      if (strcmp(sheet->varied[k].name, rows[i]->name) != 0 || (rows[i]->commands & VISE_COMMAND_TRAIN) == 0) continue;
      const bool is_flag = rows[i]->type == VISE_OPTION_FLAG;
      vise_i_json_put(&one, rows[i]->name,
                      is_flag ? json_boolean(strcmp(text, "yes") == 0) : vise_i_cli_text_to_json(text));
    }
  }

  (void)snprintf(fold, sizeof fold, "1/%zu", sheet->n_folds);
  if (sheet->n_folds > 1) vise_i_json_put(&one, "fold", json_string(fold));
  return one;
}

static void put_repeat(FILE *page, const vise_i_cli_sheet *sheet) {
  const json_t *options = json_object_get(sheet->root, "options");
  vise_i_cli_html_section(page, "repeat", "To repeat it");
  (void)fputs("<p>The same sweep, with the same bits:</p>\n", page);
  vise_i_cli_html_command(page, "sweep", options, "--out again");
  if (!sheet->has_winner) return;

  json_t *one = fit_options(sheet, options);
  (void)fputs(sheet->n_folds > 1 ? "<p>The winner on the first fold alone, whose <code>val_loss</code> is the score of "
                                   "that fit where losses are scored:</p>\n"
                                 : "<p>The winner's fit alone:</p>\n",
              page);
  if (one == NULL) vise_i_cli_text_lacks(page);
  vise_i_cli_html_command(page, "train", one, "--out fit");
  json_decref(one);
  if (sheet->has_best_config) {
    (void)fputs("<p>The winner on all rows:</p>\n", page);
    vise_i_cli_html_command(page, "train --config best/config.json --out model", NULL, NULL);
  }
}

static void put_page(FILE *page, const vise_i_cli_sheet *sheet) {
  char *name = data_name(json_object_get(sheet->root, "options"));
  if (name == NULL) vise_i_cli_text_lacks(page);
  vise_i_cli_html_begin(page, "Report of a sweep", name != NULL ? name : "a sweep");
  free(name);
  put_facts(page, sheet);
  put_what(page, sheet);
  vise_i_cli_sweep_strengths(page, sheet);
  vise_i_cli_sweep_map(page, sheet);
  vise_i_cli_sweep_lines(page, sheet);
  vise_i_cli_sweep_table(page, sheet);
  vise_i_cli_sweep_spread(page, sheet);
  vise_i_cli_sweep_rounds(page, sheet);
  vise_i_cli_sweep_failures(page, sheet);
  put_repeat(page, sheet);
  vise_i_cli_html_end(page);
}

vise_status vise_i_cli_sweep_report(const char *dir, const char *path, bool *saves, vise_error *err) {
  vise_i_cli_sheet sheet;
  vise_i_cli_text_stream page;
  char *text = NULL;
  size_t n_bytes = 0;

  vise_status status = vise_i_cli_sheet_read(dir, &sheet, err);
  if (status == VISE_OK) {
    status = vise_i_cli_exists_in(dir, "best/model.safetensors", &sheet.has_best_model, err);
  }
  if (status == VISE_OK) status = vise_i_cli_exists_in(dir, "best/config.json", &sheet.has_best_config, err);
  if (status == VISE_OK) status = vise_i_cli_text_begin(&page, "the report", err);
  if (status == VISE_OK) {
    put_page(page.stream, &sheet);
    status = vise_i_cli_text_end(&page, "the report", &text, &n_bytes, err);
  }

  *saves = status == VISE_OK;
  if (status == VISE_OK) status = vise_file_save(path, text, n_bytes, err);
  free(text);
  vise_i_cli_sheet_free(&sheet);
  return status;
}
