/* A training on the emulated device, whose launches the ledger counts. */
#ifndef VISE_T_LEDGER_JOB_H
#define VISE_T_LEDGER_JOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { LEDGER_MOST_LAYERS = 16, LEDGER_MOST_PARTS = 64, LEDGER_STEPS = 3 };

typedef struct ledger_job {
  size_t n_layers, widths[LEDGER_MOST_LAYERS + 1], batch;
  bool bytes; /* rows of uint8, scaled; else of float */
  bool many;  /* all steps in one launch; else a launch for each */
  const char *optimizer;
  const char *rule; /* beside L2, clip and box, a name of vise_ledger --with; NULL: nothing */
  int tile;         /* of all products, as in host/plan/hooks.h; 0: the plan's */
} ledger_job;

/* A part of a step: between the marks from and to, which are values of the kernel's clock. */
typedef struct ledger_part {
  char name[32];
  bool waits; /* for other CTAs: an exchange is part of it */
  uint64_t from, to;
  uint64_t middle; /* of an exchange: until then the CTA has something else to do */
} ledger_part;

typedef struct ledger_parts {
  size_t n;
  ledger_part parts[LEDGER_MOST_PARTS];
} ledger_parts;

/* Whether there is a rule of that name: no-box, signs, row-l1, row-l1-sided, max-norm, or the format of an integer net. */
bool ledger_has_rule(const char *name);

/* L2 1e-5, norm clip 1, box 0.5, and the job's rule: LEDGER_STEPS steps; the parts are those of the last but one. Ends the program on failure. */
void ledger_train(const ledger_job *job, ledger_parts *out);

#ifdef __cplusplus
}
#endif

#endif
