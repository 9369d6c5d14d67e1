/* JSON values being made. A value that cannot be made for lack of memory is NULL, and so becomes whatever should have held
   it: who writes the whole learns of it (text.h), and nothing is left out. */
#ifndef VISE_I_JSON_BUILD_H
#define VISE_I_JSON_BUILD_H

#include <jansson.h>

/* Puts value, which is taken over, into *object under key (UTF-8, replaced if it is there). Where either is NULL, or there
   is no memory, *object is freed and becomes NULL. */
void vise_i_json_put(json_t **object, const char *key, json_t *value);

/* The same with all that the object `more` has. */
void vise_i_json_put_all(json_t **object, json_t *more);

/* The same at the end of an array. */
void vise_i_json_add(json_t **array, json_t *value);

#endif
