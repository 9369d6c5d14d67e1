/* A preprocessor as JSON, and back. */
#include <stdio.h>

#include "table_support.h"

static char *json_of(const vise_preprocessor *p) {
  vise_error err = VISE_ERROR_INIT;
  char *text = NULL;
  EXPECT_OK(vise_preprocessor_to_json(p, &text, &err), err);
  return text;
}

static vise_preprocessor *from(const char *json) {
  vise_error err = VISE_ERROR_INIT;
  vise_preprocessor *p = NULL;
  EXPECT_OK(vise_preprocessor_from_json(json, &p, &err), err);
  return p;
}

static const char *const TABLES[] = {
    "a,b,day,color,id,y\n0.1,,2026-01-01,red,1,u\n0.2,3,2026-01-05,blue,2,v\n0.7,4,2026-02-01,red,3,u\n1e-3,5,,,4,v\n",
    "1.5,2\n2.25,3\n7,1\n",
    "caf\xe9,\xff\xfe,y\n1,\xe9,5\n2,x,6\n3,\xe9,9\n4,x,2\n",
    "a\tb\ty\n1\t\"quoted\"\"\\\"\t1\n2\t\x01\t2\n3\t\x01\t5\n4\t\"quoted\"\"\\\"\t5\n",
};

Test(table_json, round_trip_is_exact) {
  for (size_t k = 0; k < sizeof TABLES / sizeof TABLES[0]; k++) {
    vise_table *table;
    vise_preprocessor *p = fit_text(TABLES[k], NULL, &table);
    char *text = json_of(p);
    vise_preprocessor *q = from(text);
    char *again = json_of(q);
    cr_assert_str_eq(text, again);

    vise_transform_options options = transform_options();
    options.dtype = VISE_F64;
    vise_transformed *x = transform_all(p, table, &options), *y = transform_all(q, table, &options);
    const vise_array u = vise_transformed_features(x), v = vise_transformed_features(y);
    cr_assert(u.n_cols == v.n_cols && memcmp(u.data, v.data, u.n_rows * u.n_cols * sizeof(double)) == 0);
    for (size_t i = 0; i < vise_preprocessor_n_lines(p); i++) {
      cr_assert_str_eq(vise_preprocessor_line(p, i), vise_preprocessor_line(q, i));
    }
    vise_transformed_free(x);
    vise_transformed_free(y);
    vise_preprocessor_free(p);
    vise_preprocessor_free(q);
    vise_table_free(table);
    free(text);
    free(again);
  }
}

Test(table_json, keeps_names_that_are_not_utf8) {
  vise_preprocessor *p = fit_text(TABLES[2], NULL, NULL);
  char *text = json_of(p), name[64];
  vise_preprocessor *q = from(text);
  cr_assert(strstr(text, "{\"latin1\":\"caf\xc3\xa9\"}") != NULL, "%s", text);
  cr_assert_str_eq(vise_preprocessor_input_name(q, 0, name, sizeof name), "caf\xe9");
  cr_assert_str_eq(vise_preprocessor_input_name(q, 1, name, sizeof name), "\xff\xfe=\xe9");
  vise_preprocessor_free(p);
  vise_preprocessor_free(q);
  free(text);
}

/* text with its first `from` replaced by `to`, malloc'ed. */
static char *replaced(const char *text, const char *old, const char *new) {
  const char *at = strstr(text, old);
  cr_assert(at != NULL, "%s is not in %s", old, text);
  char *out = malloc(strlen(text) + strlen(new) + 1);
  cr_assert_not_null(out);
  sprintf(out, "%.*s%s%s", (int)(at - text), text, new, at + strlen(old));
  return out;
}

Test(table_json, refuses_what_is_wrong) {
  static const struct {
    const char *old, *new, *expected;
  } cases[] = {
      {"{", "[", "is not JSON"},
      {"{\"version\":1", "{\"version\":1,\"version\":1", "comes twice"},
      {"\"version\":1", "\"version\":2", "is of version 2; this Vise reads 1"},
      {"\"columns\":[", "\"columns\":[],\"was\":[", "\"columns\" is missing or wrong"},
      {"\"kind\":\"number\"", "\"kind\":\"colour\"", "\"kind\""},
      {"\"role\":\"feature\"", "\"role\":3", "\"role\""},
      {"\"scale\":0.", "\"scale\":-0.", "\"scale\""},
      {"\"indicator\":true", "\"indicator\":1", "\"indicator\""},
      {"\"gaps\":0", "\"gaps\":-1", "\"gaps\""},
      {"\"categories\":[\"blue\",\"red\"]", "\"categories\":[]", "\"categories\""},
      {"\"origin\":", "\"origin\":1e9,\"was\":", "\"origin\""},
      {"\"target\":0", "\"target\":1", "\"target\""},
      {"\"kind\":\"classes\"", "\"kind\":\"numbers\"", "\"classes\""},
      {"\"loss\":\"cross-entropy\"", "\"loss\":\"cross\"", "\"loss\""},
      {"\"shift\":[0.0]", "\"shift\":[]", "\"shift\""},
      {"\"name\":\"a\"", "\"name\":null", "\"name\""},
      {"\"name\":\"a\"", "\"name\":{\"latin1\":\"\xe2\x82\xac\"}", "\"name\""},
      {"\"name\":\"b\"", "\"name\":\"a\"", "\"name\""},
      {"[\"blue\",\"red\"]", "[\"red\",\"red\"]", "\"categories\""},
      {"\"name\":\"v\"", "\"name\":\"u\"", "\"classes\""},
      {"\"missing\":\"auto\"", "\"missing\":\"never\"", "\"missing\""},
  };

  vise_preprocessor *p = fit_text(TABLES[0], NULL, NULL);
  char *text = json_of(p);
  for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
    vise_error err = VISE_ERROR_INIT;
    vise_preprocessor *q = NULL;
    char *wrong = replaced(text, cases[k].old, cases[k].new);
    EXPECT_ERROR(vise_preprocessor_from_json(wrong, &q, &err), &err, VISE_ERR_FORMAT, cases[k].expected);
    cr_assert_null(q);
    free(wrong);
  }
  free(text);
  vise_preprocessor_free(p);
}
