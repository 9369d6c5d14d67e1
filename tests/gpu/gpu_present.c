/* Exits with 0 if there is a GPU that Vise can use, else with 77 and the reason on standard output. */
#include <stdio.h>

#include "host/backend/cuda/device.h"

int main(void) {
  const char *why_not = NULL;
  if (vise_i_cuda_find(&why_not) != NULL) return 0;
  puts(why_not);
  return 77;
}
