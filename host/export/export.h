/* What the formats share: the net as they all see it, names, test vectors, and the files being made. */
#ifndef VISE_I_EXPORT_H
#define VISE_I_EXPORT_H

#include <stdint.h>

#include "host/certify/certificate.h"
#include "host/export/text.h"
#include "host/integer/integer.h"
#include "vise/export.h"
#include "vise/info.h"

/* A layer, batch norm folded into its weights and bias; arrays are owned. */
typedef struct vise_i_export_layer {
  size_t n_in, n_out;
  double *weights, *bias; /* [n_out, n_in], [n_out] */
  bool has_activation, residual;
  vise_activation activation; /* identity without one */
} vise_i_export_layer;

/* Inputs, and the outputs that they give in exact arithmetic. */
typedef struct vise_i_vectors {
  size_t n;
  double *low, *high; /* [n_inputs], where they lie */
  double *inputs;     /* [n, n_inputs], each a float32 */
  double *outputs;    /* [n, n_outputs] */
  double *tolerance;  /* [n_outputs]: float32 is never farther off, by a certificate */
} vise_i_vectors;

typedef struct vise_i_export {
  const vise_model *model;
  const char *name; /* "net" */
  char *upper;      /* "NET" */
  uint64_t weights; /* their sum, for where it is from */
  vise_i_inputs inputs;
  size_t n_layers, n_outputs, widest;
  vise_i_export_layer layers[VISE_MAX_LAYERS];
  bool scales_targets;
  double *target_shift, *target_scale; /* [n_outputs] */
  bool classifies;
  size_t n_classes; /* 2 for one output; 0: it does not classify */
  vise_i_vectors vectors;
} vise_i_export;

/* *out is to be cleared on failure too. config has been checked. */
VISE_WARN_UNUSED vise_status vise_i_export_begin(const vise_model *model, const vise_export_config *config,
                                                 vise_i_export *out, vise_error *err);
void vise_i_export_clear(vise_i_export *e);

/* vectors.c: the inputs of e->vectors; and for float32 the outputs and their tolerance. */
VISE_WARN_UNUSED vise_status vise_i_vectors_draw(vise_i_export *e, const vise_export_config *config, vise_error *err);
VISE_WARN_UNUSED vise_status vise_i_vectors_answer(vise_i_export *e, vise_error *err);

/* The files of a format; their bytes are owned. */
enum { VISE_I_MOST_EXPORT_FILES = 4 };
typedef struct vise_i_export_files {
  size_t n;
  struct {
    const char *suffix; /* after the name: ".h" */
    void *bytes;
    size_t n_bytes;
  } files[VISE_I_MOST_EXPORT_FILES];
} vise_i_export_files;

/* Takes over the text; VISE_ERR_MEMORY if it failed. */
VISE_WARN_UNUSED vise_status vise_i_export_add(vise_i_export_files *files, const char *suffix, vise_i_text *text,
                                               vise_error *err);
void vise_i_export_files_clear(vise_i_export_files *files);
/* folder.c: into dir, all or nothing. */
VISE_WARN_UNUSED vise_status vise_i_export_write(const vise_i_export_files *files, const char *name, const char *dir,
                                                 vise_error *err);

/* names.c. A name within a comment, in which it ends nothing and begins nothing; a string of C, quotes included. */
void vise_i_put_in_comment(vise_i_text *text, const char *name);
void vise_i_put_c_string(vise_i_text *text, const char *name);
/* enum { PREFIX_NAME = i, ... }; names become identifiers, told apart by their numbers where they are alike. */
void vise_i_put_c_enum(vise_i_text *text, const char *prefix, char *const *names, size_t n);

/* c_parts.c: what the formats of C have alike. */
void vise_i_put_c_heading(vise_i_text *text, const vise_i_export *e, const char *what);
/* "static const float net_b0[3] = {...};" */
void vise_i_put_c_floats(vise_i_text *text, const char *name, const double *values, size_t n);
void vise_i_put_c_float(vise_i_text *text, double value);
/* The numbers of inputs and outputs, and enums for the names of inputs and classes. */
void vise_i_put_c_sizes(vise_i_text *text, const vise_i_export *e);
/* The functions that tell the class of outputs of the type, and its name; linkage: "static inline ". Nothing without classes. */
void vise_i_put_c_class(vise_i_text *text, const vise_i_export *e, const char *linkage, const char *type);

/* The formats. */
VISE_WARN_UNUSED vise_status vise_i_export_float_c(const vise_i_export *e, vise_i_export_files *files, vise_error *err);
VISE_WARN_UNUSED vise_status vise_i_export_integer_c(const vise_i_export *e, const vise_export_config *config,
                                                     vise_i_export_files *files, vise_error *err);
VISE_WARN_UNUSED vise_status vise_i_export_onnx(const vise_i_export *e, vise_i_export_files *files, vise_error *err);

/* integer_net.c: the net in integers, proven; its inputs in the units of the export, also of a table's model. */
VISE_WARN_UNUSED vise_status vise_i_export_integer_net(const vise_i_export *e, const vise_export_config *config,
                                                       vise_i_integer_net **out, vise_error *err);
/* integer_test.c: the program with test vectors. */
VISE_WARN_UNUSED vise_status vise_i_put_integer_test(vise_i_text *text, const vise_i_export *e,
                                                     const vise_i_integer_net *net, vise_error *err);

#endif
