/*
 * The report of runs of train, made from the files in their folders: metrics.jsonl, config.json, model.safetensors.
 *   html_run.c          the page and its words
 *   html_run_read.c     the files
 *   html_run_tables.c   scores, what the regularization did, data, options
 *   html_run_curves.c   losses, accuracies, norms of gradients
 *   html_run_weights.c  histograms of the weights
 *   html_run_net.c      a picture of the net
 */
#ifndef VISE_I_CLI_HTML_RUN_H
#define VISE_I_CLI_HTML_RUN_H

#include "host/cli/html.h"
#include "host/cli/options.h"

enum { VISE_I_CLI_N_COLORS = 6 };

/* What is drawn over epochs, and over steps where metrics.jsonl has them. */
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
  VISE_I_CLI_N_TRACKS
} vise_i_cli_track;

/* Points in the order of the file; NaN where there is none. */
typedef struct vise_i_cli_points {
  double *x, *y[VISE_I_CLI_N_TRACKS];
  size_t n, room;
} vise_i_cli_points;

typedef struct vise_i_cli_run_files {
  const char *dir, *name; /* the last part of dir */
  vise_i_cli_points epochs, steps;
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

/* The tensor of the weights of linear layer l. */
size_t vise_i_cli_run_weights_of(const vise_model *model, size_t l);

/* Parts of the page; each writes nothing where it has nothing to show. */
void vise_i_cli_run_scores(FILE *page, const vise_i_cli_runs *of);
void vise_i_cli_run_effects(FILE *page, const vise_i_cli_runs *of);
void vise_i_cli_run_data(FILE *page, const vise_i_cli_run_files *run);
void vise_i_cli_run_repeat(FILE *page, const vise_i_cli_runs *of);
void vise_i_cli_run_curves(FILE *page, const vise_i_cli_runs *of);
void vise_i_cli_run_weights(FILE *page, const vise_i_cli_runs *of);
void vise_i_cli_run_net(FILE *page, const vise_i_cli_run_files *run);

/* Writes a page of the runs in these folders. */
VISE_WARN_UNUSED vise_status vise_i_cli_run_report(const char *const *dirs, size_t n, const char *path,
                                                   vise_error *err);

#endif
