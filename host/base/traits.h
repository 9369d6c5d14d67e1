/* The traits of the enumerations, from their tables (vise/enums.h). Kernels include this too. */
#ifndef VISE_I_TRAITS_H
#define VISE_I_TRAITS_H

#include <stdbool.h>

#include "host/base/both.h"
#include "vise/enums.h"

/* VISE_I_TRAIT_(type function(type value), TABLE, ROW, otherwise): ROW(symbol, name, ...) is a case. */
#define VISE_I_TRAIT_(function, TABLE, ROW, otherwise) \
  VISE_BOTH function {                                 \
    switch (kind) {                                    \
      TABLE(ROW)                                       \
      default:                                         \
        return otherwise;                              \
    }                                                  \
  }

/* clang-format off */
#define VISE_I_ROW_(symbol, name, trait) case symbol: return trait;
#define VISE_I_HAS_(symbol, name, has, beta2) case symbol: return has;
#define VISE_I_BETA2_(symbol, name, has, beta2) case symbol: return beta2;
#define VISE_I_TARGETS_(symbol, name, targets, link, mean) case symbol: return targets;
#define VISE_I_LINK_(symbol, name, targets, link, mean) case symbol: return link;
#define VISE_I_MEAN_(symbol, name, targets, link, mean) case symbol: return mean;
#define VISE_I_ENDS_(symbol, name, ends, counts_epochs) case symbol: return ends;
#define VISE_I_COUNTS_EPOCHS_(symbol, name, ends, counts_epochs) case symbol: return counts_epochs;
/* clang-format on */

/* Whether f'(z) is formed from z; else from a = f(z). */
VISE_I_TRAIT_(bool vise_i_activation_needs_z(vise_activation kind), VISE_ACTIVATION_TABLE, VISE_I_ROW_, false)

VISE_I_TRAIT_(vise_targets vise_i_loss_targets(vise_loss kind), VISE_LOSS_TABLE, VISE_I_TARGETS_, VISE_TARGETS_NONE)
VISE_I_TRAIT_(vise_link vise_i_loss_link(vise_loss kind), VISE_LOSS_TABLE, VISE_I_LINK_, VISE_LINK_IDENTITY)
VISE_I_TRAIT_(vise_mean vise_i_loss_mean(vise_loss kind), VISE_LOSS_TABLE, VISE_I_MEAN_, VISE_MEAN_OF_ROWS)

/* Bits of VISE_HAS_.... */
VISE_I_TRAIT_(int vise_i_optimizer_has(vise_optimizer kind), VISE_OPTIMIZER_TABLE, VISE_I_HAS_, 0)
VISE_I_TRAIT_(double vise_i_optimizer_beta2(vise_optimizer kind), VISE_OPTIMIZER_TABLE, VISE_I_BETA2_, 0)

/* Whether the schedule needs to know how many steps are planned. */
VISE_I_TRAIT_(bool vise_i_schedule_ends(vise_schedule kind), VISE_SCHEDULE_TABLE, VISE_I_ENDS_, false)
VISE_I_TRAIT_(bool vise_i_schedule_counts_epochs(vise_schedule kind), VISE_SCHEDULE_TABLE, VISE_I_COUNTS_EPOCHS_, false)

#undef VISE_I_TRAIT_
#undef VISE_I_ROW_
#undef VISE_I_HAS_
#undef VISE_I_BETA2_
#undef VISE_I_TARGETS_
#undef VISE_I_LINK_
#undef VISE_I_MEAN_
#undef VISE_I_ENDS_
#undef VISE_I_COUNTS_EPOCHS_

/* What the beta2 of a configuration stands for: NaN is the optimizer's own. */
VISE_BOTH double vise_i_beta2_of(vise_optimizer optimizer, double beta2) {
  return beta2 == beta2 ? beta2 : vise_i_optimizer_beta2(optimizer);
}

/* One output means two classes. */
VISE_BOTH bool vise_i_loss_is_binary(vise_loss loss) {
  return vise_i_loss_targets(loss) == VISE_TARGETS_BITS || vise_i_loss_targets(loss) == VISE_TARGETS_SIGNS;
}

/* Rows are classified, and accuracy counts. */
VISE_BOTH bool vise_i_loss_classifies(vise_loss loss) {
  return vise_i_loss_targets(loss) == VISE_TARGETS_LABELS || vise_i_loss_is_binary(loss);
}

/* Predictions are numbers, with rmse and R^2. */
VISE_BOTH bool vise_i_loss_is_regression(vise_loss loss) {
  return vise_i_loss_targets(loss) == VISE_TARGETS_NUMBERS || vise_i_loss_targets(loss) == VISE_TARGETS_COUNTS;
}

#endif
