/* One run in the place of another, killed before each change of a file, and with each call of the system failing: what is
   there afterwards is the earlier run or the new one, whole, and a failure that says that nothing changed is right. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/train/run_lock.h"
#include "rig.h"
#include "tests/support/io_fault.h"

static const size_t widths[] = {4, 6, 3};
static char folder[256];

typedef enum which_run { OLD, NEW } which_run;

typedef struct ending {
  vise_status status;
  vise_stop_reason reason;
  uint64_t resumed_from;
} ending;

static const char *config_of(which_run which) {
  static char text[2][1024];
  snprintf(text[which], sizeof text[which], "%s%s", rig_config_json, which == NEW ? " \n" : "");
  return text[which];
}

/* The old run has a mask, and other weights. out (may be NULL) gets the model. */
static ending train(which_run which, bool overwrite, bool resume, vise_model **out) {
  vise_dataset *rows = rig_classes(23, 4, 3, 1);
  vise_model *model = rig_model(widths, 3, true, VISE_F64);
  vise_trainer *trainer = NULL;
  vise_run_result result = {.reason = VISE_STOP_NONE};
  vise_train_config config;
  vise_train_config_init(&config);
  config.backend = VISE_BACKEND_CPU64;
  config.batch = 5;
  config.epochs = 2;
  config.n_threads = 1;
  config.lr = which == OLD ? 0.1 : 0.01;
  if (which == OLD) {
    config.weight_op.kind = VISE_PRUNE;
    config.weight_op.fraction = 0.3;
    config.weight_op_at = VISE_AT_STEP;
    config.weight_op_when = 2;
  }

  vise_run_config run = rig_run_config(rig_path(folder, "out"), NULL);
  run.overwrite = overwrite;
  run.resume = resume;
  run.config_json = config_of(which);
  run.checkpoint_each_epoch = true;
  OK(vise_trainer_create(&config, model, rows, NULL, NULL, &trainer, &rig_err));
  vise_error_clear(&rig_err);
  const vise_status status = vise_trainer_run(trainer, &run, &result, &rig_err);

  vise_trainer_free(trainer);
  vise_dataset_free(rows);
  if (out != NULL) {
    *out = model;
  } else {
    vise_model_free(model);
  }
  return (ending){status, result.reason, result.resumed_from_step};
}

static bool has(const char *name) {
  return rig_exists(rig_path(folder, name));
}

/* ---- what is in a folder ------------------------------------------------------------------------------------------- */

typedef struct listing {
  char text[1 << 16];
  size_t n;
} listing;

static int skip_dots(const struct dirent *entry) {
  return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

/* Names, bytes and times of all files below path. */
static void list(const char *path, listing *out) {
  struct dirent **entries = NULL;
  const int n = scandir(path, &entries, skip_dots, alphasort);
  cr_assert_geq(n, 0, "%s", path);
  for (int i = 0; i < n; i++) {
    char below[1200];
    struct stat info;
    snprintf(below, sizeof below, "%s/%s", path, entries[i]->d_name);
    free(entries[i]);
    cr_assert_eq(lstat(below, &info), 0, "%s", below);
    const bool is_folder = S_ISDIR(info.st_mode);
    out->n += (size_t)snprintf(out->text + out->n, sizeof out->text - out->n, "%s %lld %lld.%ld\n", below,
                               is_folder ? -1LL : (long long)info.st_size,
                               is_folder ? 0LL : (long long)info.st_mtim.tv_sec, is_folder ? 0L : info.st_mtim.tv_nsec);
    cr_assert_lt(out->n, sizeof out->text);
    if (is_folder) list(below, out);
  }
  free(entries);
}

static listing *list_all(void) {
  listing *all = calloc(1, sizeof *all);
  list(folder, all);
  return all;
}

/* Nothing is left of what was on its way. */
static void expect_tidy(const char *what, size_t i) {
  listing *all = list_all();
  cr_assert(strstr(all->text, ".tmp-") == NULL && strstr(all->text, ".vise-lock") == NULL, "%s %zu:\n%s", what, i,
            all->text);
  free(all);
}

/* ---- what is left goes on -------------------------------------------------------------------------------------------- */

typedef struct references {
  vise_model *models[2];
} references;

static references make_references(void) {
  references made;
  rig_folder(folder);
  cr_assert_eq(train(OLD, false, false, &made.models[OLD]).status, VISE_OK, "%s", rig_err.text);
  cr_assert_eq(train(NEW, true, false, &made.models[NEW]).status, VISE_OK, "%s", rig_err.text);
  rig_remove(folder);
  return made;
}

static void free_references(references *of) {
  vise_model_free(of->models[OLD]);
  vise_model_free(of->models[NEW]);
}

static which_run whose_config(const char *what, size_t i) {
  char *config = rig_read(rig_path(folder, "out/config.json"));
  const which_run which = strcmp(config, config_of(NEW)) == 0 ? NEW : OLD;
  cr_assert_str_eq(config, config_of(which), "%s %zu", what, i);
  free(config);
  return which;
}

/* Whose config.json is there; with it, the run is gone on with, and comes to what it would have come to. */
static which_run expect_one_of_both(const references *of, const char *what, size_t i) {
  vise_model *model = NULL;
  const which_run which = whose_config(what, i);
  const ending end = train(which, false, true, &model);
  cr_assert_eq(end.status, VISE_OK, "%s %zu, %s run: %s", what, i, which == OLD ? "old" : "new", rig_err.text);
  cr_assert(rig_same_params(model, of->models[which]), "%s %zu: other bits", what, i);
  if (which == OLD) cr_assert_eq(end.resumed_from, 10, "%s %zu: what the old run had done is lost", what, i);
  vise_model_free(model);

  cr_assert_eq(rig_whole_checkpoints(rig_path(folder, "out"), what, i), 2, "%s %zu", what, i);
  cr_assert_eq(has("out/mask.safetensors"), which == OLD, "%s %zu: of the other run", what, i);
  expect_tidy(what, i);
  return which;
}

/* ---- kills --------------------------------------------------------------------------------------------------------- */

static int in_child(void (*body)(size_t), size_t i) {
  int status = 0;
  fflush(NULL);
  const pid_t child = fork();
  cr_assert_geq(child, 0);
  if (child == 0) {
    body(i);
    _exit(0);
  }
  cr_assert_eq(waitpid(child, &status, 0), child);
  cr_assert(WIFEXITED(status));
  return WEXITSTATUS(status);
}

static void overwrite_and_be_killed(size_t i) {
  io_kill_arm(i);
  if (train(NEW, true, false, NULL).status != VISE_OK) _exit(1);
}

Test(overwrite, a_kill_leaves_the_old_run_or_the_new_one) {
  references of = make_references();
  size_t n_killed = 0, n_left[2] = {0, 0};
  int code = IO_KILLED;

  for (size_t i = 0; code == IO_KILLED; i++) {
    rig_folder(folder);
    cr_assert_eq(train(OLD, false, false, NULL).status, VISE_OK);
    code = in_child(overwrite_and_be_killed, i);
    cr_assert(code == IO_KILLED || code == 0, "kill %zu: %d", i, code);
    n_left[expect_one_of_both(&of, "kill", i)]++;
    n_killed += code == IO_KILLED;
    rig_remove(folder);
  }

  cr_expect_gt(n_left[OLD], 8);
  cr_expect_gt(n_left[NEW], 20);
  free_references(&of);
}

static void go_on_and_be_killed(size_t i) {
  const which_run which = whose_config("going on", i);
  io_kill_arm(i);
  if (train(which, false, true, NULL).status != VISE_OK) _exit(1);
}

static bool is_in_between(void) {
  listing *all = list_all();
  const bool is = strstr(all->text, ".vise-replaced.tmp-") != NULL;
  free(all);
  return is;
}

/* The old run, and a new one that is killed in the place of it. */
static int leave_halfway(size_t i) {
  rig_folder(folder);
  cr_assert_eq(train(OLD, false, false, NULL).status, VISE_OK);
  return in_child(overwrite_and_be_killed, i);
}

/* What recovers from a kill may be killed too. */
Test(overwrite, a_kill_while_the_old_run_is_brought_back_loses_nothing) {
  references of = make_references();
  size_t n_halfway = 0, n_left[2] = {0, 0};
  bool before = true;

  for (size_t i = 0; before; i++) {
    (void)leave_halfway(i);
    before = n_halfway == 0 || is_in_between();
    n_halfway += is_in_between();
    int code = is_in_between() ? IO_KILLED : 0;
    for (size_t k = i % 3; code == IO_KILLED; k += 3) {
      code = in_child(go_on_and_be_killed, k);
      cr_assert(code == IO_KILLED || code == 0, "kills %zu, %zu: %d", i, k, code);
      n_left[expect_one_of_both(&of, "kill", 100 * i + k)]++;
      rig_remove(folder);
      (void)leave_halfway(i);
    }
    rig_remove(folder);
  }

  cr_expect_gt(n_halfway, 6);
  cr_expect_gt(n_left[OLD], 20);
  cr_expect_gt(n_left[NEW], 5);
  free_references(&of);
}

/* ---- failures ------------------------------------------------------------------------------------------------------ */

/* false: the i-th call was never made. */
static bool check_failing_call(const references *of, io_call call, size_t i, bool resume) {
  rig_folder(folder);
  cr_assert_eq(train(OLD, false, false, NULL).status, VISE_OK);
  listing *before = list_all();

  io_fault_arm(call, i);
  const ending end = train(resume ? OLD : NEW, !resume, resume, NULL);
  const bool has_failed = io_fault_disarm();
  char what[64];
  snprintf(what, sizeof what, "%s that fails,", io_call_names[call]);

  cr_assert(end.status == VISE_OK || (has_failed && end.status == VISE_ERR_IO), "%s %zu: %s: %s", what, i,
            vise_status_name(end.status), rig_err.text);
  if (end.status != VISE_OK && end.reason == VISE_STOP_NONE) {
    listing *after = list_all();
    cr_assert_str_eq(after->text, before->text, "%s %zu: nothing was to have changed (%s)", what, i, rig_err.text);
    free(after);
  }

  const which_run which = expect_one_of_both(of, what, i);
  cr_assert(end.status != VISE_OK || which == (resume ? OLD : NEW), "%s %zu", what, i);
  free(before);
  rig_remove(folder);
  return has_failed;
}

static void check_all_calls(bool resume) {
  references of = make_references();
  for (int call = 0; call < IO_N_CALLS; call++) {
    size_t i = 0;
    while (check_failing_call(&of, (io_call)call, i, resume)) i++;
    cr_expect(i > 0 || (resume && call == IO_MKDIR), "%s", io_call_names[call]);
  }
  free_references(&of);
}

Test(overwrite, a_failing_call_leaves_the_old_run_or_the_new_one) {
  check_all_calls(false);
}

Test(overwrite, a_failing_call_leaves_the_run_that_goes_on) {
  check_all_calls(true);
}

/* Every second call is interrupted by a signal, and writes and reads do half of what they are asked. */
Test(overwrite, interrupted_calls_go_on) {
  references of = make_references();
  vise_model *models[2];
  rig_folder(folder);
  io_fault_arm_interrupts();
  cr_assert_eq(train(OLD, false, false, &models[OLD]).status, VISE_OK, "%s", rig_err.text);
  cr_assert_eq(train(OLD, false, true, NULL).status, VISE_OK, "%s", rig_err.text);
  cr_assert_eq(train(NEW, true, false, &models[NEW]).status, VISE_OK, "%s", rig_err.text);
  cr_assert(io_fault_disarm());

  cr_assert_eq(expect_one_of_both(&of, "interrupted", 0), NEW);
  for (int i = 0; i < 2; i++) {
    cr_assert(rig_same_params(models[i], of.models[i]));
    vise_model_free(models[i]);
  }
  rig_remove(folder);
  free_references(&of);
}

/* A folder lasts once the one it lies in is synced: first that one, here, then the run's own. */
Test(overwrite, a_folder_that_may_not_last_is_not_begun_in) {
  rig_folder(folder);
  io_fault_arm(IO_FSYNC, 0);
  cr_assert_eq(train(NEW, false, false, NULL).status, VISE_ERR_IO);
  cr_assert(io_fault_disarm());
  char says[300];
  snprintf(says, sizeof says, "%s: cannot be synced", folder);
  cr_assert(strstr(rig_err.text, says) != NULL, "%s", rig_err.text);
  cr_assert_not(has("out"));
  rig_remove(folder);
}

/* ---- the lock ------------------------------------------------------------------------------------------------------ */

Test(overwrite, a_lock_that_fails_changes_nothing) {
  static const int numbers[] = {EIO, EINVAL, EBADF, ENOMEM, EPERM};
  rig_folder(folder);
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
    io_fault_arm_with(IO_FLOCK, 0, numbers[i]);
    cr_assert_eq(train(NEW, i % 2 == 1, false, NULL).status, VISE_ERR_IO);
    cr_assert(io_fault_disarm());
    cr_assert_not(has("out"), "errno %d", numbers[i]);
  }

  cr_assert_eq(train(OLD, false, false, NULL).status, VISE_OK);
  listing *before = list_all();
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
    io_fault_arm_with(IO_FLOCK, 0, numbers[i]);
    cr_assert_eq(train(i % 2 == 1 ? OLD : NEW, i % 2 == 0, i % 2 == 1, NULL).status, VISE_ERR_IO);
    cr_assert(io_fault_disarm());
    listing *after = list_all();
    cr_assert_str_eq(after->text, before->text, "errno %d", numbers[i]);
    free(after);
  }
  free(before);
  rig_remove(folder);
}

Test(overwrite, without_locks_a_run_goes_on_and_leaves_none) {
  static const int numbers[] = {ENOLCK, ENOSYS, EOPNOTSUPP};
  rig_folder(folder);
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
    io_fault_arm_with(IO_FLOCK, 0, numbers[i]);
    cr_assert_eq(train(NEW, true, false, NULL).status, VISE_OK, "errno %d: %s", numbers[i], rig_err.text);
    cr_assert(io_fault_disarm());
    expect_tidy("errno", (size_t)numbers[i]);
  }
  rig_remove(folder);
}

/* What stands under the name of the lock and is no file of ours is neither waited for nor removed. */
Test(overwrite, a_pipe_or_link_in_the_place_of_the_lock_is_refused) {
  struct stat info;
  rig_folder(folder);
  cr_assert_eq(mkdir(rig_path(folder, "out"), 0700), 0);
  const char *lock = rig_path(folder, "out/" VISE_RUN_LOCK_NAME), *other = rig_path(folder, "other");
  cr_assert_eq(mkfifo(lock, 0600), 0);
  cr_assert_eq(train(NEW, false, false, NULL).status, VISE_ERR_IO);
  cr_assert(strstr(rig_err.text, "is not a regular file") != NULL, "%s", rig_err.text);
  cr_assert(lstat(lock, &info) == 0 && S_ISFIFO(info.st_mode));

  cr_assert_eq(unlink(lock), 0);
  rig_write(other, "mine");
  cr_assert_eq(symlink(other, lock), 0);
  cr_assert_eq(train(NEW, false, false, NULL).status, VISE_ERR_IO);
  char *text = rig_read(other);
  cr_assert_str_eq(text, "mine");
  free(text);
  rig_remove(folder);
}
