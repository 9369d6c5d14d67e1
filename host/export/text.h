/* A text that grows. */
#ifndef VISE_I_TEXT_H
#define VISE_I_TEXT_H

#include <stdbool.h>
#include <stddef.h>

typedef struct vise_i_text {
  char *bytes; /* owned; ends with a zero that n does not count */
  size_t n, room;
  bool failed; /* out of memory: what came after it was dropped */
} vise_i_text;

void vise_i_text_put(vise_i_text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void vise_i_text_free(vise_i_text *text);

#endif
