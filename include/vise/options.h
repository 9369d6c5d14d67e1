/**
 * @file
 * The options of a training, by name: one table says of each what it is called, which values it takes, its default, its
 * help, and which field of which struct holds it. The command line, its help, config.json and the checks of
 * vise_trainer_create are all made from it; a binding can be made from it too.
 *
 * Names are those of the command line without the dashes ("clip-norm"); "clip_norm" is the same name. Values are texts as
 * on the command line ("0.5", "-0.5:0.25", "adam"); `off` where an option can be off; yes, no, true and false for flags,
 * and "no-nesterov" is the flag that negates "nesterov".
 */
#ifndef VISE_OPTIONS_H
#define VISE_OPTIONS_H

#include "vise/run.h"

#ifdef __cplusplus
extern "C" {
#endif

/** The kind of value, and with it the fields that hold it. */
typedef enum vise_option_type {
  VISE_OPTION_FLAG,            /**< bool; on the command line without a value */
  VISE_OPTION_YES_NO,          /**< bool; "yes" or "no" */
  VISE_OPTION_REAL,            /**< double */
  VISE_OPTION_COUNT,           /**< uint64_t or size_t */
  VISE_OPTION_INT,             /**< int, at least 0 */
  VISE_OPTION_BYTES,           /**< size_t; K, M and G mean 2^10, 2^20 and 2^30 */
  VISE_OPTION_NAME,            /**< an enumeration */
  VISE_OPTION_TEXT,            /**< char *; if it is repeatable, each set adds a line */
  VISE_OPTION_PATH,            /**< char *, a file or folder */
  VISE_OPTION_SWITCHED_REAL,   /**< bool, double */
  VISE_OPTION_INTERVAL,        /**< bool, double, double: "X" means -X:X, or "LO:HI"; inf leaves a side open */
  VISE_OPTION_WIDTHS,          /**< number of layers, widths: "784-128-10"; auto (0) is possible at both ends */
  VISE_OPTION_REALS,           /**< pointer, count: "1,2.5,3" */
  VISE_OPTION_SIZES,           /**< pointer, count: "0,2" */
  VISE_OPTION_LAYER_INTERVALS, /**< pointer, count: "0=-1:1,2=0.5"; each set adds to the list */
  VISE_OPTION_MOMENT,          /**< vise_weight_op_timing, uint64_t: "step:N", "epoch:N" or "every" */
  VISE_OPTION_CADENCE,         /**< uint64_t, double, bool: "N" steps, a time as in "30s", "10m", "2h", or "epoch" */
  VISE_OPTION_LAYER_REALS      /**< pointer, count: "0=1.5,2=3", all above 0; each set adds to the list */
} vise_option_type;

/** The struct that an option is a field of. */
typedef enum vise_option_struct {
  VISE_OPTION_OF_TRAIN_CONFIG,
  VISE_OPTION_OF_NET_CONFIG,
  VISE_OPTION_OF_RUN_CONFIG,
  VISE_OPTION_OF_TOOL /**< the command line's own */
} vise_option_struct;

/** What a run that goes on (--resume) may change. */
typedef enum vise_option_change {
  VISE_OPTION_FIXED, /**< it decides what is computed */
  VISE_OPTION_LIMIT, /**< it decides when the run ends */
  VISE_OPTION_FREE,  /**< it changes no result, or only where a run ends that plans to go on */
  VISE_OPTION_LOCAL  /**< it belongs to one call and is not in config.json */
} vise_option_change;

/* clang-format off */
/** Topics, in the order of the help: X(symbol, title). */
#define VISE_OPTION_TOPIC_TABLE(X) \
  X(VISE_TOPIC_DATA, "Data") \
  X(VISE_TOPIC_TABLES, "Tables: columns and fields") \
  X(VISE_TOPIC_SCALING, "Scaling of the data") \
  X(VISE_TOPIC_NET, "Net") \
  X(VISE_TOPIC_LOSS, "Loss") \
  X(VISE_TOPIC_OPTIMIZER, "Optimizer and learning rate") \
  X(VISE_TOPIC_PENALTIES, "Penalties (biases are exempt)") \
  X(VISE_TOPIC_CLIPPING, "Clipping of gradients") \
  X(VISE_TOPIC_PROJECTION, "Limits on weights, held after every step") \
  X(VISE_TOPIC_OPERATIONS, "Operations on weights, and masks") \
  X(VISE_TOPIC_BATCHES, "Batches and length") \
  X(VISE_TOPIC_STOPPING, "Stopping") \
  X(VISE_TOPIC_PLACE, "Machine: where and how to compute") \
  X(VISE_TOPIC_SAVING, "Files and output") \
  X(VISE_TOPIC_CASES, "Cases to time") \
  X(VISE_TOPIC_SWEEP, "Sweep: what is varied, the folds, the choice") \
  X(VISE_TOPIC_MORE, "More")
/* clang-format on */

#define VISE_OPTION_TOPIC_ITEM_(symbol, title) symbol,
typedef enum vise_option_topic {
  VISE_OPTION_TOPIC_TABLE(VISE_OPTION_TOPIC_ITEM_) vise_option_topic_count_
} vise_option_topic;
#undef VISE_OPTION_TOPIC_ITEM_

/** Title of a topic; "?" outside the table. */
VISE_API const char *vise_option_topic_title(vise_option_topic topic);

/** Commands of the tool that take an option, as bits. */
enum {
  VISE_COMMAND_TRAIN = 1,
  VISE_COMMAND_EVAL = 2,
  VISE_COMMAND_PREDICT = 4,
  VISE_COMMAND_PRUNE = 8,
  VISE_COMMAND_CHECK = 16,
  VISE_COMMAND_INFO = 32,
  VISE_COMMAND_BENCH = 64,
  VISE_COMMAND_SWEEP = 128,
  VISE_COMMAND_REPORT = 256,
  VISE_COMMAND_WATCH = 512,
  VISE_COMMAND_CERTIFY = 1024,
  VISE_COMMAND_EXPORT = 2048
};

/** Bits of vise_option.flags. */
enum {
  VISE_OPTION_MIN_OPEN = 1,   /**< above min, not equal to it */
  VISE_OPTION_MAX_OPEN = 2,   /**< below max, not equal to it */
  VISE_OPTION_INVERTED = 4,   /**< a flag whose field says the contrary: "no-bias" */
  VISE_OPTION_REPEATABLE = 8, /**< may be given several times; an array in config.json */
  VISE_OPTION_CHECKS = 16,    /**< only checks: it changes no result */
  VISE_OPTION_ADDED = 32,     /**< came after the first release: checkpoints hold it only where it is not the default */
  VISE_OPTION_EXPLICIT = 64,  /**< on the command line it is off until it is given */
  VISE_OPTION_BY_OPTIMIZER = 128, /**< its word means NaN: the number of the optimizer, which texts show */
  VISE_OPTION_BY_DATA = 256       /**< on the command line "auto", also when it is not given, leaves it to the data */
};

enum { VISE_OPTION_MAX_FIELDS = 3 };

/** One row of the table. Texts are constant; a name within a help text stands in backquotes. */
typedef struct vise_option {
  const char *name;                       /**< "clip-norm" */
  const char *field;                      /**< "clip_norm"; with commas between them, fields that are set alike */
  vise_option_struct of;                  /**< the struct that has the field */
  size_t offsets[VISE_OPTION_MAX_FIELDS]; /**< where the value lies in it, as type says; unused ones are 0 */
  const char *argument;                   /**< "X"; NULL for a flag */
  const char *default_value;              /**< as text; NULL: none */
  const char *help;                       /**< a phrase; what follows "; " is detail */
  vise_option_type type;
  vise_option_topic topic;
  unsigned commands; /**< VISE_COMMAND_... */
  unsigned common;   /**< those that list it among their most used options */
  vise_option_change change;
  unsigned flags;           /**< VISE_OPTION_... */
  double min, max;          /**< of a number, where it is not `word`; max 0: no bound */
  const char *word;         /**< a word for the value 0 or, of what is switched, for not on: "off", "auto", "full" */
  const char *const *names; /**< of an enumeration, ended by NULL */
  const char *library_only; /**< a name that the command line refuses */
  const char *alias;        /**< an older name, of alias_commands alone */
  unsigned alias_commands;
  unsigned backends; /**< the only ones that have it, as bits 1 << vise_backend; 0: all */
} vise_option;

/** The options of vise_train_config, vise_net_config and vise_run_config, in the order of the help: NULL for i beyond the
    last. */
VISE_API const vise_option *vise_option_at(size_t i);
/** The option of that name, or NULL. *negated (may be NULL) receives whether the name is that of a flag's contrary. */
VISE_API const vise_option *vise_option_find(const char *name, bool *negated);
/** The name that negates a flag: "no-nesterov", or "bias" for "no-bias". Returns its length, as snprintf does. */
VISE_API size_t vise_option_negated_name(const vise_option *option, char *buffer, size_t n_bytes);
/** The values that an option takes, in words: "a number of at least 0 and below 1", or for a NAME "sgd, rmsprop, adam".
    Empty for texts, paths and flags. Returns its length, as snprintf does. */
VISE_API size_t vise_option_range(const vise_option *option, char *buffer, size_t n_bytes);

/**
 * Sets one field (or what belongs together) from text. Lists and texts that a call makes belong to the config: free them
 * with vise_train_config_clear once no call uses the config any more. Only one of two copies of a config may be cleared
 * or have lists set.
 * Errors: VISE_ERR_USAGE (NULL, no such option, a value that is out of range or unreadable, a field beyond the caller's
 * struct), VISE_ERR_MEMORY; the config is unchanged then.
 */
VISE_API VISE_WARN_UNUSED vise_status vise_train_config_set(vise_train_config *config, const char *name,
                                                            const char *text, vise_error *err);
VISE_API VISE_WARN_UNUSED vise_status vise_net_config_set(vise_net_config *config, const char *name, const char *text,
                                                          vise_error *err);
VISE_API VISE_WARN_UNUSED vise_status vise_run_config_set(vise_run_config *config, const char *name, const char *text,
                                                          vise_error *err);

/** Writes an option's value as the text that sets it; "" for a text that is not set.
    Errors: VISE_ERR_USAGE (NULL, no such option, a field beyond the struct, a buffer that is too small). */
VISE_API VISE_WARN_UNUSED vise_status vise_train_config_get(const vise_train_config *config, const char *name,
                                                            char *buffer, size_t n_bytes, vise_error *err);
VISE_API VISE_WARN_UNUSED vise_status vise_net_config_get(const vise_net_config *config, const char *name, char *buffer,
                                                          size_t n_bytes, vise_error *err);
VISE_API VISE_WARN_UNUSED vise_status vise_run_config_get(const vise_run_config *config, const char *name, char *buffer,
                                                          size_t n_bytes, vise_error *err);

/** Frees what set made, and only that; what the caller put into the config is left alone. May be called at any time after
    init, and again. NULL is allowed. */
VISE_API void vise_train_config_clear(vise_train_config *config);
VISE_API void vise_run_config_clear(vise_run_config *config);

/**
 * The same for a struct of the caller's own with rows of its own: it begins with its size, as size_t, and *owned is NULL
 * at first and takes what is made. vise_option_text returns the length of the text, as snprintf does.
 */
VISE_API VISE_WARN_UNUSED vise_status vise_option_set(const vise_option *option, void *config, void **owned,
                                                      const char *text, vise_error *err);
VISE_API size_t vise_option_text(const vise_option *option, const void *config, char *buffer, size_t n_bytes);
VISE_API void vise_option_clear(void *config, void **owned);

#ifdef __cplusplus
}
#endif
#endif
