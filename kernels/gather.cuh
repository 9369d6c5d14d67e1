/*
 * Elements of the data set as floats, four neighbours to a thread or one, through the non-coherent path: the same bits
 * as host/backend/cpu/gather.c. Vector reads need the alignment that vise_gather_vectors checks.
 */
#ifndef VISE_K_GATHER_CUH
#define VISE_K_GATHER_CUH

#include "kernels/gather.h"
#include "kernels/gather_bytes.h"
#include "kernels/ptx.cuh"

VISE_BOTH uint32_t vise_gather_element_bytes(vise_dtype type) {
  return type == VISE_U8 ? 1 : type == VISE_I32 || type == VISE_F32 ? 4 : 8;
}

/* Whether columns c, c + 1, c + 2, c + 3 of a row, c a multiple of 4, can be read as a vector (bytes: as one word). */
VISE_BOTH int vise_gather_vectors(const vise_k_source *s) {
  const uint32_t bytes = s->type == VISE_U8 ? 4 : 16;
  return ((uintptr_t)s->x % bytes == 0) && (s->row_bytes % bytes == 0);
}

/* Four neighbouring bytes that are divided. */
VISE_FN float4 vise_gather_divided(const vise_k_source *s, uint32_t bytes) {
  const float divisor = s->byte_divisor, inverse = s->byte_inverse;
  float4 out;
  out.x = vise_k_byte_quotient((float)(bytes & 0xff), divisor, inverse);
  out.y = vise_k_byte_quotient((float)(bytes >> 8 & 0xff), divisor, inverse);
  out.z = vise_k_byte_quotient((float)(bytes >> 16 & 0xff), divisor, inverse);
  out.w = vise_k_byte_quotient((float)(bytes >> 24), divisor, inverse);
  return out;
}

VISE_FN float vise_gather_byte(const vise_k_source *s, uint32_t byte, uint32_t column) {
  if (s->scaling == VISE_K_SCALE_COLUMNS) {
    return (float)(((double)byte - s->column_shift[column]) * s->column_inverse[column]);
  }
  if (s->byte_divisor != 0.0f) return vise_k_byte_quotient((float)byte, s->byte_divisor, s->byte_inverse);
  return s->byte_values[byte];
}

/* x is the value as float64, plain the value as float32: for 64-bit integers plain is not x rounded. */
VISE_FN float vise_gather_scaled(const vise_k_source *s, double x, float plain, uint32_t column) {
  if (s->scaling == VISE_K_SCALE_NONE) return plain;
  const int uniform = s->scaling == VISE_K_SCALE_UNIFORM;
  const double shift = uniform ? s->shift : s->column_shift[column];
  const double inverse = uniform ? s->inverse : s->column_inverse[column];
  return (float)((x - shift) * inverse);
}

/* One element of 4 or 8 bytes, given as its bits. */
VISE_FN float vise_gather_word(const vise_k_source *s, uint32_t bits, uint32_t column) {
  if (s->type == VISE_F32) {
    const float x = vise_f32_bits(bits);
    return vise_gather_scaled(s, (double)x, x, column);
  }
  const int32_t x = (int32_t)bits;
  return vise_gather_scaled(s, (double)x, (float)x, column);
}

VISE_FN float vise_gather_long(const vise_k_source *s, uint64_t bits, uint32_t column) {
  if (s->type == VISE_F64) {
    double x;
    memcpy(&x, &bits, sizeof x);
    return vise_gather_scaled(s, x, (float)x, column);
  }
  const int64_t x = (int64_t)bits;
  return vise_gather_scaled(s, (double)x, (float)x, column);
}

/* The element at row[column]. */
VISE_FN float vise_gather_one(const vise_k_source *s, const char *row, uint32_t column) {
  switch (vise_gather_element_bytes(s->type)) {
    case 1:
      return vise_gather_byte(s, ptx_data_set_1(row + column), column);
    case 4:
      return vise_gather_word(s, ptx_data_set_4(row + (size_t)column * 4), column);
    default:
      return vise_gather_long(s, ptx_data_set_8(row + (size_t)column * 8), column);
  }
}

/* An element from its bits (upper: of 8 bytes), and vise_gather_one by this: little code, in which all types are scaled in
   one place. */
VISE_FN_CALLED float vise_gather_value(const vise_k_source *s, uint32_t lower, uint32_t upper, uint32_t column) {
  const uint64_t bits = (uint64_t)upper << 32 | lower;
  double x;
  float plain;

  switch (s->type) {
    case VISE_U8:
      return vise_gather_byte(s, lower, column);
    case VISE_F32:
      plain = vise_f32_bits(lower);
      x = (double)plain;
      break;
    case VISE_I32:
      plain = (float)(int32_t)lower;
      x = (double)(int32_t)lower;
      break;
    case VISE_F64:
      memcpy(&x, &bits, sizeof x);
      plain = (float)x;
      break;
    default:
      plain = (float)(int64_t)bits;
      x = (double)(int64_t)bits;
      break;
  }

  return vise_gather_scaled(s, x, plain, column);
}

VISE_FN float vise_gather_one_called(const vise_k_source *s, const char *row, uint32_t column) {
  const uint32_t size = vise_gather_element_bytes(s->type);
  const char *from = row + (size_t)column * size;
  const uint64_t bits = size == 1 ? ptx_data_set_1(from) : size == 4 ? ptx_data_set_4(from) : ptx_data_set_8(from);
  return vise_gather_value(s, (uint32_t)bits, (uint32_t)(bits >> 32), column);
}

/* The elements at row[column .. column + 4), column a multiple of 4. */
VISE_FN float4 vise_gather_four(const vise_k_source *s, const char *row, uint32_t column) {
  float4 out;

  switch (vise_gather_element_bytes(s->type)) {
    case 1: {
      const uint32_t bytes = ptx_data_set_4(row + column);
      out.x = vise_gather_byte(s, bytes & 0xff, column);
      out.y = vise_gather_byte(s, bytes >> 8 & 0xff, column + 1);
      out.z = vise_gather_byte(s, bytes >> 16 & 0xff, column + 2);
      out.w = vise_gather_byte(s, bytes >> 24, column + 3);
      return out;
    }
    case 4: {
      const uint4 words = ptx_data_set_16(row + (size_t)column * 4);
      out.x = vise_gather_word(s, words.x, column);
      out.y = vise_gather_word(s, words.y, column + 1);
      out.z = vise_gather_word(s, words.z, column + 2);
      out.w = vise_gather_word(s, words.w, column + 3);
      return out;
    }
    default: {
      const uint4 lower = ptx_data_set_16(row + (size_t)column * 8);
      const uint4 upper = ptx_data_set_16(row + (size_t)column * 8 + 16);

      out.x = vise_gather_long(s, (uint64_t)lower.y << 32 | lower.x, column);
      out.y = vise_gather_long(s, (uint64_t)lower.w << 32 | lower.z, column + 1);
      out.z = vise_gather_long(s, (uint64_t)upper.y << 32 | upper.x, column + 2);
      out.w = vise_gather_long(s, (uint64_t)upper.w << 32 | upper.z, column + 3);
      return out;
    }
  }
}

#endif
