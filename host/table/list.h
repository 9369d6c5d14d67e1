/* Lists of texts, as options give them: "a,b". */
#ifndef VISE_I_LIST_H
#define VISE_I_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "host/base/error.h"

typedef struct vise_i_list {
  char **items;
  size_t n, capacity;
} vise_i_list;

/* The items between commas, without blanks around them; NULL and "" are an empty list. */
VISE_WARN_UNUSED vise_status vise_i_list_split(vise_i_list *list, const char *text, vise_error *err);
/* Appends a copy of text[0..n). */
VISE_WARN_UNUSED vise_status vise_i_list_add(vise_i_list *list, const char *text, size_t n, vise_error *err);
/* Appends what a format makes. */
VISE_WARN_UNUSED vise_status vise_i_list_addf(vise_i_list *list, vise_error *err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void vise_i_list_free(vise_i_list *list);

/* "a, b, c", cut with "..." where the buffer of n bytes ends. */
const char *vise_i_list_join(const vise_i_list *list, char *buffer, size_t n);

#endif
