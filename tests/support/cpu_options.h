/* Every option of a step, for tests that go through all of them alone and in pairs, whatever the backend. */
#ifndef VISE_T_CPU_OPTIONS_H
#define VISE_T_CPU_OPTIONS_H

#include "tests/support/cpu_case.h"

typedef struct cpu_option {
  const char *name, *group; /* two of a group exclude each other */
  void (*apply)(cpu_case *c);
} cpu_option;

extern const cpu_option cpu_options[]; /* the first changes nothing */
extern const size_t cpu_n_options;

/* False where class weights meet targets that are not class labels. */
bool cpu_option_allowed(const cpu_case *c);
/* Adam with every penalty, clip and projection, on 97-64-31-10. */
void cpu_option_everything(cpu_case *c);
/* Applies the named option; ends the test program if there is none. */
void cpu_option_apply(cpu_case *c, const char *name);

#endif
