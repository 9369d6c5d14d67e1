/* Every allocation fails once, jansson's too, while JSON is read, made and written: each failure is told as lack of memory, and
   nothing leaks or is left out. */
#include <criterion/criterion.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/json/build.h"
#include "host/json/bytes.h"
#include "host/json/read.h"
#include "host/json/text.h"
#include "tests/support/allocation_fault.h"

static char text[4096];

/* Keys and texts with escapes, many keys, so that a table of them grows, numbers and words. */
static void make_text(void) {
  size_t n = (size_t)snprintf(text, sizeof text, "{\"a\\u0041\": [1, -2.5, true, null, \"x\\ny\", {\"b\": []}]");
  for (int i = 0; i < 60; i++)
    n += (size_t)snprintf(text + n, sizeof text - n, ", \"key %d\": [\"text %d\", %d]", i, i, i);
  snprintf(text + n, sizeof text - n, "}");
}

/* Reads the text and writes it again; what succeeds is whole. */
static vise_status read_and_write(void) {
  json_t *value = NULL;
  char *again = NULL;
  vise_error err = VISE_ERROR_INIT;
  vise_status status = vise_i_json_read("f", text, strlen(text), VISE_I_JSON_LINES, &value, &err);
  if (status == VISE_OK) status = vise_i_json_text(value, JSON_COMPACT, "the text", &again, NULL, &err);

  cr_assert(status == VISE_OK || (err.code == VISE_ERR_MEMORY && strncmp(err.text, "out of memory", 13) == 0), "%s",
            err.text);
  cr_assert(status != VISE_OK || strlen(again) == 1451, "%zu", strlen(again));
  free(again);
  json_decref(value);
  return status;
}

static vise_status build(void) {
  char *made = NULL;
  json_t *whole = json_object(), *list = json_array();
  for (int i = 0; i < 20; i++) {
    char key[16];
    snprintf(key, sizeof key, "key %d", i);
    vise_i_json_put(&whole, key, vise_i_json_of_bytes(i % 2 == 0 ? "caf\xe9" : "plain", "latin"));
    vise_i_json_add(&list, json_integer(i));
  }
  vise_i_json_put(&whole, "list", list);

  const vise_status status = vise_i_json_text(whole, JSON_COMPACT, "it", &made, NULL, NULL);
  cr_assert(status != VISE_OK || strlen(made) == 490, "%zu", strlen(made));
  free(made);
  json_decref(whole);
  return status;
}

static void fail_each(vise_status (*call)(void), size_t at_least) {
  json_set_alloc_funcs(__wrap_malloc, free);
  cr_assert_eq(call(), VISE_OK);
  for (size_t n = 0;; n++) {
    fault_arm(n);
    const vise_status status = call();
    fault_disarm();
    cr_assert_eq(status, fault.has_failed ? VISE_ERR_MEMORY : VISE_OK, "allocation %zu", n);
    if (fault.has_failed) continue;
    cr_assert_geq(n, at_least, "%zu allocations only", n);
    return;
  }
}

Test(json_memory, reading_and_writing) {
  make_text();
  fail_each(read_and_write, 400);
}

Test(json_memory, building) {
  fail_each(build, 80);
}
