/* cuda against trainings that PyTorch computed in float64. */
#include <criterion/criterion.h>

#include "tests/support/trajectory.h"

Test(trajectories, agree_with_pytorch) {
  static const trajectory_tolerance tolerance = {5e-5, 5e-3, 1e-4}; /* as for cpu (tests/cpu/cpu_trajectories.c) */
  trajectory_check_all(&vise_i_backend_cuda, &tolerance, NULL);
}
