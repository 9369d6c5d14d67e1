// Each test compares what kernels compute on the emulated device with plain computation on the host.
#include "builtins.h"

#include <criterion/criterion.h>

#define BUILTIN_TEST(name)                                            \
  Test(builtins, name) {                                              \
    const int n_wrong = check_##name();                               \
    cr_assert(n_wrong == 0, #name ": %d results are wrong", n_wrong); \
  }

BUILTIN_TEST(indices)
BUILTIN_TEST(block_barriers)
BUILTIN_TEST(shuffles)
BUILTIN_TEST(votes)
BUILTIN_TEST(reductions)
BUILTIN_TEST(atomics)
BUILTIN_TEST(integers)
BUILTIN_TEST(conversions)
BUILTIN_TEST(tiles)
BUILTIN_TEST(grid)
BUILTIN_TEST(cluster)
BUILTIN_TEST(split_cluster_barrier)
BUILTIN_TEST(named_barriers)
BUILTIN_TEST(dynamic_shared)
BUILTIN_TEST(async_copies)
BUILTIN_TEST(bulk_copies)
BUILTIN_TEST(poison)
BUILTIN_TEST(memory)
BUILTIN_TEST(errors)
BUILTIN_TEST(counters)
