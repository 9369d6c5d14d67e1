/* The recipe for tables as text, and what it leaves to the user. */
#include <criterion/criterion.h>
#include <string.h>

#include "vise/vise.h"

static bool names(void *user, const char *option) {
  return strstr(user, option) != NULL;
}

static const char *recipe(size_t n_rows, bool has_validation, char *given) {
  static char text[1024];
  vise_recipe_facts facts;
  vise_recipe_facts_init(&facts);
  facts.n_table_rows = n_rows;
  facts.n_rows = n_rows;
  facts.n_features = 9;
  facts.has_validation = has_validation;
  facts.given = given != NULL ? names : NULL;
  facts.user = given;
  cr_assert_lt(vise_recipe_for_table(&facts, text, sizeof text), sizeof text);
  return text;
}

Test(recipe, trains_few_rows_for_a_fixed_number_of_steps) {
  cr_assert_str_eq(recipe(576, false, NULL),
                   "optimizer=adam lr=2e-3 lr-schedule=cosine clip-norm=1 layers=auto-64-auto batch=32 steps=1000 "
                   "epochs=off decoupled-decay=1");
}

Test(recipe, has_patience_where_rows_are_held_out) {
  cr_assert_str_eq(recipe(1000000, true, NULL),
                   "optimizer=adam lr=2e-3 lr-schedule=cosine clip-norm=1 layers=auto-128-auto batch=64 epochs=100 "
                   "patience=10 decoupled-decay=0.10000000000000001");
  cr_assert(strstr(recipe(1000000, false, NULL), "patience") == NULL);
  cr_assert(vise_recipe_validation_fraction(999) == 0 && vise_recipe_validation_fraction(1000) == 0.1);
}

Test(recipe, sets_nothing_that_was_given) {
  char given[] = "optimizer epochs layers clip-norm decoupled-decay";
  cr_assert_str_eq(recipe(100, false, given), "batch=32");
}

Test(recipe, is_cut_to_the_buffer) {
  char text[8];
  vise_recipe_facts facts;
  vise_recipe_facts_init(&facts);
  facts.n_rows = facts.n_features = 1;
  cr_assert_gt(vise_recipe_for_table(&facts, text, sizeof text), 100);
  cr_assert_str_eq(text, "optimiz");
  cr_assert_gt(vise_recipe_for_table(&facts, NULL, 0), 100);
  cr_assert_eq(vise_recipe_for_table(NULL, NULL, 0), 0);
}
