/**
 * @file
 * Recipes: defaults that go together, for those who do not choose every option themselves. What a recipe says stands in
 * options of vise/options.h; whatever option the user gave wins over it.
 */
#ifndef VISE_RECIPE_H
#define VISE_RECIPE_H

#include <stdbool.h>
#include <stddef.h>

#include "vise/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/** What the recipe for tables goes by. Initialise with vise_recipe_facts_init; user is borrowed for the call. */
typedef struct vise_recipe_facts {
  size_t struct_size;
  size_t n_table_rows; /**< rows of the table, before any are held out */
  size_t n_rows;     /**< rows to train on; in cross-validation those of all folds, so that each has the same recipe */
  size_t n_features; /**< columns that become inputs of the net */
  bool has_validation; /**< there are rows to validate on [false] */
  bool has_net; /**< the sizes of the net are fixed, as those of a model to start from: `layers` is not set [false] */
  bool (*given)(void *user,
                const char *option); /**< whether the user gave the option of that name; NULL: none [NULL] */
  void *user;
} vise_recipe_facts;

VISE_API void vise_recipe_facts_init(vise_recipe_facts *facts);
VISE_API void vise_recipe_facts_init_sized(vise_recipe_facts *facts, size_t n_bytes);
#define vise_recipe_facts_init(facts) vise_recipe_facts_init_sized(facts, sizeof *(facts))

/** Rows from which on the recipe for tables is another one, and holds some out for validation. */
#define VISE_RECIPE_MANY_ROWS 1000

/**
 * What the recipe for tables sets, as text for vise_fit: "clip-norm=1 layers=auto-64-auto ...". Written to
 * buffer[n_bytes], cut if it is too small; returns its length, as snprintf does (0 for facts that are NULL).
 *
 * From VISE_RECIPE_MANY_ROWS rows on it trains a wider net for more epochs, with patience where there are validation rows; below that a
 * table has no rows to spare, so that it trains a fixed number of steps. The decoupled decay is 8 sqrt(columns / rows)
 * within 0.1 and 5. With an optimizer of the user's own, optimizer, lr and lr-schedule are left alone.
 */
VISE_API size_t vise_recipe_for_table(const vise_recipe_facts *facts, char *buffer, size_t n_bytes);

/** The share of a table's rows that the recipe holds out for validation: 0 below VISE_RECIPE_MANY_ROWS of them. */
VISE_API double vise_recipe_validation_fraction(size_t n_table_rows);

#ifdef __cplusplus
}
#endif
#endif
