/* UTF-8. */
#ifndef VISE_I_UTF8_H
#define VISE_I_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* Bytes of the character at text[0..n), 1 to 4; 0: it is cut, longer than it has to be, half a pair of UTF-16 or beyond
   U+10FFFF. n > 0. */
size_t vise_i_utf8_character(const char *text, size_t n);

/* Whether text[0..n) is UTF-8. */
bool vise_i_is_utf8(const char *text, size_t n);

/* Writes the character of this number, at most 0x10ffff and no half of a pair; returns how many bytes it has. */
size_t vise_i_utf8_put(unsigned code, char out[4]);

#endif
