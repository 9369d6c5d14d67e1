/* From what the user asked for to what a backend is given: backend, threads, strengths at gradient level, boxes. */
#ifndef VISE_I_RESOLVE_H
#define VISE_I_RESOLVE_H

#include "host/backend/backend.h"
#include "host/net/net.h"
#include "vise/train.h"

/*
 * Picks the backend: auto is cuda where this build and machine have one that takes the net (NULL: any), else cpu.
 * *out_backend (may be NULL) receives what auto became. Step modes, precisions and options that only CUDA has are
 * refused elsewhere. Errors: VISE_ERR_UNSUPPORTED.
 */
VISE_WARN_UNUSED vise_status vise_i_resolve_backend(vise_backend requested, vise_step_mode step_mode,
                                                    vise_precision precision, const vise_i_net *net,
                                                    const vise_i_backend_ops **out_ops, vise_backend *out_backend,
                                                    vise_error *err);

/* Whether batches come in parts. Then auto is cpu: bits must not depend on which devices a rank has. */
bool vise_i_resolve_is_in_parts(const vise_train_config *config);

/* VISE_ERR_USAGE unless the model's weights have the backend's type; says which to use. */
VISE_WARN_UNUSED vise_status vise_i_resolve_check_dtype(const vise_i_backend_ops *ops, const vise_model *model,
                                                        vise_error *err);

/* n_threads, or for 0 the number chosen for this machine, net and batch. */
int vise_i_resolve_threads(int n_threads, const vise_i_net *net, size_t max_batch);

/* Strengths at gradient level of l2 and l1, by the penalty convention; n_rows = m, the rows trained on. */
void vise_i_resolve_penalties(const vise_train_config *config, size_t n_rows, double *k2, double *k1);

/*
 * The step of a training. net and config->class_weights are borrowed for the life of whatever uses *spec. n_rows: rows
 * trained on (0: none bound; then over_m is refused). use_mask: a mask is or will be set. max_batch is the batch of the
 * config, at least 1 (all rows for 0); set spec->max_batch after the call where other batches come too.
 */
VISE_WARN_UNUSED vise_status vise_i_resolve_spec(const vise_train_config *config, const vise_i_net *net, size_t n_rows,
                                                 bool use_mask, vise_i_step_spec *spec, vise_error *err);

/* Replaces step mode and precision "auto" by what they are on the backend, and the threads where it has one. */
void vise_i_resolve_way(vise_backend backend, vise_i_step_spec *spec);

/* The model's loss, plain sgd, no penalties or clips. */
vise_i_rule vise_i_rule_of_model(const vise_model *model);

/* A spec for forward passes only, by that rule, without boxes. */
void vise_i_resolve_forward_spec(const vise_model *model, const vise_i_net *net, size_t max_batch, int n_threads,
                                 vise_i_step_spec *spec);

#endif
