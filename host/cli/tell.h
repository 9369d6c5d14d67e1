/* What a call tells on standard error besides its progress: as text or, with --progress json, as events: JSON objects,
   one a line, each written whole and at once, and nothing else. Which of the two holds for the whole process. */
#ifndef VISE_I_CLI_TELL_H
#define VISE_I_CLI_TELL_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "vise/status.h"

/* Events from now on, or text. */
void vise_i_cli_tell_events(bool events);
bool vise_i_cli_tells_events(void);
/* The same by what was typed, before it is understood: what is refused is an event too. */
void vise_i_cli_tell_as_typed(int argc, char **argv);
/* From now on events are of the refit of a sweep, and say so. */
void vise_i_cli_tell_of_refit(bool refit);

/* A new event; NULL, which the others take, when out of memory. */
json_t *vise_i_cli_event(const char *name);
/* Writes it and frees it. A standard error that nobody reads is no error. */
void vise_i_cli_event_write(json_t *event);
/* A member: a number, null where it is not finite, and a count. */
void vise_i_cli_event_real(json_t **event, const char *name, double value);
void vise_i_cli_event_count(json_t **event, const char *name, uint64_t value);

/* As text "warning: ...", "note: ..." or the words alone; the event of the last two is "note". */
typedef enum vise_i_cli_tone { VISE_I_CLI_WARNING, VISE_I_CLI_NOTE, VISE_I_CLI_WORDS } vise_i_cli_tone;
void vise_i_cli_tell(vise_i_cli_tone tone, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Tells "vise train: <text>", after a usage error also how to get help, and returns exit_code. command: one of
   VISE_COMMAND_... */
int vise_i_cli_report_error(unsigned command, const vise_error *err, vise_status status, int exit_code);

#endif
