/* The tool's own options: files, printing, and what the benchmark times. Those of a training are the library's. */
#include <stddef.h>

#include "host/cli/options.h"

#define RUN (VISE_COMMAND_TRAIN | VISE_COMMAND_CHECK)
#define SWEEP VISE_COMMAND_SWEEP
#define TRAIN (RUN | SWEEP)
#define MODEL (VISE_COMMAND_EVAL | VISE_COMMAND_PREDICT)
#define PREDICT VISE_COMMAND_PREDICT
#define PRUNE VISE_COMMAND_PRUNE
#define BENCH VISE_COMMAND_BENCH
#define INFO VISE_COMMAND_INFO
#define REPORT VISE_COMMAND_REPORT
#define WATCH VISE_COMMAND_WATCH
#define CERTIFY VISE_COMMAND_CERTIFY
#define EXPORT VISE_COMMAND_EXPORT
#define READING (MODEL | CERTIFY | EXPORT) /* rows for a saved model */
#define ALL (TRAIN | MODEL | PRUNE | BENCH | INFO | REPORT | WATCH | CERTIFY | EXPORT)

/* Place of a value; the first argument is what the library calls it in its messages, or NULL. */
#define AT(field, member)                \
  field, VISE_OPTION_OF_TOOL, {          \
    offsetof(vise_i_cli_options, member) \
  }
#define PAIR(a, b)                                                   \
  NULL, VISE_OPTION_OF_TOOL, {                                       \
    offsetof(vise_i_cli_options, a), offsetof(vise_i_cli_options, b) \
  }

#define KIND(kind, about, taken_by) .type = VISE_OPTION_##kind, .topic = VISE_TOPIC_##about, .commands = (taken_by)
#define ITEM(symbol, name) name,
#define DECIMALS(X) X(VISE_I_CLI_POINT, ".") X(VISE_I_CLI_COMMA, ",")
#define RECIPES(X) \
  X(VISE_I_CLI_RECIPE_AUTO, "auto") X(VISE_I_CLI_RECIPE_TABLE, "table") X(VISE_I_CLI_RECIPE_NONE, "none")
#define STRATIFY(X) \
  X(VISE_I_CLI_STRATIFY_AUTO, "auto") X(VISE_I_CLI_STRATIFY_YES, "yes") X(VISE_I_CLI_STRATIFY_NO, "no")
#define CROSS_VALIDATE(X)                   \
  X(VISE_I_CLI_CROSS_VALIDATE_AUTO, "auto") \
  X(VISE_I_CLI_CROSS_VALIDATE_YES, "yes") X(VISE_I_CLI_CROSS_VALIDATE_NO, "no")
#define WEIGHTS(X)                   \
  X(VISE_I_CLI_WEIGHTS_AUTO, "auto") \
  X(VISE_I_CLI_WEIGHTS_INT8, "int8") X(VISE_I_CLI_WEIGHTS_INT16, "int16") X(VISE_I_CLI_WEIGHTS_FLOAT32, "float32")
#define WATCHED(X) X(VISE_I_CLI_SHOW_AUTO, "auto") X(VISE_I_CLI_SHOW_BAR, "bar") X(VISE_I_CLI_SHOW_LINES, "lines")
#define SHOWN(X) WATCHED(X) X(VISE_I_CLI_SHOW_NONE, "none") X(VISE_I_CLI_SHOW_JSON, "json")
#define NAMES(TABLE)               \
  .names = (const char *const[]) { \
    TABLE(ITEM) NULL               \
  }
#define NOTHING NULL
#define FLAG NULL, "no"
#define COMMON .common = ~(unsigned)VISE_COMMAND_SWEEP /* whose help is about its own */
#define WIDELY .common = ~0u
#define LOCAL .change = VISE_OPTION_LOCAL
#define FREE .change = VISE_OPTION_FREE

/* clang-format off */
const vise_option vise_i_cli_rows[] = {
  {"train", AT(NULL, train), "FILE", NOTHING,
   "training rows; a table (CSV, TSV, libsvm; .gz, .zst, .xz, .bz2; - is standard input), .npy, .npz:NAME, IDX or IDX .gz", KIND(PATH, DATA, TRAIN), WIDELY},
  {"train-labels", AT(NULL, train_labels), "FILE", NOTHING, "their targets; in the same kinds of file",
   KIND(PATH, DATA, TRAIN)},
  {"val", AT("validation", val), "FILE", NOTHING, "features of validation rows", KIND(PATH, DATA, TRAIN)},
  {"val-labels", AT(NULL, val_labels), "FILE", NOTHING, "their targets", KIND(PATH, DATA, TRAIN)},
  {"val-fraction", AT("validation", val_fraction), "X", NOTHING, "share of the training rows for validation",
   KIND(REAL, DATA, TRAIN), COMMON, .flags = VISE_OPTION_MIN_OPEN | VISE_OPTION_MAX_OPEN, .max = 1,
   .word = "off"},
  {"test-fraction", AT(NULL, test_fraction), "X", NOTHING, "share of the training rows for a test at the end",
   KIND(REAL, DATA, TRAIN), .flags = VISE_OPTION_MIN_OPEN | VISE_OPTION_MAX_OPEN, .max = 1, .word = "off"},
  {"stratify", AT(NULL, stratify), "NAME", "auto",
   "hold rows out class by class; auto does so for tables, and in folds for class labels of arrays too",
   KIND(NAME, DATA, TRAIN), NAMES(STRATIFY)},
  {"fold", AT(NULL, fold), "I/K", NOTHING,
   "train without fold I (from 1) of K, which becomes the validation rows; one fit of a cross-validation",
   KIND(TEXT, DATA, RUN)},
  {"fold-repeat", AT(NULL, fold_repeat), "N", "0", "other folds of the same seed", KIND(COUNT, DATA, RUN),
   .max = UINT32_MAX},
  {"fold-seed", AT(NULL, fold_seed), "N", "0", "seed of the folds, apart from `seed`", KIND(COUNT, DATA, TRAIN)},
  {"group", AT(NULL, group), "COLUMN", NOTHING,
   "rows that are alike in this column stay in one fold; by name or index; the column is no feature",
   KIND(TEXT, DATA, TRAIN)},
  {"shard-by", AT(NULL, shard_by), "COLUMN", NOTHING,
   "with mpirun and `sync-every`: training rows that are alike in this column go to one process; by name or index; without it "
   "row i goes to process i modulo their number",
   KIND(TEXT, DATA, TRAIN)},
  {"time-order", AT(NULL, time_order), FLAG,
   "rows stand in order of time; folds are blocks of them, and a fold is trained on the past alone",
   KIND(FLAG, DATA, TRAIN)},
  {"cross-validate", AT(NULL, cross_validate), "NAME", "auto",
   "estimate the score on new rows by training 5 more times without a fifth of the rows; auto does so for tables under "
   "`recipe` table of which none are held out",
   KIND(NAME, DATA, RUN), FREE, NAMES(CROSS_VALIDATE)},
  {"test", AT(NULL, test), "FILE", NOTHING, "features of test rows", KIND(PATH, DATA, TRAIN), COMMON},
  {"test-labels", AT(NULL, test_labels), "FILE", NOTHING, "their targets", KIND(PATH, DATA, TRAIN)},
  {"model", AT(NULL, model), "FILE", NOTHING,
   "the model; a .safetensors file of Vise, or of PyTorch's nn.Sequential, or the folder of a run",
   KIND(PATH, DATA, READING | PRUNE | INFO), COMMON},
  {"data", AT(NULL, data), "FILE", NOTHING, "rows; a table, .npy, .npz:NAME, IDX or IDX .gz; - is standard input",
   KIND(PATH, DATA, READING), COMMON},
  {"labels", AT(NULL, labels), "FILE", NOTHING, "their targets; in the same kinds of file",
   KIND(PATH, DATA, MODEL), COMMON},
  {"target", AT(NULL, target), "COLUMNS", NOTHING,
   "target columns of a table; a name, an index (from 0; negative from the end) or a comma list; without it: the last "
   "column, or what the model was trained on",
   KIND(TEXT, DATA, TRAIN | READING), WIDELY},
  {"recipe", AT(NULL, recipe), "NAME", "auto",
   "defaults that go together; auto takes table for tables, whose defaults `recipes` of info lists, and none, what stands "
   "here, for arrays",
   KIND(NAME, DATA, TRAIN), COMMON, NAMES(RECIPES)},
  {"row-weights", AT("row_weights", row_weights), "FILE", NOTHING, "a weight of at least 0 for each training row",
   KIND(PATH, DATA, TRAIN)},

  {"features", AT(NULL, features), "COLUMNS", NOTHING, "columns to use, by name or index; without it: all others",
   KIND(TEXT, TABLES, TRAIN)},
  {"drop", AT(NULL, drop), "COLUMNS", NOTHING, "columns to leave out", KIND(TEXT, TABLES, TRAIN), COMMON},
  {"categorical", AT(NULL, categorical), "COLUMNS", NOTHING, "columns to take for text, whatever they hold",
   KIND(TEXT, TABLES, TRAIN)},
  {"numeric", AT(NULL, numeric), "COLUMNS", NOTHING, "columns to take for numbers", KIND(TEXT, TABLES, TRAIN)},
  {"max-categories", AT(NULL, max_categories), "N", "auto",
   "values of a text column with an input each, the rarer ones share one; auto: 64, and up to 256 of at least 3 rows",
   KIND(COUNT, TABLES, TRAIN), .min = 1, .word = "auto"},
  {"missing", AT(NULL, missing), "NAME", "auto",
   "what becomes of gaps; auto: the mean of the training rows and an input that marks them, in text a category; error: "
   "refused; drop-rows: left out",
   KIND(NAME, TABLES, TRAIN), COMMON, NAMES(VISE_MISSING_TABLE)},
  {"na", AT(NULL, na), "TEXTS", NOTHING, "further texts that are gaps; empty, NA, N/A, NaN, nan and ? always are",
   KIND(TEXT, TABLES, TRAIN | READING)},
  {"strip", AT(NULL, strip), "CHARS", NOTHING, "characters to remove from numbers, such as $%",
   KIND(TEXT, TABLES, TRAIN | READING)},
  {"decimal", AT(NULL, decimal), "CHAR", ".", "decimal mark", KIND(NAME, TABLES, TRAIN | READING), NAMES(DECIMALS)},
  {"delimiter", AT(NULL, delimiter), "NAME", "auto",
   "auto, comma, semicolon, tab, space, pipe, or one character; auto is what splits the lines alike",
   KIND(TEXT, TABLES, TRAIN | READING)},
  {"header", AT(NULL, header), "NAME", "auto", "whether line 1 holds the names of the columns",
   KIND(NAME, TABLES, TRAIN | READING), NAMES(VISE_HEADER_TABLE)},
  {"skip-lines", AT(NULL, skip_lines), "N", "0", "lines to leave out at the start", KIND(COUNT, TABLES, TRAIN | READING)},
  {"comment", AT(NULL, comment), "CHAR", NOTHING, "leave out lines that begin with this character",
   KIND(TEXT, TABLES, TRAIN | READING)},

  {"memory-limit", AT("max_bytes", memory_limit), "BYTES", "auto",
   "most memory that the rows of a file may take; a file that would take more is refused before it does; auto is half of what "
   "is free; K, M and G mean 2^10, 2^20 and 2^30",
   KIND(BYTES, DATA, TRAIN | READING | BENCH), FREE, .min = 1, .word = "auto"},

  {"init-scheme", AT(NULL, init_scheme), "NAME", "linear", "how initial weights are drawn",
   KIND(NAME, NET, TRAIN), NAMES(VISE_INIT_SCHEME_TABLE)},
  {"init", AT(NULL, init), "FILE", NOTHING, "start from the weights of this .safetensors file",
   KIND(PATH, NET, TRAIN)},
  {"mask", AT(NULL, mask), "FILE", NOTHING, "keep the weights pruned by this mask at 0",
   KIND(PATH, OPERATIONS, TRAIN | PRUNE)},
  {"sign", AT(NULL, sign), "FILE", NOTHING,
   "keep weights on one side of 0; a .safetensors file with tensors of 1 (not negative), -1 (not positive) and 0 (free), "
   "named as the model's",
   KIND(PATH, OPERATIONS, TRAIN)},
  {"monotone", AT(NULL, monotone), "NAME=+,NAME=-", NOTHING,
   "outputs that never fall (+) or never rise (-) where these features rise, by name or index; weights after the first "
   "layer are not negative then",
   KIND(TEXT, OPERATIONS, TRAIN)},

  {"resume", AT(NULL, resume), "DIR", NOTHING,
   "go on from the newest checkpoint of this run; limits, logging and threads may be changed",
   KIND(PATH, SAVING, VISE_COMMAND_TRAIN), .common = VISE_COMMAND_TRAIN, LOCAL},
  {"rank-timeout", AT("rank_timeout", rank_timeout), "SECONDS", "120",
   "with mpirun: how long a process waits for another before all end; saving is part of what is waited for",
   KIND(REAL, PLACE, VISE_COMMAND_TRAIN), .flags = VISE_OPTION_MIN_OPEN, LOCAL},
  {"tensorboard", AT(NULL, tensorboard), FLAG,
   "curves, weights and options for TensorBoard, in DIR/tensorboard of `out`; a sweep: its configurations, as hparams",
   KIND(FLAG, SAVING, TRAIN), FREE},
  {"quiet", AT(NULL, quiet), FLAG, "no progress and no notes", KIND(FLAG, SAVING, TRAIN | REPORT), FREE},
  {"progress", AT(NULL, show), "NAME", "auto",
   "what standard error tells on the way; auto is a bar on a terminal, else lines; json is an event a line, and nothing "
   "else",
   KIND(NAME, SAVING, VISE_COMMAND_TRAIN | SWEEP), LOCAL, NAMES(SHOWN)},
  {"out", AT(NULL, out), "FILE", NOTHING, "where to write; .npy or .csv, or - for CSV to standard output (required)",
   KIND(PATH, SAVING, PREDICT), COMMON, LOCAL},
  {"as", AT("as", as), "FORMAT", NOTHING,
   "compute as an integer net of this format, as `quantize` of train; a model that was trained with another, or none, is rounded "
   "first, with the ranges of `ranges`; ,unconstrained: without a bound on the sums, which then overflow",
   KIND(TEXT, PLACE, MODEL)},
  {"ranges", AT("ranges", ranges), "FILE", NOTHING,
   "rows whose ranges a net is rounded with that was not trained with `as`: with those that export had as `data`, the net "
   "that it wrote; without them, the rows of `data`",
   KIND(PATH, PLACE, MODEL)},
  {"output", AT(NULL, output), "NAME", "auto",
   "what to write; mean is that of the targets; auto is mean where the loss has a link to it, else raw",
   KIND(NAME, SAVING, PREDICT), COMMON, NAMES(VISE_OUTPUT_TABLE)},
  {"out", AT(NULL, out), "FILE", NOTHING, "where to write the changed model; .safetensors",
   KIND(PATH, SAVING, PRUNE), COMMON, LOCAL},
  {"mask-out", AT(NULL, mask_out), "FILE", NOTHING,
   "where to write the mask; .safetensors, with `weight-op` prune", KIND(PATH, SAVING, PRUNE),
   COMMON, LOCAL},
  {"inputs", AT(NULL, inputs), "LO:HI", NOTHING,
   "the range of every input, in the units of the data, before scaling; or NAME=LO:HI for one, by its name or place; "
   "repeatable; goes before `data`; of export, where test vectors lie",
   KIND(TEXT, DATA, CERTIFY | EXPORT), COMMON, .flags = VISE_OPTION_REPEATABLE, .word = "off"},
  {"as", AT("as", integers), "FORMAT", NOTHING,
   "prove the sums of this net in integers too, the one that export writes with these `as` and `data`; a model that was trained "
   "for integers needs it not",
   KIND(TEXT, SAVING, CERTIFY), COMMON},
  {"keep-model", AT(NULL, keep_model), FLAG,
   "leave the model's file as it is; else the certificate is put into its metadata", KIND(FLAG, SAVING, CERTIFY), COMMON,
   LOCAL},
  {"out", AT(NULL, out), "FILE", NOTHING, "write the certificate to this file too; .json",
   KIND(PATH, SAVING, CERTIFY), COMMON, LOCAL},
  {"format", AT("format", format), "NAME", "onnx",
   "what to write; onnx for other programs, h for C on processors with floating point, c for C in integers",
   KIND(NAME, SAVING, EXPORT), COMMON, NAMES(VISE_EXPORT_TABLE)},
  {"as", AT("as", integers), "FORMAT", NOTHING,
   "of c; the bits of weights (int8, int16), accumulators, hidden values and inputs, as in int8,acc16,act8,in8, of which the "
   "last two may be left away; a model that was trained for them needs it not",
   KIND(TEXT, SAVING, EXPORT), COMMON},
  {"weights", AT("weights", weights), "NAME", "auto",
   "of c; what the weights are: int8 or int16, which `acc` goes with, or float32, which is what `format` h writes; auto is "
   "int8, or what the model was trained for",
   KIND(NAME, SAVING, EXPORT), COMMON, NAMES(WEIGHTS)},
  {"acc", AT("acc", acc_bits), "P", "auto",
   "of c; the bits of accumulators, 10 to 32: --weights int8 --acc 16 is --as int8,acc16; auto is what the model was trained "
   "for",
   KIND(COUNT, SAVING, EXPORT), COMMON, .min = 10, .max = 32, .word = "auto"},
  {"name", AT("name", name), "NAME", "net", "of the files, and before all names in them; letters, digits and _",
   KIND(TEXT, SAVING, EXPORT), COMMON},
  {"vectors", AT("vectors", n_vectors), "N", "16", "test vectors beside C, with the outputs that they must give",
   KIND(COUNT, SAVING, EXPORT), COMMON, .min = 1, .max = 100000},
  {"out", AT(NULL, out), "DIR", NOTHING, "a new or empty folder for the files (required)",
   KIND(PATH, SAVING, EXPORT), COMMON, LOCAL},
  {"folder", AT(NULL, folders), "DIR", NOTHING,
   "the folder of a sweep or of a run; repeatable, for several runs; can be given without --folder",
   KIND(TEXT, DATA, REPORT), COMMON, LOCAL, .flags = VISE_OPTION_REPEATABLE, .word = "off"},
  {"out", AT(NULL, out), "FILE", NOTHING, "where to write; .html (report.html in the folder; required for several runs)",
   KIND(PATH, SAVING, REPORT), COMMON, LOCAL},
  {"folder", AT(NULL, folders), "DIR", NOTHING,
   "the folder of a run or of a sweep; can be given without --folder",
   KIND(TEXT, DATA, WATCH), COMMON, LOCAL, .flags = VISE_OPTION_REPEATABLE, .word = "off"},
  {"progress", AT(NULL, show), "NAME", "auto", "what is shown; auto is a bar on a terminal, else lines",
   KIND(NAME, SAVING, WATCH), COMMON, LOCAL, NAMES(WATCHED)},
  {"once", AT(NULL, once), FLAG, "show the state now, and do not wait for more", KIND(FLAG, SAVING, WATCH), COMMON,
   LOCAL},
  {"json", AT(NULL, json), FLAG, "the events as they come; with `once` the state as one object",
   KIND(FLAG, SAVING, WATCH), COMMON, LOCAL},
  {"plan", AT(NULL, plan), FLAG,
   "what the cuda backend would run for a training; phases, tiles, memory, and the time that they allow; takes the "
   "options of train and needs no GPU",
   KIND(FLAG, SAVING, INFO), COMMON, LOCAL},
  {"recipes", AT(NULL, recipes), FLAG, "what the recipes of train set", KIND(FLAG, SAVING, INFO), COMMON, LOCAL},
  {"plan-sms", AT(NULL, plan_sms), "N", "off",
   "multiprocessors of the H200 that `plan` is for; off: the GPU here",
   KIND(COUNT, SAVING, INFO), COMMON, LOCAL, .min = 1, .max = 1024, .word = "off"},
  {"json", AT(NULL, json), FLAG, "results as JSON", KIND(FLAG, SAVING, TRAIN | READING | PRUNE | BENCH | INFO),
   COMMON, LOCAL},
  {"csv", AT(NULL, csv), "FILE", NOTHING, "write the measurements to this file too", KIND(PATH, SAVING, BENCH),
   COMMON, LOCAL},

  {"case", AT(NULL, cases), "NAME,...", NOTHING, "cases by their names; of the named ones and the grid's",
   KIND(TEXT, CASES, BENCH), COMMON},
  {"grid", AT(NULL, grid), FLAG, "widths 32 to 4096 x 2, 4 and 8 layers x batches 32 to 16384",
   KIND(FLAG, CASES, BENCH), COMMON, LOCAL},
  {"widths", PAIR(grid_widths, n_grid_widths), "N,...", "all", "of the grid: these widths only",
   KIND(SIZES, CASES, BENCH), .word = "all"},
  {"depths", PAIR(grid_depths, n_grid_depths), "N,...", "all", "of the grid: these numbers of layers only",
   KIND(SIZES, CASES, BENCH), .word = "all"},
  {"layers", PAIR(net.n_layers, net.widths), "A-B-C", NOTHING,
   "a net of these sizes; cross-entropy, or mse for one output", KIND(WIDTHS, CASES, BENCH), COMMON},
  {"batch", PAIR(batches, n_batches), "N,...", "all",
   "batches of `layers`, or of the grid these only; without it `layers` has 64", KIND(SIZES, CASES, BENCH), COMMON,
   .word = "all"},
  {"data", AT(NULL, data), "FILE", NOTHING, "time on these rows in place of random ones; bytes are scaled by 1/255",
   KIND(PATH, CASES, BENCH)},
  {"labels", AT(NULL, labels), "FILE", NOTHING, "their targets; else these are the last column of `data`",
   KIND(PATH, CASES, BENCH)},
  {"mode", AT(NULL, modes), "NAME,...", NOTHING,
   "ways to run the step; cpu, cpu64 (float64, the reference), fused (one step a launch), fused-many "
   "(`steps-per-launch`, or 256), unfused, unfused-graph; without it: all; with mpirun ranks alone: what adding gradients takes",
   KIND(TEXT, CASES, BENCH), COMMON},
  {"precision", AT(NULL, precisions), "NAME,...", NOTHING,
   "precisions of the modes that have a choice; fp32, tf32, bf16; without it: all", KIND(TEXT, CASES, BENCH), COMMON},
  {"quick", AT(NULL, quick), FLAG, "small cases first and a short look at each; ends within a minute",
   KIND(FLAG, CASES, BENCH), COMMON, LOCAL},
  {"phases", AT(NULL, phases), FLAG,
   "also where the time of a fused step goes; its phases and exchanges, by clocks read in the kernel",
   KIND(FLAG, CASES, BENCH), COMMON, LOCAL},
  {"seconds", AT(NULL, seconds), "X", "1", "time each row for so long", KIND(REAL, CASES, BENCH),
   COMMON, .flags = VISE_OPTION_MIN_OPEN, LOCAL},
  {"total-seconds", AT(NULL, total_seconds), "X", "off", "leave out the cases that would not end within it",
   KIND(REAL, CASES, BENCH), .flags = VISE_OPTION_MIN_OPEN, LOCAL, .word = "off"},
  {"tolerance", AT(NULL, tolerance), "X", "1", "factor on what the verification allows", KIND(REAL, CASES, BENCH),
   LOCAL},
  {"list", AT(NULL, list), FLAG, "print the cases and time nothing", KIND(FLAG, CASES, BENCH),
   COMMON, LOCAL},

  {"vary", AT(NULL, vary), "NAME=VALUES", NOTHING,
   "an option of train and the values to try; a list as in l2=off,1e-4,1e-3, or a range as in lr=1e-4..1e-1:log or "
   "batch=16..256:int; repeatable; values with commas in them are parted by ;",
   KIND(TEXT, SWEEP, SWEEP), WIDELY, .flags = VISE_OPTION_REPEATABLE, .word = "off"},
  {"search", AT(NULL, search), "NAME", "grid",
   "which configurations; grid is all combinations of lists; random and sobol draw `configs` of them",
   KIND(NAME, SWEEP, SWEEP), WIDELY, NAMES(VISE_SEARCH_TABLE)},
  {"configs", AT(NULL, n_configs), "N", "off", "how many configurations random and sobol draw",
   KIND(COUNT, SWEEP, SWEEP), WIDELY, .min = 1, .word = "off"},
  {"search-seed", AT(NULL, search_seed), "N", "0", "seed of random and sobol", KIND(COUNT, SWEEP, SWEEP)},
  {"folds", AT(NULL, sweep_folds), "K", "5",
   "parts of the training rows, each held out once; 1: the rows of `val` or `val-fraction` are held out instead",
   KIND(COUNT, SWEEP, SWEEP), WIDELY, .min = 1, .max = 100000},
  {"repeats", AT(NULL, sweep_repeats), "R", "1", "times to deal out other folds", KIND(COUNT, SWEEP, SWEEP), WIDELY,
   .min = 1, .max = 100000},
  {"halving", AT(NULL, halving), "ETA", "off",
   "successive halving; all begin with a share of the epochs, and one in ETA of them, the best, goes on with ETA times as "
   "many",
   KIND(COUNT, SWEEP, SWEEP), WIDELY, .min = 2, .max = 1000, .word = "off"},
  {"score", AT(NULL, score), "NAME", "loss", "what the held-out rows are scored by", KIND(NAME, SWEEP, SWEEP), WIDELY,
   NAMES(VISE_I_CLI_SCORE_TABLE)},
  {"select", AT(NULL, select), "NAME", "best",
   "the winner; best has the best mean score, one-se is the most regularised within one standard error of it",
   KIND(NAME, SWEEP, SWEEP), WIDELY, NAMES(VISE_SELECT_TABLE)},
  {"complexity", AT(NULL, complexity), "LIST", NOTHING,
   "what one-se calls more regularised, the first option first; as in l2,dropout:max,layers:min",
   KIND(TEXT, SWEEP, SWEEP)},
  {"refit", AT(NULL, refit), "yes|no", "yes", "train the winner on all rows, into DIR/best of `out`",
   KIND(YES_NO, SWEEP, SWEEP), WIDELY},
  {"jobs", AT(NULL, jobs), "N", "auto", "fits at a time, a thread for each; auto: one for each processor",
   KIND(INT, SWEEP, SWEEP), FREE, WIDELY, .min = 1, .max = 1024, .word = "auto"},
  {"plan", AT(NULL, plan), FLAG,
   "what would be trained and, on a GPU, how many nets at a time, in how much memory and about how long; trains nothing",
   KIND(FLAG, SWEEP, SWEEP), WIDELY, LOCAL},
  {"resume", AT(NULL, resume), "DIR", NOTHING, "go on with the sweep in this folder", KIND(PATH, SAVING, SWEEP), WIDELY,
   LOCAL},
  {"join", AT(NULL, join), "DIR", NOTHING,
   "help with the sweep in this folder, beside the processes that are at work there; on other machines too; the options are "
   "those of the sweep, and its files may have other paths here",
   KIND(PATH, SAVING, SWEEP), WIDELY, LOCAL},
  {"lease", AT(NULL, lease), "SECONDS", "30",
   "how long this process may be silent until those that share a sweep with it take over its fits",
   KIND(INT, SAVING, SWEEP), LOCAL, .min = 1, .max = 3600},

  {"config", AT(NULL, config), "FILE", NOTHING,
   "options from a JSON file of at most 16 MiB (- is standard input), by the same names without dashes; the command "
   "line wins", KIND(PATH, MORE, ALL), LOCAL},
};
/* clang-format on */

const size_t vise_i_cli_n_rows = sizeof vise_i_cli_rows / sizeof *vise_i_cli_rows;

size_t vise_i_cli_list_rows(const vise_option *rows[VISE_I_CLI_MAX_OPTIONS]) {
  size_t n = 0;

  for (int topic = 0; topic < vise_option_topic_count_; topic++) {
    const vise_option *row;
    for (size_t i = 0; (row = vise_option_at(i)) != NULL; i++) {
      if (row->topic == (vise_option_topic)topic) rows[n++] = row;
    }
    for (size_t i = 0; i < vise_i_cli_n_rows; i++) {
      if (vise_i_cli_rows[i].topic == (vise_option_topic)topic) rows[n++] = &vise_i_cli_rows[i];
    }
  }

  return n;
}
