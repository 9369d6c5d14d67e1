/*
 * The table of options (table.c, row.c), their values as text both ways (value.c, parse.c, format.c), and the checks of
 * their ranges (check.c). The public face is vise/options.h. A new option of a training is a field at the end of its struct
 * and a row of the table; everything else follows from the row.
 */
#ifndef VISE_I_OPTIONS_H
#define VISE_I_OPTIONS_H

#include "host/base/error.h"
#include "vise/options.h"

extern const vise_option vise_i_options[];
extern const size_t vise_i_n_options;

/* Fills in the defaults of all fields of that struct. */
void vise_i_options_defaults(vise_option_struct of, void *config);

/* Whether all fields of an option lie within a struct, which begins with its size. */
bool vise_i_option_is_within(const vise_option *option, const void *config);

/* The k-th name in an option's list of fields ("clip_schedule.gamma"), or the option's own name if it has no field. */
enum { VISE_I_FIELD_BYTES = 64 };
const char *vise_i_option_field(const vise_option *option, size_t k, char buffer[VISE_I_FIELD_BYTES]);

/* Checks every field of a config against its row, whatever set it: VISE_ERR_USAGE naming the field. */
VISE_WARN_UNUSED vise_status vise_i_options_check(vise_option_struct of, const void *config, vise_error *err);
/* Checks one number, named `field`. value is for the comparison, text for the message. */
VISE_WARN_UNUSED vise_status vise_i_option_check_number(const vise_option *option, const char *field, double value,
                                                        const char *text, vise_error *err);

/* The same for a value of another struct that means what option `name` does. */
VISE_WARN_UNUSED vise_status vise_i_option_check_int(const char *name, int value, vise_error *err);
VISE_WARN_UNUSED vise_status vise_i_option_check_real(const char *name, double value, vise_error *err);

/* The number that a REAL option of a config stands for. */
double vise_i_option_real(const vise_option *option, const void *config);

/* ---- texts (parse.c, format.c); errors begin with `field` in backquotes ---- */

/* A decimal number; "inf", "+inf" and "-inf" only with allow_infinity. Never NaN, no hexadecimal, no blanks. */
VISE_WARN_UNUSED vise_status vise_i_parse_real(const char *field, const char *text, bool allow_infinity, double *out,
                                               vise_error *err);
/* Decimal digits alone. */
VISE_WARN_UNUSED vise_status vise_i_parse_count(const char *field, const char *text, uint64_t *out, vise_error *err);
/* Digits and one of the suffixes K, M, G or none. */
VISE_WARN_UNUSED vise_status vise_i_parse_bytes(const char *field, const char *text, uint64_t *out, vise_error *err);
/* "X" (X > 0, meaning -X:X) or "LO:HI" with LO <= HI; infinities allowed. */
VISE_WARN_UNUSED vise_status vise_i_parse_interval(const char *field, const char *text, double *lo, double *hi,
                                                   vise_error *err);
/* "784-128-10": 2 to VISE_MAX_LAYERS + 1 sizes >= 1, or "auto" (0) for the first and the last. *n receives their count. */
VISE_WARN_UNUSED vise_status vise_i_parse_widths(const char *field, const char *text, size_t *widths, size_t *n,
                                                 vise_error *err);
/* How often: after so many steps, else at the end of each epoch, else after so many seconds; all 0: never. */
typedef struct vise_i_cadence {
  uint64_t steps;
  double seconds;
  bool each_epoch;
} vise_i_cadence;
/* "N" (at least 1), "epoch", or a time above 0 as in "30s", "10m" or "2h". */
VISE_WARN_UNUSED vise_status vise_i_parse_cadence(const char *field, const char *text, vise_i_cadence *out,
                                                  vise_error *err);
/* Seconds of a unit of time ('s', 'm', 'h'); 0: there is none of this letter. */
double vise_i_unit_seconds(char letter);
/* Calls use with each item of a list. */
VISE_WARN_UNUSED vise_status vise_i_parse_list(const char *text, char separator, void *user,
                                               vise_status (*use)(void *user, const char *item, vise_error *err),
                                               vise_error *err);

/* A text being written into a buffer that may be too short; n counts all of it. */
typedef struct vise_i_text {
  char *buffer;
  size_t n_bytes, n;
} vise_i_text;

void vise_i_text_add(vise_i_text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The shortest decimal text that reads back as value, in any locale. */
void vise_i_text_add_real(vise_i_text *text, double value);

#endif
