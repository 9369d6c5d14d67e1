/* ISO dates and times. */
#ifndef VISE_I_DATE_H
#define VISE_I_DATE_H

#include <stdbool.h>
#include <stddef.h>

/* text[0..n) as YYYY-MM-DD or YYYY/MM/DD, then perhaps T or blanks and HH:MM[:SS[.fraction]] and Z or +-HH[:]MM: days
   since 1970-01-01, those of UTC where the text says how far it is from it. False: another text, or no such day. */
bool vise_i_date_parse(const char *text, size_t n, double *days);

/* "2026-11-29", or "2026-11-29 08:15:00" if it is not midnight. */
enum { VISE_I_DATE_BYTES = 48 };
const char *vise_i_date_text(char buffer[VISE_I_DATE_BYTES], double days);

#endif
