/*
 * The recipe for tables. Its numbers are those of bench/tables: chosen on real tables beside scikit-learn's pipeline of
 * imputer, one-hot, StandardScaler and MLP. A table of few rows has none to spare for validation, so it is trained for a
 * fixed number of steps under a strong decay.
 */
#include "vise/recipe.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "host/base/struct.h"

/* From VISE_RECIPE_MANY_ROWS on. */
#define HELD_OUT 0.1

typedef struct setting {
  const char *option, *value;
  const char *unless; /* an option that, given, leaves this one at its own default; or NULL */
} setting;

static const setting optimizer[] = {{"optimizer", "adam", NULL}, {"lr", "2e-3", NULL}, {"lr-schedule", "cosine", NULL}};
static const setting always[] = {{"clip-norm", "1", NULL}};
static const setting few_rows[] = {
    {"layers", "auto-64-auto", NULL}, {"batch", "32", NULL}, {"steps", "1000", "epochs"}, {"epochs", "off", "steps"}};
static const setting many_rows[] = {
    {"layers", "auto-128-auto", NULL}, {"batch", "64", NULL}, {"epochs", "100", "steps"}};
static const setting with_validation[] = {{"patience", "10", NULL}};

static vise_recipe_facts defaults(void) {
  const vise_recipe_facts facts = {.struct_size = sizeof facts};
  return facts;
}

VISE_I_DEFINE_INIT(vise_recipe_facts, user, defaults)

/* The text that is made, and its length, which may be beyond the buffer. */
typedef struct writer {
  const vise_recipe_facts *facts;
  char *buffer;
  size_t n_bytes, length;
} writer;

static bool is_given(const vise_recipe_facts *facts, const char *option) {
  return facts->given != NULL && facts->given(facts->user, option);
}

static void put(writer *w, const char *option, const char *value) {
  const size_t left = w->length < w->n_bytes ? w->n_bytes - w->length : 0;
  char *at = left > 0 ? w->buffer + w->length : NULL;
  const int n = snprintf(at, left, "%s%s=%s", w->length > 0 ? " " : "", option, value);
  if (n > 0) w->length += (size_t)n;
}

static void apply(writer *w, const setting *settings, size_t n) {
  for (size_t k = 0; k < n; k++) {
    const setting *s = &settings[k];
    const bool left = s->unless != NULL && is_given(w->facts, s->unless);
    const bool fixed = strcmp(s->option, "layers") == 0 && w->facts->has_net;
    if (!left && !fixed && !is_given(w->facts, s->option)) put(w, s->option, s->value);
  }
}

#define APPLY(writer, settings) apply(writer, settings, sizeof settings / sizeof *settings)

/* Whether the optimizer is the user's choice, by name or by what belongs to it: it has its own defaults then. */
static bool has_optimizer(const vise_recipe_facts *facts) {
  static const char *const names[] = {"optimizer", "momentum", "nesterov", "rho"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    if (is_given(facts, names[i])) return true;
  }
  return false;
}

/* 8 sqrt(columns / rows) within 0.1 and 5. */
static void put_decay(writer *w) {
  char text[40];
  const double decay = 8 * sqrt((double)w->facts->n_features / (double)w->facts->n_rows);
  const double bounded = decay < 0.1 ? 0.1 : decay > 5 ? 5 : decay;
  (void)snprintf(text, sizeof text, "%.17g", bounded);
  put(w, "decoupled-decay", text);
}

size_t vise_recipe_for_table(const vise_recipe_facts *given, char *buffer, size_t n_bytes) {
  vise_recipe_facts facts = defaults();
  writer w = {.facts = &facts, .buffer = buffer, .n_bytes = buffer != NULL ? n_bytes : 0};
  if (w.n_bytes > 0) buffer[0] = '\0';
  if (vise_i_config_take(&facts, sizeof facts, given, "vise_recipe_facts", NULL) != VISE_OK) return 0;
  const bool many = facts.n_table_rows >= VISE_RECIPE_MANY_ROWS;

  if (!has_optimizer(&facts)) APPLY(&w, optimizer);
  APPLY(&w, always);
  if (many) {
    APPLY(&w, many_rows);
  } else {
    APPLY(&w, few_rows);
  }
  if (many && facts.has_validation) APPLY(&w, with_validation);
  if (!is_given(&facts, "decoupled-decay")) put_decay(&w);
  return w.length;
}

double vise_recipe_validation_fraction(size_t n_table_rows) {
  return n_table_rows >= VISE_RECIPE_MANY_ROWS ? HELD_OUT : 0;
}
