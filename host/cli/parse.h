/* Strict parsing of what a user types: the whole text must be the value. Messages quote the text and say what would be
   right; the caller adds where it came from. The tool never calls setlocale, so numbers are those of the C locale. */
#ifndef VISE_I_CLI_PARSE_H
#define VISE_I_CLI_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vise/status.h"

/* Writes code and text to err unless it holds an error already; returns code. */
vise_status vise_i_cli_fail(vise_error *err, vise_status code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* A decimal number; "inf", "+inf" and "-inf" only with allow_infinity. Never NaN, no hexadecimal, no blanks. */
VISE_WARN_UNUSED vise_status vise_i_cli_parse_real(const char *text, bool allow_infinity, double *out, vise_error *err);
/* Decimal digits alone. */
VISE_WARN_UNUSED vise_status vise_i_cli_parse_count(const char *text, uint64_t *out, vise_error *err);
/* "yes" or "no". */
VISE_WARN_UNUSED vise_status vise_i_cli_parse_yes_no(const char *text, bool *out, vise_error *err);
/* "X" (X > 0, meaning -X:X) or "LO:HI" with LO <= HI; infinities allowed. */
VISE_WARN_UNUSED vise_status vise_i_cli_parse_range(const char *text, double *lo, double *hi, vise_error *err);
/* "784-128-10": 2 to max_n sizes >= 1, or "auto" (given as 0) for the first and the last. *n receives their count. */
VISE_WARN_UNUSED vise_status vise_i_cli_parse_layers(const char *text, size_t max_n, size_t *widths, size_t *n,
                                                     vise_error *err);
/* Comma lists; *out is malloc'ed. */
VISE_WARN_UNUSED vise_status vise_i_cli_parse_real_list(const char *text, double **out, size_t *n, vise_error *err);
VISE_WARN_UNUSED vise_status vise_i_cli_parse_size_list(const char *text, size_t **out, size_t *n, vise_error *err);

/* The shortest decimal text that reads back as value ("inf", "-inf" for infinities). buffer: at least 40 bytes. */
void vise_i_cli_format_real(double value, char *buffer, size_t n_bytes);

#endif
