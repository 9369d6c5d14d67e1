/*
 * The values of all options of one call, and the rows that describe them: those of the library's table (vise/options.h)
 * and the tool's own (options_table.c), of the same kind. The command line, --help, --config and config.json are all
 * made from the rows.
 */
#ifndef VISE_I_CLI_OPTIONS_H
#define VISE_I_CLI_OPTIONS_H

#include <jansson.h>

#include "vise/vise.h"

/* Where a value came from; a later one wins. */
typedef enum vise_i_cli_source { VISE_I_CLI_DEFAULT, VISE_I_CLI_FROM_FILE, VISE_I_CLI_FROM_LINE } vise_i_cli_source;

enum { VISE_I_CLI_MAX_OPTIONS = 256 };

typedef enum vise_i_cli_recipe {
  VISE_I_CLI_RECIPE_AUTO,
  VISE_I_CLI_RECIPE_TABLE,
  VISE_I_CLI_RECIPE_NONE
} vise_i_cli_recipe;
typedef enum vise_i_cli_decimal { VISE_I_CLI_POINT, VISE_I_CLI_COMMA } vise_i_cli_decimal;
typedef enum vise_i_cli_stratify {
  VISE_I_CLI_STRATIFY_AUTO,
  VISE_I_CLI_STRATIFY_YES,
  VISE_I_CLI_STRATIFY_NO
} vise_i_cli_stratify;

typedef enum vise_i_cli_cross_validate {
  VISE_I_CLI_CROSS_VALIDATE_AUTO,
  VISE_I_CLI_CROSS_VALIDATE_YES,
  VISE_I_CLI_CROSS_VALIDATE_NO
} vise_i_cli_cross_validate;

/* What the C of an export computes with; auto is 8 bits, or what the model was trained for. */
typedef enum vise_i_cli_weights {
  VISE_I_CLI_WEIGHTS_AUTO,
  VISE_I_CLI_WEIGHTS_INT8,
  VISE_I_CLI_WEIGHTS_INT16,
  VISE_I_CLI_WEIGHTS_FLOAT32
} vise_i_cli_weights;

/* What is shown on the way; watch has the first three. */
typedef enum vise_i_cli_show {
  VISE_I_CLI_SHOW_AUTO,
  VISE_I_CLI_SHOW_BAR,
  VISE_I_CLI_SHOW_LINES,
  VISE_I_CLI_SHOW_NONE,
  VISE_I_CLI_SHOW_JSON
} vise_i_cli_show;

/* What fits are scored by: X(symbol, name). */
#define VISE_I_CLI_SCORE_TABLE(X)                   \
  X(VISE_I_CLI_SCORE_LOSS, "loss")                  \
  X(VISE_I_CLI_SCORE_ACCURACY, "accuracy")          \
  X(VISE_I_CLI_SCORE_BALANCED, "balanced-accuracy") \
  X(VISE_I_CLI_SCORE_F1, "f1")                      \
  X(VISE_I_CLI_SCORE_AUC, "auc")                    \
  X(VISE_I_CLI_SCORE_RMSE, "rmse")                  \
  X(VISE_I_CLI_SCORE_MAE, "mae")                    \
  X(VISE_I_CLI_SCORE_R2, "r2")
#define VISE_I_CLI_SCORE_ITEM_(symbol, name) symbol,
typedef enum vise_i_cli_score { VISE_I_CLI_SCORE_TABLE(VISE_I_CLI_SCORE_ITEM_) VISE_I_CLI_N_SCORES } vise_i_cli_score;
#undef VISE_I_CLI_SCORE_ITEM_

/* All values. Texts and lists are owned; 0, NULL or false mean "not given" where an option is off by default. */
typedef struct vise_i_cli_options {
  size_t struct_size;
  void *owned;

  unsigned command;                                /* one of VISE_COMMAND_... */
  vise_status begun;                               /* VISE_OK: every default is set */
  const vise_option *rows[VISE_I_CLI_MAX_OPTIONS]; /* those of the command, in the order of the help */
  unsigned char source[VISE_I_CLI_MAX_OPTIONS];    /* vise_i_cli_source of each */
  size_t n_rows;

  vise_train_config training;
  vise_net_config net; /* n_layers 0: not given; widths 0: auto */
  vise_run_config run;

  const char *train, *train_labels, *val, *val_labels, *test, *test_labels, *target, *row_weights;
  double val_fraction, test_fraction;
  const char *fold, *group, *shard_by;
  uint64_t fold_repeat, fold_seed;
  bool time_order;
  size_t fold_number, n_folds; /* that vise_i_cli_finish reads in fold; 0: it is not given */
  vise_init_scheme init_scheme;
  const char *init, *mask, *sign, *monotone, *resume, *join, *config;
  bool keeps_scale,
      keeps_scale_target; /* not options: the scaling is that of init's file, which config.json has to leave */
  bool quiet, tensorboard;
  double rank_timeout;
  vise_i_cli_show show;
  bool silent; /* not an option: nothing is printed of a training but errors and warnings */

  /* How tables are read, and what is made of their columns. */
  const char *delimiter, *comment, *na, *strip, *features, *drop, *categorical, *numeric;
  vise_i_cli_recipe recipe;
  size_t n_recipe_rows; /* that the recipe went by */
  vise_i_cli_decimal decimal;
  vise_header header;
  vise_missing missing;
  vise_i_cli_stratify stratify;
  vise_i_cli_cross_validate cross_validate; /* once the data are read: yes or no */
  uint64_t skip_lines, max_categories;
  size_t memory_limit; /* 0: auto */

  /* vise sweep: what to vary (a line for each option), which configurations, on which rows, and which of them wins. */
  const char *vary, *complexity;
  vise_search search;
  uint64_t n_configs, search_seed, sweep_folds, sweep_repeats, halving; /* 0: off */
  vise_i_cli_score score;
  vise_select select;
  bool refit;
  int jobs;  /* 0: auto */
  int lease; /* seconds */

  const char *model, *data, *labels, *out, *mask_out; /* out: of predict, prune, report and certify */
  const char *inputs;                                 /* vise certify, export: a line for each */
  const char *name, *integers;                        /* vise export */
  vise_i_cli_weights weights;
  uint64_t acc_bits; /* 0: not given */
  vise_export_format format;
  uint64_t n_vectors;
  const char *as;      /* of eval and predict */
  const char *ranges;  /* of the same */
  const char *folders; /* vise report, watch: a line for each */
  bool json, plan, recipes, once, keep_model;
  uint64_t plan_sms;
  vise_output output;

  /* vise bench: what to time, and how long. */
  const char *cases, *modes, *precisions, *csv;
  const size_t *grid_widths, *grid_depths, *batches;
  size_t n_grid_widths, n_grid_depths, n_batches;
  bool quick, grid, list, phases;
  double seconds, total_seconds, tolerance;
} vise_i_cli_options;

/* The folder whose run or sweep goes on; NULL: another one begins. */
static inline const char *vise_i_cli_goes_on(const vise_i_cli_options *options) {
  return options->join != NULL ? options->join : options->resume;
}

/* The tool's own rows. */
extern const vise_option vise_i_cli_rows[];
extern const size_t vise_i_cli_n_rows;

/* Lists the rows of both tables in the order of the help: by topic, the library's first. Returns their number. */
size_t vise_i_cli_list_rows(const vise_option *rows[VISE_I_CLI_MAX_OPTIONS]);

/* Fills *options with the defaults of command. Free with vise_i_cli_options_free (which may be called twice). */
void vise_i_cli_options_init(vise_i_cli_options *options, unsigned command);
void vise_i_cli_options_free(vise_i_cli_options *options);

/* The place in options->rows of the option with exactly this name, or an older one; -1: none. If negated is not NULL,
   "no-X" is found for a flag X too, and "X" for a flag "no-X"; *negated tells which it was. */
int vise_i_cli_find(const vise_i_cli_options *options, const char *name, bool *negated);
bool vise_i_cli_given(const vise_i_cli_options *options, const char *name);
/* Whether an option of the training was given, with another value than the one that means nothing. */
bool vise_i_cli_used(const vise_i_cli_options *options, const char *name);

/* Sets row i from text. The error names the option by its field, in backquotes. */
VISE_WARN_UNUSED vise_status vise_i_cli_set(vise_i_cli_options *options, int i, const char *text,
                                            vise_i_cli_source source, vise_error *err);
/* The text that would set the row to its value, malloc'ed; paths are absolute. NULL: out of memory. */
char *vise_i_cli_text(const vise_i_cli_options *options, const vise_option *row);

/* Reads argv after the command word (argv[0] is that word) into *options, --config and --resume included. Prints
   help and version, and exits after them. */
VISE_WARN_UNUSED vise_status vise_i_cli_parse_arguments(vise_i_cli_options *options, int argc, char **argv,
                                                        vise_error *err);

/* Reads a JSON file of options (config_file.c). given: the user named it, so it may be a pipe, or - for standard input. */
VISE_WARN_UNUSED vise_status vise_i_cli_config_read(vise_i_cli_options *options, const char *path, bool given,
                                                    vise_error *err);

/* Takes such options from the object; path is what messages call it. */
VISE_WARN_UNUSED vise_status vise_i_cli_config_take(vise_i_cli_options *options, const char *path, const json_t *object,
                                                    vise_error *err);

/* Refuses contradictions and fills in what depends on several options (rules.c). Called once everything is set. */
VISE_WARN_UNUSED vise_status vise_i_cli_finish(vise_i_cli_options *options, vise_error *err);

/* The text of config.json for these options (config_write.c); malloc'ed. */
VISE_WARN_UNUSED vise_status vise_i_cli_config_text(const vise_i_cli_options *options, char **out, vise_error *err);

#endif
