/*
 * The options of all commands. One table (options_table.c) gives the name, argument, help, group and commands of each,
 * where its value lies in vise_i_cli_options, and which values are allowed; the command line, --help, --config and
 * config.json are all made from it.
 */
#ifndef VISE_I_CLI_OPTIONS_H
#define VISE_I_CLI_OPTIONS_H

#include <jansson.h>

#include "vise/vise.h"

typedef enum vise_i_cli_command {
  VISE_I_CLI_TRAIN = 1,
  VISE_I_CLI_EVAL = 2,
  VISE_I_CLI_PREDICT = 4,
  VISE_I_CLI_PRUNE = 8,
  VISE_I_CLI_CHECK = 16,
  VISE_I_CLI_INFO = 32,
  VISE_I_CLI_BENCH = 64
} vise_i_cli_command;

/* The command's name: "train". */
const char *vise_i_cli_command_name(vise_i_cli_command command);

/* Where a value came from; a later one wins. */
typedef enum vise_i_cli_source { VISE_I_CLI_DEFAULT, VISE_I_CLI_FROM_FILE, VISE_I_CLI_FROM_LINE } vise_i_cli_source;

enum { VISE_I_CLI_MAX_OPTIONS = 128 };

/* All values. Texts and arrays are owned; 0, NULL or false mean "not given" where an option is off by default. */
typedef struct vise_i_cli_options {
  vise_i_cli_command command;
  unsigned char source[VISE_I_CLI_MAX_OPTIONS]; /* vise_i_cli_source of each table row */

  char *train, *train_labels, *val, *val_labels, *test, *test_labels, *target, *row_weights;
  double val_fraction;
  double *class_weights;
  size_t n_class_weights;

  size_t widths[VISE_MAX_LAYERS + 1]; /* 0 = auto */
  size_t n_widths;
  bool no_bias;
  vise_activation activation;
  vise_init_scheme init_scheme;
  vise_train_config training; /* the table sets fields of it; complete only after vise_i_cli_options_finish */
  vise_layer_clamp *layer_clamps;
  size_t n_layer_clamps;
  double clip_final_ratio, clamp_final_ratio;
  bool weight_op_at_given;
  size_t batch; /* 0: not given */
  bool batch_full;
  uint64_t n_threads; /* 0: auto */

  char *init, *mask, *resume, *out, *config;
  bool overwrite, quiet;
  uint64_t checkpoint_every, log_every;
  bool checkpoint_each_epoch;
  double checkpoint_seconds;

  char *model, *data, *labels, *mask_out;
  bool json, plan;
  uint64_t plan_sms;
  vise_output output;
  vise_weight_op op;
  size_t *op_layers;
  size_t n_op_layers;

  /* vise bench: lists as typed, and how long to run. */
  char *cases, *shape, *batches, *widths_list, *depths, *modes, *precisions, *csv;
  bool quick, grid, list, phases;
  double seconds, total_seconds, tolerance;
} vise_i_cli_options;

typedef enum vise_i_cli_type {
  VISE_I_CLI_FLAG,
  VISE_I_CLI_YES_NO,
  VISE_I_CLI_TEXT,
  VISE_I_CLI_PATH,
  VISE_I_CLI_REAL,
  VISE_I_CLI_COUNT,
  VISE_I_CLI_ENUM,
  VISE_I_CLI_CUSTOM
} vise_i_cli_type;

/* What --resume lets a user change. Options of the kind "place" belong to one call and stay out of config.json. */
typedef enum vise_i_cli_change {
  VISE_I_CLI_FIXED,
  VISE_I_CLI_LIMIT,
  VISE_I_CLI_FREE,
  VISE_I_CLI_PLACE
} vise_i_cli_change;

enum { VISE_I_CLI_MIN_OPEN = 1, VISE_I_CLI_MAX_OPEN = 2, VISE_I_CLI_CAN_BE_OFF = 4, VISE_I_CLI_REPEATABLE = 8 };

/* Parsing and printing of one enumeration of the library. */
typedef struct vise_i_cli_enum {
  vise_status (*parse)(const char *text, void *out, vise_error *err);
  const char *(*name)(const void *value);
  const char *(*name_at)(int value);
  const char *refused; /* a name that is not for the command line; NULL: none */
} vise_i_cli_enum;

typedef struct vise_i_cli_option vise_i_cli_option;
struct vise_i_cli_option {
  const char *name, *argument, *help;
  vise_i_cli_type type;
  int group;
  unsigned commands;
  vise_i_cli_change change;
  size_t offset; /* of the value in vise_i_cli_options */
  unsigned flags;
  double min, max; /* REAL and COUNT; max 0: no bound */
  const vise_i_cli_enum *names;
  /* CUSTOM: text to value, value to JSON (a new reference; json_null() when off). */
  vise_status (*set)(vise_i_cli_options *options, const char *text, vise_error *err);
  json_t *(*get)(const vise_i_cli_options *options);
  void (*clear)(vise_i_cli_options *options); /* CUSTOM: back to "not given" */
};

extern const vise_i_cli_option vise_i_cli_table[];
extern const size_t vise_i_cli_table_n;
/* Headings by group number; the last is NULL. */
extern const char *const vise_i_cli_groups[];

/* Fills *options with the defaults of command. Free with vise_i_cli_options_free (which may be called twice). */
void vise_i_cli_options_init(vise_i_cli_options *options, vise_i_cli_command command);
void vise_i_cli_options_free(vise_i_cli_options *options);

/* The command's row with this name; -1: none. If negated is not NULL, "--no-X" is found for a flag X too, and "--X" for
   a flag "no-X"; *negated tells which it was. */
int vise_i_cli_find(vise_i_cli_command command, const char *name, bool *negated);
/* The name that turns flag `option` off again: buffer receives "no-nesterov", or "bias" for "no-bias". */
void vise_i_cli_negated_name(const vise_i_cli_option *option, char *buffer, size_t n_bytes);

/* Sets row i from text (flags: "true" or "false"). The error says what is wrong with text, not where it came from. */
VISE_WARN_UNUSED vise_status vise_i_cli_set(vise_i_cli_options *options, int i, const char *text,
                                            vise_i_cli_source source, vise_error *err);
/* The value of row i as JSON (a new reference, NULL when out of memory): null when off; paths absolute. */
json_t *vise_i_cli_get(const vise_i_cli_options *options, size_t i);
bool vise_i_cli_given(const vise_i_cli_options *options, const char *name);

/* Custom rows (options_custom.c). */
#define VISE_I_CLI_CUSTOM_DECLARE(name)                                                              \
  vise_status vise_i_cli_set_##name(vise_i_cli_options *options, const char *text, vise_error *err); \
  json_t *vise_i_cli_get_##name(const vise_i_cli_options *options);                                  \
  void vise_i_cli_clear_##name(vise_i_cli_options *options);
VISE_I_CLI_CUSTOM_DECLARE(layers)
VISE_I_CLI_CUSTOM_DECLARE(class_weights)
VISE_I_CLI_CUSTOM_DECLARE(clip_value)
VISE_I_CLI_CUSTOM_DECLARE(clamp)
VISE_I_CLI_CUSTOM_DECLARE(clamp_layer)
VISE_I_CLI_CUSTOM_DECLARE(weight_op_at)
VISE_I_CLI_CUSTOM_DECLARE(batch)
VISE_I_CLI_CUSTOM_DECLARE(stop_loss)
VISE_I_CLI_CUSTOM_DECLARE(threads)
VISE_I_CLI_CUSTOM_DECLARE(device)
VISE_I_CLI_CUSTOM_DECLARE(device_memory_limit)
VISE_I_CLI_CUSTOM_DECLARE(op_layers)
VISE_I_CLI_CUSTOM_DECLARE(checkpoint_every)

/* Reads argv after the command word (argv[0] is "vise train") into *options, --config and --resume included. Prints
   help, version and argp's usage errors, and exits after them. */
VISE_WARN_UNUSED vise_status vise_i_cli_parse_arguments(vise_i_cli_options *options, int argc, char **argv,
                                                        vise_error *err);

/* Reads a JSON file of options (config_file.c). */
VISE_WARN_UNUSED vise_status vise_i_cli_config_read(vise_i_cli_options *options, const char *path, vise_error *err);

/* Refuses contradictions and fills in what depends on several options. Called once everything is set. */
VISE_WARN_UNUSED vise_status vise_i_cli_options_finish(vise_i_cli_options *options, vise_error *err);

/* The text of config.json for these options (config_write.c); malloc'ed. */
VISE_WARN_UNUSED vise_status vise_i_cli_config_text(const vise_i_cli_options *options, char **out, vise_error *err);

#endif
