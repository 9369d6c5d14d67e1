#include "host/sweep/sobol.h"

enum { BITS = 32, MAX_DEGREE = 9 };

/* A primitive polynomial over GF(2), the bit of the highest power first, and as many odd m_k < 2^k as its degree is. */
typedef struct direction {
  uint16_t polynomial;
  uint16_t first[MAX_DEGREE];
} direction;

/* Of dimensions 1 to 63; those of dimension 0 are all 1 (van der Corput's sequence). tests/golden/make_sobol.py --table
   prints these rows. */
/* clang-format off */
static const direction directions[VISE_I_SOBOL_MAX_DIMENSIONS - 1] = {
  {3, {1}},
  {7, {1, 3}},
  {11, {1, 3, 1}},
  {13, {1, 1, 1}},
  {19, {1, 1, 3, 3}},
  {25, {1, 3, 5, 13}},
  {37, {1, 1, 5, 5, 17}},
  {41, {1, 1, 5, 5, 5}},
  {47, {1, 1, 7, 11, 19}},
  {55, {1, 1, 5, 1, 1}},
  {59, {1, 1, 1, 3, 11}},
  {61, {1, 3, 5, 5, 31}},
  {67, {1, 3, 3, 9, 7, 49}},
  {91, {1, 1, 1, 15, 21, 21}},
  {97, {1, 3, 1, 13, 27, 49}},
  {103, {1, 1, 1, 15, 7, 5}},
  {109, {1, 3, 1, 15, 13, 25}},
  {115, {1, 1, 5, 5, 19, 61}},
  {131, {1, 3, 7, 11, 23, 15, 103}},
  {137, {1, 3, 7, 13, 13, 15, 69}},
  {143, {1, 1, 3, 13, 7, 35, 63}},
  {145, {1, 3, 5, 9, 1, 25, 53}},
  {157, {1, 3, 1, 13, 9, 35, 107}},
  {167, {1, 3, 1, 5, 27, 61, 31}},
  {171, {1, 1, 5, 11, 19, 41, 61}},
  {185, {1, 3, 5, 3, 3, 13, 69}},
  {191, {1, 1, 7, 13, 1, 19, 1}},
  {193, {1, 3, 7, 5, 13, 19, 59}},
  {203, {1, 1, 3, 9, 25, 29, 41}},
  {211, {1, 3, 5, 13, 23, 1, 55}},
  {213, {1, 3, 7, 3, 13, 59, 17}},
  {229, {1, 3, 1, 3, 5, 53, 69}},
  {239, {1, 1, 5, 5, 23, 33, 13}},
  {241, {1, 1, 7, 7, 1, 61, 123}},
  {247, {1, 1, 7, 9, 13, 61, 49}},
  {253, {1, 3, 3, 5, 3, 55, 33}},
  {285, {1, 3, 1, 15, 31, 13, 49, 245}},
  {299, {1, 3, 5, 15, 31, 59, 63, 97}},
  {301, {1, 3, 1, 11, 11, 11, 77, 249}},
  {333, {1, 3, 1, 11, 27, 43, 71, 9}},
  {351, {1, 1, 7, 15, 21, 11, 81, 45}},
  {355, {1, 3, 7, 3, 25, 31, 65, 79}},
  {357, {1, 3, 1, 1, 19, 11, 3, 205}},
  {361, {1, 1, 5, 9, 19, 21, 29, 157}},
  {369, {1, 3, 7, 11, 1, 33, 89, 185}},
  {391, {1, 3, 3, 3, 15, 9, 79, 71}},
  {397, {1, 3, 7, 11, 15, 39, 119, 27}},
  {425, {1, 1, 3, 1, 11, 31, 97, 225}},
  {451, {1, 1, 1, 3, 23, 43, 57, 177}},
  {463, {1, 3, 7, 7, 17, 17, 37, 71}},
  {487, {1, 3, 1, 5, 27, 63, 123, 213}},
  {501, {1, 1, 3, 5, 11, 43, 53, 133}},
  {529, {1, 3, 5, 5, 29, 17, 47, 173, 479}},
  {539, {1, 3, 3, 11, 3, 1, 109, 9, 69}},
  {545, {1, 1, 1, 5, 17, 39, 23, 5, 343}},
  {557, {1, 3, 1, 5, 25, 15, 31, 103, 499}},
  {563, {1, 1, 1, 11, 11, 17, 63, 105, 183}},
  {601, {1, 1, 5, 11, 9, 29, 97, 231, 363}},
  {607, {1, 1, 5, 15, 19, 45, 41, 7, 383}},
  {617, {1, 3, 7, 7, 31, 19, 83, 137, 221}},
  {623, {1, 1, 1, 3, 23, 15, 111, 223, 83}},
  {631, {1, 1, 5, 13, 31, 15, 55, 25, 161}},
  {637, {1, 1, 3, 13, 25, 47, 39, 87, 257}},
};
/* clang-format on */

/* v_k = m_k 2^(32 - k) for k from 1: the first ones by the table, the others by Bratley and Fox's recurrence. */
static void make_numbers(size_t dimension, uint32_t numbers[BITS]) {
  if (dimension == 0) {
    for (int k = 0; k < BITS; k++) numbers[k] = UINT32_C(1) << (BITS - 1 - k);
    return;
  }

  const direction *given = &directions[dimension - 1];
  int degree = 0;
  while (given->polynomial >> (degree + 1) != 0) degree++;
  for (int k = 0; k < degree; k++) numbers[k] = (uint32_t)given->first[k] << (BITS - 1 - k);

  for (int k = degree; k < BITS; k++) {
    numbers[k] = numbers[k - degree] ^ numbers[k - degree] >> degree;
    for (int j = 1; j < degree; j++) {
      if (given->polynomial >> (degree - j) & 1) numbers[k] ^= numbers[k - j];
    }
  }
}

uint32_t vise_i_sobol(uint32_t i, size_t dimension) {
  uint32_t numbers[BITS], x = 0;
  make_numbers(dimension, numbers);
  for (uint32_t gray = i ^ i >> 1, k = 0; gray != 0; gray >>= 1, k++) {
    if (gray & 1) x ^= numbers[k];
  }
  return x;
}
