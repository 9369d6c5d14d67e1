/* The fuzz corpora: ok-* is read, bad-* is refused with a message that names the file. */
#include <dirent.h>
#include <stdio.h>

#include "data_support.h"
#include "host/base/file.h"

static vise_status parse(const char *reader, const char *name, const uint8_t *bytes, size_t n, vise_error *err) {
  vise_i_table table = {0};
  const vise_status status =
      (strcmp(reader, "npy") == 0 ? vise_i_npy_parse : vise_i_idx_parse)(name, bytes, n, &table, err);
  free(table.memory);
  return status;
}

Test(corpus, accepts_ok_and_refuses_bad) {
  static const char *const readers[] = {"npy", "idx"};
  size_t n_ok = 0, n_bad = 0;

  for (size_t k = 0; k < 2; k++) {
    char folder[512], path[1024];
    snprintf(folder, sizeof folder, "%s/tests/fuzz/corpus/%s", VISE_SOURCE_DIR, readers[k]);
    DIR *dir = opendir(folder);
    cr_assert(dir != NULL, "%s", folder);

    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
      vise_error err = VISE_ERROR_INIT;
      uint8_t *bytes;
      size_t n;

      if (entry->d_name[0] == '.') continue;
      snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
      EXPECT_OK(vise_i_read_file(path, 1 << 20, &bytes, &n, &err), err);

      const vise_status status = parse(readers[k], entry->d_name, bytes, n, &err);
      if (strncmp(entry->d_name, "ok-", 3) == 0) {
        n_ok++;
        cr_expect_eq(status, VISE_OK, "%s: %s", path, err.text);
      } else {
        n_bad++;
        cr_expect_neq(status, VISE_OK, "%s: accepted", path);
        cr_expect(strncmp(err.text, entry->d_name, strlen(entry->d_name)) == 0, "%s: \"%s\"", path, err.text);
      }
      free(bytes);
    }
    closedir(dir);
  }

  cr_assert(n_ok >= 27 && n_bad >= 45, "%zu ok, %zu bad", n_ok, n_bad);
}
