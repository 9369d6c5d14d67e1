#include "host/cli/characters.h"

size_t vise_i_cli_character_length(unsigned char first) {
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first <= 0xdf) return 2;
  if (first >= 0xe0 && first <= 0xef) return 3;
  return first >= 0xf0 && first <= 0xf4 ? 4 : 0;
}

bool vise_i_cli_character_fits(unsigned char first, unsigned char second) {
  const unsigned char least = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
  const unsigned char most = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
  return second >= least && second <= most;
}

size_t vise_i_cli_character_at(const unsigned char *text) {
  const size_t n = vise_i_cli_character_length(text[0]);
  if (n > 1 && !vise_i_cli_character_fits(text[0], text[1])) return 0;
  for (size_t i = 2; i < n; i++) {
    if ((text[i] & 0xc0) != 0x80) return 0;
  }
  return n;
}

bool vise_i_cli_character_is_control(const unsigned char *text, size_t n) {
  if (n == 1) return (text[0] < 0x20 && text[0] != '\n' && text[0] != '\t') || text[0] == 0x7f;
  if (n == 2) return text[0] == 0xc2 && text[1] < 0xa0;
  return n == 3 && text[0] == 0xe2 &&
         ((text[1] == 0x80 && text[2] >= 0xaa && text[2] <= 0xae) ||
          (text[1] == 0x81 && text[2] >= 0xa6 && text[2] <= 0xa9));
}
