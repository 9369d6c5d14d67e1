#include "host/proto/proto.h"

#include <stdlib.h>
#include <string.h>

enum { VARINT = 0, EIGHT_BYTES = 1, LENGTH = 2, FOUR_BYTES = 5, MOST_VARINT = 10, LEAST_ROOM = 1 << 12 };

void vise_i_proto_free(vise_i_proto *proto) {
  free(proto->bytes);
  *proto = (vise_i_proto){0};
}

/* Makes room for n more bytes. */
static bool grow(vise_i_proto *proto, size_t n) {
  if (proto->failed) return false;
  if (n <= proto->room - proto->n) return true;

  size_t room = proto->room > 0 ? proto->room : LEAST_ROOM;
  while (room - proto->n < n && room <= SIZE_MAX / 2) room *= 2;
  uint8_t *bytes = room - proto->n >= n ? realloc(proto->bytes, room) : NULL;
  proto->failed = bytes == NULL;
  if (proto->failed) return false;
  proto->bytes = bytes;
  proto->room = room;
  return true;
}

void vise_i_proto_raw(vise_i_proto *proto, const void *bytes, size_t n) {
  if (n == 0 || !grow(proto, n)) return;
  memcpy(proto->bytes + proto->n, bytes, n);
  proto->n += n;
}

void vise_i_proto_fixed(vise_i_proto *proto, uint64_t value, size_t n_bytes) {
  uint8_t bytes[8];
  for (size_t i = 0; i < n_bytes; i++) bytes[i] = (uint8_t)(value >> (8 * i));
  vise_i_proto_raw(proto, bytes, n_bytes);
}

/* Seven bits a byte, the lowest first; all but the last byte have the eighth bit set. Returns how many. */
static size_t to_varint(uint64_t value, uint8_t out[MOST_VARINT]) {
  size_t n = 0;
  for (; value >= 0x80; value >>= 7) out[n++] = (uint8_t)(0x80 | (value & 0x7f));
  out[n++] = (uint8_t)value;
  return n;
}

static void put_varint(vise_i_proto *proto, uint64_t value) {
  uint8_t bytes[MOST_VARINT];
  vise_i_proto_raw(proto, bytes, to_varint(value, bytes));
}

static void put_key(vise_i_proto *proto, unsigned field, unsigned type) {
  put_varint(proto, (uint64_t)field << 3 | type);
}

void vise_i_proto_count(vise_i_proto *proto, unsigned field, uint64_t value) {
  put_key(proto, field, VARINT);
  put_varint(proto, value);
}

void vise_i_proto_item(vise_i_proto *proto, double value) {
  uint64_t bits;
  memcpy(&bits, &value, sizeof bits);
  vise_i_proto_fixed(proto, bits, sizeof bits);
}

void vise_i_proto_double(vise_i_proto *proto, unsigned field, double value) {
  put_key(proto, field, EIGHT_BYTES);
  vise_i_proto_item(proto, value);
}

void vise_i_proto_float(vise_i_proto *proto, unsigned field, float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  put_key(proto, field, FOUR_BYTES);
  vise_i_proto_fixed(proto, bits, sizeof bits);
}

void vise_i_proto_text(vise_i_proto *proto, unsigned field, const char *text) {
  const size_t n = strlen(text);
  put_key(proto, field, LENGTH);
  put_varint(proto, n);
  vise_i_proto_raw(proto, text, n);
}

size_t vise_i_proto_begin(vise_i_proto *proto, unsigned field) {
  put_key(proto, field, LENGTH);
  return proto->n;
}

/* The length stands before what it is the length of, which moves to make room for it. */
void vise_i_proto_end(vise_i_proto *proto, size_t begin) {
  uint8_t length[MOST_VARINT];
  if (proto->failed) return;
  const size_t n = proto->n - begin, n_length = to_varint(n, length);
  if (!grow(proto, n_length)) return;

  memmove(proto->bytes + begin + n_length, proto->bytes + begin, n);
  memcpy(proto->bytes + begin, length, n_length);
  proto->n += n_length;
}
