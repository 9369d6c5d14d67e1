#include "host/ranks/launcher.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "vise/ranks.h"

static void clear(void) {
  static const char *const names[] = {"OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK", "PMI_SIZE",   "PMI_RANK",
                                      "SLURM_STEP_NUM_TASKS", "SLURM_PROCID",         "WORLD_SIZE", "RANK"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) cr_assert_eq(unsetenv(names[i]), 0);
}

Test(launcher, is_known_by_what_it_sets, .init = clear) {
  cr_expect_null(vise_i_launch_find().launcher);

  (void)setenv("WORLD_SIZE", "4", 1);
  (void)setenv("RANK", "3", 1);
  cr_expect(!vise_i_launch_find().has_mpi && vise_i_launch_find().rank == 3 && vise_i_launch_find().size == 4);

  (void)setenv("SLURM_STEP_NUM_TASKS", "2", 1);
  (void)setenv("SLURM_PROCID", "1", 1);
  cr_expect_str_eq(vise_i_launch_find().launcher, "srun");

  (void)setenv("OMPI_COMM_WORLD_SIZE", "1", 1);
  (void)setenv("OMPI_COMM_WORLD_RANK", "0", 1);
  cr_expect_str_eq(vise_i_launch_find().launcher, "mpirun"); /* also of one process */
}

Test(launcher, one_process_of_the_others_is_no_rank, .init = clear) {
  (void)setenv("SLURM_STEP_NUM_TASKS", "1", 1);
  (void)setenv("SLURM_PROCID", "0", 1);
  (void)setenv("WORLD_SIZE", "1", 1);
  (void)setenv("RANK", "0", 1);
  cr_expect_null(vise_i_launch_find().launcher);
}

Test(launcher, what_is_no_number_counts_for_nothing, .init = clear) {
  (void)setenv("OMPI_COMM_WORLD_SIZE", "two", 1);
  (void)setenv("OMPI_COMM_WORLD_RANK", "0", 1);
  cr_expect_null(vise_i_launch_find().launcher);
}

Test(launcher, torchrun_is_refused, .init = clear) {
  vise_ranks *ranks = NULL;
  vise_error err = VISE_ERROR_INIT;
  (void)setenv("WORLD_SIZE", "4", 1);
  (void)setenv("RANK", "3", 1);
  cr_expect_eq(vise_ranks_open(&ranks, &err), VISE_ERR_UNSUPPORTED);
  cr_expect_not_null(strstr(err.text, "process 3 of 4"));
}
