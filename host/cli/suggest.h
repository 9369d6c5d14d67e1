/* What a misspelt word may have meant. */
#ifndef VISE_I_CLI_SUGGEST_H
#define VISE_I_CLI_SUGGEST_H

#include <stddef.h>

/* The best of several candidates so far. Starts as {word, NULL, 0}. */
typedef struct vise_i_cli_guess {
  const char *word, *best;
  size_t distance;
} vise_i_cli_guess;

/* Takes candidate into account; it must outlive the guess. best stays NULL while nothing is near enough to be meant. */
void vise_i_cli_suggest(vise_i_cli_guess *guess, const char *candidate);

#endif
