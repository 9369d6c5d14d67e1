/**
 * @file
 * The enumerations of the API, each from one table X(symbol, name); the names are those of the command line and
 * of config.json. For each enumeration E there is
 *   const char *E_name(E value)                                   the name, or "?" for a value outside the table
 *   vise_status E_parse(const char *name, E *out, vise_error *)   VISE_ERR_USAGE (listing the names) if unknown
 */
#ifndef VISE_TYPES_H
#define VISE_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vise/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* clang-format off */
/* Element types of arrays. */
#define VISE_DTYPE_TABLE(X) X(VISE_U8, "u8") X(VISE_I32, "i32") X(VISE_I64, "i64") X(VISE_F32, "f32") X(VISE_F64, "f64")

#define VISE_ACTIVATION_TABLE(X) \
  X(VISE_RELU, "relu") X(VISE_LEAKY_RELU, "leaky-relu") X(VISE_SILU, "silu") X(VISE_TANH, "tanh") \
  X(VISE_SIGMOID, "sigmoid") X(VISE_GELU, "gelu") X(VISE_IDENTITY, "identity")

#define VISE_INIT_SCHEME_TABLE(X) \
  X(VISE_INIT_LINEAR, "linear") X(VISE_INIT_HE, "he") X(VISE_INIT_GLOROT, "glorot") X(VISE_INIT_ZEROS, "zeros")

#define VISE_LOSS_TABLE(X) \
  X(VISE_LOSS_CROSS_ENTROPY, "cross-entropy") X(VISE_LOSS_BCE, "bce") X(VISE_LOSS_MSE, "mse") \
  X(VISE_LOSS_HUBER, "huber") X(VISE_LOSS_HINGE, "hinge") X(VISE_LOSS_EXTERNAL, "external")

#define VISE_MSE_REDUCTION_TABLE(X) \
  X(VISE_MSE_HALF_MEAN, "half_mean") X(VISE_MSE_MEAN, "mean") X(VISE_MSE_HALF_SUM, "half_sum")

#define VISE_OPTIMIZER_TABLE(X) X(VISE_SGD, "sgd") X(VISE_RMSPROP, "rmsprop") X(VISE_ADAM, "adam")

#define VISE_SCHEDULE_TABLE(X) \
  X(VISE_SCHEDULE_CONSTANT, "constant") X(VISE_SCHEDULE_STEP, "step") X(VISE_SCHEDULE_LINEAR, "linear") \
  X(VISE_SCHEDULE_COSINE, "cosine")

#define VISE_PENALTY_CONVENTION_TABLE(X) \
  X(VISE_LAMBDA_W2, "lambda_w2") X(VISE_HALF, "half") X(VISE_OVER_M, "over_m")

#define VISE_CLIP_NORM_TYPE_TABLE(X) \
  X(VISE_CLIP_GLOBAL, "global") X(VISE_CLIP_TENSOR, "tensor") X(VISE_CLIP_UNIT, "unit")

#define VISE_NORM_P_TABLE(X) X(VISE_NORM_2, "2") X(VISE_NORM_INF, "inf")

#define VISE_CLIP_SCOPE_TABLE(X) X(VISE_CLIP_SCOPE_TOTAL, "total") X(VISE_CLIP_SCOPE_DATA, "data")

#define VISE_MAX_NORM_SCOPE_TABLE(X) X(VISE_MAX_NORM_UNIT, "unit") X(VISE_MAX_NORM_TENSOR, "tensor")

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

/* How the benchmark runs the step: the modes of the cuda backend beside the CPU's. fused has one step a launch, fused-many
   as many as fit. */
#define VISE_BENCH_MODE_TABLE(X) \
  X(VISE_BENCH_CPU, "cpu") X(VISE_BENCH_UNFUSED, "unfused") X(VISE_BENCH_UNFUSED_GRAPH, "unfused-graph") \
  X(VISE_BENCH_FUSED, "fused") X(VISE_BENCH_FUSED_MANY, "fused-many") X(VISE_BENCH_CPU64, "cpu64")

#define VISE_STOP_REASON_TABLE(X) \
  X(VISE_STOP_NONE, "running") X(VISE_STOP_EPOCHS, "epochs") X(VISE_STOP_STEPS, "steps") \
  X(VISE_STOP_LOSS, "stop-loss") \
  X(VISE_STOP_PATIENCE, "patience") X(VISE_STOP_PROJECTED_GRADIENT, "projected-gradient") \
  X(VISE_STOP_SKIPS, "max-skips") X(VISE_STOP_HALT, "nonfinite") X(VISE_STOP_INTERRUPTED, "interrupted") \
  X(VISE_STOP_ERROR, "error")

#define VISE_OUTPUT_TABLE(X) \
  X(VISE_OUTPUT_RAW, "raw") X(VISE_OUTPUT_PROBABILITY, "probability") X(VISE_OUTPUT_CLASS, "class")

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

/* clang-format on */

/* All tables: T(type, TABLE). Used here for the declarations and in the library for the functions. */
#define VISE_ENUM_LIST(T)                                   \
  T(vise_dtype, VISE_DTYPE_TABLE)                           \
  T(vise_activation, VISE_ACTIVATION_TABLE)                 \
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
  T(vise_target_kind, VISE_TARGET_KIND_TABLE)

#define VISE_ENUM_ITEM_(symbol, name) symbol,
#define VISE_ENUM_DECLARE_(type, TABLE)                            \
  typedef enum type { TABLE(VISE_ENUM_ITEM_) type##_count_ } type; \
  VISE_API const char *type##_name(type value);                    \
  VISE_API VISE_WARN_UNUSED vise_status type##_parse(const char *name, type *out, vise_error *err);
VISE_ENUM_LIST(VISE_ENUM_DECLARE_)
#undef VISE_ENUM_DECLARE_
#undef VISE_ENUM_ITEM_

/** Bytes of one element. */
VISE_API size_t vise_dtype_size(vise_dtype dtype);

/**
 * A two-dimensional array in the caller's memory: element (r, c) is data[r * row_stride + c * col_stride], strides
 * in elements. A C-ordered [n_rows, n_cols] array has row_stride n_cols and col_stride 1; a Fortran-ordered one
 * row_stride 1 and col_stride n_rows. Vise never writes through an array that it takes as input.
 */
typedef struct vise_array {
  const void *data;
  vise_dtype dtype;
  size_t n_rows, n_cols;
  size_t row_stride, col_stride;
} vise_array;

/** A C-ordered array over data. */
VISE_API vise_array vise_array_of(const void *data, vise_dtype dtype, size_t n_rows, size_t n_cols);

#ifdef __cplusplus
}
#endif
#endif
