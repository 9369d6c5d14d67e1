/* Lines of metrics: the text that jansson would write, whole lines, and what a full disk leaves. */
#include "host/train/jsonl.h"

#include <jansson.h>
#include <stdlib.h>

#include "rig.h"

TestSuite(jsonl, .init = rig_make_folder, .fini = rig_remove_folder);

static vise_i_jsonl open_lines(uint64_t keep) {
  vise_i_jsonl file = VISE_I_JSONL_INIT;
  OK(vise_i_jsonl_open(&file, rig_in("lines"), keep, NULL, &rig_err));
  return file;
}

/* A number as jansson writes it. */
static void expect_as_jansson(vise_i_jsonl *file, double value) {
  json_t *json = json_pack("{s:s, s:f}", "event", "x", "y", value);
  char *expected = json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(17));

  vise_i_jsonl_begin(file, "x");
  vise_i_jsonl_number(file, "y", value);
  cr_assert_eq(file->n_line + 1, strlen(expected), "%.*s is not %s", (int)file->n_line, file->line, expected);
  cr_assert(memcmp(file->line, expected, file->n_line) == 0, "%.*s is not %s", (int)file->n_line, file->line, expected);
  free(expected);
  json_decref(json);
}

Test(jsonl, numbers_are_those_of_jansson) {
  static const double values[] = {0,
                                  -0.0,
                                  1,
                                  -1,
                                  0.1,
                                  1e15,
                                  1e16,
                                  1e17,
                                  123456789012345680,
                                  1e-4,
                                  1e-5,
                                  1.5e-10,
                                  1e100,
                                  -2.5e200,
                                  5e-324,
                                  1.7976931348623157e308,
                                  1e-99,
                                  1e-100,
                                  1.0 / 3,
                                  2.0 / 3,
                                  1e22,
                                  12345.678};
  vise_i_jsonl file = open_lines(0);
  for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++) expect_as_jansson(&file, values[i]);

  uint64_t state = 9;
  for (size_t i = 0; i < 20000; i++) {
    double value;
    state = state * 6364136223846793005u + 1442695040888963407u;
    const uint64_t bits = state ^ state >> 29;
    memcpy(&value, &bits, sizeof(value));
    if (isfinite(value)) expect_as_jansson(&file, value);
    expect_as_jansson(&file, (double)(bits >> 11) * 0x1p-53);
  }
  vise_i_jsonl_close(&file);
}

Test(jsonl, fields_stand_in_their_order) {
  vise_i_jsonl file = open_lines(0);
  vise_i_jsonl_begin(&file, "step");
  vise_i_jsonl_count(&file, "n", 18446744073709551615u);
  vise_i_jsonl_count(&file, "zero", 0);
  vise_i_jsonl_number(&file, "none", NAN);
  vise_i_jsonl_flag(&file, "on", true);
  vise_i_jsonl_text(&file, "why", "because");
  OK(vise_i_jsonl_end(&file, &rig_err));
  OK(vise_i_jsonl_flush(&file, &rig_err));
  vise_i_jsonl_close(&file);

  char *text = rig_read(rig_in("lines"));
  cr_expect_str_eq(text,
                   "{\"event\":\"step\",\"n\":18446744073709551615,\"zero\":0,\"none\":null,\"on\":true,"
                   "\"why\":\"because\"}\n");
  free(text);
}

static int write_on_full_disk(void *user) {
  vise_i_jsonl *file = user;
  vise_status status = VISE_OK;
  for (size_t i = 0; status == VISE_OK && i < 100; i++) {
    vise_i_jsonl_begin(file, "e");
    vise_i_jsonl_count(file, "i", i);
    status = vise_i_jsonl_end(file, &rig_err);
  }
  return (int)(status == VISE_OK ? vise_i_jsonl_flush(file, &rig_err) : status);
}

Test(jsonl, a_full_disk_keeps_the_lines_that_have_room) {
  for (size_t limit = 0; limit < 200; limit++) {
    vise_i_jsonl file = open_lines(0);
    cr_assert_eq(rig_with_full_disk(limit, write_on_full_disk, &file), VISE_ERR_IO);
    vise_i_jsonl_close(&file);

    char *text = rig_read(rig_in("lines"));
    const size_t n = strlen(text);
    cr_assert(n <= limit && n + 21 > limit, "%zu of %zu bytes", n, limit);
    cr_assert(n == 0 || text[n - 1] == '\n');
    free(text);
  }
}

Test(jsonl, lines_may_be_long) {
  enum { N = 200000 };
  vise_i_jsonl file = open_lines(0);
  char *object = malloc(N + 32);
  cr_assert(object != NULL);
  int used = sprintf(object, "{\"a\":1,\"b\":\"");
  memset(object + used, 'x', N);
  strcpy(object + used + N, "\"}");

  vise_i_jsonl_begin(&file, "short");
  OK(vise_i_jsonl_end(&file, &rig_err));
  vise_i_jsonl_begin(&file, "long");
  vise_i_jsonl_members(&file, object);
  OK(vise_i_jsonl_end(&file, &rig_err));
  vise_i_jsonl_begin(&file, "after");
  OK(vise_i_jsonl_end(&file, &rig_err));
  OK(vise_i_jsonl_flush(&file, &rig_err));
  vise_i_jsonl_close(&file);

  char *text = rig_read(rig_in("lines"));
  static const char begin[] = "{\"event\":\"short\"}\n{\"event\":\"long\",\"a\":1,\"b\":\"";
  static const char end[] = "\"}\n{\"event\":\"after\"}\n";
  cr_expect(strncmp(text, begin, strlen(begin)) == 0, "%.80s", text);
  cr_expect_eq(strlen(text), strlen(begin) + N + strlen(end));
  cr_expect_str_eq(text + strlen(begin) + N, end);
  free(text);
  free(object);
}

Test(jsonl, waits_a_moment_and_is_cut_back) {
  vise_i_jsonl file = open_lines(0);
  for (size_t i = 0; i < 3; i++) {
    vise_i_jsonl_begin(&file, "e");
    OK(vise_i_jsonl_end(&file, &rig_err));
  }
  cr_expect_eq(file.n_bytes, 14, "the first line is written at once, the others wait: %zu", (size_t)file.n_bytes);
  OK(vise_i_jsonl_sync(&file, &rig_err));
  cr_expect_eq(file.n_bytes, 3 * 14);
  vise_i_jsonl_close(&file);

  bool was_short = true;
  OK(vise_i_jsonl_open(&file, rig_in("lines"), 14, &was_short, &rig_err));
  cr_expect_not(was_short);
  vise_i_jsonl_close(&file);
  char *text = rig_read(rig_in("lines"));
  cr_expect_str_eq(text, "{\"event\":\"e\"}\n");
  free(text);

  OK(vise_i_jsonl_open(&file, rig_in("lines"), 15, &was_short, &rig_err));
  cr_expect(was_short);
  vise_i_jsonl_close(&file);
}
