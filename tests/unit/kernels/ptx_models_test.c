/* The models of PTX instructions against the definitions of the PTX manual (sections "Matrix fragments for mma.m16n8k8"
   and "mma.m16n8k16", "ldmatrix", "cvt"), written here as in the manual: by fragment element. */
#include <criterion/criterion.h>
#include <math.h>

#include "kernels/ptx.cuh"
#include "tests/support/random.h"

static uint32_t draw(void) {
  static uint64_t state = 1;
  return rig_draw(&state);
}

static float small_integer(void) {
  return (float)(int)(draw() % 15) - 7;
}

typedef struct product {
  float a[16][16], b[16][8], c[16][8];
} product;

static void fill(product *p, int n_k) {
  for (int m = 0; m < 16; m++) {
    for (int k = 0; k < n_k; k++) p->a[m][k] = small_integer();
    for (int n = 0; n < 8; n++) p->c[m][n] = small_integer();
  }
  for (int k = 0; k < n_k; k++) {
    for (int n = 0; n < 8; n++) p->b[k][n] = small_integer();
  }
}

/* c_i: row = groupID for i < 2, groupID + 8 for i >= 2; column = threadID_in_group * 2 + (i & 1). */
static void place_c(const product *p, float d[32][4]) {
  for (int lane = 0; lane < 32; lane++) {
    for (int i = 0; i < 4; i++) d[lane][i] = p->c[i < 2 ? lane >> 2 : (lane >> 2) + 8][lane % 4 * 2 + (i & 1)];
  }
}

static void check_d(const product *p, int n_k, float d[32][4]) {
  for (int lane = 0; lane < 32; lane++) {
    for (int i = 0; i < 4; i++) {
      const int m = i < 2 ? lane >> 2 : (lane >> 2) + 8, n = lane % 4 * 2 + (i & 1);
      float sum = p->c[m][n]; /* of small integers: exact */
      for (int k = 0; k < n_k; k++) sum += p->a[m][k] * p->b[k][n];
      cr_assert_eq(d[lane][i], sum, "lane %d element %d: %g, expected %g", lane, i, d[lane][i], sum);
    }
  }
}

typedef void (*mma_model)(const uint32_t *const a[32], const uint32_t *const b[32], float *const d[32]);

static void run(mma_model model, uint32_t a[32][4], uint32_t b[32][2], float d[32][4]) {
  const uint32_t *lanes_a[32], *lanes_b[32];
  float *lanes_d[32];
  for (int lane = 0; lane < 32; lane++) {
    lanes_a[lane] = a[lane];
    lanes_b[lane] = b[lane];
    lanes_d[lane] = d[lane];
  }
  model(lanes_a, lanes_b, lanes_d);
}

Test(ptx_models, mma_m16n8k8_tf32) {
  for (int repeat = 0; repeat < 50; repeat++) {
    product p;
    fill(&p, 8);
    uint32_t a[32][4], b[32][2];
    float d[32][4];

    for (int lane = 0; lane < 32; lane++) {
      const int group = lane >> 2, thread = lane % 4;
      for (int i = 0; i < 4; i++) { /* row: groupID for a0, a2; column: threadID_in_group for a0, a1 */
        const int row = i == 0 || i == 2 ? group : group + 8, column = i == 0 || i == 1 ? thread : thread + 4;
        a[lane][i] = ptx_tf32(p.a[row][column]) | (draw() & 0x1fff); /* bits the unit ignores */
      }
      for (int i = 0; i < 2; i++) b[lane][i] = ptx_tf32(p.b[i == 0 ? thread : thread + 4][group]) | (draw() & 0x1fff);
    }

    place_c(&p, d);
    run(vise_model_mma_tf32, a, b, d);
    check_d(&p, 8, d);
  }
}

Test(ptx_models, mma_m16n8k16_bf16) {
  for (int repeat = 0; repeat < 50; repeat++) {
    product p;
    fill(&p, 16);
    uint32_t a[32][4] = {{0}}, b[32][2] = {{0}};
    float d[32][4];

    for (int lane = 0; lane < 32; lane++) {
      const int group = lane >> 2, thread = lane % 4;
      for (int i = 0; i < 8; i++) { /* a_i, two to a register */
        const int row = i < 2 || (i >= 4 && i < 6) ? group : group + 8;
        const int column = thread * 2 + (i & 1) + (i >= 4 ? 8 : 0);
        a[lane][i / 2] |= (vise_bits_f32(p.a[row][column]) >> 16) << 16 * (i % 2);
      }

      for (int i = 0; i < 4; i++) {
        const int row = thread * 2 + (i & 1) + (i >= 2 ? 8 : 0);
        b[lane][i / 2] |= (vise_bits_f32(p.b[row][group]) >> 16) << 16 * (i % 2);
      }
    }

    place_c(&p, d);
    run(vise_model_mma_bf16, a, b, d);
    check_d(&p, 16, d);
  }
}

Test(ptx_models, mma_lets_nan_through) {
  uint32_t a[32][4] = {{0}}, b[32][2] = {{0}};
  float d[32][4] = {{0}};
  a[5][0] = vise_bits_f32(NAN); /* row 1 */
  run(vise_model_mma_tf32, a, b, d);
  for (int lane = 0; lane < 32; lane++) {
    for (int i = 0; i < 4; i++) cr_assert_eq(isnan(d[lane][i]) != 0, lane >> 2 == 1 && i < 2);
  }
}

/* The float with `keep` bits of mantissa after the leading one that is nearest to x, of two the even one, by exact
   arithmetic. */
static float nearest(float x, int keep) {
  int exponent;
  frexp((double)x, &exponent);
  if (exponent < -125) exponent = -125; /* subnormal */
  const double unit = ldexp(1, exponent - 1 - keep), scaled = fabs((double)x) / unit, whole = floor(scaled);
  const double rest = scaled - whole;
  const int up = rest > 0.5 || (rest == 0.5 && fmod(whole, 2) == 1);
  return copysignf((float)((whole + up) * unit), x);
}

Test(ptx_models, conversions_round_to_nearest) {
  for (int i = 0; i < 400000; i++) {
    uint32_t bits = draw();
    if (i % 3 == 0) bits = (bits & ~0x1fffu) | 0x1000u; /* halfway in tf32 */
    if (i % 3 == 1) bits = (bits & ~0xffffu) | 0x8000u; /* halfway in bf16 */

    const float x = vise_f32_bits(bits);
    const uint32_t pair = ptx_bf16x2(1.0f, x);

    if (isnan(x)) {
      cr_assert(isnan(vise_f32_bits(ptx_tf32(x))));
      cr_assert(isnan(vise_f32_bits(pair & 0xffff0000u)));
    } else if (isinf(x)) {
      cr_assert_eq(vise_f32_bits(ptx_tf32(x)), x);
      cr_assert_eq(vise_f32_bits(pair & 0xffff0000u), x);
    } else {
      cr_assert_eq(vise_f32_bits(ptx_tf32(x)), nearest(x, 10), "tf32 of %a", x);
      cr_assert_eq(vise_f32_bits(pair & 0xffff0000u), nearest(x, 7), "bf16 of %a", x);
    }
    cr_assert_eq(pair & 0xffff, 0x3f80);
  }
}

/* Element e of row r of matrix m is 1000 m + 10 r + e. Thread i holds, of row i / 4 of each matrix, elements
   2 (i % 4) and 2 (i % 4) + 1; with .trans the matrix is transposed first. */
Test(ptx_models, ldmatrix_x4) {
  uint16_t memory[32][8];
  const void *rows[32];
  uint32_t out[32][4], *lanes[32];

  for (int lane = 0; lane < 32; lane++) {
    for (int e = 0; e < 8; e++) memory[lane][e] = (uint16_t)(1000 * (lane / 8) + 10 * (lane % 8) + e);
    rows[lane] = memory[lane];
    lanes[lane] = out[lane];
  }

  for (int transposed = 0; transposed < 2; transposed++) {
    vise_model_ldmatrix(rows, transposed, lanes);
    for (int i = 0; i < 32; i++) {
      for (int m = 0; m < 4; m++) {
        for (int half = 0; half < 2; half++) {
          const int row = i / 4, e = 2 * (i % 4) + half;
          const int expected = 1000 * m + (transposed ? 10 * e + row : 10 * row + e);
          cr_assert_eq((int)(out[i][m] >> 16 * half & 0xffff), expected, "lane %d matrix %d half %d", i, m, half);
        }
      }
    }
  }
}
