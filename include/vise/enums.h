/**
 * @file
 * The enumerations of the API, each from one table X(symbol, name, ...); the names are those of the command line and of
 * config.json. What else there is in a row are traits: facts about the kind that are stated here and nowhere else. No
 * functions here, since kernels read this header too. Names, parsing and some traits: vise/types.h.
 */
#ifndef VISE_ENUMS_H
#define VISE_ENUMS_H

/** What the targets of a loss are. */
typedef enum vise_targets {
  VISE_TARGETS_LABELS,  /**< the label of a class, 0 to K - 1 for K outputs */
  VISE_TARGETS_BITS,    /**< 0 or 1 for each output, or a label */
  VISE_TARGETS_SIGNS,   /**< the same, or -1 for 0 */
  VISE_TARGETS_NUMBERS, /**< any */
  VISE_TARGETS_COUNTS,  /**< numbers from 0 on */
  VISE_TARGETS_NONE
} vise_targets;

/** What makes predictions of outputs. */
typedef enum vise_link { VISE_LINK_IDENTITY, VISE_LINK_SOFTMAX, VISE_LINK_SIGMOID, VISE_LINK_EXP } vise_link;

/** What a loss is the mean over. */
typedef enum vise_mean {
  VISE_MEAN_OF_ROWS,
  VISE_MEAN_OF_ENTRIES, /**< rows and outputs */
  VISE_MEAN_BY_OPTION   /**< mse_reduction says it */
} vise_mean;

/** What an optimizer has: bits. */
enum {
  VISE_HAS_MOMENTUM = 1,    /**< the option momentum, and with it a first moment */
  VISE_HAS_NESTEROV = 2,    /**< the option nesterov */
  VISE_HAS_MOMENT1 = 4,     /**< a first moment, always */
  VISE_HAS_MOMENT2 = 8,     /**< a second moment */
  VISE_HAS_CORRECTIONS = 16 /**< divisions by 1 - beta^t */
};

/* clang-format off */
/* Element types of arrays. */
#define VISE_DTYPE_TABLE(X) X(VISE_U8, "u8") X(VISE_I32, "i32") X(VISE_I64, "i64") X(VISE_F32, "f32") X(VISE_F64, "f64")

/* X(symbol, name, whether the derivative is formed from z; else from a = f(z)) */
#define VISE_ACTIVATION_TABLE(X) \
  X(VISE_RELU, "relu", 0) X(VISE_LEAKY_RELU, "leaky-relu", 0) X(VISE_SILU, "silu", 1) X(VISE_TANH, "tanh", 0) \
  X(VISE_SIGMOID, "sigmoid", 0) X(VISE_GELU, "gelu", 1) X(VISE_IDENTITY, "identity", 0) X(VISE_ELU, "elu", 0)

/* What a layer of a net's list is (vise/model.h). */
#define VISE_LAYER_KIND_TABLE(X) \
  X(VISE_LAYER_LINEAR, "linear") X(VISE_LAYER_BATCH_NORM, "batch-norm") X(VISE_LAYER_ACTIVATION, "activation") \
  X(VISE_LAYER_DROPOUT, "dropout") X(VISE_LAYER_RESIDUAL, "residual")

#define VISE_INIT_SCHEME_TABLE(X) \
  X(VISE_INIT_LINEAR, "linear") X(VISE_INIT_HE, "he") X(VISE_INIT_GLOROT, "glorot") X(VISE_INIT_ZEROS, "zeros")

/* X(symbol, name, targets, link, mean) */
#define VISE_LOSS_TABLE(X) \
  X(VISE_LOSS_CROSS_ENTROPY, "cross-entropy", VISE_TARGETS_LABELS, VISE_LINK_SOFTMAX, VISE_MEAN_OF_ROWS) \
  X(VISE_LOSS_BCE, "bce", VISE_TARGETS_BITS, VISE_LINK_SIGMOID, VISE_MEAN_OF_ENTRIES) \
  X(VISE_LOSS_MSE, "mse", VISE_TARGETS_NUMBERS, VISE_LINK_IDENTITY, VISE_MEAN_BY_OPTION) \
  X(VISE_LOSS_HUBER, "huber", VISE_TARGETS_NUMBERS, VISE_LINK_IDENTITY, VISE_MEAN_OF_ENTRIES) \
  X(VISE_LOSS_HINGE, "hinge", VISE_TARGETS_SIGNS, VISE_LINK_IDENTITY, VISE_MEAN_OF_ROWS) \
  X(VISE_LOSS_EXTERNAL, "external", VISE_TARGETS_NONE, VISE_LINK_IDENTITY, VISE_MEAN_OF_ROWS) \
  X(VISE_LOSS_POISSON, "poisson", VISE_TARGETS_COUNTS, VISE_LINK_EXP, VISE_MEAN_OF_ENTRIES)

#define VISE_MSE_REDUCTION_TABLE(X) \
  X(VISE_MSE_HALF_MEAN, "half_mean") X(VISE_MSE_MEAN, "mean") X(VISE_MSE_HALF_SUM, "half_sum")

/* X(symbol, name, what it has, the beta2 that it has by default) */
#define VISE_OPTIMIZER_TABLE(X) \
  X(VISE_SGD, "sgd", VISE_HAS_MOMENTUM | VISE_HAS_NESTEROV, 0.999) \
  X(VISE_RMSPROP, "rmsprop", VISE_HAS_MOMENTUM | VISE_HAS_MOMENT2, 0.999) \
  X(VISE_ADAM, "adam", VISE_HAS_MOMENT1 | VISE_HAS_MOMENT2 | VISE_HAS_CORRECTIONS, 0.999) \
  X(VISE_LION, "lion", VISE_HAS_MOMENT1, 0.99)

/* X(symbol, name, whether it ends at the planned steps, whether it counts epochs) */
#define VISE_SCHEDULE_TABLE(X) \
  X(VISE_SCHEDULE_CONSTANT, "constant", 0, 0) X(VISE_SCHEDULE_STEP, "step", 0, 1) \
  X(VISE_SCHEDULE_LINEAR, "linear", 1, 0) X(VISE_SCHEDULE_COSINE, "cosine", 1, 0)

#define VISE_PENALTY_CONVENTION_TABLE(X) \
  X(VISE_LAMBDA_W2, "lambda_w2") X(VISE_HALF, "half") X(VISE_OVER_M, "over_m")

#define VISE_CLIP_NORM_TYPE_TABLE(X) \
  X(VISE_CLIP_GLOBAL, "global") X(VISE_CLIP_TENSOR, "tensor") X(VISE_CLIP_UNIT, "unit")

#define VISE_NORM_P_TABLE(X) X(VISE_NORM_2, "2") X(VISE_NORM_INF, "inf")

#define VISE_CLIP_SCOPE_TABLE(X) X(VISE_CLIP_SCOPE_TOTAL, "total") X(VISE_CLIP_SCOPE_DATA, "data")

#define VISE_MAX_NORM_SCOPE_TABLE(X) X(VISE_MAX_NORM_UNIT, "unit") X(VISE_MAX_NORM_TENSOR, "tensor")

#define VISE_PATIENCE_BY_TABLE(X) X(VISE_PATIENCE_BY_LOSS, "loss") X(VISE_PATIENCE_BY_SCORE, "score")

#define VISE_NONFINITE_TABLE(X) \
  X(VISE_NONFINITE_SKIP, "skip") X(VISE_NONFINITE_HALT, "halt") X(VISE_NONFINITE_PROPAGATE, "propagate")

#define VISE_SCALE_TABLE(X) \
  X(VISE_SCALE_NONE, "none") X(VISE_SCALE_UNIT, "unit") X(VISE_SCALE_STANDARD, "standard") X(VISE_SCALE_AUTO, "auto")

#define VISE_WEIGHT_OP_TABLE(X) \
  X(VISE_WEIGHT_OP_NONE, "none") X(VISE_REL_CLIP, "rel-clip") X(VISE_REL_RETAIN, "rel-retain") \
  X(VISE_REL_DROP_LARGE, "rel-drop-large") X(VISE_PRUNE, "prune")

#define VISE_PRUNE_SCOPE_TABLE(X) \
  X(VISE_PRUNE_TENSOR, "tensor") X(VISE_PRUNE_GLOBAL, "global") X(VISE_PRUNE_ROW, "row")

#define VISE_BACKEND_TABLE(X) \
  X(VISE_BACKEND_AUTO, "auto") X(VISE_BACKEND_CUDA, "cuda") X(VISE_BACKEND_CPU, "cpu") X(VISE_BACKEND_CPU64, "cpu64")

#define VISE_STEP_MODE_TABLE(X) \
  X(VISE_STEP_AUTO, "auto") X(VISE_STEP_FUSED, "fused") X(VISE_STEP_UNFUSED, "unfused") \
  X(VISE_STEP_UNFUSED_GRAPH, "unfused-graph")

#define VISE_PRECISION_TABLE(X) \
  X(VISE_PRECISION_AUTO, "auto") X(VISE_FP32, "fp32") X(VISE_TF32, "tf32") X(VISE_BF16, "bf16")

/* How the benchmark runs the step: modes of the CPU and of the cuda backend. fused runs one step per launch, fused-many
   runs many. */
#define VISE_BENCH_MODE_TABLE(X) \
  X(VISE_BENCH_CPU, "cpu") X(VISE_BENCH_UNFUSED, "unfused") X(VISE_BENCH_UNFUSED_GRAPH, "unfused-graph") \
  X(VISE_BENCH_FUSED, "fused") X(VISE_BENCH_FUSED_MANY, "fused-many") X(VISE_BENCH_CPU64, "cpu64")

#define VISE_STOP_REASON_TABLE(X) \
  X(VISE_STOP_NONE, "running") X(VISE_STOP_EPOCHS, "epochs") X(VISE_STOP_STEPS, "steps") \
  X(VISE_STOP_LOSS, "stop-loss") \
  X(VISE_STOP_PATIENCE, "patience") X(VISE_STOP_PROJECTED_GRADIENT, "projected-gradient") \
  X(VISE_STOP_SKIPS, "max-skips") X(VISE_STOP_HALT, "nonfinite") X(VISE_STOP_INTERRUPTED, "interrupted") \
  X(VISE_STOP_ERROR, "error") X(VISE_STOP_AFTER_EPOCH, "stop-after-epoch") \
  X(VISE_STOP_STALL, "stop-stall")

#define VISE_OUTPUT_TABLE(X) \
  X(VISE_OUTPUT_RAW, "raw") X(VISE_OUTPUT_PROBABILITY, "probability") X(VISE_OUTPUT_CLASS, "class") \
  X(VISE_OUTPUT_MEAN, "mean") X(VISE_OUTPUT_AUTO, "auto")

/* What line 1 of a table is. */
#define VISE_HEADER_TABLE(X) X(VISE_HEADER_AUTO, "auto") X(VISE_HEADER_YES, "yes") X(VISE_HEADER_NO, "no")

/* What becomes of fields that hold nothing. */
#define VISE_MISSING_TABLE(X) \
  X(VISE_MISSING_AUTO, "auto") X(VISE_MISSING_ERROR, "error") X(VISE_MISSING_DROP_ROWS, "drop-rows")

#define VISE_COLUMN_KIND_TABLE(X) X(VISE_COLUMN_NUMBER, "number") X(VISE_COLUMN_TEXT, "text") X(VISE_COLUMN_DATE, "date")

#define VISE_COLUMN_ROLE_TABLE(X) \
  X(VISE_COLUMN_FEATURE, "feature") X(VISE_COLUMN_TARGET, "target") X(VISE_COLUMN_DROPPED, "dropped")

#define VISE_TARGET_KIND_TABLE(X) \
  X(VISE_TARGET_NONE, "none") X(VISE_TARGET_CLASSES, "classes") X(VISE_TARGET_NUMBERS, "numbers")

/* How the points of a search are laid out, and which of them is used (vise/search.h). */
#define VISE_SEARCH_TABLE(X) X(VISE_SEARCH_GRID, "grid") X(VISE_SEARCH_RANDOM, "random") X(VISE_SEARCH_SOBOL, "sobol")

#define VISE_SELECT_TABLE(X) X(VISE_SELECT_BEST, "best") X(VISE_SELECT_ONE_SE, "one-se")

/* What a model can be exported as (vise/export.h). */
#define VISE_EXPORT_TABLE(X) X(VISE_EXPORT_ONNX, "onnx") X(VISE_EXPORT_FLOAT_C, "h") X(VISE_EXPORT_INTEGER_C, "c")

/* What a data file is, by its content and then by its name. */
#define VISE_FILE_KIND_TABLE(X) X(VISE_FILE_TABLE, "table") X(VISE_FILE_NPY, "npy") X(VISE_FILE_IDX, "idx")

/* clang-format on */

/* All tables: T(type, TABLE). */
#define VISE_ENUM_LIST(T)                                   \
  T(vise_dtype, VISE_DTYPE_TABLE)                           \
  T(vise_activation, VISE_ACTIVATION_TABLE)                 \
  T(vise_layer_kind, VISE_LAYER_KIND_TABLE)                 \
  T(vise_init_scheme, VISE_INIT_SCHEME_TABLE)               \
  T(vise_loss, VISE_LOSS_TABLE)                             \
  T(vise_mse_reduction, VISE_MSE_REDUCTION_TABLE)           \
  T(vise_optimizer, VISE_OPTIMIZER_TABLE)                   \
  T(vise_schedule, VISE_SCHEDULE_TABLE)                     \
  T(vise_penalty_convention, VISE_PENALTY_CONVENTION_TABLE) \
  T(vise_clip_norm_type, VISE_CLIP_NORM_TYPE_TABLE)         \
  T(vise_norm_p, VISE_NORM_P_TABLE)                         \
  T(vise_clip_scope, VISE_CLIP_SCOPE_TABLE)                 \
  T(vise_max_norm_scope, VISE_MAX_NORM_SCOPE_TABLE)         \
  T(vise_nonfinite, VISE_NONFINITE_TABLE)                   \
  T(vise_patience_by, VISE_PATIENCE_BY_TABLE)               \
  T(vise_scale, VISE_SCALE_TABLE)                           \
  T(vise_weight_op_kind, VISE_WEIGHT_OP_TABLE)              \
  T(vise_prune_scope, VISE_PRUNE_SCOPE_TABLE)               \
  T(vise_backend, VISE_BACKEND_TABLE)                       \
  T(vise_step_mode, VISE_STEP_MODE_TABLE)                   \
  T(vise_precision, VISE_PRECISION_TABLE)                   \
  T(vise_bench_mode, VISE_BENCH_MODE_TABLE)                 \
  T(vise_stop_reason, VISE_STOP_REASON_TABLE)               \
  T(vise_output, VISE_OUTPUT_TABLE)                         \
  T(vise_header, VISE_HEADER_TABLE)                         \
  T(vise_missing, VISE_MISSING_TABLE)                       \
  T(vise_column_kind, VISE_COLUMN_KIND_TABLE)               \
  T(vise_column_role, VISE_COLUMN_ROLE_TABLE)               \
  T(vise_target_kind, VISE_TARGET_KIND_TABLE)               \
  T(vise_file_kind, VISE_FILE_KIND_TABLE)                   \
  T(vise_export_format, VISE_EXPORT_TABLE)                  \
  T(vise_search, VISE_SEARCH_TABLE)                         \
  T(vise_select, VISE_SELECT_TABLE)

#define VISE_ENUM_ITEM_(symbol, ...) symbol,
#define VISE_ENUM_TYPE_(type, TABLE) typedef enum type { TABLE(VISE_ENUM_ITEM_) type##_count_ } type;
VISE_ENUM_LIST(VISE_ENUM_TYPE_)
#undef VISE_ENUM_TYPE_
#undef VISE_ENUM_ITEM_

#endif
