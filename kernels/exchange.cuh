/*
 * How the CTAs of a team meet: an all-to-all exchange of 16-byte payloads through memory of the device (L2), split into
 * arrive and wait, so that loads can be issued in between.
 *
 * A slot holds a float64 value, 32 flag bits and the epoch of the exchange, written and read as one 128-bit access:
 * whoever sees the epoch has the payload, without a second trip. Arriving releases all that the CTA wrote before;
 * waiting acquires it from every member. A slot is compared with its epoch for equality, so numbers may wrap; two sets
 * of slots alternate, because a member can arrive at epoch e + 2 only after every member has left epoch e. A team of
 * one CTA uses its shared memory alone.
 *
 * Why it is right in PTX's memory model: the writes of the CTA happen before its barrier, the barrier before the
 * release at gpu scope by the publishing thread, that before the acquire of the same 128 bits by a polling thread of
 * another CTA, that before its barrier and all accesses of that CTA after it. Data that is exchanged this way is read
 * by plain loads (never ld.global.nc) or cp.async; a bulk copy of it needs ptx_fence_proxy_async first.
 *
 * Every thread of the CTA calls arrive and wait, in turn. All CTAs of a team must be resident (cooperative launch, cluster).
 */
#ifndef VISE_K_EXCHANGE_CUH
#define VISE_K_EXCHANGE_CUH

#include "kernels/exchange.h"
#include "kernels/ptx.cuh"

typedef struct vise_exchange {
  ptx_b128 *slots;
  double *values;  /* shared memory, [n_slots]: the payloads, after wait and until the next arrive */
  uint32_t *flags; /* shared memory, [n_slots] */
  uint32_t n_slots, n_members, epoch;
} vise_exchange;

VISE_FN vise_exchange vise_exchange_open(const vise_k_exchange *given, uint32_t team, double *values, uint32_t *flags) {
  vise_exchange x;
  x.slots = (ptx_b128 *)given->slots + (size_t)team * 2 * given->n_slots;
  x.values = values;
  x.flags = flags;
  x.n_slots = given->n_slots;
  x.n_members = given->n_members;
  x.epoch = given->first_epoch;
  return x;
}

/* The calling thread's share of an arrival with several slots: it fills one of them. A __syncthreads must separate it
   from the CTA's last write that others should see, and from the last use of values. */
VISE_FN void vise_exchange_publish(const vise_exchange *x, uint32_t slot, double value, uint32_t flags) {
  if (x->n_members == 1) {
    x->values[slot] = value;
    x->flags[slot] = flags;
    return;
  }
  ptx_b128 payload;
  memcpy(&payload.lo, &value, sizeof value);
  payload.hi = (uint64_t)flags << 32 | x->epoch;
  ptx_store_release_gpu_b128(x->slots + (size_t)(x->epoch & 1) * x->n_slots + slot, payload);
}

/* Arrives with one slot, filled with thread 0's value and flags. */
VISE_FN void vise_exchange_arrive(const vise_exchange *x, uint32_t slot, double value, uint32_t flags) {
  __syncthreads();
  if (threadIdx.x == 0) vise_exchange_publish(x, slot, value, flags);
}

/* Waits for every slot of this epoch; then values and flags hold the payloads and the next epoch begins. */
VISE_FN void vise_exchange_wait(vise_exchange *x) {
  if (x->n_members > 1) {
    const ptx_b128 *set = x->slots + (size_t)(x->epoch & 1) * x->n_slots;
    for (uint32_t slot = threadIdx.x; slot < x->n_slots; slot += blockDim.x) {
      ptx_b128 payload = ptx_load_acquire_gpu_b128(set + slot);
      while ((uint32_t)payload.hi != x->epoch) {
        ptx_spin();
        payload = ptx_load_acquire_gpu_b128(set + slot);
      }

      double value;
      memcpy(&value, &payload.lo, sizeof value);
      x->values[slot] = value;
      x->flags[slot] = (uint32_t)(payload.hi >> 32);
    }
  }

  __syncthreads();
  x->epoch++;
}

#endif
