/* The configurations as a table, and the fits that were not finite. */
#include <math.h>
#include <string.h>

#include "host/cli/html_sweep.h"

enum {
  MOST_ROWS = 300,
  MOST_BYTES = 360000,
  LEAST_BYTES = 60000,
  MOST_PARAM = 60,
  MOST_FAILED = 25,
  MOST_REASON = 240
};

/* ---- configurations ------------------------------------------------------------------------------------------------------ */

/* Columns that some configurations have something in. */
typedef struct shown {
  bool error, train, epochs, at_bound, clipped, nonfinite;
} shown;

static shown columns_of(const vise_i_cli_sheet *sheet) {
  shown s = {0};
  for (size_t i = 0; i < sheet->n_configs; i++) {
    const vise_i_cli_row *row = &sheet->rows[i];
    s.error = s.error || isfinite(row->error);
    s.train = s.train || isfinite(row->train);
    s.epochs = s.epochs || isfinite(row->epochs);
    s.at_bound = s.at_bound || isfinite(row->at_bound);
    s.clipped = s.clipped || isfinite(row->clipped);
    s.nonfinite = s.nonfinite || row->n_nonfinite > 0;
  }
  return s;
}

static void put_head(FILE *page, const vise_i_cli_sheet *sheet, const shown *s) {
  static const char head[] = "<th scope=\"col\">%s</th>";
  (void)fputs("<thead><tr><th scope=\"col\" aria-sort=\"ascending\">rank</th><th scope=\"col\">", page);
  vise_i_cli_html_short(page, sheet->score, MOST_PARAM);
  (void)fputs("</th>", page);
  if (s->error) (void)fprintf(page, head, "\xc2\xb1\xc2\xa0SE");
  for (size_t i = 0; i < sheet->n_varied; i++) {
    (void)fputs("<th scope=\"col\">", page);
    vise_i_cli_html_short(page, sheet->varied[i].name, MOST_PARAM);
    (void)fputs("</th>", page);
  }

  if (s->train) (void)fprintf(page, head, "training");
  if (s->epochs) (void)fprintf(page, head, "epochs");
  if (s->at_bound) (void)fprintf(page, head, "at bound");
  if (s->clipped) (void)fprintf(page, head, "steps clipped");
  if (s->nonfinite) (void)fprintf(page, head, "fits not finite");
  (void)fprintf(page, head, "seconds a fit");
  (void)fputs("</tr></thead>\n", page);
}

static void put_number(FILE *page, double value, int digits) {
  char text[VISE_I_CLI_NUMBER_BYTES];
  (void)fputs("<td data-v=\"", page);
  if (isfinite(value)) (void)fprintf(page, "%.17g", value);
  (void)fprintf(page, "\">%s</td>", vise_i_cli_html_number(value, digits, text));
}

static void put_share(FILE *page, double value) {
  char text[VISE_I_CLI_NUMBER_BYTES];
  (void)fputs("<td data-v=\"", page);
  if (isfinite(value)) (void)fprintf(page, "%.6g", value);
  (void)fprintf(page, "\">%s</td>", vise_i_cli_html_share(value, text));
}

static void put_param(FILE *page, const vise_i_cli_sheet *sheet, size_t axis, size_t config) {
  const vise_i_cli_varied *varied = &sheet->varied[axis];
  const double number = varied->values[varied->value_of[config]].number;
  (void)fputs("<td", page);
  if (isfinite(number)) (void)fprintf(page, " data-v=\"%.9g\"", number);
  (void)fputs(">", page);
  vise_i_cli_html_short(page, sheet->rows[config].params[axis], MOST_PARAM);
  (void)fputs("</td>", page);
}

static void put_row(FILE *page, const vise_i_cli_sheet *sheet, const shown *s, size_t config) {
  const vise_i_cli_row *row = &sheet->rows[config];
  const bool won = sheet->has_winner && config == sheet->winner;
  (void)fprintf(page, "<tr%s><td data-v=\"%zu\">%zu</td>", won ? " class=\"won\"" : "", row->rank, row->rank);
  put_number(page, row->score, 5);
  if (s->error) put_number(page, row->error, 2);
  for (size_t i = 0; i < sheet->n_varied; i++) put_param(page, sheet, i, config);

  if (s->train) put_number(page, row->train, 5);
  if (s->epochs) put_number(page, row->epochs, 4);
  if (s->at_bound) put_share(page, row->at_bound);
  if (s->clipped) put_share(page, row->clipped);
  if (s->nonfinite) (void)fprintf(page, "<td data-v=\"%zu\">%zu</td>", row->n_nonfinite, row->n_nonfinite);
  put_number(page, row->seconds, 3);
  (void)fputs("</tr>\n", page);
}

void vise_i_cli_sweep_table(FILE *page, const vise_i_cli_sheet *sheet) {
  const shown s = columns_of(sheet);
  vise_i_cli_html_section(page, "table", "The configurations");
  (void)fputs(
      "<div class=\"scroll tall\" tabindex=\"0\" role=\"group\" aria-label=\"Table of configurations\"><table "
      "class=\"sort\">\n",
      page);
  put_head(page, sheet, &s);
  (void)fputs("<tbody>\n", page);

  const long begin = ftell(page), end = begin + LEAST_BYTES > MOST_BYTES ? begin + LEAST_BYTES : MOST_BYTES;
  size_t n = 0;
  while (n < sheet->n_configs && n < MOST_ROWS && ftell(page) < end) {
    put_row(page, sheet, &s, sheet->order[n++]);
  }
  (void)fputs("</tbody></table></div>\n", page);
  if (n < sheet->n_configs) {
    (void)fprintf(page, "<p class=\"skip\">The best %zu of %zu configurations; <code>results.csv</code> has all.</p>\n",
                  n, sheet->n_configs);
  }
}

/* ---- what was not finite ------------------------------------------------------------------------------------------------- */

/* Whether an earlier one of the same configuration is listed. */
static bool is_listed(const vise_i_cli_sheet *sheet, size_t i) {
  for (size_t k = 0; k < i; k++) {
    if (sheet->failures[k].config == sheet->failures[i].config) return true;
  }
  return false;
}

static void put_failure(FILE *page, const vise_i_cli_sheet *sheet, const vise_i_cli_failure *failure) {
  char name[240];
  vise_i_cli_sheet_name(sheet, failure->config, name, sizeof name);
  (void)fputs("<tr><td class=\"t\">", page);
  vise_i_cli_html_short(page, name, 120);
  (void)fprintf(page, "</td><td>%zu of %zu</td><td>%zu", sheet->rows[failure->config].n_nonfinite, sheet->n_splits,
                failure->fold);
  if (sheet->n_repeats > 1) (void)fprintf(page, ", repeat %zu", failure->repeat + 1);
  (void)fputs("</td><td class=\"t w\">", page);
  vise_i_cli_html_short(page, failure->reason != NULL ? failure->reason : "no reason is given", MOST_REASON);
  (void)fputs("</td></tr>\n", page);
}

void vise_i_cli_sweep_failures(FILE *page, const vise_i_cli_sheet *sheet) {
  if (sheet->n_failures == 0) return;
  size_t n_configs = 0, n = 0;
  for (size_t i = 0; i < sheet->n_configs; i++) n_configs += sheet->rows[i].n_nonfinite > 0;

  vise_i_cli_html_section(page, "nonfinite", "What was not finite");
  (void)fprintf(page,
                "<p>%zu fit%s of %zu configuration%s had a loss, a gradient or weights that are not finite, and scored "
                "worst. Smaller learning rates, clipping of gradients or scaled features help.</p>\n",
                sheet->n_failures, sheet->n_failures == 1 ? "" : "s", n_configs, n_configs == 1 ? "" : "s");
  (void)fputs(
      "<div class=\"scroll\" tabindex=\"0\" role=\"group\" aria-label=\"Fits that were not "
      "finite\"><table><thead><tr><th scope=\"col\" class=\"t\">configuration</th><th scope=\"col\">fits</th><th "
      "scope=\"col\">first in fold</th><th scope=\"col\" class=\"t\">why</th></tr></thead><tbody>\n",
      page);

  for (size_t i = 0; i < sheet->n_kept && n < MOST_FAILED; i++) {
    if (is_listed(sheet, i)) continue;
    put_failure(page, sheet, &sheet->failures[i]);
    n++;
  }
  (void)fputs("</tbody></table></div>\n", page);
  if (n < n_configs) {
    (void)fprintf(page, "<p class=\"skip\">%zu of %zu configurations; <code>fits.jsonl</code> has all.</p>\n", n,
                  n_configs);
  }
}
