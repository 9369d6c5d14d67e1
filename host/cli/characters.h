/* Characters of UTF-8, and which of them are not for show. */
#ifndef VISE_I_CLI_CHARACTERS_H
#define VISE_I_CLI_CHARACTERS_H

#include <stdbool.h>
#include <stddef.h>

/* Bytes of the character that begins with this one; 0: none does. */
size_t vise_i_cli_character_length(unsigned char first);
/* Whether a second byte may follow the first: no character has two forms, and halves of UTF-16 pairs are none. */
bool vise_i_cli_character_fits(unsigned char first, unsigned char second);
/* Bytes of the character at text, which ends with a zero; 0: it is not UTF-8. */
size_t vise_i_cli_character_at(const unsigned char *text);
/* Whether a character of n bytes is a control, of ASCII (but newline and tab) or beyond (C1), or turns the order of
   others around. */
bool vise_i_cli_character_is_control(const unsigned char *text, size_t n);

#endif
