/*
 * The draws of dropout.h, sixteen at a time. Of a unit's values, or of a row's, only one word of the counter differs,
 * so the compiler takes most of Philox's first rounds out of the loops; and of its four words one is needed. The
 * products of two 32-bit words have to be asked for by name: GCC 12 makes a multiple of the instructions from plain
 * loops.
 */
#include "host/ops/cpu.h"

#include <string.h>

#include "host/net/net.h"
#include "host/ops/dropout/dropout.h"
#include "host/ops/simd.h"

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>
#define HAS_AVX2 __builtin_cpu_supports("avx2")
#define AVX2 __attribute__((target("avx2")))
#else
#define HAS_AVX2 false
#endif

enum { AT_ONCE = 16 };

/* A run of values, along which either the position or the unit goes up by 1. */
typedef struct run {
  uint64_t seed;
  uint32_t step, position, unit; /* words of the counter at its first value */
  bool along_units;
  uint32_t threshold;
  float scale;
} run;

static void draw_plainly(const run *r, size_t n, float *factors) {
  for (uint32_t i = 0; i < n; i++) {
    const uint32_t counter[4] = {r->step, r->position + (r->along_units ? 0 : i), r->unit + (r->along_units ? i : 0),
                                 VISE_I_STREAM_DROPOUT};
    uint32_t draw[4];
    vise_i_philox(r->seed, counter, draw);
    factors[i] = draw[0] >> 8 >= r->threshold ? r->scale : 0.0f;
  }
}

#ifdef AVX2

static const uint32_t MULTIPLIER0 = 0xD2511F53u, MULTIPLIER1 = 0xCD9E8D57u;
static const uint32_t WEYL0 = 0x9E3779B9u, WEYL1 = 0xBB67AE85u;

/* Of four values, each word of the counter in the low half of a lane; the high halves hold anything. */
typedef struct state {
  __m256i c0, c1, c2, c3;
} state;

AVX2 VISE_I_INLINE __m256i all(uint32_t word) {
  return _mm256_set1_epi64x((long long)word);
}

AVX2 VISE_I_INLINE state next_round(state s, uint32_t key0, uint32_t key1) {
  const __m256i p0 = _mm256_mul_epu32(s.c0, all(MULTIPLIER0)), p1 = _mm256_mul_epu32(s.c2, all(MULTIPLIER1));
  return (state){.c0 = _mm256_srli_epi64(p1, 32) ^ (s.c1 ^ all(key0)),
                 .c1 = p1,
                 .c2 = _mm256_srli_epi64(p0, 32) ^ (s.c3 ^ all(key1)),
                 .c3 = p0};
}

/* The values at + offsets of a run. */
AVX2 VISE_I_INLINE state start_at(const run *r, uint32_t at, __m256i offsets, bool along_units) {
  const __m256i moved = _mm256_add_epi64(all(at), offsets), position = all(r->position), unit = all(r->unit);
  return (state){.c0 = all(r->step),
                 .c1 = along_units ? position : _mm256_add_epi64(position, moved),
                 .c2 = along_units ? _mm256_add_epi64(unit, moved) : unit,
                 .c3 = all(VISE_I_STREAM_DROPOUT)};
}

/* Factors of eight values from their first words, in the order in which the low halves come out. */
AVX2 VISE_I_INLINE void store_eight(const run *r, __m256i a, __m256i b, float *factors) {
  const __m256 words = _mm256_shuffle_ps(_mm256_castsi256_ps(a), _mm256_castsi256_ps(b), 0x88);
  const __m256i bits = _mm256_srli_epi32(_mm256_castps_si256(words), 8);
  const __m256 dropped = _mm256_castsi256_ps(_mm256_cmpgt_epi32(_mm256_set1_epi32((int)r->threshold), bits));
  _mm256_storeu_ps(factors, _mm256_andnot_ps(dropped, _mm256_set1_ps(r->scale)));
}

/* Four states side by side: each round of one waits for the round before. */
AVX2 VISE_I_INLINE void draw_some(const run *r, uint32_t at, bool along_units, float *factors) {
  const __m256i even = _mm256_setr_epi64x(0, 1, 4, 5), odd = _mm256_setr_epi64x(2, 3, 6, 7);
  uint32_t key0 = (uint32_t)r->seed, key1 = (uint32_t)(r->seed >> 32);
  state a = start_at(r, at, even, along_units), b = start_at(r, at, odd, along_units);
  state c = start_at(r, at + 8, even, along_units), d = start_at(r, at + 8, odd, along_units);

#pragma GCC unroll 10
  for (int round = 0; round < 10; round++, key0 += WEYL0, key1 += WEYL1) {
    a = next_round(a, key0, key1);
    b = next_round(b, key0, key1);
    c = next_round(c, key0, key1);
    d = next_round(d, key0, key1);
  }

  store_eight(r, a.c0, b.c0, factors);
  store_eight(r, c.c0, d.c0, factors + 8);
}

AVX2 VISE_I_INLINE void draw_all(const run *given, size_t n, bool along_units, float *restrict factors) {
  const run r = *given;
  float rest[AT_ONCE];
  size_t i = 0;

  for (; i + AT_ONCE <= n; i += AT_ONCE) draw_some(&r, (uint32_t)i, along_units, factors + i);
  if (i == n) return;
  draw_some(&r, (uint32_t)i, along_units, rest);
  memcpy(factors + i, rest, (n - i) * sizeof *factors);
}

AVX2 static void draw_by_avx2(const run *r, size_t n, float *factors) {
  if (r->along_units) {
    draw_all(r, n, true, factors);
  } else {
    draw_all(r, n, false, factors);
  }
}

#else

static void draw_by_avx2(const run *r, size_t n, float *factors) {
  draw_plainly(r, n, factors);
}

#endif

static void draw(const run *r, size_t n, float *factors) {
  if (HAS_AVX2) {
    draw_by_avx2(r, n, factors);
  } else {
    draw_plainly(r, n, factors);
  }
}

static run run_of(const vise_i_cpu_dropout *drop) {
  return (run){.seed = drop->pass->seed,
               .step = drop->pass->step,
               .position = (uint32_t)drop->pass->first,
               .unit = drop->place << 24,
               .threshold = vise_i_dropout_threshold(drop->p),
               .scale = vise_i_dropout_scale(drop->p)};
}

VISE_I_INLINE float times(float value, float factor) {
  return factor > 0.0f ? value * factor : 0.0f;
}

VISE_I_CLONES static void apply(const float *restrict in, const float *restrict factors, float *restrict out,
                                size_t n) {
  for (size_t i = 0; i < n; i++) out[i] = times(in[i], factors[i]);
}

VISE_I_CLONES static void apply_in_place(const float *restrict factors, float *restrict values, size_t n) {
  for (size_t i = 0; i < n; i++) values[i] = times(values[i], factors[i]);
}

void vise_i_cpu_dropout_forward(const vise_i_cpu_dropout *drop, size_t first_unit, size_t width, const float *in,
                                float *factors, float *out) {
  const size_t n = drop->pass->n;
  run r = run_of(drop);

  r.unit += (uint32_t)first_unit;
  for (size_t k = 0; k < width; k++, r.unit++) draw(&r, n, factors + k * n);
  if (in == out) {
    apply_in_place(factors, out, width * n);
  } else {
    apply(in, factors, out, width * n);
  }
}

void vise_i_cpu_dropout_backward(const float *factors, float *delta, size_t n_values) {
  apply_in_place(factors, delta, n_values);
}

void vise_i_cpu_dropout_inputs(const vise_i_cpu_dropout *drop, float *x, size_t width, size_t first, size_t end) {
  enum { MOST = 512 };
  float factors[MOST];

  for (size_t i = first; i < end; i++) {
    run r = run_of(drop);
    r.along_units = true;
    r.position += (uint32_t)i;

    for (size_t k = 0; k < width; k += MOST, r.unit += MOST) {
      const size_t n = width - k < MOST ? width - k : MOST;
      draw(&r, n, factors);
      apply_in_place(factors, x + i * width + k, n);
    }
  }
}
