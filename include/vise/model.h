/**
 * @file
 * Models: a multilayer perceptron (or, with one layer, a linear model), its weights, and what is needed to use it
 * again: loss and scaling. Weights are kept in float32 or float64. Not thread-safe while being written.
 *
 * Linear layer l maps widths[l] inputs to widths[l+1] outputs: z = W a + b, W [widths[l+1], widths[l]] in C order.
 * Tensors are named as in a PyTorch nn.Sequential of Linear, BatchNorm1d, activation and Dropout modules: of linear and
 * activation modules alone, layer l has "<2l>.weight" and "<2l>.bias". All parameters lie in one flat array in the order
 * of the list, W_0, b_0, W_1, b_1, ...; running statistics of batch norms come after them.
 */
#ifndef VISE_MODEL_H
#define VISE_MODEL_H

#include "vise/types.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Most linear layers a net may have, and the widest one. */
#define VISE_MAX_LAYERS 64
#define VISE_MAX_WIDTH 1048576

typedef struct vise_model vise_model;

typedef struct vise_net_config {
  size_t struct_size;
  size_t n_layers;                    /**< linear layers, 1..VISE_MAX_LAYERS */
  size_t widths[VISE_MAX_LAYERS + 1]; /**< n_layers + 1 of them, each 1..VISE_MAX_WIDTH */
  vise_activation activation;         /**< of the hidden layers; default relu */
  bool bias;                          /**< default true; a linear layer before a batch norm has none */

  /* What else hidden layers have, in this order: linear, batch norm, activation, dropout, residual. */
  double dropout;       /**< 0 <= P < 1 of the hidden layers' outputs; default 0 */
  double input_dropout; /**< 0 <= P < 1 of the net's inputs; default 0 */
  bool batch_norm;      /**< default false */
  bool residual;        /**< where a hidden layer has as many outputs as inputs, its input is added; default false */
} vise_net_config;

/** Sets the defaults. The struct may be that of an older or newer header: n_bytes is its size, the macro's the size of
    the header in use. */
VISE_API void vise_net_config_init_sized(vise_net_config *config, size_t n_bytes);
VISE_API void vise_net_config_init(vise_net_config *config);
#define vise_net_config_init(config) vise_net_config_init_sized(config, sizeof *(config))

/**
 * One layer of a net's list. Which fields count depends on the kind:
 * linear      z = W a + b; width, bias
 * batch-norm  PyTorch's BatchNorm1d (eps 1e-5, momentum 0.1) of the linear layer before it, which then has no bias
 * activation  activation
 * dropout     dropout; at the start of the list or after a linear layer, batch norm or activation
 * residual    adds the input of the block that the `span` layers before it make: its linear layer and what follows
 */
typedef struct vise_layer {
  size_t struct_size;
  vise_layer_kind kind;       /**< default linear */
  size_t width;               /**< linear: outputs, 1..VISE_MAX_WIDTH */
  bool bias;                  /**< linear; default true */
  vise_activation activation; /**< default relu */
  double dropout;             /**< 0 <= P < 1 */
  size_t span;                /**< residual: layers from the block's linear one to the one before this */
} vise_layer;

/** Sets the defaults, as vise_net_config_init does. */
VISE_API void vise_layer_init_sized(vise_layer *layer, size_t n_bytes);
VISE_API void vise_layer_init(vise_layer *layer);
#define vise_layer_init(layer) vise_layer_init_sized(layer, sizeof *(layer))

/** A model with all weights 0, no scaling, no mask, and the loss mse (one output) or cross-entropy (more) until another
   is set. dtype is VISE_F32 or VISE_F64. Free with vise_model_free.
   Errors: VISE_ERR_USAGE, VISE_ERR_SHAPE, VISE_ERR_MEMORY. */
VISE_API VISE_WARN_UNUSED vise_status vise_model_create(const vise_net_config *config, vise_dtype dtype,
                                                        vise_model **out, vise_error *err);

/** The same for a net that is built layer by layer: of n_inputs values, with a list that ends with a linear layer. A block
   is a linear layer and, each at most once and in this order, batch norm, activation, dropout and residual; a dropout may
   begin the list. All structs of the list are of one size. Errors as above; one in the list names the layer. */
VISE_API VISE_WARN_UNUSED vise_status vise_model_create_layers(size_t n_inputs, const vise_layer *layers,
                                                               size_t n_layers, vise_dtype dtype, vise_model **out,
                                                               vise_error *err);

/** One more reference, to be freed like the others; returns the model (NULL for NULL). Thread-safe. */
VISE_API vise_model *vise_model_retain(vise_model *model);

/** Gives up one reference; the last one frees the model. NULL is allowed. Thread-safe. */
VISE_API void vise_model_free(vise_model *model);

/** A deep copy, weights converted to dtype. */
VISE_API VISE_WARN_UNUSED vise_status vise_model_clone(const vise_model *model, vise_dtype dtype, vise_model **out,
                                                       vise_error *err);

/** Copies weights, running statistics and their count to a model whose tensors have the same shapes, converted to its
    dtype; its mask is applied to them. Activations, dropout, residuals, loss and scaling stay what they are.
    Errors: VISE_ERR_SHAPE, VISE_ERR_VALUE (a number that float32 does not hold); to is unchanged then. */
VISE_API VISE_WARN_UNUSED vise_status vise_model_copy_weights(const vise_model *from, vise_model *to, vise_error *err);

/** Draws the initial weights; they depend on seed, shape and scheme alone, and are equal in float32 and float64. */
VISE_API VISE_WARN_UNUSED vise_status vise_model_initialize(vise_model *model, vise_init_scheme scheme, uint64_t seed,
                                                            vise_error *err);
/** Half the width of the range that a scheme draws the weights of a layer from; 0 for zeros. */
VISE_API double vise_init_scheme_range(vise_init_scheme scheme, size_t n_in, size_t n_out);

/** Reads a .safetensors file: one that Vise wrote, or any whose tensors of F32 or F64 are those of an nn.Sequential of
   Linear, BatchNorm1d and modules without tensors (docs/files.md), in a chain of fitting shapes. Such a file does not say
   its activation or loss: relu and the loss of vise_model_create are assumed until others are set
   (vise_model_knows_activation, vise_model_knows_loss), dropout is 0, and there is no scaling. The folder of a run stands
   for the model.safetensors in it. The hash that a file of Vise has in its metadata is checked.
   Errors: VISE_ERR_IO, VISE_ERR_FORMAT, VISE_ERR_SHAPE, VISE_ERR_VALUE (non-finite weights), VISE_ERR_MEMORY. */
VISE_API VISE_WARN_UNUSED vise_status vise_model_load(const char *path, vise_model **out, vise_error *err);

/** Writes a .safetensors file beside `path`, syncs it and renames it; an existing file is replaced whole or not at all.
   Errors: VISE_ERR_IO, VISE_ERR_VALUE (a loss or smoothing that does not exist), VISE_ERR_SHAPE (scaling of so many
   columns that the header would be over the format's 100 MB), VISE_ERR_MEMORY. */
VISE_API VISE_WARN_UNUSED vise_status vise_model_save(const vise_model *model, const char *path, vise_error *err);

/** The same to and from memory: the bytes are those of the file. *out_bytes is freed with vise_buffer_free; bytes are
   borrowed for the call. */
VISE_API VISE_WARN_UNUSED vise_status vise_model_save_memory(const vise_model *model, void **out_bytes,
                                                             size_t *out_n_bytes, vise_error *err);
VISE_API VISE_WARN_UNUSED vise_status vise_model_load_memory(const void *bytes, size_t n_bytes, vise_model **out,
                                                             vise_error *err);

/** Frees what a call of Vise wrote to memory for the caller. NULL is allowed. */
VISE_API void vise_buffer_free(void *bytes);

VISE_API size_t vise_model_n_layers(const vise_model *model);
VISE_API size_t vise_model_width(const vise_model *model, size_t i); /**< i in 0..n_layers; 0 outside */
/** Of the first hidden layer (relu without one); of a linear layer without batch norm. The list says it of each. */
VISE_API vise_activation vise_model_activation(const vise_model *model);
/** Replaces the activation of the hidden layers, which another program's file does not say. VISE_ERR_USAGE: none such. */
VISE_API VISE_WARN_UNUSED vise_status vise_model_set_activation(vise_model *model, vise_activation activation,
                                                                vise_error *err);
/** False for a net with hidden layers from a file of another program, whose activation nobody has set yet. */
VISE_API bool vise_model_knows_activation(const vise_model *model);
VISE_API bool vise_model_has_bias(const vise_model *model);
/** The net's list: how many layers, and layer i (out is untouched where i is beyond the end). */
VISE_API size_t vise_model_n_listed(const vise_model *model);
VISE_API void vise_model_layer_sized(size_t out_bytes, const vise_model *model, size_t i, vise_layer *out);
VISE_API void vise_model_layer(const vise_model *model, size_t i, vise_layer *out);
#define vise_model_layer(...) vise_model_layer_sized(sizeof(vise_layer), __VA_ARGS__)
VISE_API vise_dtype vise_model_dtype(const vise_model *model);
VISE_API size_t vise_model_n_parameters(const vise_model *model);
/** All tensors: those that are trained, whose elements vise_model_n_parameters counts, and after them the running
    statistics of batch norms. */
VISE_API size_t vise_model_n_tensors(const vise_model *model);
/** Name of tensor i, owned by the model; NULL outside. */
VISE_API const char *vise_model_tensor_name(const vise_model *model, size_t i);
/** Shape of tensor i: a weight is [n_rows, n_cols], a bias [n_rows, 1]. Either pointer may be NULL. */
VISE_API VISE_WARN_UNUSED vise_status vise_model_tensor_shape(const vise_model *model, size_t i, size_t *n_rows,
                                                              size_t *n_cols, vise_error *err);
/** Copies tensor i out of, or into, the model. n is the number of elements and must fit exactly. */
VISE_API VISE_WARN_UNUSED vise_status vise_model_get_tensor(const vise_model *model, size_t i, double *out, size_t n,
                                                            vise_error *err);
VISE_API VISE_WARN_UNUSED vise_status vise_model_set_tensor(vise_model *model, size_t i, const double *values, size_t n,
                                                            vise_error *err);

/** What the model was trained for; saved in the file. Reductions and smoothing belong to the loss. */
VISE_API vise_loss vise_model_loss(const vise_model *model);
VISE_API void vise_model_set_loss(vise_model *model, vise_loss loss, vise_mse_reduction reduction,
                                  double label_smoothing);
/** False for a model from a file of another program, whose loss nobody has set yet. */
VISE_API bool vise_model_knows_loss(const vise_model *model);
VISE_API vise_mse_reduction vise_model_mse_reduction(const vise_model *model);
VISE_API double vise_model_label_smoothing(const vise_model *model);

/**
 * Scaling of the features (targets): the net sees (x - shift) / scale, elementwise. kind none clears it; unit means
 * shift 0, scale 255 for all; for standard shift and scale are [widths[0]] ([widths[n_layers]]) and scale > 0.
 * get: copies to shift and scale (either may be NULL); for kind none they receive 0 and 1.
 */
VISE_API VISE_WARN_UNUSED vise_status vise_model_set_feature_scaling(vise_model *model, vise_scale kind,
                                                                     const double *shift, const double *scale,
                                                                     vise_error *err);
VISE_API VISE_WARN_UNUSED vise_status vise_model_set_target_scaling(vise_model *model, vise_scale kind,
                                                                    const double *shift, const double *scale,
                                                                    vise_error *err);
VISE_API vise_scale vise_model_feature_scaling(const vise_model *model, double *shift, double *scale);
VISE_API vise_scale vise_model_target_scaling(const vise_model *model, double *shift, double *scale);

/** How the inputs are made of the columns of a table, as vise_preprocessor_to_json writes it (vise/preprocessor.h); the
    feature scaling above is then none. It is kept with the model and saved in the file. NULL removes it. The text is
    copied; it is only looked at by whoever uses it. VISE_ERR_FORMAT: not a JSON object. */
VISE_API VISE_WARN_UNUSED vise_status vise_model_set_preprocessing(vise_model *model, const char *json,
                                                                   vise_error *err);
/** Owned by the model; NULL: none. */
VISE_API const char *vise_model_preprocessing(const vise_model *model);

/**
 * A one-shot weight operation, per tensor; biases are exempt. With m = max|W| and tau = t * m:
 *  - rel-clip: |w| >= tau becomes tau * sign(w) (literal: t * sign(w), the variant of the published code);
 *  - rel-retain: |w| < tau becomes 0 (magnitude pruning by threshold);
 *  - rel-drop-large: |w| >= tau becomes 0;
 *  - prune: the floor(fraction * n + 0.5) smallest |w| become 0, ties by index; their mask persists.
 *
 * Initialise with vise_weight_op_init.
 */
typedef struct vise_weight_op {
  size_t struct_size;
  vise_weight_op_kind kind;
  double t;               /**< rel-*: 0 < t <= 1; tau = t * m */
  bool literal;           /**< rel-clip: write t*sign(w) instead of tau*sign(w) */
  double fraction;        /**< prune: 0..1 */
  vise_prune_scope scope; /**< prune */
  const size_t *layers;   /**< linear layers to work on; NULL: all */
  size_t n_layers;
  const double *frozen_m; /**< rel-*: m per linear layer [model's n_layers] in place of max|W|; NULL: computed */
} vise_weight_op;

VISE_API void vise_weight_op_init(vise_weight_op *op);
VISE_API void vise_weight_op_init_sized(vise_weight_op *op, size_t n_bytes);
#define vise_weight_op_init(op) vise_weight_op_init_sized(op, sizeof *(op))

typedef struct vise_weight_op_report {
  size_t n_considered; /**< weights in the layers worked on */
  size_t n_reached;    /**< rel-*: |w| >= tau; prune: weights set to 0 */
  double norm_before;  /**< Frobenius norm over these layers */
  double norm_after;
} vise_weight_op_report;

/** Applies op to the weights (biases exempt). prune also sets the model's mask, joined with an existing one.
   report may be NULL. Errors: VISE_ERR_USAGE, VISE_ERR_VALUE (non-finite weight), VISE_ERR_MEMORY; the model is
   untouched then. */
VISE_API VISE_WARN_UNUSED vise_status vise_model_apply_weight_op(vise_model *model, const vise_weight_op *op,
                                                                 vise_weight_op_report *report, vise_error *err);
VISE_API VISE_WARN_UNUSED vise_status vise_model_apply_weight_op_sized(size_t report_bytes, vise_model *model,
                                                                       const vise_weight_op *op,
                                                                       vise_weight_op_report *report, vise_error *err);
#define vise_model_apply_weight_op(...) vise_model_apply_weight_op_sized(sizeof(vise_weight_op_report), __VA_ARGS__)

/** The sparsity mask: one byte a parameter in flat order, 1 = kept, 0 = pruned; biases are always 1.
   vise_model_mask returns NULL when there is none; owned by the model. set with NULL removes it; setting a mask
   also zeroes the weights it prunes. */
VISE_API const uint8_t *vise_model_mask(const vise_model *model);
VISE_API VISE_WARN_UNUSED vise_status vise_model_set_mask(vise_model *model, const uint8_t *mask, size_t n,
                                                          vise_error *err);
VISE_API VISE_WARN_UNUSED vise_status vise_model_load_mask(vise_model *model, const char *path, vise_error *err);
VISE_API VISE_WARN_UNUSED vise_status vise_model_save_mask(const vise_model *model, const char *path, vise_error *err);

/** Signs that parameters keep: one number a parameter in flat order, 1 = not negative, -1 = not positive, 0 = free. What
   is on the wrong side becomes 0, here and after every step of a training. vise_model_signs returns NULL when there are
   none; owned by the model. set with NULL removes them. A file (.safetensors, of I8, I64, F32 or F64) has tensors with the
   names and shapes of the model's; those that it leaves out are free. */
VISE_API const int8_t *vise_model_signs(const vise_model *model);
VISE_API VISE_WARN_UNUSED vise_status vise_model_set_signs(vise_model *model, const int8_t *signs, size_t n,
                                                           vise_error *err);
VISE_API VISE_WARN_UNUSED vise_status vise_model_load_signs(vise_model *model, const char *path, vise_error *err);
VISE_API VISE_WARN_UNUSED vise_status vise_model_save_signs(const vise_model *model, const char *path, vise_error *err);

/** Signs that make the outputs monotone in features: directions [n_features] are 1 (an output never falls where the feature
   rises), -1 (it never rises) or 0 (free). They are those of the first weights; all later weights, and the gains of batch
   norms, are not negative. Refused with gelu and silu, which are not monotone, and where a residual adds a feature that
   is to fall. The outputs of a softmax are not monotone; those of bce, hinge and the losses of numbers are. */
VISE_API VISE_WARN_UNUSED vise_status vise_model_set_monotone(vise_model *model, const int8_t *directions,
                                                              size_t n_features, vise_error *err);

#ifdef __cplusplus
}
#endif
#endif
