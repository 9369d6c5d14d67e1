/*
 * A sweep: what its files share.
 *   cmd_sweep.c      the command
 *   sweep_space.c    what is varied, and the options of one configuration
 *   sweep_data.c     the rows of every fold, read once
 *   sweep_run.c      the fits: rungs, the queue, what a result becomes
 *   sweep_score.c    what fits are scored by
 *   sweep_place.c    the folder: lock, what is there, what is replaced
 *   sweep_folder.c   its files: sweep.json, fits.jsonl
 *   sweep_states.c   with --halving: fits that may go on
 *   sweep_results.c  results.csv
 *   sweep_choose.c   means, winner, warnings
 *   sweep_print.c    what is told on the terminal, and --json
 *   sweep_events.c   what is told with --progress json
 *   sweep_plan.c     --plan
 *   sweep_refit.c    the winner on all rows
 *   sweep_board.c    what TensorBoard shows of it
 *   sweep_probe.c    whether another machine computes the same bits
 * sweep_share.h is about several processes with one sweep.
 * html_sweep.h has the report, which is made from the folder.
 */
#ifndef VISE_I_CLI_SWEEP_H
#define VISE_I_CLI_SWEEP_H

#include <jansson.h>
#include <math.h>
#include <sys/types.h>

#include "host/cli/setup.h"
#include "host/cli/warnings.h"

enum { VISE_I_CLI_MOST_RUNGS = 64, VISE_I_CLI_PATH_BYTES = 4096, VISE_I_CLI_FORMAT_BYTES = 64 };

typedef enum vise_i_cli_fit_status {
  VISE_I_CLI_FIT_OPEN,     /* not begun, or under way */
  VISE_I_CLI_FIT_OK,       /* to its end */
  VISE_I_CLI_FIT_STOPPED,  /* at a rung of --halving, from which it may go on */
  VISE_I_CLI_FIT_NONFINITE /* scores worst */
} vise_i_cli_fit_status;

/* One fit: a configuration on one fold of one repeat. */
typedef struct vise_i_cli_fit {
  vise_i_cli_fit_status status;
  size_t n_rungs;            /* that it has been scored at */
  size_t ended_round;        /* the one in which it ended; 0: it goes on, or is open */
  double score, train_score; /* at the newest one; train_score may be NaN */
  double seconds;            /* in all */
  uint64_t epochs, best_epoch;
  double at_bound, clipped;   /* shares of boxed weights and of steps; NaN: nothing is boxed, clipped */
  uint64_t state_at, n_state; /* bytes in the states of that rung; n_state 0: none */
  size_t state_file;          /* among those that have them */
} vise_i_cli_fit;

/* The rows of all folds for configurations that prepare them alike. */
typedef struct vise_i_cli_fold_data {
  char *key;                /* the values that the preparation goes by */
  size_t first;             /* configuration that has them */
  vise_i_cli_setup *setups; /* [n_splits] */
} vise_i_cli_fold_data;

/* A file of states of fits that were scored at a rung. */
typedef struct vise_i_cli_states {
  int file; /* -1: not open */
  size_t rung;
  uint64_t n_bytes;
} vise_i_cli_states;

typedef struct vise_i_cli_sweeping {
  const vise_i_cli_options *options; /* as typed, or those of the sweep that goes on */
  vise_i_cli_options base;           /* what of them all fits have, as options of train */
  vise_space *space;
  size_t n_axes, n_configs, n_folds, n_repeats;
  size_t n_splits; /* n_repeats x n_folds; a split is repeat * n_folds + fold - 1 */
  size_t *same_as; /* [n_configs]: an earlier configuration that is the same, or itself */
  bool larger_is_better;
  vise_i_cli_fit *fits;                  /* [n_configs][n_splits] */
  uint64_t rungs[VISE_I_CLI_MOST_RUNGS]; /* epochs; the last one is 0: to the end */
  size_t n_rungs;
  double *rung_scores; /* [n_rungs][n_configs][n_splits]: of fits that stopped at a rung; NaN: of none */

  vise_i_cli_input input;
  vise_i_cli_fold_data *data; /* [n_data] */
  size_t n_data;
  size_t *data_of; /* [n_configs] */
  size_t n_data_bytes;

  /* The folder; dir NULL: nothing is saved. */
  const char *dir;
  struct vise_folder *folder; /* locked; NULL: not open */
  const char *fits_name;      /* of the file in it that this process writes its fits to */
  int fits_file;              /* -1: not open */
  uint64_t fits_bytes;
  vise_i_cli_states kept, *before; /* of this rung; [n_before] of the rung before */
  size_t n_before;
  bool joins;                     /* --join: others began it */
  bool ended;                     /* and have made the results */
  struct vise_i_cli_share *share; /* with other processes; NULL: this one is alone */
  char probe[24];                 /* of sweep.json; empty: there is none */
  double last_sync;
  bool resumes;

  size_t n_done, n_planned; /* fits of this call and before, for the bar */
  size_t round;             /* rung (from 1) whose fits are trained */
  double seconds;
  size_t n_fits_now; /* of this call */
  int n_jobs;
  bool interrupted;

  /* The choice. */
  double *means, *errors; /* [n_configs] */
  size_t *ranks;
  bool has_winner;
  size_t best, one_se, winner;
  size_t n_eligible, n_within; /* that ran to the end; of them, within one standard error of the best */
  size_t n_nonfinite;          /* fits */
  vise_i_cli_warnings warnings;
  size_t n_shown, n_distinct; /* configurations that TensorBoard is given; 0: it is given none */
} vise_i_cli_sweeping;

static inline vise_i_cli_fit *vise_i_cli_fit_at(const vise_i_cli_sweeping *s, size_t config, size_t split) {
  return &s->fits[config * s->n_splits + split];
}

/* Where the score of a fit that stopped at a rung (from 1) is kept, by which configurations are chosen to go on. */
static inline double *vise_i_cli_rung_score(const vise_i_cli_sweeping *s, size_t config, size_t split, size_t rung) {
  return &s->rung_scores[((rung - 1) * s->n_configs + config) * s->n_splits + split];
}

/* Whether a round has no use for the fit any more: it stopped there, or ended in it or before. */
static inline bool vise_i_cli_fit_is_done(const vise_i_cli_sweeping *s, size_t config, size_t split, size_t round) {
  const size_t ended = vise_i_cli_fit_at(s, config, split)->ended_round;
  return (ended > 0 && ended <= round) || !isnan(*vise_i_cli_rung_score(s, config, split, round));
}

/* ---- sweep_space.c ---- */

/* Makes the space, checks what is varied, and that every configuration is one that train would take. */
VISE_WARN_UNUSED vise_status vise_i_cli_sweep_space(vise_i_cli_sweeping *s, vise_error *err);
/* The options of train for a configuration, on a fold (split SIZE_MAX: on none), which borrow from s->base; free them,
   after an error too. */
VISE_WARN_UNUSED vise_status vise_i_cli_sweep_options(const vise_i_cli_sweeping *s, size_t config, size_t split,
                                                      vise_i_cli_options *out, vise_error *err);
/* The same, resolved with the rows of a split; *setup borrows these, but its model is to be freed, after an error too. */
VISE_WARN_UNUSED vise_status vise_i_cli_sweep_resolve(const vise_i_cli_sweeping *s, size_t config, size_t split,
                                                      vise_i_cli_options *options, vise_i_cli_setup *setup,
                                                      vise_error *err);
/* What such options and their setup say of a fit, but for its training; borrowed. */
void vise_i_cli_sweep_fill(const vise_i_cli_options *options, const vise_i_cli_setup *setup, vise_sweep_fit *fit);
/* "l2=0.001 lr=0.01". */
void vise_i_cli_sweep_name(const vise_i_cli_sweeping *s, size_t config, char *buffer, size_t n_bytes);
/* Returns status, and says of which fit text is. */
VISE_WARN_UNUSED vise_status vise_i_cli_sweep_fit_failed(const vise_i_cli_sweeping *s, size_t config, size_t split,
                                                         vise_status status, const char *text, vise_error *err);
/* Whether the axis decides how rows are prepared. */
bool vise_i_cli_sweep_prepares(const char *axis);

/* Whether the fits of a configuration are nets in integers: copies the format to the buffer. */
bool vise_i_cli_sweep_quantizes(const vise_i_cli_sweeping *s, size_t config, char *buffer, size_t n_bytes);
/* Whether those of any are. */
bool vise_i_cli_sweep_quantizes_any(const vise_i_cli_sweeping *s);

/* Fits of all rungs, those that are done among them. */
size_t vise_i_cli_sweep_n_planned(const vise_i_cli_sweeping *s);

/* ---- sweep_data.c ---- */

VISE_WARN_UNUSED vise_status vise_i_cli_sweep_data(vise_i_cli_sweeping *s, vise_error *err);
void vise_i_cli_sweep_data_free(vise_i_cli_sweeping *s);
/* A number that tells these rows, row weights and test rows from others; and one that sees neither weights nor test rows,
   which is all that sweeps of the first release have. */
VISE_WARN_UNUSED vise_status vise_i_cli_sweep_all_hash(const vise_i_cli_sweeping *s, uint64_t *out, vise_error *err);
VISE_WARN_UNUSED vise_status vise_i_cli_sweep_data_hash(const vise_i_cli_sweeping *s, uint64_t *out, vise_error *err);

/* ---- sweep_run.c ---- */

/* Plans the rungs, and trains all fits that are not done. Ends early, without an error, when it is interrupted. */
VISE_WARN_UNUSED vise_status vise_i_cli_sweep_plan_rungs(vise_i_cli_sweeping *s, vise_error *err);
/* What a trainer would refuse of a configuration is refused before anything is trained. */
VISE_WARN_UNUSED vise_status vise_i_cli_sweep_check_fits(const vise_i_cli_sweeping *s, vise_error *err);
VISE_WARN_UNUSED vise_status vise_i_cli_sweep_run(vise_i_cli_sweeping *s, vise_error *err);

/* ---- sweep_events.c ---- */

/* Where a sweep is: of the configurations that all folds have scored in this round, the best; SIZE_MAX: none yet. */
typedef struct vise_i_cli_sweep_moment {
  double seconds, rate, seconds_left; /* fits per second; NaN or 0: not known */
  size_t best_config;
  double best;
} vise_i_cli_sweep_moment;

/* Nothing unless the call tells events; a moment is for the caller to ask. A round begins with n_configs. */
void vise_i_cli_sweep_tell_start(const vise_i_cli_sweeping *s);
void vise_i_cli_sweep_tell_moment(const vise_i_cli_sweeping *s, const vise_i_cli_sweep_moment *moment);
void vise_i_cli_sweep_tell_round(const vise_i_cli_sweeping *s, size_t n_configs);
void vise_i_cli_sweep_tell_end(const vise_i_cli_sweeping *s, const char *reason, int exit_code);

/* The names of what is varied, and the epochs of the rungs, null for the last; new references. */
json_t *vise_i_cli_sweep_axes_json(const vise_i_cli_sweeping *s);
json_t *vise_i_cli_sweep_rungs_json(const vise_i_cli_sweeping *s);

/* ---- sweep_score.c ---- */

bool vise_i_cli_score_larger(vise_i_cli_score score);
const char *vise_i_cli_score_name(vise_i_cli_score score);
/* Whether nets of that loss and so many outputs can have it. */
bool vise_i_cli_score_fits(vise_i_cli_score score, vise_loss loss, size_t n_outputs);
/* Whether the metrics of a fit have it; else its model has to be asked. */
bool vise_i_cli_score_of_metrics(vise_i_cli_score score, const vise_metrics *metrics, double *out);
/* What vise_sweep_config.score is for; user: the vise_i_cli_sweeping. Nets in integers are scored as such; where the metrics
   of a fit have its score, nothing is done for others. */
vise_status vise_i_cli_score_fit(void *user, uint64_t id, const vise_model *model, const vise_dataset *validation,
                                 double *out, vise_error *err);

/* ---- sweep_place.c ---- */

/* Makes the folder of --out, or opens that of --resume and reads what is there. On failure it is as it was, unless
   ..._changed says that it is not. */
VISE_WARN_UNUSED vise_status vise_i_cli_sweep_folder_open(vise_i_cli_sweeping *s, vise_error *err);
bool vise_i_cli_sweep_folder_changed(const vise_i_cli_sweeping *s);
void vise_i_cli_sweep_folder_close(vise_i_cli_sweeping *s);

/* ---- sweep_folder.c ---- */

/* Opens fits.jsonl; with --resume the fits in it are done, and a cut line at its end is cut off. */
VISE_WARN_UNUSED vise_status vise_i_cli_sweep_fits_open(vise_i_cli_sweeping *s, vise_error *err);
/* A file of fits that another process writes to, as far as it was read; 0: not at all. */
typedef struct vise_i_cli_followed {
  uint64_t n_bytes;
  dev_t device;
  ino_t inode;
} vise_i_cli_followed;

/* Takes the whole lines that are new, all of a file that has taken the place of another; *n_new grows by the fits that were
   not known. A file that is missing has none. */
VISE_WARN_UNUSED vise_status vise_i_cli_sweep_fits_follow(vise_i_cli_sweeping *s, const char *name,
                                                          vise_i_cli_followed *followed, size_t *n_new,
                                                          vise_error *err);
/* Whether the rows are those that the sweep in the folder began with, and for --join the bits. */
VISE_WARN_UNUSED vise_status vise_i_cli_sweep_check_same(vise_i_cli_sweeping *s, vise_error *err);
/* Appends a fit, of s->fits or newer, to the file of fits; text (may be NULL) says why it is not finite. */
VISE_WARN_UNUSED vise_status vise_i_cli_sweep_folder_add(vise_i_cli_sweeping *s, uint64_t id, const vise_i_cli_fit *fit,
                                                         const char *text, vise_error *err);
/* What was added is on the disk. */
VISE_WARN_UNUSED vise_status vise_i_cli_sweep_folder_sync(vise_i_cli_sweeping *s, vise_error *err);
/* sweep.json, malloc'ed, with the choice if there is one; writes it anew. */
VISE_WARN_UNUSED vise_status vise_i_cli_sweep_json_text(const vise_i_cli_sweeping *s, char **out, vise_error *err);
VISE_WARN_UNUSED vise_status vise_i_cli_sweep_json_write(const vise_i_cli_sweeping *s, vise_error *err);
/* A file of the folder from text, under a temporary name and then renamed. */
VISE_WARN_UNUSED vise_status vise_i_cli_sweep_file_write(const vise_i_cli_sweeping *s, const char *name,
                                                         const char *text, size_t n, vise_error *err);

/* For the other files of the folder: the path of one, and what is said where it fails (errno). */
void vise_i_cli_sweep_path(const vise_i_cli_sweeping *s, const char *name, char path[VISE_I_CLI_PATH_BYTES]);
vise_status vise_i_cli_sweep_fail_file(const vise_i_cli_sweeping *s, const char *name, const char *what,
                                       vise_error *err);

/* ---- sweep_states.c ---- */

/* Before the fits of a rung (from 1): the states of the rung before are read, and those of this one kept, if there is
   another after it. */
VISE_WARN_UNUSED vise_status vise_i_cli_sweep_states_begin(vise_i_cli_sweeping *s, size_t rung, vise_error *err);
/* After them: those of the rung before have no use any more. */
void vise_i_cli_sweep_states_end(vise_i_cli_sweeping *s, size_t rung);
VISE_WARN_UNUSED vise_status vise_i_cli_sweep_states_keep(vise_i_cli_sweeping *s, size_t config, size_t split,
                                                          const void *bytes, size_t n, vise_error *err);
/* What was kept is on the disk, as far as that can be done. */
void vise_i_cli_sweep_states_sync(const vise_i_cli_sweeping *s);
/* *out is malloc'ed; NULL: there is none, and the fit begins anew. */
VISE_WARN_UNUSED vise_status vise_i_cli_sweep_states_read(const vise_i_cli_sweeping *s, const vise_i_cli_fit *fit,
                                                          void **out, vise_error *err);
void vise_i_cli_sweep_states_close(vise_i_cli_sweeping *s);
/* The name within the folder of the file with the states of a rung. */
void vise_i_cli_sweep_states_name(size_t rung, char name[64]);
/* Removes all of them from the folder. */
void vise_i_cli_sweep_states_remove(const vise_i_cli_sweeping *s);

/* ---- sweep_probe.c ---- */

/* A number that other bits would change: of the weights after the first steps of the first fit. Empty where
   they are not finite. */
VISE_WARN_UNUSED vise_status vise_i_cli_sweep_probe(const vise_i_cli_sweeping *s, char out[24], vise_error *err);
/* "cpu", ...: where fits are trained. */
const char *vise_i_cli_sweep_backend(const vise_i_cli_sweeping *s);
/* Whether fits of this process are, bit for bit, those of the processes whose sweep.json this is. */
VISE_WARN_UNUSED vise_status vise_i_cli_sweep_check_bits(const vise_i_cli_sweeping *s, const json_t *sheet,
                                                         vise_error *err);

/* ---- sweep_results.c, sweep_choose.c, sweep_print.c, sweep_refit.c ---- */

VISE_WARN_UNUSED vise_status vise_i_cli_sweep_results_write(const vise_i_cli_sweeping *s, vise_error *err);
/* Numbers of which results.csv has the mean over the fits of a configuration. */
typedef enum vise_i_cli_fit_number {
  VISE_I_CLI_FIT_SECONDS,
  VISE_I_CLI_FIT_EPOCHS,
  VISE_I_CLI_FIT_TRAIN_SCORE,
  VISE_I_CLI_FIT_AT_BOUND,
  VISE_I_CLI_FIT_CLIPPED
} vise_i_cli_fit_number;
double vise_i_cli_sweep_mean(const vise_i_cli_sweeping *s, size_t config, vise_i_cli_fit_number which);
VISE_WARN_UNUSED vise_status vise_i_cli_sweep_choose(vise_i_cli_sweeping *s, vise_error *err);
/* --plan: what would be trained. */
VISE_WARN_UNUSED vise_status vise_i_cli_sweep_print_plan(const vise_i_cli_sweeping *s, vise_error *err);
void vise_i_cli_sweep_print_start(const vise_i_cli_sweeping *s);
void vise_i_cli_sweep_print_end(const vise_i_cli_sweeping *s);
/* The choice as JSON; a new reference. */
json_t *vise_i_cli_sweep_choice_json(const vise_i_cli_sweeping *s);
/* The varied options of a configuration by name; a new reference. */
json_t *vise_i_cli_sweep_params_json(const vise_i_cli_sweeping *s, size_t config);
/* With --tensorboard: writes the configurations into the folder's tensorboard/; what fails is a warning. */
void vise_i_cli_sweep_board(vise_i_cli_sweeping *s);
/* Trains the winner on all rows; returns an exit code. */
int vise_i_cli_sweep_refit(vise_i_cli_sweeping *s);

#endif
