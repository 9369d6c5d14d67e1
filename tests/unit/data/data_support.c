#include "data_support.h"

#include <stdio.h>
#include <zlib.h>

void append(buffer *b, const void *data, size_t n) {
  b->bytes = realloc(b->bytes, b->n + n + 1);
  cr_assert(b->bytes != NULL);
  if (n > 0) memcpy(b->bytes + b->n, data, n);
  b->n += n;
}

void append_u32_be(buffer *b, uint32_t v) {
  const uint8_t bytes[4] = {(uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v};
  append(b, bytes, 4);
}

buffer make_npy(int version, const char *descr, const char *order, const char *shape, const void *data, size_t n) {
  char header[512];
  buffer b = {0};
  const int length =
      snprintf(header, sizeof header, "{'descr': '%s', 'fortran_order': %s, 'shape': %s, }\n", descr, order, shape);
  const uint8_t preamble[12] = {
      0x93, 'N', 'U', 'M', 'P', 'Y', (uint8_t)version, 0, (uint8_t)length, (uint8_t)(length >> 8), 0, 0};

  append(&b, preamble, version == 1 ? 10 : 12);
  append(&b, header, (size_t)length);
  append(&b, data, n);
  return b;
}

buffer gzip_of(const buffer *b) {
  z_stream z = {0};
  buffer out = {0};
  cr_assert_eq(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);

  out.n = deflateBound(&z, b->n);
  out.bytes = malloc(out.n);
  cr_assert(out.bytes != NULL);

  z.next_in = b->bytes;
  z.avail_in = (uInt)b->n;
  z.next_out = out.bytes;
  z.avail_out = (uInt)out.n;

  cr_assert_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
  out.n = z.total_out;
  deflateEnd(&z);
  return out;
}

void release_buffer(buffer *b) {
  free(b->bytes);
  *b = (buffer){0};
}

const char *write_bytes(const char *name, const void *data, size_t n) {
  const char *path = rig_in(name);
  FILE *stream = fopen(path, "wb");
  cr_assert(stream != NULL && fwrite(data, 1, n, stream) == n);
  cr_assert_eq(fclose(stream), 0);
  return path;
}

const char *write_text(const char *name, const char *text) {
  return write_bytes(name, text, strlen(text));
}
