#include "host/cli/suggest.h"

#include <string.h>

enum { MAX_WORD = 48, MAX_DISTANCE = 2 };

static size_t least(size_t a, size_t b) {
  return a < b ? a : b;
}

/* Letters to change, add, leave out or swap with their neighbour to get from a to b; large for words beyond MAX_WORD. */
static size_t word_distance(const char *a, const char *b) {
  size_t rows[3][MAX_WORD + 1];
  const size_t n = strlen(a), m = strlen(b);
  if (n > MAX_WORD || m > MAX_WORD) return MAX_WORD;

  for (size_t j = 0; j <= m; j++) rows[0][j] = j;
  for (size_t i = 1; i <= n; i++) {
    size_t *row = rows[i % 3];
    const size_t *above = rows[(i + 2) % 3], *two_above = rows[(i + 1) % 3];
    row[0] = i;
    for (size_t j = 1; j <= m; j++) {
      row[j] = least(above[j - 1] + (a[i - 1] != b[j - 1]), least(above[j], row[j - 1]) + 1);
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) row[j] = least(row[j], two_above[j - 2] + 1);
    }
  }
  return rows[n % 3][m];
}

void vise_i_cli_suggest(vise_i_cli_guess *guess, const char *candidate) {
  const size_t distance = word_distance(guess->word, candidate);
  if (distance > MAX_DISTANCE || 2 * distance >= strlen(guess->word)) return;
  if (guess->best != NULL && distance >= guess->distance) return;
  guess->best = candidate;
  guess->distance = distance;
}
