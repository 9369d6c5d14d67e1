/* Texts from files, made fit for messages. */
#ifndef VISE_I_QUOTE_H
#define VISE_I_QUOTE_H

#include <stddef.h>

/* text[0..n) cut after about 40 bytes, control characters replaced; returns buffer. */
enum { VISE_I_QUOTE_BYTES = 48 };
const char *vise_i_quote(char buffer[VISE_I_QUOTE_BYTES], const char *text, size_t n);

#endif
