/*
 * exchange_rounds: the exchange of kernels/exchange.cuh, many times in one launch, for tests and for its latency.
 *
 * Formula     see vise_k_exchange_rounds (kernels/exchange.h).
 * Layout      arrays as stated there, none overlapping; words is written and read by the launch.
 * Work        a team is n_members consecutive CTAs of 256 threads; a round is one exchange. Thread i writes word i of
 *             its CTA and reads word i of the neighbour; thread 0 adds the payloads.
 * Memory      per round and CTA: 1 KB written, 1 KB and 16 bytes a member read, 32 bytes written.
 * Numerics    float64 sums in the order of members.
 * Limits      at most 1024 members; all CTAs resident (cooperative launch).
 * Oracle      the sums are computed in the test (tests/emulation/kernel_tests/kernel_exchange.c).
 */
#include "kernels/exchange.cuh"
#include "kernels/launch.cuh"

enum { N_THREADS = 256, MAX_MEMBERS = 1024 };

/* Waits for a random number of clocks below `most`, another one in each round and CTA. */
VISE_FN void delay(uint32_t most, uint32_t cta, uint32_t round) {
  uint32_t x = (cta + 1) * 0x9e3779b9u ^ (round + 1) * 0x85ebca6bu;
  x ^= x >> 16;
  x *= 0x7feb352du;
  x ^= x >> 15;
  const long long began = clock64(), n = (long long)(x % most);
  while (clock64() - began < n) ptx_spin();
}

extern "C" __global__ void __launch_bounds__(N_THREADS) exchange_rounds(vise_k_exchange_rounds p) {
  __shared__ double values[MAX_MEMBERS];
  __shared__ uint32_t flags[MAX_MEMBERS];
  __shared__ uint32_t partial[N_THREADS];

  const uint32_t n = p.exchange.n_members, team = blockIdx.x / n, member = blockIdx.x % n;
  const uint32_t right = member + 1 == n ? 0 : member + 1;
  vise_exchange x = vise_exchange_open(&p.exchange, team, values, flags);

  for (uint32_t round = 0; round < p.n_rounds; round++) {
    uint32_t *words = p.words + (size_t)(2 * team + round % 2) * n * N_THREADS;
    words[member * N_THREADS + threadIdx.x] = 256 * round + 31 * member + threadIdx.x;

    if (p.most_delay > 0 && threadIdx.x == 0) delay(p.most_delay, blockIdx.x, round);
    if (round == p.abort_round && member % 2 == 0) return;
    if (round == p.absent_round && member == 0) return;
    __syncthreads();
    if (threadIdx.x == 0) {
      vise_exchange_publish(&x, member, team + 1000.0 * member + round / 8.0, team + 7 * member + round, 1);
    }
    if (round == p.abort_round) return;
    vise_exchange_wait(&x, 1);

    partial[threadIdx.x] = words[right * N_THREADS + threadIdx.x];
    __syncthreads();

    if (threadIdx.x == 0) {
      double sum = 0;
      uint32_t sum_flags = 0, sum_words = 0;
      for (uint32_t i = 0; i < n; i++) {
        sum += values[i];
        sum_flags += flags[i];
      }
      for (uint32_t i = 0; i < N_THREADS; i++) sum_words += partial[i];

      const size_t at = ((size_t)team * p.n_rounds + round) * n + member;
      p.sums[at] = sum;
      p.checks[at] = (uint64_t)sum_flags << 32 | sum_words;
    }
  }
}
VISE_KERNEL(exchange_rounds);

cudaError_t vise_k_exchange_run(const vise_k_exchange_rounds *rounds, cudaStream_t stream) {
  vise_k_exchange_rounds p = *rounds;
  if (p.exchange.n_members == 0 || p.exchange.n_members > MAX_MEMBERS || p.exchange.n_slots != p.exchange.n_members) {
    return cudaErrorInvalidValue;
  }
  void *arguments[] = {&p};
  return vise_launch((const void *)exchange_rounds, {p.n_teams * p.exchange.n_members, N_THREADS, 0, 1}, stream,
                     arguments);
}
