/* The table of all options, in the order of the help. */
#include "host/cli/options.h"

#define ENUM_ACCESS(type, refused_name)                                                \
  static vise_status parse_##type(const char *text, void *out, vise_error *err) {      \
    return type##_parse(text, (type *)out, err);                                       \
  }                                                                                    \
  static const char *name_##type(const void *value) {                                  \
    return type##_name(*(const type *)value);                                          \
  }                                                                                    \
  static const char *name_at_##type(int value) {                                       \
    return value >= 0 && value < (int)type##_count_ ? type##_name((type)value) : NULL; \
  }                                                                                    \
  static const vise_i_cli_enum enum_##type = {parse_##type, name_##type, name_at_##type, refused_name};

ENUM_ACCESS(vise_activation, NULL)
ENUM_ACCESS(vise_init_scheme, NULL)
ENUM_ACCESS(vise_loss, "external")
ENUM_ACCESS(vise_mse_reduction, NULL)
ENUM_ACCESS(vise_optimizer, NULL)
ENUM_ACCESS(vise_schedule, NULL)
ENUM_ACCESS(vise_penalty_convention, NULL)
ENUM_ACCESS(vise_clip_norm_type, NULL)
ENUM_ACCESS(vise_norm_p, NULL)
ENUM_ACCESS(vise_clip_scope, NULL)
ENUM_ACCESS(vise_max_norm_scope, NULL)
ENUM_ACCESS(vise_nonfinite, NULL)
ENUM_ACCESS(vise_scale, NULL)
ENUM_ACCESS(vise_weight_op_kind, NULL)
ENUM_ACCESS(vise_prune_scope, NULL)
ENUM_ACCESS(vise_backend, NULL)
ENUM_ACCESS(vise_step_mode, NULL)
ENUM_ACCESS(vise_precision, NULL)
ENUM_ACCESS(vise_output, NULL)

enum {
  DATA = 1,
  NET,
  LOSS,
  OPTIMIZER,
  PENALTIES,
  CLIPPING,
  PROJECTION,
  OPERATIONS,
  BATCHES,
  STOPPING,
  PLACE,
  SAVING,
  CASES,
  MORE
};

const char *const vise_i_cli_groups[] = {"",
                                         "Data:",
                                         "Net:",
                                         "Loss:",
                                         "Optimizer:",
                                         "Penalties (biases are exempt):",
                                         "Clipping of gradients:",
                                         "Projection of weights after every step:",
                                         "Weight operations:",
                                         "Batches and limits:",
                                         "Stopping:",
                                         "Where and how to compute:",
                                         "Saving and showing:",
                                         "What to time:",
                                         "More:",
                                         NULL};

#define T (VISE_I_CLI_TRAIN | VISE_I_CLI_CHECK)
#define EP (VISE_I_CLI_EVAL | VISE_I_CLI_PREDICT)
#define P VISE_I_CLI_PRUNE
#define B VISE_I_CLI_BENCH
#define ALL (T | EP | P | B | VISE_I_CLI_INFO)
#define AT(member) offsetof(vise_i_cli_options, member)
#define OFF VISE_I_CLI_CAN_BE_OFF
#define LO VISE_I_CLI_MIN_OPEN
#define HI VISE_I_CLI_MAX_OPEN
#define FIXED VISE_I_CLI_FIXED
#define LIMIT VISE_I_CLI_LIMIT
#define FREE VISE_I_CLI_FREE
#define LOCAL VISE_I_CLI_PLACE

/* One macro for each type of row. */
#define FLAG(name, help, group, cmd, change, at) \
  { name, NULL, help, VISE_I_CLI_FLAG, group, cmd, change, AT(at), .max = 0 }
#define TEXT(name, arg, help, group, cmd, at) \
  { name, arg, help, VISE_I_CLI_TEXT, group, cmd, FIXED, AT(at), .max = 0 }
#define PATH(name, help, group, cmd, change, at) \
  { name, "FILE", help, VISE_I_CLI_PATH, group, cmd, change, AT(at), .max = 0 }
#define YES_NO(name, help, group, cmd, at) \
  { name, "yes|no", help, VISE_I_CLI_YES_NO, group, cmd, FIXED, AT(at), .max = 0 }
#define REAL(name, help, group, cmd, change, at, bits, low, high) \
  { name, "X", help, VISE_I_CLI_REAL, group, cmd, change, AT(at), bits, low, high, .set = NULL }
#define COUNT(name, help, group, cmd, change, at, bits, low) \
  { name, "N", help, VISE_I_CLI_COUNT, group, cmd, change, AT(at), bits, low, .set = NULL }
#define ENUM(name, type, help, group, cmd, change, at) \
  { name, "NAME", help, VISE_I_CLI_ENUM, group, cmd, change, AT(at), .names = &enum_##type }
#define CUSTOM(name, arg, help, group, cmd, change, bits, function)                                              \
  {                                                                                                              \
    name, arg, help, VISE_I_CLI_CUSTOM, group, cmd, change, 0, bits,                                             \
        .set = vise_i_cli_set_##function, .get = vise_i_cli_get_##function, .clear = vise_i_cli_clear_##function \
  }

_Static_assert(sizeof(size_t) == sizeof(uint64_t), "COUNT rows address 64-bit fields");

const vise_i_cli_option vise_i_cli_table[] = {
    PATH("train", "features of the training rows: .npy, .csv, .csv.gz, IDX or IDX .gz", DATA, T, FIXED, train),
    PATH("train-labels", "their targets, in the same kinds of file", DATA, T, FIXED, train_labels),
    PATH("val", "features of validation rows", DATA, T, FIXED, val),
    PATH("val-labels", "their targets", DATA, T, FIXED, val_labels),
    REAL("val-fraction", "hold this share of the training rows out for validation", DATA, T, FIXED, val_fraction,
         OFF | LO | HI, 0, 1),
    PATH("test", "features of test rows", DATA, T, FIXED, test),
    PATH("test-labels", "their targets", DATA, T, FIXED, test_labels),
    PATH("model", "the model: a .safetensors file of Vise, or of PyTorch's nn.Sequential, or the folder of a run", DATA,
         EP | P, FIXED, model),
    PATH("data", "features: .npy, .csv, .csv.gz, IDX or IDX .gz", DATA, EP, FIXED, data),
    PATH("labels", "their targets, in the same kinds of file", DATA, EP, FIXED, labels),
    TEXT("target", "COLUMNS",
         "target columns of a CSV: a name, an index (from 0; negative from the end) or a comma list "
         "(without it: the last column)",
         DATA, T | EP, target),
    PATH("row-weights", "one weight >= 0 for each training row", DATA, T, FIXED, row_weights),
    ENUM("scale", vise_scale,
         "scaling of the features, kept in the model; unit is bytes/255, standard the z-score of "
         "the training rows; auto is unit for IDX bytes, else none",
         DATA, T, FIXED, training.scale),
    FLAG("scale-target", "z-score of the targets (mse, huber)", DATA, T, FIXED, training.scale_target),

    CUSTOM("layers", "A-B-C",
           "sizes, as in 784-128-10; auto for the first and the last takes them from the data (without "
           "it: auto-auto, a linear model, or those of --init)",
           NET, T, FIXED, 0, layers),
    FLAG("no-bias", "layers without biases", NET, T, FIXED, no_bias),
    ENUM("activation", vise_activation, "of the hidden layers", NET, T, FIXED, activation),
    ENUM("init-scheme", vise_init_scheme, "how initial weights are drawn", NET, T, FIXED, init_scheme),
    PATH("init", "start from the weights of this .safetensors file", NET, T, FIXED, init),

    ENUM("loss", vise_loss, "the loss", LOSS, T, FIXED, training.loss),
    ENUM("mse-reduction", vise_mse_reduction, "how mse is averaged", LOSS, T, FIXED, training.mse_reduction),
    REAL("label-smoothing", "for cross-entropy", LOSS, T, FIXED, training.label_smoothing, HI, 0, 1),
    CUSTOM("class-weights", "A,B,...", "a weight >= 0 for each class", LOSS, T, FIXED, OFF, class_weights),

    ENUM("optimizer", vise_optimizer, "the optimizer", OPTIMIZER, T, FIXED, training.optimizer),
    REAL("lr", "learning rate", OPTIMIZER, T, FIXED, training.lr, 0, 0, 0),
    REAL("momentum", "for sgd and rmsprop", OPTIMIZER, T, FIXED, training.momentum, HI, 0, 1),
    FLAG("nesterov", "Nesterov momentum", OPTIMIZER, T, FIXED, training.nesterov),
    REAL("rho", "for rmsprop", OPTIMIZER, T, FIXED, training.rho, HI, 0, 1),
    REAL("beta1", "for adam", OPTIMIZER, T, FIXED, training.beta1, HI, 0, 1),
    REAL("beta2", "for adam", OPTIMIZER, T, FIXED, training.beta2, HI, 0, 1),
    REAL("eps", "for rmsprop and adam", OPTIMIZER, T, FIXED, training.eps, LO, 0, 0),
    REAL("max-update", "bound each entry of a step", OPTIMIZER, T, FIXED, training.max_update, OFF | LO, 0, 0),
    ENUM("lr-schedule", vise_schedule, "of the learning rate", OPTIMIZER, T, FIXED, training.lr_schedule.kind),
    COUNT("warmup-steps", "raise the learning rate linearly over these steps", OPTIMIZER, T, FIXED,
          training.lr_schedule.warmup_steps, 0, 0),
    REAL("lr-final-ratio", "linear, cosine: final over initial learning rate", OPTIMIZER, T, FIXED,
         training.lr_schedule.final_ratio, 0, 0, 0),
    REAL("lr-gamma", "step schedules: the factor", OPTIMIZER, T, FIXED, training.lr_schedule.gamma, LO, 0, 0),
    COUNT("lr-step-epochs", "step schedules: epochs between factors", OPTIMIZER, T, FIXED,
          training.lr_schedule.step_epochs, 0, 1),

    REAL("l2", "strength of the squared penalty", PENALTIES, T, FIXED, training.l2, 0, 0, 0),
    REAL("l1", "strength of the absolute penalty", PENALTIES, T, FIXED, training.l1, 0, 0, 0),
    REAL("norm-penalty", "strength of the unsquared Frobenius norm", PENALTIES, T, FIXED, training.norm_penalty, 0, 0,
         0),
    ENUM("penalty-convention", vise_penalty_convention,
         "what the strengths mean: lambda_w2 is X*sum w^2, half is "
         "X/2*sum w^2 (PyTorch's weight_decay), over_m divides by the number of training rows",
         PENALTIES, T, FIXED, training.penalty_convention),
    REAL("decoupled-decay", "AdamW's decay", PENALTIES, T, FIXED, training.decoupled_decay, 0, 0, 0),
    FLAG("prox-l1", "L1 by its proximal map: true zeros", PENALTIES, T, FIXED, training.prox_l1),
    FLAG("penalize-bias", "penalize the biases too", PENALTIES, T, FIXED, training.penalize_bias),

    CUSTOM("clip-value", "X|LO:HI", "bound each gradient entry; X means -X:X", CLIPPING, T, FIXED, OFF, clip_value),
    REAL("clip-norm", "bound the norm of the gradient", CLIPPING, T, FIXED, training.clip_norm, OFF | LO, 0, 0),
    ENUM("clip-norm-type", vise_clip_norm_type, "norm over all, each tensor, or each unit's row", CLIPPING, T, FIXED,
         training.clip_norm_type),
    ENUM("clip-norm-p", vise_norm_p, "which norm", CLIPPING, T, FIXED, training.clip_norm_p),
    FLAG("clip-norm-torch-eps", "scale by M/(norm+1e-6) as PyTorch does", CLIPPING, T, FIXED,
         training.clip_norm_torch_eps),
    ENUM("clip-scope", vise_clip_scope, "clip the total gradient, or that of the data before penalties", CLIPPING, T,
         FIXED, training.clip_scope),
    ENUM("clip-schedule", vise_schedule, "of both bounds; gamma and epochs are those of the learning rate", CLIPPING, T,
         FIXED, training.clip_schedule.kind),
    REAL("clip-final-ratio", "linear, cosine: final over initial bounds", CLIPPING, T, FIXED, clip_final_ratio, 0, 0,
         0),

    CUSTOM("clamp", "X|LO:HI", "box for the weights; X means -X:X; inf and -inf leave a side open", PROJECTION, T,
           FIXED, OFF, clamp),
    CUSTOM("clamp-layer", "L=LO:HI", "box of linear layer L (from 0) in place of --clamp; repeatable", PROJECTION, T,
           FIXED, VISE_I_CLI_REPEATABLE, clamp_layer),
    FLAG("clamp-bias", "the box holds for biases too", PROJECTION, T, FIXED, training.clamp_bias),
    ENUM("clamp-schedule", vise_schedule, "of the box; gamma and epochs are those of the learning rate", PROJECTION, T,
         FIXED, training.clamp_schedule.kind),
    REAL("clamp-final-ratio", "linear, cosine: final over initial box", PROJECTION, T, FIXED, clamp_final_ratio, 0, 0,
         0),
    REAL("max-norm", "bound the 2-norm of the weights", PROJECTION, T, FIXED, training.max_norm, OFF | LO, 0, 0),
    ENUM("max-norm-scope", vise_max_norm_scope, "of each unit's row, or each tensor", PROJECTION, T, FIXED,
         training.max_norm_scope),
    FLAG("assert-projection", "verify after every step that box, mask and max-norm hold", PROJECTION, T, FIXED,
         training.assert_projection),

    ENUM("weight-op", vise_weight_op_kind, "relative weight operation during training", OPERATIONS, T, FIXED,
         training.weight_op.kind),
    CUSTOM("weight-op-at", "WHEN", "step:N, epoch:N or every", OPERATIONS, T, FIXED, OFF, weight_op_at),
    REAL("weight-op-t", "rel-*: threshold relative to the largest weight of the layer", OPERATIONS, T, FIXED,
         training.weight_op.t, OFF | LO, 0, 1),
    REAL("weight-op-fraction", "prune: share of the weights", OPERATIONS, T, FIXED, training.weight_op.fraction, 0, 0,
         1),
    ENUM("weight-op-scope", vise_prune_scope, "prune: smallest of each tensor, of all, or of each row", OPERATIONS, T,
         FIXED, training.weight_op.scope),
    FLAG("weight-op-literal", "rel-clip: write t in place of t*max|W|", OPERATIONS, T, FIXED,
         training.weight_op.literal),
    ENUM("op", vise_weight_op_kind, "the operation (required)", OPERATIONS, P, FIXED, op.kind),
    REAL("t", "rel-*: threshold relative to the largest weight of the layer", OPERATIONS, P, FIXED, op.t, OFF | LO, 0,
         1),
    FLAG("literal", "rel-clip: write t in place of t*max|W|", OPERATIONS, P, FIXED, op.literal),
    REAL("fraction", "prune: share of the weights", OPERATIONS, P, FIXED, op.fraction, 0, 0, 1),
    ENUM("scope", vise_prune_scope, "prune: smallest of each tensor, of all, or of each row", OPERATIONS, P, FIXED,
         op.scope),
    CUSTOM("layers", "LIST", "linear layers to work on (from 0), as in 0,2", OPERATIONS, P, FIXED, 0, op_layers),
    PATH("mask", "keep the weights pruned by this mask at 0", OPERATIONS, T | P, FIXED, mask),

    CUSTOM("batch", "N|full", "rows in a batch", BATCHES, T | EP, FIXED, 0, batch),
    COUNT("epochs", "at most so many epochs; off when only --steps is given", BATCHES, T, LIMIT, training.epochs, OFF,
          1),
    COUNT("steps", "at most so many steps", BATCHES, T, LIMIT, training.steps, OFF, 1),
    YES_NO("shuffle", "a new order in each epoch; no: file order", BATCHES, T, training.shuffle),
    FLAG("drop-last", "leave a last, partial batch out", BATCHES, T, FIXED, training.drop_last),
    COUNT("seed", "of initial weights, split and order", BATCHES, T, FIXED, training.seed, 0, 0),

    CUSTOM("stop-loss", "X", "stop when the mean data loss of an epoch is <= X", STOPPING, T, LIMIT, OFF, stop_loss),
    REAL("stop-projected-gradient", "stop when the projected gradient on all training rows is <= X", STOPPING, T, LIMIT,
         training.stop_projected_gradient, OFF | LO, 0, 0),
    COUNT("patience", "stop after N epochs without a better validation loss, and restore the best", STOPPING, T, LIMIT,
          training.patience, OFF, 1),
    REAL("min-delta", "what counts as better", STOPPING, T, LIMIT, training.min_delta, 0, 0, 0),
    ENUM("nonfinite", vise_nonfinite, "what to do with a step whose loss or gradient is not finite", STOPPING, T, FIXED,
         training.nonfinite),
    COUNT("max-skips", "end with an error after so many skipped steps in a row", STOPPING, T, FIXED, training.max_skips,
          0, 1),

    ENUM("backend", vise_backend, "cuda where there is one, else cpu (float32); cpu64 is the float64 reference", PLACE,
         T | EP, FIXED, training.backend),
    ENUM("step", vise_step_mode,
         "how a step is run (cuda): fused, one kernel; unfused, cuBLAS and a kernel for each other operation; "
         "unfused-graph, that replayed",
         PLACE, T, FIXED, training.step_mode),
    COUNT("steps-per-launch", "cuda: steps in one launch", PLACE, T | B, FIXED, training.steps_per_launch, OFF, 1),
    ENUM("precision", vise_precision, "of the matrix products", PLACE, T | EP, FIXED, training.precision),
    CUSTOM("threads", "N", "CPU threads", PLACE, T | EP | B, FREE, 0, threads),
    CUSTOM("device", "N", "which GPU", PLACE, T | B, FIXED, 0, device),
    CUSTOM("device-memory-limit", "BYTES",
           "cuda: take no more of the GPU's memory; data that do not fit come in chunks, with the same results; K, M "
           "and G mean 2^10, 2^20 and 2^30",
           PLACE, T, FREE, OFF, device_memory_limit),

    {"out", "DIR",
     "folder for config.json, metrics.jsonl, model.safetensors and checkpoints (without it nothing is saved)",
     VISE_I_CLI_PATH, SAVING, T, LOCAL, AT(out), .max = 0},
    {"resume", "DIR", "go on from the newest checkpoint of this run; limits, logging and threads may be changed",
     VISE_I_CLI_PATH, SAVING, T, LOCAL, AT(resume), .max = 0},
    FLAG("overwrite", "replace an earlier run in --out", SAVING, T, LOCAL, overwrite),
    CUSTOM(
        "checkpoint-every", "N|epoch|TIME",
        "write a checkpoint every N steps, at the end of each epoch, or every so often, as in 30s, 10m, 2h; off: only "
        "at the end, where one is written in any case",
        SAVING, T, FREE, OFF, checkpoint_every),
    COUNT("log-every", "steps between step lines in metrics.jsonl", SAVING, T, FREE, log_every, OFF, 1),
    FLAG("quiet", "no progress and no notes", SAVING, T, FREE, quiet),
    {"out", "FILE", "where to write: .npy or .csv (required)", VISE_I_CLI_PATH, SAVING, VISE_I_CLI_PREDICT, LOCAL,
     AT(out), .max = 0},
    ENUM("output", vise_output, "what to write", SAVING, VISE_I_CLI_PREDICT, FIXED, output),
    {"out", "FILE", "where to write the changed model: .safetensors", VISE_I_CLI_PATH, SAVING, P, LOCAL, AT(out),
     .max = 0},
    PATH("mask-out", "where to write the mask: .safetensors (with --op prune)", SAVING, P, LOCAL, mask_out),
    FLAG("plan",
         "what the cuda backend would run for the options of train that follow: phases, tiles, memory, and the time "
         "that they allow; needs no GPU",
         SAVING, VISE_I_CLI_INFO, LOCAL, plan),
    COUNT("plan-sms", "with --plan: for an H200 of so many multiprocessors instead of the GPU here", SAVING,
          VISE_I_CLI_INFO, LOCAL, plan_sms, OFF, 1),
    FLAG("json", "results as JSON", SAVING, EP | P | B | VISE_I_CLI_CHECK | VISE_I_CLI_INFO, LOCAL, json),
    PATH("csv", "write the measurements to this file too", SAVING, B, LOCAL, csv),

    TEXT("case", "NAME,...", "cases by their names, of the named ones and the grid's", CASES, B, cases),
    FLAG("grid", "widths 32 to 4096 x 2, 4 and 8 layers x batches 32 to 16384", CASES, B, LOCAL, grid),
    TEXT("widths", "N,...", "of the grid: these widths only", CASES, B, widths_list),
    TEXT("depths", "N,...", "of the grid: these numbers of layers only", CASES, B, depths),
    TEXT("layers", "A-B-C", "a net of these sizes; cross-entropy, or mse for one output", CASES, B, shape),
    TEXT("batch", "N,...", "with --layers the batches (without it: 64), with --grid these batches only", CASES, B,
         batches),
    TEXT("mode", "NAME,...",
         "cpu, cpu64 (float64, the reference), fused (one step a launch), fused-many (--steps-per-launch, or 256), "
         "unfused, unfused-graph (without "
         "it: all)",
         CASES, B, modes),
    TEXT("precision", "NAME,...", "of the modes that have a choice: fp32, tf32, bf16 (without it: all)", CASES, B,
         precisions),
    FLAG("quick", "small cases first and a short look at each: ends within a minute", CASES, B, LOCAL, quick),
    FLAG("phases", "also where the time of a fused step goes: its phases and exchanges, by clocks read in the kernel",
         CASES, B, LOCAL, phases),
    REAL("seconds", "to time each row for", CASES, B, LOCAL, seconds, LO, 0, 0),
    REAL("total-seconds", "leave out the cases that would not end within it", CASES, B, LOCAL, total_seconds, OFF | LO,
         0, 0),
    REAL("tolerance", "factor on what the verification allows", CASES, B, LOCAL, tolerance, 0, 0, 0),
    FLAG("list", "print the cases and time nothing", CASES, B, LOCAL, list),

    PATH("config", "options from a JSON file, by the same names without dashes; the command line wins", MORE, ALL,
         LOCAL, config),
};

const size_t vise_i_cli_table_n = sizeof vise_i_cli_table / sizeof *vise_i_cli_table;
_Static_assert(sizeof vise_i_cli_table / sizeof *vise_i_cli_table <= VISE_I_CLI_MAX_OPTIONS, "source[] is too short");
