/* replay FOLDER: gives every file of a corpus to the fuzz target that this program is linked with. */
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "../fuzz.h"

/* Exactly the bytes of the file, so that AddressSanitizer catches a read past them. */
static uint8_t *read_exactly(const char *path, size_t n) {
  uint8_t *bytes = malloc(n > 0 ? n : 1);
  FILE *stream = fopen(path, "rb");
  const bool whole = bytes != NULL && stream != NULL && fread(bytes, 1, n, stream) == n;
  if (stream != NULL) fclose(stream);
  if (whole) return bytes;
  free(bytes);
  return NULL;
}

int main(int argc, char **argv) {
  struct dirent **entries = NULL;
  size_t n_files = 0, n_failed = 0;
  char path[4096];
  const int n_entries = argc == 2 ? scandir(argv[1], &entries, NULL, alphasort) : -1;

  if (n_entries < 0) {
    fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
    return 2;
  }

  for (int k = 0; k < n_entries; k++) {
    struct stat st;
    snprintf(path, sizeof path, "%s/%s", argv[1], entries[k]->d_name);
    if (stat(path, &st) == 0 && S_ISREG(st.st_mode)) {
      uint8_t *bytes = read_exactly(path, (size_t)st.st_size);
      if (bytes == NULL) {
        fprintf(stderr, "%s: cannot be read\n", path);
        n_failed++;
      } else {
        fprintf(stderr, "%s\n", entries[k]->d_name); /* the last one named is the culprit of a crash */
        LLVMFuzzerTestOneInput(bytes, (size_t)st.st_size);
        n_files++;
      }
      free(bytes);
    }
    free(entries[k]);
  }

  free(entries);
  printf("replayed %zu files of %s\n", n_files, argv[1]);
  return n_files > 0 && n_failed == 0 ? 0 : 1;
}
