/* The rules of a training configuration. Errors name fields in backquotes ("`nesterov`"). */
#ifndef VISE_I_TRAIN_CONFIG_H
#define VISE_I_TRAIN_CONFIG_H

#include "host/base/error.h"
#include "host/net/net.h"
#include "vise/train.h"

/* Takes a caller's config, of whatever size, into *out and checks its options alone and against each other: ranges,
   contradictions. VISE_ERR_USAGE. */
VISE_WARN_UNUSED vise_status vise_i_train_config_take(const vise_train_config *given, vise_train_config *out,
                                                      vise_error *err);

/* The options against the net: layers of layer_clamps and of the weight operation, outputs that the loss needs, the
   number of class weights. VISE_ERR_USAGE. */
VISE_WARN_UNUSED vise_status vise_i_config_validate_net(const vise_train_config *config, const vise_i_net *net,
                                                        vise_error *err);

/* The options against the data: validation data for patience, batch and drop-last, scaling, class weights. Any of the
   data sets may be NULL. VISE_ERR_USAGE. Shapes and labels are checked by vise_i_view_make. */
VISE_WARN_UNUSED vise_status vise_i_config_validate_data(const vise_train_config *config, const vise_i_net *net,
                                                         const vise_dataset *train, const vise_dataset *validation,
                                                         vise_error *err);

/* Class weights by themselves, against the outputs of a net (their number), and against the targets. VISE_ERR_USAGE. */
VISE_WARN_UNUSED vise_status vise_i_class_weights_check(vise_loss loss, const double *weights, size_t n,
                                                        vise_error *err);
VISE_WARN_UNUSED vise_status vise_i_class_weights_check_net(vise_loss loss, size_t n, size_t n_outputs,
                                                            vise_error *err);
VISE_WARN_UNUSED vise_status vise_i_class_weights_check_data(vise_loss loss, size_t n, const vise_dataset *data,
                                                             vise_error *err);

/* Refuses a box without 0 where something else needs 0 in it (mask, prune, proximal L1, max-norm, ...):
   VISE_ERR_USAGE naming `needed_by`. */
VISE_WARN_UNUSED vise_status vise_i_config_require_zero_in_boxes(const vise_train_config *config, size_t n_layers,
                                                                 const char *needed_by, vise_error *err);

/* The bounds on sums of rows: against each other, and against the net. VISE_ERR_USAGE. */
VISE_WARN_UNUSED vise_status vise_i_config_check_rows(const vise_train_config *config, vise_error *err);
VISE_WARN_UNUSED vise_status vise_i_config_check_rows_of_net(const vise_train_config *config, const vise_i_net *net,
                                                             vise_error *err);

#endif
