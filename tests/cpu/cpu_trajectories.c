/* cpu against trainings that PyTorch computed in float64. */
#include <criterion/criterion.h>

#include "tests/support/trajectory.h"

/* Float32 after the hundreds of steps of a case. Adam divides tiny gradients by their own size, which turns their
   rounding into steps of eta: only its plain cases, without anything that keeps gradients away from 0, need more. */
Test(cpu_trajectories, agree_with_pytorch) {
  static const trajectory_tolerance tolerance = {.weight = 5e-5, .adam_weight = 5e-3, .report = 1e-4};
  trajectory_check_all(&vise_i_backend_cpu, &tolerance, NULL);
}
