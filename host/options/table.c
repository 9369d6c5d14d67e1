/* The options of a training, in the order of the help: each stands here once. */
#include <stddef.h>

#include "host/options/options.h"

_Static_assert(sizeof(size_t) == sizeof(uint64_t), "COUNT rows are 64-bit fields of either type");
_Static_assert(sizeof(vise_loss) == sizeof(unsigned), "NAME rows are enumerations of this size");

#define RUN (VISE_COMMAND_TRAIN | VISE_COMMAND_CHECK)
#define TRAIN (RUN | VISE_COMMAND_SWEEP)
#define PRUNE VISE_COMMAND_PRUNE
#define BENCH VISE_COMMAND_BENCH
#define MODEL (VISE_COMMAND_EVAL | VISE_COMMAND_PREDICT)
#define PROVE (VISE_COMMAND_CERTIFY | VISE_COMMAND_EXPORT)

/* Field and place: of one field, of three that are set alike, of two or three that hold the value together. */
#define IN(of, type, field) \
#field, of, {             \
    offsetof(type, field)   \
  }
#define AT(field) IN(VISE_OPTION_OF_TRAIN_CONFIG, vise_train_config, field)
#define ALIKE(a, b, c)                                                                             \
#a "," #b "," #c, VISE_OPTION_OF_TRAIN_CONFIG, {                                                 \
    offsetof(vise_train_config, a), offsetof(vise_train_config, b), offsetof(vise_train_config, c) \
  }
#define PARTS(name, a, b, c)                                                                       \
  name, VISE_OPTION_OF_TRAIN_CONFIG, {                                                             \
    offsetof(vise_train_config, a), offsetof(vise_train_config, b), offsetof(vise_train_config, c) \
  }
#define PAIR(name, a, b)                                           \
  name, VISE_OPTION_OF_TRAIN_CONFIG, {                             \
    offsetof(vise_train_config, a), offsetof(vise_train_config, b) \
  }

#define ITEM(symbol, name, ...) name,
#define NAMES(TABLE)               \
  .names = (const char *const[]) { \
    TABLE(ITEM) NULL               \
  }

#define KIND(kind, about, taken_by) .type = VISE_OPTION_##kind, .topic = VISE_TOPIC_##about, .commands = (taken_by)
#define FLAG NULL, "no"
#define LIMIT .change = VISE_OPTION_LIMIT
#define FREE .change = VISE_OPTION_FREE
#define LOCAL .change = VISE_OPTION_LOCAL
#define OPEN VISE_OPTION_MIN_OPEN
#define BELOW .flags = VISE_OPTION_MAX_OPEN, .max = 1
#define OFF .word = "off"
#define COMMON .common = ~(unsigned)VISE_COMMAND_SWEEP /* whose help is about its own */
#define CUDA .backends = 1u << VISE_BACKEND_CUDA

/* clang-format off */
const vise_option vise_i_options[] = {
  {"scale", AT(scale), "NAME", "auto",
   "scaling of the features, kept in the model; unit is bytes/255, standard the z-score of the training rows; auto is "
   "unit for IDX bytes, else none",
   KIND(NAME, SCALING, TRAIN), COMMON, NAMES(VISE_SCALE_TABLE)},
  {"scale-target", AT(scale_target), FLAG, "z-score of the targets (mse, huber)",
   KIND(FLAG, SCALING, TRAIN)},

  {"layers", "widths", VISE_OPTION_OF_NET_CONFIG,
   {offsetof(vise_net_config, n_layers), offsetof(vise_net_config, widths)}, "A-B-C", NULL,
   "sizes, as in 784-128-10; auto for the first and the last takes them from the data; without it: auto-auto, a linear "
   "model, or the sizes of `init`",
   KIND(WIDTHS, NET, TRAIN), COMMON},
  {"no-bias", IN(VISE_OPTION_OF_NET_CONFIG, vise_net_config, bias), FLAG, "layers without biases",
   KIND(FLAG, NET, TRAIN), .flags = VISE_OPTION_INVERTED},
  {"activation", IN(VISE_OPTION_OF_NET_CONFIG, vise_net_config, activation), "NAME", "relu",
   "activation of the hidden layers; of a saved model where it is another program's, whose file does not say",
   KIND(NAME, NET, TRAIN | MODEL | PROVE), COMMON, NAMES(VISE_ACTIVATION_TABLE)},
  {"batch-norm", IN(VISE_OPTION_OF_NET_CONFIG, vise_net_config, batch_norm), FLAG,
   "batch norm between each hidden layer and its activation, as PyTorch's BatchNorm1d; these layers have no biases then",
   KIND(FLAG, NET, TRAIN | BENCH)},
  {"dropout", IN(VISE_OPTION_OF_NET_CONFIG, vise_net_config, dropout), "P", "0",
   "share of the hidden layers' outputs that a step sets to 0; the others are divided by 1 - P",
   KIND(REAL, NET, TRAIN | BENCH), BELOW},
  {"input-dropout", IN(VISE_OPTION_OF_NET_CONFIG, vise_net_config, input_dropout), "P", "0", "the same of the inputs",
   KIND(REAL, NET, TRAIN | BENCH), BELOW},
  {"residual", IN(VISE_OPTION_OF_NET_CONFIG, vise_net_config, residual), FLAG,
   "adds its input to the output of each hidden layer that has as many outputs as inputs",
   KIND(FLAG, NET, TRAIN | BENCH)},

  {"loss", AT(loss), "NAME", "cross-entropy",
   "the loss; auto, also without it, is by the target of a table: mse for numbers; eval and predict as with --activation",
   KIND(NAME, LOSS, TRAIN | MODEL), COMMON, NAMES(VISE_LOSS_TABLE), .flags = VISE_OPTION_BY_DATA, .library_only = "external"},
  {"mse-reduction", AT(mse_reduction), "NAME", "half_mean", "how mse is averaged",
   KIND(NAME, LOSS, TRAIN), NAMES(VISE_MSE_REDUCTION_TABLE)},
  {"label-smoothing", AT(label_smoothing), "X", "0", "label smoothing of cross-entropy",
   KIND(REAL, LOSS, TRAIN), BELOW},
  {"class-weights", PAIR("class_weights", class_weights, n_class_weights), "A,B,...", "off",
   "a weight of at least 0 for each class",
   KIND(REALS, LOSS, TRAIN), OFF},

  {"optimizer", AT(optimizer), "NAME", "sgd", "the optimizer",
   KIND(NAME, OPTIMIZER, TRAIN), COMMON, NAMES(VISE_OPTIMIZER_TABLE)},
  {"lr", AT(lr), "X", "0.01", "learning rate", KIND(REAL, OPTIMIZER, TRAIN), COMMON},
  {"momentum", AT(momentum), "X", "0", "momentum of sgd and rmsprop",
   KIND(REAL, OPTIMIZER, TRAIN), COMMON, .flags = VISE_OPTION_MAX_OPEN, .max = 1},
  {"nesterov", AT(nesterov), FLAG, "Nesterov momentum (sgd)", KIND(FLAG, OPTIMIZER, TRAIN)},
  {"rho", AT(rho), "X", "0.9", "decay of the mean square of rmsprop",
   KIND(REAL, OPTIMIZER, TRAIN), BELOW},
  {"beta1", AT(beta1), "X", "0.9", "decay of the mean of adam; lion: share of the mean in the direction",
   KIND(REAL, OPTIMIZER, TRAIN), BELOW},
  {"beta2", AT(beta2), "X", "auto",
   "decay of the mean square of adam, of the mean of lion; auto is the optimizer's own: adam 0.999, lion 0.99",
   KIND(REAL, OPTIMIZER, TRAIN), .flags = VISE_OPTION_MAX_OPEN | VISE_OPTION_BY_OPTIMIZER, .max = 1, .word = "auto"},
  {"eps", AT(eps), "X", "1e-8", "added to the root of the mean square by rmsprop and adam",
   KIND(REAL, OPTIMIZER, TRAIN), .flags = OPEN},
  {"max-update", AT(max_update), "X", "off", "bound on each entry of a step",
   KIND(REAL, OPTIMIZER, TRAIN), .flags = OPEN, OFF},
  {"lr-schedule", AT(lr_schedule.kind), "NAME", "constant", "schedule of the learning rate",
   KIND(NAME, OPTIMIZER, TRAIN), COMMON, NAMES(VISE_SCHEDULE_TABLE)},
  {"warmup-steps", AT(lr_schedule.warmup_steps), "N", "0", "raise the learning rate linearly over these steps",
   KIND(COUNT, OPTIMIZER, TRAIN)},
  {"lr-final-ratio", AT(lr_schedule.final_ratio), "X", "0", "linear, cosine: final over initial learning rate",
   KIND(REAL, OPTIMIZER, TRAIN)},
  {"lr-gamma", ALIKE(lr_schedule.gamma, clip_schedule.gamma, clamp_schedule.gamma), "X", "0.1",
   "step schedules: the factor", KIND(REAL, OPTIMIZER, TRAIN)},
  {"lr-step-epochs", ALIKE(lr_schedule.step_epochs, clip_schedule.step_epochs, clamp_schedule.step_epochs), "N", "30",
   "step schedules: epochs between factors", KIND(COUNT, OPTIMIZER, TRAIN)},

  {"l2", AT(l2), "X", "0", "strength of the squared penalty",
   KIND(REAL, PENALTIES, TRAIN), COMMON},
  {"l1", AT(l1), "X", "0", "strength of the absolute penalty",
   KIND(REAL, PENALTIES, TRAIN), COMMON},
  {"norm-penalty", AT(norm_penalty), "X", "0", "strength of the unsquared Frobenius norm",
   KIND(REAL, PENALTIES, TRAIN)},
  {"penalty-convention", AT(penalty_convention), "NAME", "lambda_w2",
   "what `l2` X and `l1` X mean; lambda_w2 is X*sum w^2, half is X/2*sum w^2 (PyTorch's weight_decay), over_m divides by "
   "the number of training rows",
   KIND(NAME, PENALTIES, TRAIN), NAMES(VISE_PENALTY_CONVENTION_TABLE)},
  {"decoupled-decay", AT(decoupled_decay), "X", "0", "AdamW's decay", KIND(REAL, PENALTIES, TRAIN)},
  {"prox-l1", AT(prox_l1), FLAG, "L1 by its proximal map: true zeros", KIND(FLAG, PENALTIES, TRAIN)},
  {"penalize-bias", AT(penalize_bias), FLAG, "penalize the biases too", KIND(FLAG, PENALTIES, TRAIN)},

  {"clip-value", PARTS("clip_value", clip_value, clip_value_lo, clip_value_hi), "X|LO:HI", "off",
   "bounds on each entry of the gradient; X means -X:X",
   KIND(INTERVAL, CLIPPING, TRAIN), COMMON, OFF},
  {"clip-norm", AT(clip_norm), "X", "off", "bound on the norm of the gradient",
   KIND(REAL, CLIPPING, TRAIN), COMMON, .flags = OPEN, OFF},
  {"clip-norm-type", AT(clip_norm_type), "NAME", "global", "norm over all, of each tensor, or of each unit's row",
   KIND(NAME, CLIPPING, TRAIN), NAMES(VISE_CLIP_NORM_TYPE_TABLE)},
  {"clip-norm-p", AT(clip_norm_p), "NAME", "2", "which norm",
   KIND(NAME, CLIPPING, TRAIN), NAMES(VISE_NORM_P_TABLE)},
  {"clip-norm-torch-eps", AT(clip_norm_torch_eps), FLAG, "scale by M/(norm+1e-6) as PyTorch does",
   KIND(FLAG, CLIPPING, TRAIN)},
  {"clip-agc", AT(clip_agc), "X", "off",
   "adaptive clipping; the gradient of a unit's row to X times the norm of its weights, before `clip_norm`",
   KIND(REAL, CLIPPING, TRAIN), .flags = OPEN | VISE_OPTION_ADDED, OFF},
  {"clip-scope", AT(clip_scope), "NAME", "total", "clip the total gradient, or that of the data before penalties",
   KIND(NAME, CLIPPING, TRAIN), NAMES(VISE_CLIP_SCOPE_TABLE)},
  {"clip-schedule", AT(clip_schedule.kind), "NAME", "constant",
   "schedule of both bounds; `lr-gamma` and `lr-step-epochs` hold for it too",
   KIND(NAME, CLIPPING, TRAIN), NAMES(VISE_SCHEDULE_TABLE)},
  {"clip-final-ratio", AT(clip_schedule.final_ratio), "X", "0", "linear, cosine: final over initial bounds",
   KIND(REAL, CLIPPING, TRAIN)},

  {"clamp", PARTS("clamp", clamp, clamp_lo, clamp_hi), "X|LO:HI", "off",
   "box for the weights; X means -X:X; inf and -inf leave a side open",
   KIND(INTERVAL, PROJECTION, TRAIN), COMMON, OFF},
  {"clamp-layer", PAIR("layer_clamps", layer_clamps, n_layer_clamps), "L=LO:HI", "off",
   "box of linear layer L (from 0) in place of `clamp`; repeatable",
   KIND(LAYER_INTERVALS, PROJECTION, TRAIN), .flags = VISE_OPTION_REPEATABLE, OFF},
  {"clamp-init", AT(clamp_init), "K", "off",
   "box of each layer; -K to K times the range of its initial weights",
   KIND(REAL, PROJECTION, TRAIN), .flags = OPEN | VISE_OPTION_ADDED, OFF},
  {"clamp-bias", AT(clamp_bias), FLAG, "the box holds for biases too",
   KIND(FLAG, PROJECTION, TRAIN)},
  {"clamp-schedule", AT(clamp_schedule.kind), "NAME", "constant",
   "schedule of the box; `lr-gamma` and `lr-step-epochs` hold for it too",
   KIND(NAME, PROJECTION, TRAIN), NAMES(VISE_SCHEDULE_TABLE)},
  {"clamp-final-ratio", AT(clamp_schedule.final_ratio), "X", "0", "linear, cosine: final over initial box",
   KIND(REAL, PROJECTION, TRAIN)},
  {"row-l1", AT(row_l1), "R", "off", "bound on the sum of the magnitudes in each row of the weights",
   KIND(REAL, PROJECTION, TRAIN), .flags = OPEN | VISE_OPTION_ADDED, OFF},
  {"row-l1-layer", PAIR("row_l1_layers", row_l1_layers, n_row_l1_layers), "L=R", "off",
   "bound of linear layer L (from 0) in place of `row_l1`; repeatable",
   KIND(LAYER_REALS, PROJECTION, TRAIN), .flags = VISE_OPTION_REPEATABLE | VISE_OPTION_ADDED, OFF},
  {"row-l1-sided", AT(row_l1_sided), "R", "off",
   "bound on the sum of the positive entries of each row, and on that of the magnitudes of its negative ones",
   KIND(REAL, PROJECTION, TRAIN), .flags = OPEN | VISE_OPTION_ADDED, OFF},
  {"row-l1-sided-layer", PAIR("row_l1_sided_layers", row_l1_sided_layers, n_row_l1_sided_layers), "L=R", "off",
   "bound of linear layer L (from 0) in place of `row_l1_sided`; repeatable",
   KIND(LAYER_REALS, PROJECTION, TRAIN), .flags = VISE_OPTION_REPEATABLE | VISE_OPTION_ADDED, OFF},
  {"row-l1-schedule", AT(row_l1_schedule.kind), "NAME", "constant",
   "schedule of these bounds",
   KIND(NAME, PROJECTION, TRAIN), NAMES(VISE_SCHEDULE_TABLE), .flags = VISE_OPTION_ADDED},
  {"row-l1-gamma", AT(row_l1_schedule.gamma), "X", "0.1", "step: the factor",
   KIND(REAL, PROJECTION, TRAIN), .flags = VISE_OPTION_ADDED},
  {"row-l1-step-epochs", AT(row_l1_schedule.step_epochs), "N", "30", "step: epochs between factors",
   KIND(COUNT, PROJECTION, TRAIN), .flags = VISE_OPTION_ADDED},
  {"row-l1-final-ratio", AT(row_l1_schedule.final_ratio), "X", "0", "linear, cosine: final over initial bounds",
   KIND(REAL, PROJECTION, TRAIN), .flags = VISE_OPTION_ADDED},
  {"max-norm", AT(max_norm), "X", "off", "bound on the 2-norm of the weights",
   KIND(REAL, PROJECTION, TRAIN), COMMON, .flags = OPEN, OFF},
  {"max-norm-scope", AT(max_norm_scope), "NAME", "unit", "norm of each unit's row, or of each tensor",
   KIND(NAME, PROJECTION, TRAIN), NAMES(VISE_MAX_NORM_SCOPE_TABLE)},
  {"quantize", AT(quantize), "FORMAT", "off",
   "train for an integer net whose sums cannot overflow; int8,accP with accumulators of P bits (10 to 32), and actA, inI "
   "for hidden values and inputs of fewer bits than 8, as in int8,acc12,act4,in4",
   KIND(TEXT, PROJECTION, TRAIN), .flags = VISE_OPTION_ADDED, OFF},
  {"assert-projection", AT(assert_projection), FLAG,
   "verify after every step that all of these and the masks hold, with `quantize` also that no sum can leave its accumulator",
   KIND(FLAG, PROJECTION, TRAIN), .flags = VISE_OPTION_CHECKS},

  {"weight-op", AT(weight_op.kind), "NAME", "none", "relative weight operation; during training, or by prune once",
   KIND(NAME, OPERATIONS, TRAIN | PRUNE), COMMON, NAMES(VISE_WEIGHT_OP_TABLE), .alias = "op",
   .alias_commands = PRUNE},
  {"weight-op-at", PARTS("weight_op_at", weight_op_at, weight_op_when, weight_op.kind), "WHEN", "epoch:1",
   "step:N, epoch:N or every; when a training applies it",
   KIND(MOMENT, OPERATIONS, TRAIN), .flags = VISE_OPTION_EXPLICIT, OFF},
  {"weight-op-t", AT(weight_op.t), "X", "1", "rel-*: threshold relative to the largest weight of the layer",
   KIND(REAL, OPERATIONS, TRAIN | PRUNE), .common = PRUNE, .flags = OPEN | VISE_OPTION_EXPLICIT, .max = 1, OFF, .alias = "t",
   .alias_commands = PRUNE},
  {"weight-op-fraction", AT(weight_op.fraction), "X", "0", "prune: share of the weights",
   KIND(REAL, OPERATIONS, TRAIN | PRUNE), .common = PRUNE, .max = 1, .alias = "fraction", .alias_commands = PRUNE},
  {"weight-op-scope", AT(weight_op.scope), "NAME", "tensor", "prune: smallest of each tensor, of all, or of each row",
   KIND(NAME, OPERATIONS, TRAIN | PRUNE), NAMES(VISE_PRUNE_SCOPE_TABLE), .alias = "scope",
   .alias_commands = PRUNE},
  {"weight-op-literal", AT(weight_op.literal), FLAG, "rel-clip: write t in place of t*max|W|",
   KIND(FLAG, OPERATIONS, TRAIN | PRUNE), .alias = "literal", .alias_commands = PRUNE},
  {"weight-op-layers", PAIR("weight_op.layers", weight_op.layers, weight_op.n_layers), "LIST", "all",
   "linear layers to work on (from 0), as in 0,2",
   KIND(SIZES, OPERATIONS, PRUNE), .common = PRUNE, .word = "all", .alias = "layers", .alias_commands = PRUNE},

  {"batch", AT(batch), "N|full", "64", "rows in a batch; eval and predict: at a time",
   KIND(COUNT, BATCHES, TRAIN | MODEL), COMMON, .min = 1, .word = "full"},
  {"epochs", AT(epochs), "N", "10", "end after so many epochs; off when only `steps` is given",
   KIND(COUNT, BATCHES, TRAIN), LIMIT, .common = ~0u, .min = 1, OFF},
  {"steps", AT(steps), "N", "off", "end after so many steps",
   KIND(COUNT, BATCHES, TRAIN), LIMIT, .min = 1, OFF},
  {"shuffle", AT(shuffle), "yes|no", "yes", "a new order in each epoch; no: file order",
   KIND(YES_NO, BATCHES, TRAIN)},
  {"drop-last", AT(drop_last), FLAG, "leave a last, partial batch out", KIND(FLAG, BATCHES, TRAIN)},
  {"seed", AT(seed), "N", "0", "seed of initial weights, split and order",
   KIND(COUNT, BATCHES, TRAIN), COMMON},

  {"stop-after-epoch", AT(stop_after_epoch), "N", "off",
   "end after epoch N, while schedules go by `epochs` and `steps`; `resume` can go on from there",
   KIND(COUNT, STOPPING, RUN), FREE, .min = 1, OFF},
  {"stop-loss", PAIR("stop_loss", stop_loss_on, stop_loss), "X", "off",
   "stop when the mean data loss of an epoch is at most X",
   KIND(SWITCHED_REAL, STOPPING, TRAIN), LIMIT, OFF},
  {"stop-stall", AT(stop_stall), "N", "off",
   "stop when the mean data loss of an epoch has not fallen by more than `min-delta` for N epochs; the last weights are "
   "kept",
   KIND(COUNT, STOPPING, TRAIN), LIMIT, .min = 1, OFF},
  {"stop-projected-gradient", AT(stop_projected_gradient), "X", "off",
   "stop when the projected gradient on all training rows is at most X",
   KIND(REAL, STOPPING, TRAIN), LIMIT, .flags = OPEN, OFF},
  {"patience", AT(patience), "N", "off",
   "stop N epochs after the best validation loss; its weights are restored",
   KIND(COUNT, STOPPING, TRAIN), LIMIT, COMMON, .min = 1, OFF},
  {"patience-by", AT(patience_by), "NAME", "loss",
   "what `patience` watches: the validation loss, or the score, which is accuracy or R^2",
   KIND(NAME, STOPPING, TRAIN), NAMES(VISE_PATIENCE_BY_TABLE), .flags = VISE_OPTION_ADDED},
  {"keep-best", AT(keep_best), FLAG,
   "with `patience`: training that goes wrong after an epoch whose weights were kept ends well with those, and a warning",
   KIND(FLAG, STOPPING, TRAIN), FREE, .flags = VISE_OPTION_ADDED},
  {"min-delta", AT(min_delta), "X", "0", "what counts as better for `patience` and `stop-stall`",
   KIND(REAL, STOPPING, TRAIN), LIMIT},
  {"nonfinite", AT(nonfinite), "NAME", "skip", "what to do with a step whose loss or gradient is not finite",
   KIND(NAME, STOPPING, TRAIN), NAMES(VISE_NONFINITE_TABLE)},
  {"max-skips", AT(max_skips), "N", "8", "end with an error after so many skipped steps in a row",
   KIND(COUNT, STOPPING, TRAIN), .min = 1},

  {"backend", AT(backend), "NAME", "auto",
   "cuda, cpu (float32) or cpu64 (the float64 reference, one thread); auto is cuda where there is one, else cpu",
   KIND(NAME, PLACE, TRAIN | MODEL), COMMON, NAMES(VISE_BACKEND_TABLE)},
  {"step", AT(step_mode), "NAME", "auto",
   "how a step is run; fused: one kernel; unfused: cuBLAS and a kernel for each other operation; unfused-graph: that "
   "replayed",
   KIND(NAME, PLACE, TRAIN), NAMES(VISE_STEP_MODE_TABLE), CUDA},
  {"steps-per-launch", AT(steps_per_launch), "N", "off", "steps in one launch; off: chosen",
   KIND(COUNT, PLACE, TRAIN | BENCH), .min = 1, .max = VISE_MAX_STEPS_PER_LAUNCH, OFF, CUDA},
  {"precision", AT(precision), "NAME", "auto", "precision of the matrix products",
   KIND(NAME, PLACE, TRAIN | MODEL), NAMES(VISE_PRECISION_TABLE)},
  {"threads", AT(n_threads), "N", "auto",
   "threads of the cpu backend; their number changes no result; auto is by the size of a step, at most one for each "
   "processor",
   KIND(INT, PLACE, RUN | MODEL | BENCH), FREE, .common = BENCH, .min = 1, .max = 4096,
   .word = "auto", .backends = 1u << VISE_BACKEND_CPU},
  {"parts", AT(parts), "P", "off",
   "cut each batch into up to P parts (at most 8), whose gradients are added in a tree: the weights of several processes "
   "(mpirun), by one; with mpirun 8; on cuda fp32, and auto is cpu",
   KIND(COUNT, PLACE, TRAIN), .flags = VISE_OPTION_ADDED, .min = 1, .max = 8, OFF},
  {"sync-every", AT(sync_every), "K", "off",
   "with mpirun: each process takes K steps on rows of its own, then all take the mean of their weights (local SGD, federated "
   "averaging)",
   KIND(COUNT, PLACE, TRAIN), .flags = VISE_OPTION_ADDED, .min = 1, OFF,
   .backends = (1u << VISE_BACKEND_CPU) | (1u << VISE_BACKEND_CPU64)},
  {"own-data", AT(own_data), FLAG,
   "with `sync-every`: each process reads tables of its own, whose rows never leave it; what the net needs to know of all of "
   "them is agreed on by sums and counts",
   KIND(FLAG, PLACE, TRAIN), .flags = VISE_OPTION_ADDED},
  {"device", AT(device), "N", "0", "which GPU", KIND(INT, PLACE, TRAIN | BENCH), CUDA},
  {"device-memory-limit", AT(device_memory_limit), "BYTES", "off",
   "take no more of the GPU's memory; data that do not fit come in chunks, with the same results; K, M and G mean 2^10, "
   "2^20 and 2^30",
   KIND(BYTES, PLACE, TRAIN), FREE, .min = 1, OFF, CUDA},

  {"out", IN(VISE_OPTION_OF_RUN_CONFIG, vise_run_config, out_dir), "DIR", NULL,
   "folder for the results; model, metrics and checkpoints, or what a sweep finds; without it nothing is saved",
   KIND(PATH, SAVING, TRAIN), LOCAL, .common = VISE_COMMAND_TRAIN | VISE_COMMAND_SWEEP},
  {"overwrite", IN(VISE_OPTION_OF_RUN_CONFIG, vise_run_config, overwrite), FLAG, "replace an earlier run in `out`",
   KIND(FLAG, SAVING, TRAIN), LOCAL},
  {"checkpoint-every", "checkpoint_every", VISE_OPTION_OF_RUN_CONFIG,
   {offsetof(vise_run_config, checkpoint_every), offsetof(vise_run_config, checkpoint_seconds),
    offsetof(vise_run_config, checkpoint_each_epoch)}, "N|TIME|epoch", "30s",
   "steps or time between checkpoints; a time as in 30s, 10m or 2h; epoch: one at the end of each epoch; off: none "
   "before the end, where one is written in any case",
   KIND(CADENCE, SAVING, RUN), FREE, OFF},
  {"log-every", IN(VISE_OPTION_OF_RUN_CONFIG, vise_run_config, log_every), "N", "off",
   "steps between step lines in metrics.jsonl",
   KIND(COUNT, SAVING, RUN), FREE, .min = 1, OFF},
};
/* clang-format on */

const size_t vise_i_n_options = sizeof vise_i_options / sizeof *vise_i_options;
