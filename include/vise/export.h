/**
 * @file
 * A model as files for other places: ONNX, and C99 without heap and recursion.
 *
 *   vise_export_config_init(&config);
 *   config.format = VISE_EXPORT_FLOAT_C;
 *   vise_export(model, &config, "net", &err);
 *
 * What goes in are the inputs before scaling: a model of a table takes numbers and dates in the units of the table, and 0
 * or 1 for what its preprocessor made of texts and gaps. What comes out is what vise_predict gives with VISE_OUTPUT_RAW.
 * docs/hardware.md has the files of each format.
 */
#ifndef VISE_EXPORT_H
#define VISE_EXPORT_H

#include "vise/dataset.h"
#include "vise/model.h"

#ifdef __cplusplus
extern "C" {
#endif

/** What vise_export writes. Initialise with vise_export_config_init; arrays and texts are borrowed for the call. */
typedef struct vise_export_config {
  size_t struct_size;
  vise_export_format format; /**< [onnx] */
  const char *name; /**< of the files, and before all names in them: a letter, then letters, digits and _ ["net"] */
  /** [widths[0]], the ranges in which test vectors lie. NULL, or NaN in both for an input: 0 and 1 for texts and gaps, bytes
      under unit scaling, two standard deviations under standard scaling, else -1 to 1. */
  const double *low, *high;
  size_t n_vectors; /**< test vectors, with the outputs that they must give; for the formats of C, at least 1 [16] */
  /** Of the net in integers, unless it was trained for it: "int8,acc16,act8,in8", the bits of weights (8 or 16), accumulators
      (10 to 32), hidden values and inputs (2 to 8), of which the last two may be left away; and rows from which its ranges are
      taken, as vise_predict takes them. */
  const char *integers;
  const vise_dataset *data;
} vise_export_config;

VISE_API void vise_export_config_init(vise_export_config *config);
VISE_API void vise_export_config_init_sized(vise_export_config *config, size_t n_bytes);
#define vise_export_config_init(config) vise_export_config_init_sized(config, sizeof *(config))

/** Writes the files of a model into dir, which is new or empty; the folder appears with all of them or not at all.
    Errors: VISE_ERR_USAGE (a name that is none; dir is not empty; an activation that is not known; integers or data missing),
    VISE_ERR_VALUE (a weight or scaling that float32 does not hold, or a net that may overflow: in float32 within the ranges,
    in integers for whatever inputs), VISE_ERR_UNSUPPORTED (what no net in integers has), VISE_ERR_SHAPE (too large for the
    format), VISE_ERR_IO, VISE_ERR_MEMORY. */
VISE_API VISE_WARN_UNUSED vise_status vise_export(const vise_model *model, const vise_export_config *config,
                                                  const char *dir, vise_error *err);

#ifdef __cplusplus
}
#endif
#endif
