/* Arrays: disjoint, aligned, of the right size; and the message when they do not fit. */
#include <criterion/criterion.h>
#include <string.h>

#include "tests/unit/plan/plan_rig.h"

static void check_arrays(const plan_case *c, const vise_i_plan *plan) {
  const size_t guard = c->request.hooks.guard_bytes;
  size_t at = guard;
  for (int i = 0; i < VISE_I_PLAN_N_ARRAYS; i++) {
    const vise_i_plan_array *a = &plan->arrays[i];
    if (a->n_bytes == 0) continue;
    cr_expect(a->offset % VISE_I_PLAN_ALIGN == 0 && a->offset >= at, "%s",
              vise_i_plan_array_name((vise_i_plan_array_id)i));
    at = a->offset + a->n_bytes + guard;
  }
  cr_expect(plan->n_bytes >= at && plan->n_bytes < at + VISE_I_PLAN_ALIGN);
}

Test(plan_memory, arrays_do_not_overlap) {
  plan_for_all(check_arrays);
}

Test(plan_memory, arrays_of_options) {
  static const size_t widths[] = {20, 10, 3};
  plan_case c = plan_case_make(2, widths, 16);
  vise_i_plan plan = plan_case_plan(&c);
  const vise_i_plan_array *a = plan.arrays;

  cr_expect(plan.n_params == 10 * 24 + 16 + 32 + 64 + 32, "%llu", (unsigned long long)plan.n_params);
  cr_expect(a[VISE_I_PLAN_PARAMS].n_bytes == 4 * plan.n_params && a[VISE_I_PLAN_MOMENT1].n_bytes == 0);
  cr_expect(a[VISE_I_PLAN_GRADIENT_SUMS].n_elements == 4);
  cr_expect(a[VISE_I_PLAN_ROW_LOSSES].n_elements == 16 && a[VISE_I_PLAN_WEIGHT_SUMS].n_bytes == 0);

  c.rule.k1 = 1;
  c.rule.clip_norm = 1;
  c.rule.clip_norm_type = VISE_CLIP_UNIT;
  c.rule.clip_norm_p = VISE_NORM_INF;
  c.rule.max_norm = 2;
  c.rule.optimizer = VISE_ADAM;
  c.request.has_mask = true;

  plan = plan_case_plan(&c);
  cr_expect(a[VISE_I_PLAN_GRADIENT_SUMS].n_elements == 10 + 1 + 3 + 1);
  cr_expect(a[VISE_I_PLAN_GRADIENT_MAX].n_elements == 15 && a[VISE_I_PLAN_NORM_SUMS].n_elements == 15);
  cr_expect(a[VISE_I_PLAN_WEIGHT_SUMS].n_elements == 4 * 4 && a[VISE_I_PLAN_GROUP_SUMS].n_elements == 3 * 4);
  cr_expect(a[VISE_I_PLAN_UNIT_SUMS].n_elements == 15 && a[VISE_I_PLAN_UNIT_MAX].n_elements == 15);
  cr_expect(a[VISE_I_PLAN_NORM_UNIT_SUMS].n_elements == 15 && a[VISE_I_PLAN_INPUTS].n_elements == 2 * 16 * 24);
  cr_expect(a[VISE_I_PLAN_MASK].n_bytes == plan.n_params && a[VISE_I_PLAN_MOMENT2].n_bytes == 4 * plan.n_params);
}

Test(plan_memory, joined_plans_share_all_but_the_exchange) {
  static const size_t widths[] = {20, 10, 3};
  plan_case few = plan_case_make(2, widths, 16), many = plan_case_make(2, widths, 1000);
  few.request.hooks.guard_bytes = many.request.hooks.guard_bytes = 256;
  many.rule.k2 = 1; /* keeps sums that the other does not */
  vise_i_plan a = plan_case_plan(&few), b = plan_case_plan(&many);
  const size_t activations = b.arrays[VISE_I_PLAN_ACTIVATIONS].n_bytes;
  vise_i_plan_join(&a, &b);

  size_t at = 0;
  for (int i = 0; i < VISE_I_PLAN_SLOTS; i++) {
    cr_expect(memcmp(&a.arrays[i], &b.arrays[i], sizeof a.arrays[i]) == 0);
    if (a.arrays[i].n_bytes == 0) continue;
    cr_expect(a.arrays[i].offset >= at + 256);
    at = a.arrays[i].offset + a.arrays[i].n_bytes;
  }

  cr_expect(a.arrays[VISE_I_PLAN_ACTIVATIONS].n_bytes == activations && a.arrays[VISE_I_PLAN_WEIGHT_SUMS].n_bytes > 0);
  cr_expect(a.arrays[VISE_I_PLAN_SLOTS].offset >= at + 256);
  at = a.arrays[VISE_I_PLAN_SLOTS].offset + a.arrays[VISE_I_PLAN_SLOTS].n_bytes;
  cr_expect(b.arrays[VISE_I_PLAN_SLOTS].offset >= at + 256);
  at = b.arrays[VISE_I_PLAN_SLOTS].offset + b.arrays[VISE_I_PLAN_SLOTS].n_bytes;
  cr_expect(a.n_bytes == b.n_bytes && a.n_bytes >= at + 256);
}

Test(plan_memory, too_little_names_the_largest_array) {
  static const size_t widths[] = {100, 2000, 3};
  vise_error err = VISE_ERROR_INIT;
  vise_i_plan plan;
  plan_case c = plan_case_make(2, widths, 65536);
  const size_t n_bytes = plan_case_plan(&c).n_bytes;

  c.request.machine.memory_bytes = n_bytes;
  cr_expect(plan_case_try(&c, &plan, &err) == VISE_OK, "%s", err.text);

  c.request.machine.memory_bytes = n_bytes - 1000;
  cr_expect(plan_case_try(&c, &plan, &err) == VISE_ERR_MEMORY);
  cr_expect(strstr(err.text, "1000 more than") && strstr(err.text, "activations") && strstr(err.text, "`batch`"), "%s",
            err.text);

  vise_error_clear(&err);
  c = plan_case_make(2, widths, 1);
  c.request.machine.memory_bytes = 1000;
  cr_expect(plan_case_try(&c, &plan, &err) == VISE_ERR_MEMORY);
  cr_expect(strstr(err.text, "weights of the net") && strstr(err.text, "`widths`"), "%s", err.text);
}

Test(plan_memory, refuses_what_cannot_be) {
  size_t widths[20];
  vise_error err = VISE_ERROR_INIT;
  vise_i_plan plan;

  for (size_t i = 0; i < 20; i++) widths[i] = 3;
  plan_case c = plan_case_make(17, widths, 1);
  cr_expect(plan_case_try(&c, &plan, &err) == VISE_ERR_UNSUPPORTED && strstr(err.text, "16 layers"), "%s", err.text);

  vise_error_clear(&err);
  c = plan_case_make(2, widths, 1);
  c.request.machine.shared_bytes = 48 * 1024;
  cr_expect(plan_case_try(&c, &plan, &err) == VISE_ERR_UNSUPPORTED && strstr(err.text, "shared"), "%s", err.text);

  vise_error_clear(&err);
  c = plan_case_make(2, widths, 1);
  c.request.hooks.n_ctas = 133;
  cr_expect(plan_case_try(&c, &plan, &err) == VISE_ERR_UNSUPPORTED && strstr(err.text, "133"), "%s", err.text);

  vise_error_clear(&err);
  c = plan_case_make(2, widths, (1 << 18) + 1);
  cr_expect(plan_case_try(&c, &plan, &err) == VISE_ERR_UNSUPPORTED && strstr(err.text, "262145"), "%s", err.text);

  vise_error_clear(&err);
  c = plan_case_make(2, widths, 0);
  cr_expect(plan_case_try(&c, &plan, &err) == VISE_ERR_UNSUPPORTED && strstr(err.text, "not 0"), "%s", err.text);

  vise_error_clear(&err);
  widths[1] = 8193;
  c = plan_case_make(2, widths, 1);
  cr_expect(plan_case_try(&c, &plan, &err) == VISE_ERR_UNSUPPORTED && strstr(err.text, "8193"), "%s", err.text);
}
