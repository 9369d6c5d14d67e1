#include "host/base/quote.h"

#include <string.h>

const char *vise_i_quote(char buffer[VISE_I_QUOTE_BYTES], const char *text, size_t n) {
  const size_t most = VISE_I_QUOTE_BYTES - 4;
  size_t shown = n < most ? n : most;
  while (n > most && shown > 0 && ((unsigned char)text[shown] & 0xc0) == 0x80) shown--; /* no half characters */

  for (size_t k = 0; k < shown; k++) {
    const unsigned char c = (unsigned char)text[k];
    /* UTF-8 bytes pass, control characters do not. */
    buffer[k] = c < 32 || c == 127 ? '?' : (char)c;
  }

  memcpy(buffer + shown, n > most ? "..." : "", n > most ? 4 : 1);
  return buffer;
}
