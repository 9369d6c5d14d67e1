/* Reading JSON: what is taken, what is refused and where, and that all is as jansson reads it. */
#include "host/json/read.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <jansson.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/file.h"
#include "tests/support/unit.h"

/* Exactly n bytes, so that a sanitizer sees a read beyond them. */
static vise_status read_exactly(const char *text, size_t n, json_t **out, vise_i_json_fault *fault) {
  char *copy = malloc(n > 0 ? n : 1);
  cr_assert(copy != NULL);
  if (n > 0) memcpy(copy, text, n);
  const vise_status status = vise_i_json_parse(copy, n, out, fault);
  free(copy);
  return status;
}

/* Both readers agree, in the signs of zeros too. */
static void expect_as_jansson(const char *what, const char *text, size_t n) {
  json_t *value = NULL, *wanted = json_loadb(text, n, JSON_REJECT_DUPLICATES, NULL);
  vise_i_json_fault fault = {0, ""};
  const vise_status status = read_exactly(text, n, &value, &fault);
  if (memchr(text, '\0', n) != NULL) { /* jansson passes over one that follows a number */
    json_decref(wanted);
    wanted = NULL;
  }
  cr_assert_eq(status, wanted != NULL ? VISE_OK : VISE_ERR_FORMAT, "%s: %s at %zu", what, fault.what, fault.byte);
  cr_assert_eq(status == VISE_OK, value != NULL);

  if (status != VISE_OK) {
    cr_assert(fault.what[0] != '\0' && fault.byte <= n, "%s", what);
    return;
  }
  char *a = json_dumps(value, JSON_COMPACT), *b = json_dumps(wanted, JSON_COMPACT);
  cr_assert(json_equal(value, wanted) && strcmp(a, b) == 0, "%s", what);
  free(a);
  free(b);
  json_decref(value);
  json_decref(wanted);
}

static void each_file_of_corpus(void (*visit)(const char *name, const char *text, size_t n)) {
  size_t n_files = 0;
  DIR *dir = opendir(VISE_SOURCE_DIR "/tests/fuzz/corpus/json");
  cr_assert(dir != NULL);

  for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
    vise_error err = VISE_ERROR_INIT;
    char path[512];
    uint8_t *bytes;
    size_t n;
    if (entry->d_name[0] == '.') continue;
    snprintf(path, sizeof path, "%s/tests/fuzz/corpus/json/%s", VISE_SOURCE_DIR, entry->d_name);
    EXPECT_OK(vise_i_read_file(path, 1 << 20, &bytes, &n, &err), err);
    visit(entry->d_name, (const char *)bytes, n);
    free(bytes);
    n_files++;
  }
  closedir(dir);
  cr_assert_geq(n_files, 100);
}

static void check_name(const char *name, const char *text, size_t n) {
  json_t *value = NULL;
  const bool ok = strncmp(name, "ok-", 3) == 0;
  cr_assert_eq(read_exactly(text, n, &value, NULL), ok ? VISE_OK : VISE_ERR_FORMAT, "%s", name);
  json_decref(value);
}

Test(json_read, takes_ok_and_refuses_bad_files) {
  each_file_of_corpus(check_name);
}

Test(json_read, is_as_jansson_reads_the_corpus) {
  each_file_of_corpus(expect_as_jansson);
}

/* Every start of a file, and every file with one byte changed. */
static void change_each_byte(const char *name, const char *text, size_t n) {
  static const char bytes[] = {'"', '\\', '{', '}', '[', ']',  ',',    ':', '0',
                               '9', 'e',  '.', '-', ' ', '\0', '\x80', 'u'};
  char *copy = malloc(n + 1);
  cr_assert(copy != NULL);

  for (size_t at = 0; n <= 300 && at < n; at++) {
    expect_as_jansson(name, text, at);
    for (size_t k = 0; k < sizeof bytes; k++) {
      memcpy(copy, text, n);
      copy[at] = bytes[k];
      expect_as_jansson(name, copy, n);
    }
  }
  free(copy);
}

Test(json_read, is_as_jansson_reads_damaged_files) {
  each_file_of_corpus(change_each_byte);
}

static void expect_real(const char *text) {
  char whole[128];
  json_t *value = NULL;
  const int n = snprintf(whole, sizeof whole, "[%s]", text);
  cr_assert_eq(read_exactly(whole, (size_t)n, &value, NULL), VISE_OK, "%s", text);
  const double got = json_real_value(json_array_get(value, 0)), wanted = strtod(text, NULL);
  cr_assert(memcmp(&got, &wanted, sizeof got) == 0, "%s: %.17g, expected %.17g", text, got, wanted);
  json_decref(value);
}

Test(json_read, reals_have_the_bits_of_strtod) {
  uint64_t state = 7;
  for (int k = 0; k < 50000; k++) {
    char text[64];
    double value;
    state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    memcpy(&value, &state, sizeof value);
    snprintf(text, sizeof text, "%.17e", value);
    if (strspn(text, "0123456789.e+-") == strlen(text)) expect_real(text);
  }
}

/* Where there is a locale with a decimal comma: Debian has de_DE.UTF-8 in locales-all, and C.UTF-8 always. */
Test(json_read, locale_does_not_count) {
  json_t *value = NULL;
  if (setlocale(LC_ALL, "de_DE.UTF-8") == NULL) (void)setlocale(LC_ALL, "C.UTF-8");
  cr_assert_eq(read_exactly("[1.5, 2.25e3]", 13, &value, NULL), VISE_OK);
  cr_assert(json_real_value(json_array_get(value, 0)) == 1.5 && json_real_value(json_array_get(value, 1)) == 2250);
  json_decref(value);
}

Test(json_read, tells_integers_from_reals) {
  json_t *value = NULL;
  static const char text[] = "[1, 1.0, 1e0, -9223372036854775808]";
  cr_assert_eq(read_exactly(text, sizeof text - 1, &value, NULL), VISE_OK);
  cr_assert(json_is_integer(json_array_get(value, 0)) && json_is_real(json_array_get(value, 1)));
  cr_assert(json_is_real(json_array_get(value, 2)));
  cr_assert_eq(json_integer_value(json_array_get(value, 3)), INT64_MIN);
  json_decref(value);
}

Test(json_read, messages_name_the_place) {
  static const struct {
    const char *text, *lines, *bytes;
  } cases[] = {
      {"{\n  \"lr\": 0.1,\n  \"lr\": 0.2\n}", "f:3:3: the key \"lr\" comes twice", "f: is not JSON: byte 17: the key"},
      {"{\"é\": x}", "f:1:7: expected a value", "f: is not JSON: byte 7: expected a value"},
      {"{\"a\": 1", "f:1:8: it ends too early", "f: is not JSON: byte 7: it ends too early"},
      {"[1 2]", "f:1:4: expected ',' or ']'", "f: is not JSON: byte 3: expected"},
      {"{\"a\": 1,}", "f:1:9: expected a key", "f: is not JSON: byte 8: expected a key"},
      {"3", "f:1:1: expected '{' or '['", "f: is not JSON: byte 0: expected"},
      {"[] []", "f:1:4: something follows the end", "f: is not JSON: byte 3: something follows"},
      {"[\"a\\x\"]", "f:1:4: an unknown escape", "f: is not JSON: byte 3: an unknown escape"},
      {"[99999999999999999999]", "f:1:2: an integer too large", "f: is not JSON: byte 1: an integer"},
      {"[\n\n 1e999]", "f:3:2: a number too large", "f: is not JSON: byte 4: a number"},
  };

  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    json_t *value = NULL;
    for (int by_bytes = 0; by_bytes < 2; by_bytes++) {
      vise_error err = VISE_ERROR_INIT;
      EXPECT_ERROR(vise_i_json_read("f", cases[i].text, strlen(cases[i].text),
                                    by_bytes ? VISE_I_JSON_BYTES : VISE_I_JSON_LINES, &value, &err),
                   &err, VISE_ERR_FORMAT, by_bytes ? cases[i].bytes : cases[i].lines);
      cr_assert(strncmp(err.text, by_bytes ? cases[i].bytes : cases[i].lines, 5) == 0, "%s", err.text);
    }
    cr_assert(value == NULL);
  }
}
