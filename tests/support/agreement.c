#include "tests/support/agreement.h"

#include <criterion/criterion.h>
#include <string.h>

#include "tests/support/backend_rig.h"

cpu_case agreement_case(const agreement *a, size_t i) {
  cpu_case c = cpu_case_make();
  if (a->set) a->set(&c, i);
  return c;
}

cpu_case agreement_case_of(const agreement *a, const agreement_shape *shape, size_t n_rows, size_t n_steps, size_t i) {
  cpu_case c = agreement_case(a, i);
  cpu_case_shape(&c, shape->n_layers, shape->widths);
  c.batch = shape->batch;
  c.n_rows = n_rows;
  c.n_steps = n_steps;
  return c;
}

void agreement_expect(const agreement *a, const cpu_case *c, const char *first, const char *second) {
  char text[256];
  const bool same = cpu_case_agrees(c, a->ops, a->slack, text, sizeof text);
  cr_expect(same, "%s, %s + %s, %zu layers %zu-%zu.., batch %zu, epilogues %d: %s", a->ops->name, first, second,
            c->n_layers, c->widths[0], c->widths[1], c->batch, c->spec.hooks.without_epilogues, text);
}

typedef struct stack {
  size_t n_layers, widths[8];
} stack;

static void over_shapes(const agreement *a, size_t option, const stack *stacks, size_t n_stacks, const size_t *batches,
                        size_t n_batches) {
  for (size_t s = 0; s < n_stacks; s++) {
    for (size_t b = 0; b < n_batches; b++) {
      if (rig_is_short() && (option + s + b) % (a->is_slow ? 3 : 2) != 0) continue;
      cpu_case c = agreement_case(a, option + s + b);
      cpu_case_shape(&c, stacks[s].n_layers, stacks[s].widths);
      c.batch = batches[b];
      c.n_rows = c.batch * 2 + c.batch / 2 + 1;
      c.n_steps = a->is_slow ? 3 : 4;
      if (a->is_slow) c.spec.assert_projection = s == 2;

      cpu_options[option].apply(&c);
      if (cpu_option_allowed(&c)) agreement_expect(a, &c, cpu_options[option].name, "alone");
    }
  }
}

void agreement_over_shapes(const agreement *a, size_t part, size_t n_parts) {
  static const stack many[] = {{1, {1, 2}},
                               {1, {31, 33}},
                               {1, {64, 16}},
                               {2, {33, 31, 2}},
                               {2, {97, 65, 10}},
                               {3, {5, 1, 17, 3}},
                               {4, {16, 15, 16, 17, 6}},
                               {6, {7, 9, 11, 13, 11, 9, 4}}};
  static const stack few[] = {
      {1, {1, 2}}, {1, {31, 33}}, {2, {33, 31, 2}}, {2, {40, 65, 66}}, {4, {16, 15, 16, 17, 6}}};
  static const size_t many_batches[] = {1, 7, 64}, few_batches[] = {1, 33};

  for (size_t o = part; o < cpu_n_options; o += n_parts) {
    if (a->is_slow) {
      over_shapes(a, o, few, N_OF(few), few_batches, N_OF(few_batches));
    } else {
      over_shapes(a, o, many, N_OF(many), many_batches, N_OF(many_batches));
    }
  }
}

void agreement_in_pairs(const agreement *a, size_t part, size_t n_parts, size_t least) {
  size_t n_pairs = 0;

  for (size_t i = 1 + part; i < cpu_n_options; i += n_parts) {
    for (size_t j = i + 1; j < cpu_n_options; j++) {
      if (strcmp(cpu_options[i].group, cpu_options[j].group) == 0) continue;
      if (rig_is_short() && (j - i) % (a->is_slow ? 5 : 3) != 0) continue; /* each option with some of the others */

      cpu_case c = agreement_case(a, i + j);
      if (a->is_slow) {
        c.n_steps = 3;
        c.spec.assert_projection = false;
      }

      cpu_options[i].apply(&c);
      cpu_options[j].apply(&c);
      if (!cpu_option_allowed(&c)) continue;

      agreement_expect(a, &c, cpu_options[i].name, cpu_options[j].name);
      n_pairs++;
    }
  }

  cr_assert(n_pairs > (rig_is_short() ? least / (a->is_slow ? 7 : 4) : least), "%zu pairs", n_pairs);
}

void agreement_of_one_output(const agreement *a) {
  static const char *const losses[] = {"mse",         "mse mean",      "mse half_sum",   "huber",          "poisson",
                                       "bce of bits", "bce of labels", "hinge of signs", "hinge of labels"};
  static const size_t widths[] = {19, 8, 1};

  for (size_t i = 0; i < N_OF(losses); i++) {
    for (int weighted = 0; weighted < 2; weighted++) {
      cpu_case c = agreement_case(a, i);
      cpu_case_shape(&c, 2, widths);
      cpu_option_apply(&c, losses[i]);
      c.row_weights = weighted;
      c.class_weights = weighted && (c.spec.rule.loss == VISE_LOSS_BCE || c.spec.rule.loss == VISE_LOSS_HINGE);
      agreement_expect(a, &c, losses[i], weighted ? "one output, weighted" : "one output, unweighted");
    }
  }
}

void agreement_of_sums(const agreement *a, const agreement_shape *shapes, size_t n_shapes) {
  static const char *const names[] = {"plain", "norm clip per unit inf", "frobenius", "max-norm"};
  for (size_t s = 0; s < n_shapes; s++) {
    for (size_t o = 0; o < N_OF(names); o++) {
      cpu_case c = agreement_case_of(a, &shapes[s], 2 * shapes[s].batch + 3, 3, 0);
      cpu_option_apply(&c, names[o]);
      agreement_expect(a, &c, names[o], "shapes");
    }
  }
}

void agreement_of_full_batches(const agreement *a, size_t n_steps) {
  cpu_case c = agreement_case(a, 0);
  c.n_rows = c.batch = 2500;
  c.n_steps = n_steps;
  agreement_expect(a, &c, "full batch", "cross-entropy");
  cpu_option_apply(&c, "mse");
  cpu_option_apply(&c, "row weights");
  agreement_expect(a, &c, "full batch", "mse, row weights");
}
