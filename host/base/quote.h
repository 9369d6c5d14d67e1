/* Text of users made fit for a message. */
#ifndef VISE_I_QUOTE_H
#define VISE_I_QUOTE_H

#include <stddef.h>

/* text[0..n) cut after about 40 bytes, what is not printable replaced. Returns buffer. */
enum { VISE_I_QUOTE_BYTES = 48 };
const char *vise_i_quote(char buffer[VISE_I_QUOTE_BYTES], const char *text, size_t n);

#endif
