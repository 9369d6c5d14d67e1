/*
 * How the CTAs of a team meet: an all-to-all exchange through memory of the device (L2), split into arrive and wait, so
 * that loads can be issued in between. There are two kinds, in one sequence of epochs:
 *
 *   pass      every member arrives with one slot and waits for those of all; what members wrote is then seen by all.
 *   payloads  n_slots slots, each filled by some member, with a float64 value and 32 flag bits; all members get all.
 *
 * A slot holds value, flags and the epoch of the exchange, written and read as one 128-bit access: whoever sees the
 * epoch has the payload, without a second trip. A slot is compared with its epoch for equality, so numbers may wrap; two
 * sets of slots alternate, because a member can arrive at epoch e + 2 only after every member has left epoch e. A team of
 * one CTA uses its shared memory alone.
 *
 * In an ordered exchange arriving releases all that the CTA wrote before, and waiting acquires it from every member. It
 * is right in PTX's memory model: the writes of the CTA happen before its barrier, the barrier before the release at gpu
 * scope by the publishing thread, that before the acquire of the same 128 bits by a polling thread of another CTA, that
 * before its barrier and all accesses of that CTA after it. Data that is exchanged this way is read by plain loads (never
 * ld.global.nc) or cp.async. An exchange that is not ordered hands over its payloads and nothing else; it costs no fence.
 *
 * Every thread of the CTA calls arrive and wait, in turn. All CTAs of a team must be resident (cooperative launch, cluster).
 */
#ifndef VISE_K_EXCHANGE_CUH
#define VISE_K_EXCHANGE_CUH

#include "kernels/exchange.h"
#include "kernels/ptx.cuh"

typedef struct vise_exchange {
  ptx_b128 *slots;
  double *
      values; /* shared memory, [n_slots]: the payloads, after waiting for them and until the next arrival that has some */
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

/* The slot in the set of this epoch. */
VISE_FN ptx_b128 *vise_exchange_slot(const vise_exchange *x, uint32_t slot) {
  return x->slots + (size_t)(x->epoch & 1) * x->n_slots + slot;
}

/* The calling thread fills a slot. A __syncthreads must separate it from the CTA's last write that others should see,
   and from the last use of values. In a team of one, value and flags go where waiting would put them. */
VISE_FN void vise_exchange_publish(const vise_exchange *x, uint32_t slot, double value, uint32_t flags, int ordered) {
  if (x->n_members == 1) {
    x->values[slot] = value;
    x->flags[slot] = flags;
    return;
  }

  ptx_b128 payload;
  memcpy(&payload.lo, &value, sizeof value);
  payload.hi = (uint64_t)flags << 32 | x->epoch;
  if (ordered) {
    ptx_store_release_gpu_b128(vise_exchange_slot(x, slot), payload);
  } else {
    ptx_store_relaxed_gpu_b128(vise_exchange_slot(x, slot), payload);
  }
}

/* What the slot holds in this epoch, once it has been filled. */
VISE_FN ptx_b128 vise_exchange_poll(const vise_exchange *x, uint32_t slot, int ordered) {
  const ptx_b128 *from = vise_exchange_slot(x, slot);
  for (;;) {
    const ptx_b128 payload = ordered ? ptx_load_acquire_gpu_b128(from) : ptx_load_relaxed_gpu_b128(from);
    if ((uint32_t)payload.hi == x->epoch) return payload;
    ptx_spin();
  }
}

/* Arrives at a pass. */
VISE_FN void vise_exchange_arrive(const vise_exchange *x, uint32_t member) {
  __syncthreads();
  if (threadIdx.x == 0 && x->n_members > 1) vise_exchange_publish(x, member, 0.0, 0, 1);
}

/* Waits until all members have arrived at a pass; then the next epoch begins. */
VISE_FN void vise_exchange_pass(vise_exchange *x) {
  if (x->n_members > 1) {
    for (uint32_t slot = threadIdx.x; slot < x->n_members; slot += blockDim.x) (void)vise_exchange_poll(x, slot, 1);
  }
  __syncthreads();
  x->epoch++;
}

/* Waits for the payloads of every slot; then values and flags hold them and the next epoch begins. */
VISE_FN void vise_exchange_wait(vise_exchange *x, int ordered) {
  if (x->n_members > 1) {
    for (uint32_t slot = threadIdx.x; slot < x->n_slots; slot += blockDim.x) {
      const ptx_b128 payload = vise_exchange_poll(x, slot, ordered);
      memcpy(&x->values[slot], &payload.lo, sizeof(double));
      x->flags[slot] = (uint32_t)(payload.hi >> 32);
    }
  }

  __syncthreads();
  x->epoch++;
}

#endif
