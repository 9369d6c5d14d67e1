#include "host/table/list.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/memory.h"
#include "host/base/quote.h"

vise_status vise_i_list_add(vise_i_list *list, const char *text, size_t n, vise_error *err) {
  char *copy = NULL;
  vise_status status = vise_i_grow(&list->items, &list->capacity, list->n + 1, sizeof *list->items, "a list", err);
  if (status == VISE_OK) status = vise_i_alloc(&copy, n + 1, 1, "a text", err);
  if (status != VISE_OK) return status;

  if (n > 0) memcpy(copy, text, n);
  copy[n] = '\0';
  list->items[list->n++] = copy;
  return VISE_OK;
}

vise_status vise_i_list_addf(vise_i_list *list, vise_error *err, const char *format, ...) {
  char text[1024];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  return vise_i_list_add(list, text, strlen(text), err);
}

vise_status vise_i_list_split(vise_i_list *list, const char *text, vise_error *err) {
  if (text == NULL || text[0] == '\0') return VISE_OK;
  for (const char *at = text;;) {
    const char *comma = strchr(at, ',');
    const char *end = comma != NULL ? comma : at + strlen(at);
    while (at < end && *at == ' ') at++;
    while (end > at && end[-1] == ' ') end--;
    const vise_status status = vise_i_list_add(list, at, (size_t)(end - at), err);
    if (status != VISE_OK || comma == NULL) return status;
    at = comma + 1;
  }
}

void vise_i_list_free(vise_i_list *list) {
  for (size_t i = 0; i < list->n; i++) free(list->items[i]);
  free(list->items);
  *list = (vise_i_list){0};
}

const char *vise_i_list_join(const vise_i_list *list, char *buffer, size_t n) {
  size_t used = 0;
  buffer[0] = '\0';
  for (size_t i = 0; i < list->n; i++) {
    char quote[VISE_I_QUOTE_BYTES];
    vise_i_quote(quote, list->items[i], strlen(list->items[i]));
    if (used + strlen(quote) + 8 > n) {
      if (used + 6 <= n) snprintf(buffer + used, n - used, ", ...");
      break;
    }
    used += (size_t)snprintf(buffer + used, n - used, "%s%s", i > 0 ? ", " : "", quote);
  }
  return buffer;
}
