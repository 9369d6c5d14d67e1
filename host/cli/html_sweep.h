/*
 * The report of a sweep: report.html in its folder, made from sweep.json, results.csv and fits.jsonl alone.
 *   html_sweep.c          the page and its words
 *   html_sweep_read.c     the files
 *   html_sweep_values.c   the values of what was varied, in order, and their places on a chart
 *   html_sweep_strength.c score against each strength
 *   html_sweep_map.c      two strengths against each other
 *   html_sweep_lines.c    parallel coordinates
 *   html_sweep_folds.c    the folds of the best, the rounds of halving
 *   html_sweep_table.c    the configurations, and what was not finite
 */
#ifndef VISE_I_CLI_HTML_SWEEP_H
#define VISE_I_CLI_HTML_SWEEP_H

#include "host/cli/html.h"

enum { VISE_I_CLI_MOST_STEPS = 64, VISE_I_CLI_SHADES = 7 };

/* A value that an option took. */
typedef struct vise_i_cli_value {
  const char *text; /* borrowed from a configuration */
  double number;    /* NaN: a word */
} vise_i_cli_value;

/* An option that was varied. */
typedef struct vise_i_cli_varied {
  char *name;
  vise_i_cli_value *values; /* [n_values]: the different ones, words first, then numbers as they grow */
  size_t n_values, n_words;
  size_t *value_of;       /* [n_configs] */
  bool is_number, is_log; /* its numbers lie on a scale; else its values are names */
  size_t n_bins, *bin_of; /* [n_values]: for many numbers, groups of neighbours; else a group for each value */
  bool is_binned;
} vise_i_cli_varied;

typedef struct vise_i_cli_row {
  char **params; /* [n_varied] */
  double score, error, train, seconds, epochs, at_bound, clipped;
  double *splits; /* [n_splits] */
  size_t rank, n_nonfinite;
} vise_i_cli_row;

/* A fit that was not finite. */
typedef struct vise_i_cli_failure {
  size_t config, repeat, fold;
  char *reason;
} vise_i_cli_failure;

/* What happened until a round of halving. */
typedef struct vise_i_cli_step {
  double epochs; /* the most of a fit */
  size_t n_fits, n_configs;
  double *sums; /* [n_configs of the sheet]: of scores */
  size_t *n_scores;
} vise_i_cli_step;

typedef struct vise_i_cli_sheet {
  const char *dir;
  json_t *root; /* sweep.json */
  bool has_best_model, has_best_config;
  const char *score;
  bool larger_is_better;
  size_t n_folds, n_repeats, n_splits;
  vise_i_cli_varied *varied;
  size_t n_varied;
  vise_i_cli_row *rows; /* [n_configs] */
  size_t n_configs;
  size_t *order; /* [n_configs]: by rank */
  bool has_winner;
  size_t winner, best, one_se;
  vise_i_cli_failure *failures;
  size_t n_failures, n_kept;      /* n_kept of them have an entry */
  double shade_best, shade_worst; /* scores of the first and the last shade */
  vise_i_cli_step steps[VISE_I_CLI_MOST_STEPS];
  size_t n_steps; /* 1: no halving */
} vise_i_cli_sheet;

/* Reads the folder. *sheet must be freed on failure too. */
VISE_WARN_UNUSED vise_status vise_i_cli_sheet_read(const char *dir, vise_i_cli_sheet *sheet, vise_error *err);
void vise_i_cli_sheet_free(vise_i_cli_sheet *sheet);
/* Lists the values of what was varied (html_sweep_values.c). */
VISE_WARN_UNUSED vise_status vise_i_cli_sheet_values(vise_i_cli_sheet *sheet, vise_error *err);

/* Whether score a is better than b; NaN and infinities are worst. */
bool vise_i_cli_sheet_better(const vise_i_cli_sheet *sheet, double a, double b);
/* The best configuration of each group of an option's values; SIZE_MAX: none has a finite score. best is [n_bins]. */
void vise_i_cli_sheet_best_of(const vise_i_cli_sheet *sheet, const vise_i_cli_varied *varied, size_t *best);
/* "l2=0.001 lr=0.01", cut to the buffer at the end of a character. */
void vise_i_cli_sheet_name(const vise_i_cli_sheet *sheet, size_t config, char *buffer, size_t n_bytes);
/* The same for charts: numbers of 3 digits, and only what has several values. */
void vise_i_cli_sheet_label(const vise_i_cli_sheet *sheet, size_t config, char *buffer, size_t n_bytes);
/* The shade of a score: 0 for the best to VISE_I_CLI_SHADES - 1, in which the worst tenth is. */
size_t vise_i_cli_sheet_shade(const vise_i_cli_sheet *sheet, double score);
/* A legend of the shades. */
void vise_i_cli_sheet_shades(FILE *page, const vise_i_cli_sheet *sheet);

/* Where values of an option lie from x1 to x2: words at the start, numbers on a scale after them. */
typedef struct vise_i_cli_places {
  vise_i_cli_scale scale; /* of the numbers */
  double start, word;     /* of the first word, and from word to word */
  double x1, x2;          /* the room for texts */
  bool is_number;
} vise_i_cli_places;

vise_i_cli_places vise_i_cli_places_make(const vise_i_cli_varied *varied, double x1, double x2);
double vise_i_cli_place_of(const vise_i_cli_places *places, const vise_i_cli_varied *varied, size_t value);
/* Numbers or names below an axis at y, as many as have room. */
void vise_i_cli_places_axis(FILE *page, const vise_i_cli_places *places, const vise_i_cli_varied *varied, double y);

/* Sections of the page; each writes nothing where it has nothing to show. */
void vise_i_cli_sweep_strengths(FILE *page, const vise_i_cli_sheet *sheet);
void vise_i_cli_sweep_map(FILE *page, const vise_i_cli_sheet *sheet);
void vise_i_cli_sweep_lines(FILE *page, const vise_i_cli_sheet *sheet);
void vise_i_cli_sweep_spread(FILE *page, const vise_i_cli_sheet *sheet);
void vise_i_cli_sweep_rounds(FILE *page, const vise_i_cli_sheet *sheet);
void vise_i_cli_sweep_table(FILE *page, const vise_i_cli_sheet *sheet);
void vise_i_cli_sweep_failures(FILE *page, const vise_i_cli_sheet *sheet);

/* Writes DIR/report.html. *saves is set once the page is made, and something may have been written. */
VISE_WARN_UNUSED vise_status vise_i_cli_sweep_report(const char *dir, const char *path, bool *saves, vise_error *err);

#endif
