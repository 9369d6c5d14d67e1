/*
 * What is not zero of rows of bytes or floats, as the lists of a sparse matrix; and the transposition of bytes, by which
 * the columns of a matrix are listed like its rows. The including file defines the names LIST_BYTES, LIST_FLOATS and
 * TRANSPOSE_BYTES; what instructions there are, the compiler says.
 */
#include <string.h>

#include "host/product/kernels.h"

#if defined(__AVX2__)
#include <immintrin.h>
#endif

/* ---- which bytes: place << 8 | byte ------------------------------------------------------------------------------- */

#if defined(__AVX512BW__)

/* Sixteen of them, of which nonzero says what they are. */
static inline uint32_t *find_sixteen(__m128i bytes, __mmask16 nonzero, __m512i places, uint32_t *to) {
  const __m512i found = _mm512_or_epi32(_mm512_slli_epi32(places, 8), _mm512_cvtepu8_epi32(bytes));
  _mm512_storeu_si512(to, _mm512_maskz_compress_epi32(nonzero, found));
  return to + __builtin_popcount(nonzero);
}

/* 64 bytes at a time, without a branch unless all are zero: how zeros lie is hard to predict. */
static uint32_t *find_bytes(const uint8_t *x, size_t first, size_t n, uint32_t *to) {
  const __m512i count = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);

  for (size_t c = first; c < n; c += 64) {
    const __mmask64 there = n - c >= 64 ? ~(__mmask64)0 : ((__mmask64)1 << (n - c)) - 1;
    const __m512i bytes = _mm512_maskz_loadu_epi8(there, x + c);
    const __mmask64 nonzero = _mm512_test_epi8_mask(bytes, bytes);
    if (nonzero == 0) continue;

    const __m512i places = _mm512_add_epi32(_mm512_set1_epi32((int)c), count), sixteen = _mm512_set1_epi32(16);
    const __m512i second = _mm512_add_epi32(places, sixteen), third = _mm512_add_epi32(second, sixteen);
    to = find_sixteen(_mm512_castsi512_si128(bytes), (__mmask16)nonzero, places, to);
    to = find_sixteen(_mm512_extracti32x4_epi32(bytes, 1), (__mmask16)(nonzero >> 16), second, to);
    to = find_sixteen(_mm512_extracti32x4_epi32(bytes, 2), (__mmask16)(nonzero >> 32), third, to);
    to = find_sixteen(_mm512_extracti32x4_epi32(bytes, 3), (__mmask16)(nonzero >> 48), _mm512_add_epi32(third, sixteen),
                      to);
  }

  return to;
}

#else

/* Where most is zero, eight bytes often are. */
static uint32_t *find_bytes(const uint8_t *x, size_t first, size_t n, uint32_t *to) {
  size_t c = first;

  for (; c + 8 <= n; c += 8) {
    uint64_t word;
    memcpy(&word, x + c, sizeof word);
    if (word == 0) continue;
    for (size_t j = c; j < c + 8; j++) {
      *to = (uint32_t)j << 8 | x[j];
      to += x[j] != 0;
    }
  }

  for (; c < n; c++) {
    *to = (uint32_t)c << 8 | x[c];
    to += x[c] != 0;
  }
  return to;
}

#endif

/* ---- entries ------------------------------------------------------------------------------------------------------ */

#if defined(__AVX512BW__)

/* Sixteen places and values, one after the other. */
static void store_entries(__m512i places, __m512 values, vise_i_entry *to) {
  const __m512i low = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
  const __m512i high = _mm512_add_epi32(low, _mm512_set1_epi32(8));
  const __m512i bits = _mm512_castps_si512(values);
  _mm512_storeu_si512(to, _mm512_permutex2var_epi32(places, low, bits));
  _mm512_storeu_si512(to + 8, _mm512_permutex2var_epi32(places, high, bits));
}

static void divide(const uint32_t *found, size_t n, float by, vise_i_entry *to) {
  const __m512 divisor = _mm512_set1_ps(by);
  for (size_t i = 0; i < n; i += 16) {
    const __m512i f = _mm512_loadu_si512(found + i);
    const __m512 bytes = _mm512_cvtepi32_ps(_mm512_and_epi32(f, _mm512_set1_epi32(255)));
    store_entries(_mm512_srli_epi32(f, 8), _mm512_div_ps(bytes, divisor), to + i);
  }
}

vise_i_entry *LIST_FLOATS(const float *x, size_t n, vise_i_entry *to) {
  const __m512i count = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);

  for (size_t c = 0; c < n; c += 16) {
    const __mmask16 there = n - c >= 16 ? 0xffff : (__mmask16)((1u << (n - c)) - 1);
    const __m512 values = _mm512_maskz_loadu_ps(there, x + c);
    const __mmask16 nonzero = _mm512_cmp_ps_mask(values, _mm512_setzero_ps(), _CMP_NEQ_UQ);
    if (nonzero == 0) continue;

    const __m512i places = _mm512_add_epi32(_mm512_set1_epi32((int)c), count);
    store_entries(_mm512_maskz_compress_epi32(nonzero, places), _mm512_maskz_compress_ps(nonzero, values), to);
    to += __builtin_popcount(nonzero);
  }

  return to;
}

#else

vise_i_entry *LIST_FLOATS(const float *x, size_t n, vise_i_entry *to) {
  for (size_t c = 0; c < n; c++) {
    *to = (vise_i_entry){(uint32_t)c, x[c]};
    to += x[c] != 0;
  }
  return to;
}

#endif

static void make_entries(const uint32_t *found, size_t n, const vise_i_byte_values *values, vise_i_entry *to) {
#if defined(__AVX512BW__)
  if (values->divisor != 0) {
    divide(found, n, values->divisor, to);
    return;
  }
#endif
  for (size_t i = 0; i < n; i++) to[i] = (vise_i_entry){found[i] >> 8, values->table[found[i] & 255]};
}

/* ---- rows --------------------------------------------------------------------------------------------------------- */

static const uint8_t *byte_row(const vise_i_byte_rows *rows, size_t i) {
  return rows->at + (rows->rows ? rows->rows[i] : i) * rows->stride;
}

vise_i_entry *LIST_BYTES(const vise_i_byte_rows *rows, const vise_i_byte_values *values, size_t *start,
                         vise_i_entry *to) {
  enum { PIECE = 1024, ROOM = 2 * PIECE };
  uint32_t found[ROOM + VISE_I_LIST_SPARE], *end = found;
  vise_i_entry *const first = to;

  for (size_t i = 0; i < rows->m; i++) {
    const uint8_t *row = byte_row(rows, i);
    start[i] = (size_t)(to - first) + (size_t)(end - found);
    if (rows->rows && i + VISE_I_AHEAD_ROWS < rows->m) {
      vise_i_ahead_row(byte_row(rows, i + VISE_I_AHEAD_ROWS), rows->n);
    }

    for (size_t c = 0; c < rows->n; c += PIECE) {
      end = find_bytes(row, c, rows->n - c < PIECE ? rows->n : c + PIECE, end);
      if (end - found <= ROOM - PIECE) continue;
      make_entries(found, (size_t)(end - found), values, to);
      to += end - found;
      end = found;
    }
  }

  make_entries(found, (size_t)(end - found), values, to);
  to += end - found;
  start[rows->m] = (size_t)(to - first);
  return to;
}

/* ---- transposition of bytes --------------------------------------------------------------------------------------- */

typedef uint8_t sixteen __attribute__((vector_size(16)));

/* Four times the same: row i, and the one half of all rows further, byte by byte. */
static void transpose_sixteen(sixteen a[16]) {
  sixteen b[16];
  for (int round = 0; round < 2; round++) {
    for (int i = 0; i < 8; i++) {
      b[2 * i] = __builtin_shufflevector(a[i], a[i + 8], 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
      b[2 * i + 1] =
          __builtin_shufflevector(a[i], a[i + 8], 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
    }
    for (int i = 0; i < 8; i++) {
      a[2 * i] = __builtin_shufflevector(b[i], b[i + 8], 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
      a[2 * i + 1] =
          __builtin_shufflevector(b[i], b[i + 8], 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
    }
  }
}

void TRANSPOSE_BYTES(const vise_i_byte_rows *rows, uint8_t *to, size_t to_row) {
  for (size_t i = 0; i < rows->m; i += 16) {
    const size_t n_rows = rows->m - i < 16 ? rows->m - i : 16;
    const uint8_t *from[16];
    for (size_t r = 0; r < n_rows; r++) from[r] = byte_row(rows, i + r);

    for (size_t c = 0; c < rows->n; c += 16) {
      const size_t n = rows->n - c < 16 ? rows->n - c : 16;
      sixteen block[16];
      if (n_rows == 16 && n == 16) {
        for (size_t r = 0; r < 16; r++) memcpy(&block[r], from[r] + c, 16);
      } else {
        memset(block, 0, sizeof block);
        for (size_t r = 0; r < n_rows; r++) memcpy(&block[r], from[r] + c, n);
      }

      transpose_sixteen(block);
      for (size_t j = 0; j < n; j++) memcpy(to + (c + j) * to_row + i, &block[j], 16);
    }
  }
}
