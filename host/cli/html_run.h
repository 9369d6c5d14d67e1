/*
 * The report of runs of train, made from the files in their folders: metrics.jsonl, config.json, model.safetensors.
 *   html_run.c          the page and its words
 *   html_run_read.c     the files
 *   html_run_tables.c   scores, what the regularization did, data, options
 *   html_run_chart.c    lines over epochs or steps
 *   html_run_curves.c   losses, accuracies, norms of gradients
 *   html_run_time.c     what the regularization did over time
 *   html_run_advice.c   which limit binds, and what to try
 *   html_run_rows.c     right and wrong predictions
 *   html_run_weights.c  histograms of the weights
 *   html_run_net.c      a picture of the net
 */
#ifndef VISE_I_CLI_HTML_RUN_H
#define VISE_I_CLI_HTML_RUN_H

#include "host/cli/html.h"
#include "host/cli/options.h"

enum { VISE_I_CLI_N_COLORS = 6 };

/* What is drawn over epochs, and over steps where metrics.jsonl has them. Shares are of 1. */
typedef enum vise_i_cli_track {
  VISE_I_CLI_TRAIN_LOSS,
  VISE_I_CLI_VAL_LOSS,
  VISE_I_CLI_TEST_LOSS,
  VISE_I_CLI_TRAIN_ACCURACY,
  VISE_I_CLI_VAL_ACCURACY,
  VISE_I_CLI_TEST_ACCURACY,
  VISE_I_CLI_GRAD_NORM,
  VISE_I_CLI_GRAD_NORM_CLIPPED,
  VISE_I_CLI_AT_BOUND,
  VISE_I_CLI_LR,
  VISE_I_CLI_PENALTY,
  VISE_I_CLI_NORM, /* of a layer's weights */
  VISE_I_CLI_BOUND_SHARE,
  VISE_I_CLI_ZERO_SHARE,
  VISE_I_CLI_CLIPPED_SHARE, /* of the steps since the point before, like the next */
  VISE_I_CLI_SKIPPED_SHARE,
  VISE_I_CLI_N_TRACKS
} vise_i_cli_track;

/* Points in the order of the file; NaN where there is no value. */
typedef struct vise_i_cli_points {
  double *x, *y[VISE_I_CLI_N_TRACKS];
  size_t n, room;
} vise_i_cli_points;

typedef struct vise_i_cli_run_files {
  const char *dir, *name; /* the last part of dir */
  vise_i_cli_points epochs, steps;
  vise_i_cli_points *layers; /* at the records of epochs: the linear layers, each its norm and shares */
  size_t n_layers;
  json_t *end;    /* NULL: it has not ended */
  json_t *config; /* NULL: there is no config.json */
  vise_model *model;
  vise_i_cli_options options; /* of config.json */
  bool has_options;           /* as far as this build knows them */
} vise_i_cli_run_files;

typedef struct vise_i_cli_runs {
  vise_i_cli_run_files *runs;
  size_t n;
} vise_i_cli_runs;

/* Reads a folder. *out must be freed on failure too. */
VISE_WARN_UNUSED vise_status vise_i_cli_run_read(const char *dir, vise_i_cli_run_files *out, vise_error *err);
void vise_i_cli_run_free(vise_i_cli_run_files *run);

/* A number in an object; NaN where there is none. */
double vise_i_cli_run_number(const json_t *object, const char *name);
/* The metrics of a set of rows in the last event: "train", "validation", "test". The rows that judge a run best are those
   of a test, else of a validation, else those it was trained on; *name (of the rows) is good in any case. */
const json_t *vise_i_cli_run_judge(const vise_i_cli_run_files *run, const char **name);
/* The tensor of the weights of linear layer l. */
size_t vise_i_cli_run_weights_of(const vise_model *model, size_t l);

/* ---- charts of lines ---- */

enum { VISE_I_CLI_MOST_LINES = 64 };

typedef enum vise_i_cli_stroke {
  VISE_I_CLI_THIN,
  VISE_I_CLI_THICK,
  VISE_I_CLI_DOTTED,
  VISE_I_CLI_PLAIN
} vise_i_cli_stroke;

typedef struct vise_i_cli_line {
  const vise_i_cli_points *points;
  vise_i_cli_track track;
  size_t color; /* below VISE_I_CLI_N_COLORS */
  vise_i_cli_stroke stroke;
} vise_i_cli_line;

typedef struct vise_i_cli_chart {
  const char *title, *name, *unit; /* the name is that of the y axis, the unit that of the x axis */
  bool is_share;                   /* of 1, shown in per cent */
  bool bridges;                    /* lines go on over points without a value */
  vise_i_cli_line lines[VISE_I_CLI_MOST_LINES];
  size_t n;
  double ring_x, ring_y; /* a point to mark, and why; NULL: none */
  const char *ring_title;
} vise_i_cli_chart;

/* A line without a finite point is not added, nor is one too many. Returns whether it was. */
bool vise_i_cli_chart_add(vise_i_cli_chart *chart, const vise_i_cli_line *line);
/* Whether a point of any line is above 0. */
bool vise_i_cli_chart_is_above_zero(const vise_i_cli_chart *chart);
/* Writes nothing where there are no lines. */
void vise_i_cli_chart_put(FILE *page, const vise_i_cli_chart *chart, double width);

/* A list of what lines mean: begin, entries, end. stroke: its class, color: its number. */
void vise_i_cli_legend_begin(FILE *page);
void vise_i_cli_legend_entry(FILE *page, size_t color, vise_i_cli_stroke stroke, const char *text);
void vise_i_cli_legend_end(FILE *page);

/* Parts of the page; each writes nothing where it has nothing to show. */
void vise_i_cli_run_scores(FILE *page, const vise_i_cli_runs *of);
void vise_i_cli_run_effects(FILE *page, const vise_i_cli_runs *of);
void vise_i_cli_run_data(FILE *page, const vise_i_cli_run_files *run);
void vise_i_cli_run_repeat(FILE *page, const vise_i_cli_runs *of);
void vise_i_cli_run_curves(FILE *page, const vise_i_cli_runs *of);
void vise_i_cli_run_time(FILE *page, const vise_i_cli_runs *of);
void vise_i_cli_run_advice(FILE *page, const vise_i_cli_runs *of);
void vise_i_cli_run_rows(FILE *page, const vise_i_cli_run_files *run);
void vise_i_cli_run_weights(FILE *page, const vise_i_cli_runs *of);
void vise_i_cli_run_net(FILE *page, const vise_i_cli_run_files *run);

/* Writes a page of the runs in these folders. *saves is set once it is made, and something may have been written. */
VISE_WARN_UNUSED vise_status vise_i_cli_run_report(const char *const *dirs, size_t n, const char *path, bool *saves,
                                                   vise_error *err);

#endif
