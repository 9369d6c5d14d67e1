/* The fuzz corpora of tables: ok-* is read, bad-* is refused with a text. */
#include <dirent.h>
#include <stdio.h>

#include "host/base/file.h"
#include "table_support.h"

static vise_status parse_table(const char *name, uint8_t *bytes, size_t n, vise_error *err) {
  vise_table *table = NULL;
  vise_table_options options = table_options();
  options.max_bytes = 1 << 22;
  const vise_status status = vise_table_parse(name, bytes, n, &options, &table, err);
  vise_table_free(table);
  return status;
}

static vise_status parse_libsvm(const char *name, uint8_t *bytes, size_t n, vise_error *err) {
  (void)name;
  return parse_table("x.svm", bytes, n, err);
}

/* The bytes end with a zero. */
static vise_status parse_json(const char *name, uint8_t *bytes, size_t n, vise_error *err) {
  vise_preprocessor *p = NULL;
  (void)name;
  (void)n;
  const vise_status status = vise_preprocessor_from_json((const char *)bytes, &p, err);
  vise_preprocessor_free(p);
  return status;
}

static const struct {
  const char *name;
  vise_status (*parse)(const char *name, uint8_t *bytes, size_t n, vise_error *err);
} READERS[] = {{"table", parse_table}, {"libsvm", parse_libsvm}, {"preprocessor", parse_json}};

Test(table_corpus, accepts_ok_and_refuses_bad) {
  size_t n_ok = 0, n_bad = 0;

  for (size_t k = 0; k < sizeof READERS / sizeof READERS[0]; k++) {
    char folder[512], path[1024];
    snprintf(folder, sizeof folder, "%s/tests/fuzz/corpus/%s", VISE_SOURCE_DIR, READERS[k].name);
    DIR *dir = opendir(folder);
    cr_assert(dir != NULL, "%s", folder);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
      vise_error err = VISE_ERROR_INIT;
      uint8_t *bytes;
      size_t n;
      if (entry->d_name[0] == '.') continue;
      snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
      EXPECT_OK(vise_i_read_file(path, 1 << 20, &bytes, &n, &err), err);
      const bool ok = strncmp(entry->d_name, "ok-", 3) == 0;
      const vise_status status = READERS[k].parse(entry->d_name, bytes, n, &err);
      cr_expect((status == VISE_OK) == ok, "%s: %s", path, err.text);
      cr_expect(ok || err.text[0] != '\0', "%s: refused without a word", path);
      n_ok += ok ? 1 : 0;
      n_bad += ok ? 0 : 1;
      free(bytes);
    }
    closedir(dir);
  }
  cr_assert(n_ok >= 35 && n_bad >= 30, "%zu ok, %zu bad", n_ok, n_bad);
}
