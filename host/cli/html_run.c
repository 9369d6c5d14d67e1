/* The report of runs: what came of them, in words, and the sections after it. */
#include "host/cli/html_run.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/cli/message.h"
#include "host/cli/text_stream.h"
#include "vise/folder.h"

static const char *plural(double n) {
  return n < 1 || n > 1 ? "s" : "";
}

/* ---- in words ------------------------------------------------------------------------------------------------------------ */

static void put_name(FILE *page, const vise_i_cli_run_files *run) {
  (void)fputs("<code>", page);
  vise_i_cli_html_short(page, run->name, 60);
  (void)fputs("</code>", page);
}

static void put_score(FILE *page, const vise_i_cli_run_files *run) {
  const char *set;
  const json_t *metrics = vise_i_cli_run_judge(run, &set);
  char text[VISE_I_CLI_NUMBER_BYTES];
  if (metrics == NULL) return;
  const double accuracy = vise_i_cli_run_number(metrics, "accuracy"), r2 = vise_i_cli_run_number(metrics, "r2"),
               rows = vise_i_cli_run_number(metrics, "rows");

  (void)fprintf(page, " On %.0f %s row%s it has ", rows, set, plural(rows));
  if (isfinite(accuracy)) {
    (void)fprintf(page, "an accuracy of <strong>%s</strong> and ", vise_i_cli_html_share(accuracy, text));
  } else if (isfinite(r2)) {
    (void)fprintf(page, "an R\xc2\xb2 of <strong>%s</strong> and ", vise_i_cli_html_number(r2, 4, text));
  }
  (void)fprintf(page, "a loss of <strong>%s</strong>.",
                vise_i_cli_html_number(vise_i_cli_run_number(metrics, "loss"), 4, text));
}

static void put_end(FILE *page, const vise_i_cli_run_files *run) {
  char text[VISE_I_CLI_NUMBER_BYTES];
  const double epochs = vise_i_cli_run_number(run->end, "epochs"), steps = vise_i_cli_run_number(run->end, "steps");
  (void)fputs("<p class=\"lead\">", page);
  put_name(page, run);
  if (run->end == NULL) {
    (void)fprintf(page, " has not ended, or was killed: %zu epoch%s are known of it.</p>\n", run->epochs.n,
                  plural((double)run->epochs.n));
    return;
  }

  (void)fputs(" was trained for ", page);
  if (epochs > 0) (void)fprintf(page, "%.0f epoch%s, ", epochs, plural(epochs));
  (void)fprintf(page, "%.0f step%s, in %s seconds", steps, plural(steps),
                vise_i_cli_html_number(vise_i_cli_run_number(run->end, "seconds"), 3, text));
  (void)fputs(", and ended by <code>", page);
  vise_i_cli_html_json(page, json_object_get(run->end, "reason"), 60);
  (void)fputs("</code>.", page);
  put_score(page, run);
  (void)fputs("</p>\n", page);
}

static void put_best_epoch(FILE *page, const vise_i_cli_run_files *run) {
  const json_t *best = json_object_get(run->end, "best_epoch"), *estimate = json_object_get(run->end, "estimate");
  char mean[VISE_I_CLI_NUMBER_BYTES], deviation[VISE_I_CLI_NUMBER_BYTES];
  if (json_is_object(best)) {
    (void)fprintf(page, "<p>The lowest validation loss, %s, was at epoch %.0f; the weights of %s were kept.</p>\n",
                  vise_i_cli_html_number(vise_i_cli_run_number(best, "validation_loss"), 4, mean),
                  vise_i_cli_run_number(best, "epoch"),
                  json_is_true(json_object_get(best, "kept")) ? "that epoch" : "the last step");
  }
  if (!json_is_object(estimate)) return;
  const char *score = json_string_value(json_object_get(estimate, "score"));
  (void)fprintf(page, "<p>On new rows, by %.0f-fold cross-validation: ", vise_i_cli_run_number(estimate, "folds"));
  vise_i_cli_html_short(page, score != NULL && strcmp(score, "r2") == 0 ? "R\xc2\xb2" : score != NULL ? score : "", 40);
  (void)fprintf(page, " %s \xc2\xb1 %s.</p>\n",
                vise_i_cli_html_number(vise_i_cli_run_number(estimate, "mean"), 4, mean),
                vise_i_cli_html_number(vise_i_cli_run_number(estimate, "deviation"), 2, deviation));
}

static void put_warnings(FILE *page, const vise_i_cli_runs *of) {
  size_t n = 0;
  for (size_t i = 0; i < of->n; i++) n += json_array_size(json_object_get(of->runs[i].end, "warnings"));
  if (n == 0) return;
  (void)fputs("<ul class=\"notes\" aria-label=\"Warnings\">\n", page);
  for (size_t i = 0; i < of->n; i++) {
    const json_t *warnings = json_object_get(of->runs[i].end, "warnings");
    for (size_t k = 0; k < json_array_size(warnings) && k < 20; k++) {
      (void)fputs(of->n > 1 ? "<li>" : "<li class=\"cap\">", page);
      if (of->n > 1) put_name(page, &of->runs[i]);
      if (of->n > 1) (void)fputs(": ", page);
      vise_i_cli_html_json(page, json_array_get(warnings, k), 400);
      (void)fputs("</li>\n", page);
    }
  }
  (void)fputs("</ul>\n", page);
}

/* Which of several runs has the lowest loss on the same kind of rows. */
static void put_comparison(FILE *page, const vise_i_cli_runs *of) {
  const char *set = NULL, *other;
  const vise_i_cli_run_files *best = NULL;
  double lowest = (double)INFINITY;
  char text[VISE_I_CLI_NUMBER_BYTES];
  for (size_t i = 0; i < of->n; i++) {
    const json_t *metrics = vise_i_cli_run_judge(&of->runs[i], &other);
    const double loss = vise_i_cli_run_number(metrics, "loss");
    if (metrics == NULL || (set != NULL && strcmp(set, other) != 0)) return;
    set = other;
    if (!(loss < lowest)) continue;
    lowest = loss;
    best = &of->runs[i];
  }
  if (best == NULL) return;

  (void)fputs("<p class=\"lead\">", page);
  put_name(page, best);
  (void)fprintf(page, " has the lowest loss of %zu runs on its %s rows: <strong>%s</strong>.</p>\n", of->n, set,
                vise_i_cli_html_number(lowest, 4, text));
}

/* ---- the page ------------------------------------------------------------------------------------------------------------ */

static void put_facts(FILE *page, const vise_i_cli_runs *of) {
  const json_t *data = json_object_get(of->runs[0].end, "data");
  if (!json_is_object(data)) return;
  const char *name = json_string_value(json_object_get(data, "name")),
             *slash = name != NULL ? strrchr(name, '/') : NULL;
  (void)fputs("<p class=\"facts\"><bdi>", page);
  vise_i_cli_html_short(page, slash != NULL ? slash + 1 : name != NULL ? name : "", 80);
  (void)fprintf(page, "</bdi>: %.0f training rows", vise_i_cli_run_number(data, "rows"));
  if (vise_i_cli_run_number(data, "validation_rows") > 0) {
    (void)fprintf(page, ", %.0f validation", vise_i_cli_run_number(data, "validation_rows"));
  }
  if (vise_i_cli_run_number(data, "test_rows") > 0)
    (void)fprintf(page, ", %.0f test", vise_i_cli_run_number(data, "test_rows"));
  (void)fprintf(page, "; %.0f input%s", vise_i_cli_run_number(data, "inputs"),
                plural(vise_i_cli_run_number(data, "inputs")));
  if (vise_i_cli_run_number(data, "classes") > 0)
    (void)fprintf(page, ", %.0f classes", vise_i_cli_run_number(data, "classes"));
  (void)fputs("</p>\n", page);
}

static void put_title(FILE *page, const vise_i_cli_runs *of) {
  char *title = NULL;
  vise_i_cli_text_stream words;
  vise_status status = vise_i_cli_text_begin(&words, "the title", NULL);
  for (size_t i = 0; status == VISE_OK && i < of->n && i < 6; i++) {
    (void)fprintf(words.stream, "%s%s", i > 0 ? ", " : "", of->runs[i].name);
  }
  if (status == VISE_OK) status = vise_i_cli_text_end(&words, "the title", &title, NULL, NULL);
  if (status != VISE_OK) vise_i_cli_text_lacks(page);
  vise_i_cli_html_begin(page, of->n == 1 ? "Report of a run" : "Report of runs", title != NULL ? title : "runs");
  free(title);
}

static void put_page(FILE *page, const vise_i_cli_runs *of) {
  put_title(page, of);
  put_facts(page, of);
  vise_i_cli_html_section(page, "what", "What came of it");
  if (of->n == 1) {
    put_end(page, &of->runs[0]);
    put_best_epoch(page, &of->runs[0]);
  } else {
    put_comparison(page, of);
  }
  put_warnings(page, of);
  vise_i_cli_run_scores(page, of);
  if (of->n == 1) vise_i_cli_run_rows(page, &of->runs[0]);

  vise_i_cli_run_curves(page, of);
  vise_i_cli_run_effects(page, of);
  vise_i_cli_run_advice(page, of);
  vise_i_cli_run_time(page, of);
  vise_i_cli_run_weights(page, of);
  if (of->n == 1) vise_i_cli_run_net(page, &of->runs[0]);
  if (of->n == 1) vise_i_cli_run_data(page, &of->runs[0]);
  vise_i_cli_run_repeat(page, of);
  vise_i_cli_html_end(page);
}

static vise_status write_page(const vise_i_cli_runs *of, const char *path, bool *saves, vise_error *err) {
  vise_i_cli_text_stream page;
  char *text = NULL;
  size_t n_bytes = 0;
  vise_status status = vise_i_cli_text_begin(&page, "the report", err);
  if (status != VISE_OK) return status;

  put_page(page.stream, of);
  status = vise_i_cli_text_end(&page, "the report", &text, &n_bytes, err);
  if (status == VISE_OK) {
    *saves = true;
    status = vise_file_save(path, text, n_bytes, err);
  }
  free(text);
  return status;
}

vise_status vise_i_cli_run_report(const char *const *dirs, size_t n, const char *path, bool *saves, vise_error *err) {
  vise_i_cli_runs of = {calloc(n, sizeof *of.runs), 0};
  vise_status status = of.runs != NULL ? VISE_OK : vise_i_cli_fail(err, VISE_ERR_MEMORY, "out of memory");
  while (status == VISE_OK && of.n < n) {
    status = vise_i_cli_run_read(dirs[of.n], &of.runs[of.n], err);
    of.n++;
  }
  if (status == VISE_OK) status = write_page(&of, path, saves, err);

  for (size_t i = 0; i < of.n; i++) vise_i_cli_run_free(&of.runs[i]);
  free(of.runs);
  return status;
}
