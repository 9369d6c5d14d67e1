/* What the two libraries share that stand between the tool and the system (calls.c, allocations.c): settings from the
   environment, and the report, a file of lines that the driver reads. Nothing here allocates, or calls what could be
   stood before. */
#ifndef TORTURE_COMMON_H
#define TORTURE_COMMON_H

#include <stddef.h>

enum { T_LINE_BYTES = 1024, T_REPORT_FD = 900 };

/* A line under way. Longer ones are cut. */
typedef struct t_line {
  char text[T_LINE_BYTES];
  size_t n;
} t_line;

/* The number in a variable of the environment; 0 without one. */
long t_setting(const char *name);

/* Opens the report, whose path is in TORTURE_REPORT, as T_REPORT_FD. */
void t_report_open(void);

void t_line_text(t_line *line, const char *text);
void t_line_number(t_line *line, unsigned long number, unsigned base);
/* Appends the line to the report, in one call. */
void t_line_end(t_line *line);

/* A system call past whatever watches them; -errno on failure. */
long t_system_call(long number, long a, long b, long c, long d, long e, long f);
/* The address after the one instruction that makes these calls. */
extern const char t_after_system_call[];

#endif
