// Runs every kernel of bugs.cu without its bug, which must pass, and with it, which must not: each in a process of its
// own, since AddressSanitizer ends the one that it finds a bug in.
#include "bugs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { kRight = 0, kWrongResult = 1, kFailed = 2, kUnexpectedReport = 40 };

static int build_now(void) {
  return strcmp(VISE_EMU_FLAVOUR, "plain") == 0 ? kPlain : strcmp(VISE_EMU_FLAVOUR, "asan") == 0 ? kAsan : kRace;
}

static int schedule_now(void) {
  const char *order = getenv("VISE_EMU_SCHEDULE");
  if (!order || strcmp(order, "forward") == 0) return kForward;
  return strcmp(order, "reverse") == 0 ? kReverse : kRandom;
}

static int as_said(const char *said, const bug *b) {
  return strstr(said, b->report) || (build_now() == kRace && strstr(said, "without order"));
}

// The exit status of the kernel in a child; its messages are shown only when the outcome is wrong.
static int outcome(const bug *b, int with_bug, FILE *log) {
  fflush(NULL);
  const pid_t child = fork();
  if (child == 0) {
    dup2(fileno(log), STDERR_FILENO);
    int status = b->run(with_bug);
    if (status == kFailed && !as_said(bug_report(), b)) status = kUnexpectedReport;
    fflush(NULL);
    _exit(status);
  }

  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) != child) return -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int check(const bug *b) {
  FILE *log = tmpfile();
  if (!log) return 1;

  const int correct = outcome(b, 0, log);
  const int seeded = outcome(b, 1, log);
  const int must = (b->builds & build_now()) && (b->schedules & schedule_now());
  const int good = correct == kRight && seeded != kUnexpectedReport && seeded >= 0 && (seeded != kRight || !must);

  if (!good || getenv("VISE_BUGS_VERBOSE")) {
    printf("%s: %s without the bug, %s with it (status %d and %d; %s)\n", b->name,
           correct == kRight ? "passes" : "FALSE ALARM", seeded == kRight ? "NOT CAUGHT" : "caught", correct, seeded,
           must ? "must be caught" : "may pass");

    char line[512];
    rewind(log);
    for (int i = 0; i < 40 && fgets(line, sizeof line, log); ++i) printf("    %s", line);
  }

  fclose(log);
  return !good;
}

int main(int argc, char **argv) {
  int n_wrong = 0, n_run = 0;
  for (int i = 0; i < n_bugs; ++i) {
    if (argc > 1 && strcmp(argv[1], bugs[i].name) != 0) continue;
    ++n_run;
    n_wrong += check(&bugs[i]);
  }
  printf("%d kinds of bugs, %d wrong\n", n_run, n_wrong);
  return n_wrong != 0 || n_run == 0;
}
