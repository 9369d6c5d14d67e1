/**
 * @file
 * Proven bounds of a model as it stands: the ranges of its outputs and of every pre-activation over a box of inputs,
 * Lipschitz bounds, and the inputs in which an output is monotone.
 *
 *   vise_certify(model, &config, &certificate, &err);
 *   vise_certificate_to_json(certificate, &text, &err);
 *   vise_certificate_attach(certificate, "run/model.safetensors", &err);
 *
 * What the bounds hold for:
 *  - Inputs are those before scaling, each within its range. A model of a table takes the inputs that its preprocessor
 *    makes of the columns: numbers and dates in the units of the table, and 0 or 1 for what it made of texts and gaps.
 *  - Ranges hold in exact arithmetic and in float32 with sums in any order, fused multiply-adds or not, small numbers
 *    flushed to 0 or not, batch norms folded into the weights or not, and smooth activations right to 2^-20 (tanh, sigmoid,
 *    elu) or 2^-20 of their argument (gelu, silu). TF32 and bfloat16 are not float32.
 *  - Lipschitz bounds and monotone inputs are about exact arithmetic, for all inputs; float32_error says how far an
 *    output in float32 may be from that, within the ranges.
 *  - Outputs are those of vise_predict with VISE_OUTPUT_RAW: with the scaling of the targets undone.
 *  - Of a net in integers (a model that was trained with `quantize`, or any with `integers`), the ranges of its sums hold for
 *    whatever inputs, for every part of a sum, in any order. What is said of floats is about the model's weights as floats.
 *
 * docs/hardware.md has the method.
 */
#ifndef VISE_CERTIFY_H
#define VISE_CERTIFY_H

#include <stdint.h>

#include "vise/dataset.h"
#include "vise/model.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Initialise with vise_certify_config_init; arrays and texts are borrowed for the call. */
typedef struct vise_certify_config {
  size_t struct_size;
  /** [widths[0]], the range of each input. NULL, or NaN in both for an input: what is known of it, 0 to 1 where it is made
      of a text or a gap, and 0 to 255 under unit scaling; else VISE_ERR_USAGE. */
  const double *low, *high;
  const char *origin; /**< where the ranges are from, for the certificate ("data.csv"); NULL: "given" */
  /** The net in integers whose sums are bounded too, as vise_export has them: NULL for the one that the model was trained for,
      if it was; and for another, rows from which the ranges of its values are taken. */
  const char *integers;
  const vise_dataset *data;
} vise_certify_config;

VISE_API void vise_certify_config_init(vise_certify_config *config);
VISE_API void vise_certify_config_init_sized(vise_certify_config *config, size_t n_bytes);
#define vise_certify_config_init(config) vise_certify_config_init_sized(config, sizeof *(config))

typedef struct vise_certificate vise_certificate;

/** Finds the bounds; config NULL: the defaults. It takes about as long as an evaluation of a few rows for each layer, and
    n^3 / 3 multiplications for a layer whose smaller side n is at most 2048, whose spectral norm is then bounded to a
    thousandth. Errors: VISE_ERR_USAGE (a range that is missing, or ends before it begins; an activation that is not
    known; data missing for integers), VISE_ERR_VALUE (a bound beyond float32, so that it may overflow), VISE_ERR_UNSUPPORTED and
    VISE_ERR_SHAPE (as vise_export, of integers), VISE_ERR_MEMORY. */
VISE_API VISE_WARN_UNUSED vise_status vise_certify(const vise_model *model, const vise_certify_config *config,
                                                   vise_certificate **out, vise_error *err);
/** NULL is allowed. */
VISE_API void vise_certificate_free(vise_certificate *certificate);

/** All of it as JSON text, numbers with 17 digits (docs/files.md); free() it. */
VISE_API VISE_WARN_UNUSED vise_status vise_certificate_to_json(const vise_certificate *certificate, char **out,
                                                               vise_error *err);

/** Writes the certificate into the metadata of a model's file, "vise.certificate", in place of an earlier one: the file is
    read, and replaced whole or not at all; tensors and other metadata stay. The folder of a run stands for the
    model.safetensors in it. vise_model_save leaves it out, so that a changed model has none.
    Errors: VISE_ERR_STATE (its weights are not those that were certified), VISE_ERR_IO, VISE_ERR_FORMAT,
    VISE_ERR_SHAPE (a header over 100 MB), VISE_ERR_MEMORY. */
VISE_API VISE_WARN_UNUSED vise_status vise_certificate_attach(const vise_certificate *certificate, const char *path,
                                                              vise_error *err);

VISE_API size_t vise_certificate_n_inputs(const vise_certificate *certificate);
VISE_API size_t vise_certificate_n_outputs(const vise_certificate *certificate);
/** The range of input i that the rest holds for, as given. */
VISE_API VISE_WARN_UNUSED vise_status vise_certificate_input(const vise_certificate *certificate, size_t i, double *low,
                                                             double *high, vise_error *err);
/** The name of input i, for a model of a table ("age", "color=red"); else NULL. Owned by the certificate. */
VISE_API const char *vise_certificate_input_name(const vise_certificate *certificate, size_t i);
/** The range of output i, and how far float32 may be from exact arithmetic (may be NULL). */
VISE_API VISE_WARN_UNUSED vise_status vise_certificate_output(const vise_certificate *certificate, size_t i,
                                                              double *low, double *high, double *float32_error,
                                                              vise_error *err);
/** The range of all pre-activations of a layer: what its activation is applied to, after a batch norm. */
VISE_API VISE_WARN_UNUSED vise_status vise_certificate_layer(const vise_certificate *certificate, size_t layer,
                                                             double *low, double *high, vise_error *err);
/** The format of the net in integers whose sums are bounded ("int8,acc16,act8,in8"); NULL: there is none. *is_trained (may be
    NULL): the model was trained to be that net. Owned by the certificate. */
VISE_API const char *vise_certificate_integers(const vise_certificate *certificate, bool *is_trained);
/** Why a model that was trained for integers is no such net any more, and nothing is said of its sums: its weights were
    changed. NULL else. */
VISE_API const char *vise_certificate_integers_fault(const vise_certificate *certificate);
/** Where every part of every sum of a layer lies, in any order, whatever the inputs; and the largest share of an accumulator's
    range that one takes (may be NULL), at most 1. VISE_ERR_USAGE: there is no net in integers. */
VISE_API VISE_WARN_UNUSED vise_status vise_certificate_sums(const vise_certificate *certificate, size_t layer,
                                                            int64_t *low, int64_t *high, double *fullest,
                                                            vise_error *err);
/** How much the outputs can change for a change of the inputs: max |dy| <= K max |dx|, and in the Euclidean norm. 0 for
    NULL. */
VISE_API double vise_certificate_lipschitz_inf(const vise_certificate *certificate);
VISE_API double vise_certificate_lipschitz_2(const vise_certificate *certificate);
/** Whether an output never falls (never rises) when an input grows and the others stay. False outside. */
VISE_API bool vise_certificate_increases(const vise_certificate *certificate, size_t output, size_t input);
VISE_API bool vise_certificate_decreases(const vise_certificate *certificate, size_t output, size_t input);

#ifdef __cplusplus
}
#endif
#endif
