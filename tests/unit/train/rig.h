/* What the tests of the training layer share: small data sets, models, and runs that record their reports. */
#ifndef VISE_TEST_TRAIN_RIG_H
#define VISE_TEST_TRAIN_RIG_H

#include <criterion/criterion.h>
#include <jansson.h>
#include <math.h>
#include <string.h>

#include "tests/support/unit.h"
#include "vise/vise.h"

/* EXPECT_OK and EXPECT_ERROR for calls that are given &rig_err, which is cleared first. */
#define OK(call) (vise_error_clear(&rig_err), EXPECT_OK(call, rig_err))
#define REFUSED(call, code, says) (vise_error_clear(&rig_err), EXPECT_ERROR(call, &rig_err, code, says))

extern vise_error rig_err;

/* Class labels 0..n_classes-1 (i64, one column) that depend on n_features features (f64); values are set by seed. */
vise_dataset *rig_classes(size_t n_rows, size_t n_features, size_t n_classes, uint64_t seed);
/* One target column of f64: a noisy linear function of the features. */
vise_dataset *rig_regression(size_t n_rows, size_t n_features, uint64_t seed);
/* A copy of C-ordered values as a dataset; targets may be NULL. */
vise_dataset *rig_dataset(const double *x, size_t n_rows, size_t n_features, const double *y, size_t n_targets);

/* A net with these widths (n of them), relu, bias as given; weights by the linear scheme with seed 1. */
vise_model *rig_model(const size_t *widths, size_t n, bool bias, vise_dtype dtype);
/* A double for each parameter, and for each running statistic behind them; to be freed. */
double *rig_params(const vise_model *model);
/* Whether both have the same bits. */
bool rig_same_params(const vise_model *a, const vise_model *b);

/* Fails the test unless every checkpoint in a run's folder is whole; returns how many there are. what and i are for
   the message. */
size_t rig_whole_checkpoints(const char *folder, const char *what, size_t i);
/* Rewrites state.json of a checkpoint with what edit makes of its "state", and its hash with it. */
void rig_edit_state(const char *checkpoint, void (*edit)(json_t *state, void *user), void *user);
void rig_write(const char *path, const char *text);
/* A whole file, to be freed. */
char *rig_read(const char *path);
/* metrics.jsonl of a folder without its "seconds" entries; to be freed. */
char *rig_metrics(const char *folder);
/* Its lines, *n of them; to be freed. */
json_t **rig_events(const char *folder, size_t *n);
void rig_events_free(json_t **events, size_t n);
const char *rig_event_of(const json_t *event);

/* What a run reported: the log lines in order, and how often progress was called. */
typedef struct rig_notes {
  char log[8192];
  size_t n_progress, n_epochs, n_asked, interrupt_at; /* interrupt_at: first question answered yes; 0: none */
  vise_progress last_epoch;
} rig_notes;
/* A config.json with the options that tell it from the files of others. */
extern const char rig_config_json[];
/* A run configuration that reports to notes. */
vise_run_config rig_run_config(const char *out_dir, rig_notes *notes);

#endif
