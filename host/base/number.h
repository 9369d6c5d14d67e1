/* Text of decimal numbers, to the nearest double whatever the locale: [+-] digits [mark digits] [e [+-] digits] and
   nothing else (strtod would also take hexadecimal, and a decimal comma in some locales). */
#ifndef VISE_I_NUMBER_H
#define VISE_I_NUMBER_H

#include <stdbool.h>
#include <stddef.h>

/* Reads the number at s, whose fraction begins with `mark`. Returns the byte after it, NULL if there is none; *out is
   infinite if it is too large for a double. A byte that no number holds, such as a zero, must follow in memory. */
const char *vise_i_number_read(const char *s, char mark, double *out);

typedef enum vise_i_number { VISE_I_NUMBER, VISE_I_NOT_A_NUMBER, VISE_I_NOT_FINITE } vise_i_number;

/* The whole of text[0..n) as a number with a decimal point. text[n] must be a byte that no number holds.
   VISE_I_NOT_FINITE: one too large for a double, or nan, inf, infinity in any case and with any sign. */
vise_i_number vise_i_number_parse(const char *text, size_t n, double *out);

/* text[0..n) is word, in any case, with or without a sign. */
bool vise_i_is_word(const char *text, size_t n, const char *word);

/* The shortest text that reads as value again. */
enum { VISE_I_NUMBER_BYTES = 32 };
const char *vise_i_number_text(char buffer[VISE_I_NUMBER_BYTES], double value);

#endif
