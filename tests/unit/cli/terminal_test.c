/* What is shown on a terminal. */
#include <pty.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tool.h"

static void enter(void) {
  tool_enter();
  tool_write_classes("iris.csv", 600);
}

TestSuite(cli_terminal, .init = enter, .fini = tool_leave);

/* Runs a training on a terminal of this width; returns all it showed. */
static char *run_on_terminal(unsigned short columns, const char *last_option) {
  struct winsize size = {.ws_row = 25, .ws_col = columns};
  int master = -1, status = 0;
  pid_t pid = forkpty(&master, NULL, NULL, &size);
  cr_assert(pid >= 0);

  if (pid == 0) {
    setenv("TERM", "xterm", 1);
    execl(TOOL_PATH, "vise", "train", "--train", "iris.csv", "--test", "iris.csv", "--layers", "3-32-3", "--epochs",
          "200", "--lr", "0.1", "--batch", "8", last_option, (char *)NULL);
    _exit(127);
  }

  size_t n = 0, room = 1 << 20;
  char *shown = malloc(room + 1);
  cr_assert(shown != NULL);
  for (ssize_t got; n < room && (got = read(master, shown + n, room - n)) > 0;) n += (size_t)got;
  shown[n] = '\0';

  close(master);
  cr_assert(waitpid(pid, &status, 0) == pid);
  cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%s", shown);
  return shown;
}

/* The longest text drawn as the bar; *n_bars receives how often the bar was drawn. */
static size_t widest_bar(const char *shown, size_t *n_bars) {
  size_t widest = 0;
  *n_bars = 0;
  for (const char *at = shown; (at = strstr(at, "\repoch ")) != NULL; at++) {
    size_t width = strcspn(at + 1, "\r\n\x1b");
    if (width > widest) widest = width;
    (*n_bars)++;
  }
  return widest;
}

Test(cli_terminal, draws_a_bar_in_place) {
  size_t n_bars = 0;
  char *shown = run_on_terminal(100, "--no-quiet");
  size_t widest = widest_bar(shown, &n_bars);

  cr_assert(n_bars >= 2 && n_bars < 200, "%zu bars in %s", n_bars, shown); /* not one for each epoch */
  cr_assert(widest > 60 && widest < 100, "%zu columns", widest);

  SAYS(shown, "epoch 200/200 [====");
  SAYS(shown, "100 %");
  SAYS(shown, "loss ");
  SAYS(shown, "test accuracy ");
  SAYS(shown, "steps/s");
  SAYS(shown, " left");
  SAYS(shown, "\x1b[K");
  SAYS(shown, "ended by        epochs");
  SAYS_NOT(shown, "epoch 1/200  step");
  free(shown);
}

Test(cli_terminal, says_how_far_the_estimate_is_and_takes_it_away) {
  struct winsize size = {.ws_row = 25, .ws_col = 70};
  int master = -1, status = 0;
  pid_t pid = forkpty(&master, NULL, NULL, &size);
  cr_assert(pid >= 0);
  if (pid == 0) {
    setenv("TERM", "xterm", 1);
    execl(TOOL_PATH, "vise", "train", "--train", "iris.csv", "--steps", "3000", (char *)NULL);
    _exit(127);
  }

  static char shown[1 << 18];
  size_t n = 0;
  for (ssize_t got; n + 1 < sizeof shown && (got = read(master, shown + n, sizeof shown - 1 - n)) > 0;)
    n += (size_t)got;
  close(master);
  cr_assert(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0);
  SAYS(shown, "\restimating the score: fold 1 of 5, ");
  SAYS(shown, "\restimating the score: fold 5 of 5, ");
  SAYS(shown, " %\x1b[K\r\x1b[K");
}

Test(cli_terminal, fits_narrow_terminals) {
  static const unsigned short columns[] = {1, 13, 20, 40, 79, 80, 200};
  for (size_t i = 0; i < sizeof columns / sizeof *columns; i++) {
    size_t n_bars = 0;
    char *shown = run_on_terminal(columns[i], "--no-quiet");
    size_t widest = widest_bar(shown, &n_bars);
    cr_assert(widest < columns[i], "%zu columns on a terminal of %d", widest, columns[i]);
    if (columns[i] >= 40) {
      SAYS(shown, "loss ");
      SAYS(shown, ":00 left"); /* the last state */
    }
    if (columns[i] == 200) SAYS(shown, "steps/s");
    free(shown);
  }
}

Test(cli_terminal, quiet_has_no_bar) {
  size_t n_bars = 0;
  char *shown = run_on_terminal(80, "--quiet");
  (void)widest_bar(shown, &n_bars);
  cr_assert_eq(n_bars, 0);
  SAYS_NOT(shown, "\x1b");
  free(shown);
}
