/* Small kernels that each measure one thing in clocks of a multiprocessor; micro.c runs them and checks their results. */
#ifndef VISE_T_MICRO_H
#define VISE_T_MICRO_H

#include <cuda_runtime_api.h>
#include <stddef.h>
#include <stdint.h>

#include "host/base/both.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { MICRO_THREADS = 256, MICRO_MOST_CTAS = 132, MICRO_WORDS = 66, MICRO_CLUSTER = 8 };

/* How the CTAs of a launch meet in each of n_rounds rounds; the last two also send MICRO_WORDS words each to all. */
typedef enum micro_way {
  MICRO_NOW,      /* kernels/exchange.cuh: payloads, and all that was written before */
  MICRO_PAYLOADS, /* the same, not ordered: payloads alone */
  MICRO_STRIDED,  /* the same with slots 32 bytes apart */
  MICRO_RELAXED,  /* relaxed stores and loads, with fences */
  MICRO_NOW_DATA, /* kernels/exchange.cuh, then loads of the words */
  MICRO_PACKETS,  /* packets of 12 bytes and their epoch, polled directly */
  MICRO_N_WAYS
} micro_way;

typedef struct micro_exchange {
  micro_way way;
  uint32_t n_ctas, n_rounds, first_epoch;
  void *slots;      /* [2][n_ctas][MICRO_WORDS / 3] packets of 16 bytes, any contents but epochs to come */
  uint32_t *words;  /* [2][n_ctas][MICRO_WORDS] */
  uint64_t *clocks; /* out [n_ctas]: of all rounds */
  uint32_t *sums;   /* out [n_ctas]: of what was received, modulo 2^32, see micro_expected */
} micro_exchange;

/* Every payload and word of a round: they differ from those of its neighbours. */
VISE_BOTH uint32_t micro_word(uint32_t round, uint32_t cta, uint32_t i) {
  return round * 2654435761u + cta * 40503u + i;
}

cudaError_t micro_run_exchange(const micro_exchange *p, cudaStream_t stream);

/* Kernels of one CTA or of several that do not meet: `n` repeats; clocks out [n_ctas], result out [n_ctas]. */
typedef enum micro_kind {
  MICRO_CLUSTER_BARRIER, /* n barriers of a cluster of MICRO_CLUSTER; result n */
  MICRO_REMOTE_LATENCY,  /* n loads, each from the address that the one before gave, of another CTA's shared memory */
  MICRO_REMOTE_READ,     /* n times 36 KB of the neighbour's shared memory; result: sum of the words */
  MICRO_FENCE_0,         /* n fences (acq_rel, gpu) by a thread, each after 0, 1, 4 stores of 16 bytes by each thread */
  MICRO_FENCE_1,
  MICRO_FENCE_4,
  MICRO_L2_LATENCY, /* n loads from L2 (but the first time), each from the address that the one before gave */
  MICRO_L2_READ,    /* n times 50 KB by each CTA, all the same; result: sum of the words */
  MICRO_F64_SQRT,   /* n, each of the result of the one before */
  MICRO_F64_DIVIDE,
  MICRO_F64_ADD,
  MICRO_F32_DIVIDE,
  MICRO_SYNC, /* n barriers of a CTA of 256 threads */
  MICRO_N_KINDS
} micro_kind;

typedef struct micro_one {
  micro_kind kind;
  uint32_t n_ctas, n;
  const uint32_t *from; /* MICRO_L2_WORDS words: chain of places, or numbers */
  uint32_t *to;         /* MICRO_L2_WORDS words */
  uint64_t *clocks;
  double *results;
} micro_one;

enum { MICRO_REMOTE_WORDS = 8192 + 1024, MICRO_L2_WORDS = 12800 };

cudaError_t micro_run_one(const micro_one *p, cudaStream_t stream);

/* Loads from shared memory by 8 warps of a CTA: `bytes` 4, 8 or 16 a lane; lane l reads place l / share % n_places, so that
   `share` neighbours read one place; places begin `stride` bytes after each other. n loads a warp, in fours that do not
   wait for each other; result: the exclusive or of a thread's words, added up over all threads. Word i of the memory is
   2654435761 i. */
typedef struct micro_shared {
  uint32_t bytes, share, n_places, stride, n;
  uint64_t *clocks; /* out [1] */
  uint32_t *result; /* out [1] */
} micro_shared;

enum { MICRO_SHARED_PART = 8192 }; /* bytes between the loads of a four; places and their moves stay within */

cudaError_t micro_run_shared(const micro_shared *p, cudaStream_t stream);

/* Straight code of 8, 32 or 128 KB (size 0, 1, 2), run twice: cold, then from the caches. clocks out [2 * n_ctas], results
   out [n_ctas]. */
enum { MICRO_CODE_SIZES = 3, MICRO_CODE_BLOCK = 256 };
#define MICRO_CODE_FACTOR 0.75f
#define MICRO_CODE_ADDEND(block, i) ((float)((block)*31 + (i)) * 0.0078125f)
cudaError_t micro_run_code(uint32_t size, uint32_t n_ctas, uint64_t *clocks, float *results, cudaStream_t stream);

/* A cooperative launch that does nothing, or stores value to host memory mapped for the device. */
cudaError_t micro_run_empty(uint32_t n_ctas, uint32_t *host, uint32_t value, cudaStream_t stream);

/* Spins for so many clocks. */
cudaError_t micro_run_spin(uint64_t n_clocks, uint64_t *clocks, cudaStream_t stream);

#ifdef __cplusplus
}
#endif

#endif
