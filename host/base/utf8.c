#include "host/base/utf8.h"

size_t vise_i_utf8_character(const char *text, size_t n) {
  const unsigned char *c = (const unsigned char *)text;
  const unsigned char first = c[0];
  if (first < 0x80) return 1;
  if (first < 0xc2 || first > 0xf4) return 0;

  /* What the second byte may be shuts out the longer forms, the halves of pairs, and what is beyond the last one. */
  const unsigned char least = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
  const unsigned char most = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
  const size_t length = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;

  if (n < length || c[1] < least || c[1] > most) return 0;
  for (size_t i = 2; i < length; i++) {
    if ((c[i] & 0xc0) != 0x80) return 0;
  }
  return length;
}

bool vise_i_is_utf8(const char *text, size_t n) {
  for (size_t at = 0; at < n;) {
    const size_t length = vise_i_utf8_character(text + at, n - at);
    if (length == 0) return false;
    at += length;
  }
  return true;
}

size_t vise_i_utf8_put(unsigned code, char out[4]) {
  static const unsigned char marks[] = {0, 0, 0xc0, 0xe0, 0xf0};
  const size_t n = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
  for (size_t i = n; i-- > 1; code >>= 6) out[i] = (char)(0x80 | (code & 0x3f));
  out[0] = (char)(marks[n] | code);
  return n;
}
