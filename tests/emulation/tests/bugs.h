// Kernels seeded with the bugs that the emulation must find, and the same kernels without the bug.
#pragma once
#ifdef __cplusplus
extern "C" {
#endif

// Where a bug must be found: in which builds, and under which schedules.
enum { kPlain = 1, kAsan = 2, kRace = 4, kAllBuilds = 7 };
enum { kForward = 1, kReverse = 2, kRandom = 4, kAllSchedules = 7 };

typedef struct {
  const char *name;
  // Runs the kernel, with the bug or without. 0: the expected result; 1: another; 2: the launch failed.
  int (*run)(int with_bug);
  const char *report;  // what a failed launch's report must say; the race build may instead find accesses without order
  int builds, schedules;
} bug;

extern const bug bugs[];
extern const int n_bugs;
const char *bug_report(void);  // the last failed launch's

#ifdef __cplusplus
}
#endif
