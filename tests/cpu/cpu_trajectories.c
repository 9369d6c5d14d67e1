/* cpu against trainings that PyTorch computed in float64. */
#include <criterion/criterion.h>

#include "tests/support/trajectory.h"

Test(cpu_trajectories, agree_with_pytorch) {
  trajectory_check_all_float32(TRAJECTORIES_PLAIN, &vise_i_backend_cpu);
}

Test(cpu_trajectories, of_layers_agree_with_pytorch) {
  trajectory_check_all_float32(TRAJECTORIES_LAYERS, &vise_i_backend_cpu);
}
