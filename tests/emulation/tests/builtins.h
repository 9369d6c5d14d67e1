// Tests of what kernels may call, each against plain computation. Each returns the number of wrong results.
#pragma once
#ifdef __cplusplus
extern "C" {
#endif
int check_indices(void);
int check_block_barriers(void);
int check_shuffles(void);
int check_votes(void);
int check_reductions(void);
int check_atomics(void);
int check_integers(void);
int check_conversions(void);
int check_tiles(void);
int check_grid(void);
int check_cluster(void);
int check_split_cluster_barrier(void);
int check_named_barriers(void);
int check_dynamic_shared(void);
int check_async_copies(void);
int check_bulk_copies(void);
int check_poison(void);
int check_memory(void);
int check_errors(void);
int check_counters(void);
#ifdef __cplusplus
}
#endif
