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
 * ld.global.nc) or cp.async. A bulk copy must not read it: that goes through the async proxy, for which all this orders
 * nothing without a fence.proxy.async for global memory (ptx_fence_proxy_async is for shared). An exchange that is not
 * ordered hands over its payloads and nothing else; it costs no fence.
 *
 * Every thread of the CTA calls arrive and wait, in turn. All CTAs of a team must be resident (cooperative launch, cluster).
 */
#ifndef VISE_K_EXCHANGE_CUH
#define VISE_K_EXCHANGE_CUH

#include "kernels/exchange.h"
#include "kernels/ptx.cuh"

typedef struct vise_exchange {
  ptx_b128 *slots;
  double *values;  /* shared memory, [n_slots]: the payloads, after waiting and until the next arrival with payloads */
  uint32_t *flags; /* shared memory, [n_slots] */
  uint32_t n_slots, n_members, epoch;
#if VISE_WATCHDOG
  vise_k_watchdog *watchdog;
#endif
} vise_exchange;

VISE_FN vise_exchange vise_exchange_open(const vise_k_exchange *given, uint32_t team, double *values, uint32_t *flags) {
  vise_exchange x;
  x.slots = (ptx_b128 *)given->slots + (size_t)team * 2 * given->n_slots;
  x.values = values;
  x.flags = flags;
  x.n_slots = given->n_slots;
  x.n_members = given->n_members;
  x.epoch = given->first_epoch;
#if VISE_WATCHDOG
  x.watchdog = given->watchdog;
#endif
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

/* After a poll of a slot that saw another epoch, the n_polls-th of a wait: reports that it does not end, and a quarter of
   its time later, when others have had time to report as well, traps. */
VISE_FN void vise_exchange_watch(const vise_exchange *x, uint32_t slot, uint32_t seen, uint32_t n_polls) {
#if VISE_WATCHDOG
  if (n_polls % VISE_K_WATCHDOG_LOOKS != 0 || !x->watchdog) return;
  const uint32_t most = *(volatile const uint32_t *)&x->watchdog->most_polls;
  if (n_polls < most) return;

  uint4 *report = (uint4 *)&x->watchdog->reports[blockIdx.x % VISE_K_WATCHDOG_CTAS];
  *report = make_uint4(slot + 1, blockIdx.x, x->epoch, seen);
  __threadfence_system();
  if (n_polls - most > most / 4) __trap();
#else
  (void)x, (void)slot, (void)seen, (void)n_polls;
#endif
}

/* What the slot holds in this epoch, once it has been filled. There is one load in the code, so that the ledger can tell
   that polls are of one wait. */
VISE_FN ptx_b128 vise_exchange_poll(const vise_exchange *x, uint32_t slot, int ordered) {
  const ptx_b128 *from = vise_exchange_slot(x, slot);
  ptx_b128 payload = {0, 0};
  uint32_t n_polls = 0;

#pragma unroll 1
  do {
    if (n_polls > 0) {
      vise_exchange_watch(x, slot, (uint32_t)payload.hi, n_polls);
      ptx_spin();
    }
    payload = ordered ? ptx_load_acquire_gpu_b128(from) : ptx_load_relaxed_gpu_b128(from);
    n_polls++;
  } while ((uint32_t)payload.hi != x->epoch);
  return payload;
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
