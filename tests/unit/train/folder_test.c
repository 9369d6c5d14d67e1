/* Whose files a run may touch: other runs', those of others, and what a crash left. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/train/run_lock.h"
#include "rig.h"

static const size_t widths[] = {4, 6, 3};
static char folder[256];

static void enter(void) {
  rig_folder(folder);
}

static void leave(void) {
  rig_remove(folder);
}

TestSuite(run_folder, .init = enter, .fini = leave);

/* Trains in "<folder>/<name>" as run says; its other settings are few. */
static vise_status train_in(const char *name, vise_run_config run, vise_run_result *result) {
  vise_dataset *train = rig_classes(23, 4, 3, 1);
  vise_model *model = rig_model(widths, 3, true, VISE_F64);
  vise_trainer *trainer = NULL;
  vise_train_config config;
  vise_train_config_init(&config);
  config.backend = VISE_BACKEND_CPU64;
  config.batch = 5;
  config.epochs = 2;
  run.out_dir = rig_path(folder, name);

  OK(vise_trainer_create(&config, model, train, NULL, NULL, &trainer, &rig_err));
  vise_error_clear(&rig_err);
  const vise_status status = vise_trainer_run(trainer, &run, result, &rig_err);

  vise_trainer_free(trainer);
  vise_model_free(model);
  vise_dataset_free(train);
  return status;
}

static vise_run_config overwriting(void) {
  vise_run_config run = rig_run_config(NULL, NULL);
  run.config_json = rig_config_json;
  run.overwrite = true;
  return run;
}

static vise_run_config resuming(rig_notes *notes) {
  vise_run_config run = rig_run_config(NULL, notes);
  run.resume = true;
  return run;
}

static void make_dir(const char *name) {
  cr_assert_eq(mkdir(rig_path(folder, name), 0700), 0, "%s", name);
}

static void put(const char *name, const char *text) {
  rig_write(rig_path(folder, name), text);
}

static void expect_text(const char *name, const char *text) {
  char *now = rig_read(rig_path(folder, name));
  cr_expect_str_eq(now, text, "%s", name);
  free(now);
}

static bool there(const char *name) {
  return rig_exists(rig_path(folder, name));
}

/* ---- overwriting ------------------------------------------------------------------------------------------------ */

Test(run_folder, one_that_is_not_empty_needs_overwrite) {
  vise_run_config run = rig_run_config(NULL, NULL);
  vise_run_result result;
  make_dir("out");
  put("out/notes.txt", "mine");

  REFUSED(train_in("out", run, &result), VISE_ERR_USAGE, "is not empty");
  cr_expect(!there("out/metrics.jsonl"));
  expect_text("out/notes.txt", "mine");

  run.overwrite = true;
  run.resume = true;
  REFUSED(train_in("out", run, &result), VISE_ERR_USAGE, "`overwrite` and `resume`");
}

Test(run_folder, one_without_a_run_is_never_overwritten) {
  vise_run_result result;
  make_dir("out");
  make_dir("out/checkpoints");
  make_dir("out/checkpoints/best");
  put("out/checkpoints/best/model.pt", "torch");
  put("out/train.py", "mine");
  REFUSED(train_in("out", overwriting(), &result), VISE_ERR_USAGE, "holds no run of Vise");

  put("out/config.json", "{\"mine\": 1}");
  REFUSED(train_in("out", overwriting(), &result), VISE_ERR_USAGE, "config.json: it was not written by a run");
  expect_text("out/config.json", "{\"mine\": 1}");
  expect_text("out/checkpoints/best/model.pt", "torch");
  cr_expect(!there("out/metrics.jsonl") && !there("out/" VISE_RUN_LOCK_NAME));
}

static const char page_of_vise[] = "<!DOCTYPE html>\n<meta name=\"generator\" content=\"vise 0.1.0\">\n";

Test(run_folder, a_page_alone_is_no_run) {
  vise_run_result result;
  make_dir("out");
  put("out/report.html", page_of_vise);
  put("out/sweep.json", "{}");
  REFUSED(train_in("out", overwriting(), &result), VISE_ERR_USAGE, "holds no run of Vise");
  expect_text("out/report.html", page_of_vise);
}

Test(run_folder, a_run_is_replaced_and_other_files_stay) {
  vise_run_result result;
  OK(train_in("out", overwriting(), &result));
  put("out/notes.txt", "mine");
  put("out/checkpoints/epoch_10.pt", "torch");
  put("out/report.html", "<p>mine");

  vise_run_config run = overwriting();
  run.config_json = NULL;
  REFUSED(train_in("out", run, &result), VISE_ERR_USAGE, "report.html: it was not written by a run");
  expect_text("out/report.html", "<p>mine");
  put("out/report.html", page_of_vise);
  OK(train_in("out", run, &result));

  cr_expect(!there("out/config.json") && !there("out/report.html"));
  cr_expect(there("out/model.safetensors"));
  expect_text("out/notes.txt", "mine");
  expect_text("out/checkpoints/epoch_10.pt", "torch");
}

Test(run_folder, what_a_power_cut_emptied_is_replaced) {
  vise_run_result result;
  OK(train_in("out", overwriting(), &result));
  put("out/config.json", "");
  put("out/model.safetensors", "");
  OK(train_in("out", overwriting(), &result));
  expect_text("out/config.json", rig_config_json);
}

/* Puts text in the place of one file of a run; the run is then not to be replaced. */
static void check_foreign(const char *name, const char *text, const char *says) {
  vise_run_result result;
  OK(train_in("out", overwriting(), &result));
  put(name, text);
  REFUSED(train_in("out", overwriting(), &result), VISE_ERR_USAGE, says);
  expect_text(name, text);
  cr_expect(there("out/checkpoints/step-000000010/tensors.safetensors"));
  rig_remove(rig_path(folder, "out"));
}

Test(run_folder, files_of_others_under_the_names_of_a_run_are_never_replaced) {
  check_foreign("out/config.json", "{\"lr\": 0.1, \"loss\": \"mse\", \"optimizer\": \"adam\"}",
                "config.json: it was not written by a run");
  check_foreign("out/config.json", "not even JSON", "config.json: it was not written by a run");
  check_foreign("out/metrics.jsonl", "{\"event\":\"epoch\",\"loss\":1}\n",
                "metrics.jsonl: it was not written by a run");
  check_foreign("out/metrics.jsonl", "epoch 1", "metrics.jsonl: it was not written by a run");
  check_foreign("out/model.safetensors", "torch", "model.safetensors: it was not written by a run");
  check_foreign("out/mask.safetensors", "mine", "mask.safetensors: it was not written by a run");
  check_foreign("out/checkpoints/step-000000010/notes.txt", "mine", "step-000000010: it is damaged");
  check_foreign("out/checkpoints/step-000000010/state.json", "{}", "step-000000010: it is damaged");
}

Test(run_folder, a_folder_of_others_in_a_checkpoint_is_never_replaced) {
  vise_run_result result;
  OK(train_in("out", overwriting(), &result));
  const char *tensors = rig_path(folder, "out/checkpoints/step-000000010/tensors.safetensors");
  cr_assert_eq(unlink(tensors), 0);
  make_dir("out/checkpoints/step-000000010/tensors.safetensors");
  put("out/checkpoints/step-000000010/tensors.safetensors/mine", "mine");
  REFUSED(train_in("out", overwriting(), &result), VISE_ERR_USAGE, "step-000000010: it is damaged, or holds");
  expect_text("out/checkpoints/step-000000010/tensors.safetensors/mine", "mine");
}

Test(run_folder, links_are_not_followed) {
  vise_run_result result;
  OK(train_in("out", overwriting(), &result));
  OK(train_in("other", overwriting(), &result));
  rig_remove(rig_path(folder, "out/checkpoints"));
  cr_assert_eq(symlink(rig_path(folder, "other/checkpoints"), rig_path(folder, "out/checkpoints")), 0);

  REFUSED(train_in("out", overwriting(), &result), VISE_ERR_USAGE, "checkpoints: it is a symbolic link");
  REFUSED(train_in("out", resuming(NULL), &result), VISE_ERR_IO, "checkpoints: is not a folder");
  cr_expect(there("other/checkpoints/step-000000010"));
}

Test(run_folder, a_run_that_is_gone_on_with_does_not_write_through_a_link) {
  vise_run_result result;
  OK(train_in("out", overwriting(), &result));
  put("elsewhere", "mine");
  cr_assert_eq(unlink(rig_path(folder, "out/metrics.jsonl")), 0);
  cr_assert_eq(symlink(rig_path(folder, "elsewhere"), rig_path(folder, "out/metrics.jsonl")), 0);

  REFUSED(train_in("out", resuming(NULL), &result), VISE_ERR_IO, "metrics.jsonl");
  expect_text("elsewhere", "mine");
}

/* ---- beginning -------------------------------------------------------------------------------------------------- */

Test(run_folder, is_made_with_its_parents) {
  vise_run_result result;
  OK(train_in("a/b/c", rig_run_config(NULL, NULL), &result));
  cr_expect(there("a/b/c/model.safetensors"));
  cr_expect(!there("a/b/c/" VISE_RUN_LOCK_NAME), "the lock is for the time of the run");
}

static vise_status train_without_room(const char *name) {
  const struct rlimit none = {0, 0};
  vise_run_config run = rig_run_config(NULL, NULL);
  run.config_json = rig_config_json;
  signal(SIGXFSZ, SIG_IGN);
  return setrlimit(RLIMIT_FSIZE, &none) == 0 ? train_in(name, run, NULL) : VISE_ERR_INTERNAL;
}

Test(run_folder, nothing_is_left_when_nothing_begins) {
  const pid_t child = fork();
  cr_assert_geq(child, 0);
  if (child == 0) _exit((int)train_without_room("a/b"));

  int status = 0;
  cr_assert_eq(waitpid(child, &status, 0), child);
  cr_assert_eq(WEXITSTATUS(status), VISE_ERR_IO);
  cr_expect(!there("a"));
}

Test(run_folder, what_a_crash_left_does_not_count) {
  vise_run_result result;
  char name[64];
  const pid_t child = fork();
  if (child == 0) _exit(0);
  cr_assert_eq(waitpid(child, NULL, 0), child);

  make_dir("out");
  make_dir("out/checkpoints");
  put("out/metrics.jsonl", "");
  put("out/" VISE_RUN_LOCK_NAME, "1 nowhere\n");
  snprintf(name, sizeof name, "out/config.json.tmp-%ld-0", (long)child);
  put(name, "{");
  OK(train_in("out", rig_run_config(NULL, NULL), &result));
  cr_expect(!there(name));

  snprintf(name, sizeof name, "out/notes.tmp-%ld-0", (long)child);
  put(name, "mine");
  OK(train_in("out", resuming(NULL), &result));
  expect_text(name, "mine");
}

/* ---- the lock --------------------------------------------------------------------------------------------------- */

Test(run_folder, is_for_one_run_at_a_time) {
  vise_run_result result;
  vise_i_run_lock lock = VISE_I_RUN_LOCK_INIT;
  bool has_locks = false;
  char says[128];
  OK(train_in("out", overwriting(), &result));

  OK(vise_i_run_lock_take(&lock, rig_path(folder, "out"), &has_locks, &rig_err));
  cr_assert(has_locks);
  snprintf(says, sizeof says, "process %ld on ", (long)getpid());
  REFUSED(train_in("out", resuming(NULL), &result), VISE_ERR_STATE, says);
  REFUSED(train_in("out", overwriting(), &result), VISE_ERR_STATE, says);
  cr_expect(there("out/checkpoints/step-000000010/state.json"));

  vise_i_run_lock_release(&lock);
  OK(train_in("out", resuming(NULL), &result));
}

/* A process that only looks, and is refused the folder for what is in it, is not in the way of another. */
Test(run_folder, one_that_is_held_for_a_moment_is_waited_for) {
  vise_i_run_lock lock = VISE_I_RUN_LOCK_INIT;
  bool has_locks = false;
  int ready[2];
  char byte;
  cr_assert_eq(pipe(ready), 0);

  const pid_t child = fork();
  if (child == 0) {
    const bool taken = vise_i_run_lock_take(&lock, folder, &has_locks, NULL) == VISE_OK;
    if (!taken || write(ready[1], "x", 1) != 1) _exit(1);
    (void)usleep(40000);
    vise_i_run_lock_release(&lock);
    _exit(0);
  }
  cr_assert_eq(read(ready[0], &byte, 1), 1);
  OK(vise_i_run_lock_take(&lock, folder, &has_locks, &rig_err));
  vise_i_run_lock_release(&lock);
  cr_assert_eq(waitpid(child, NULL, 0), child);
}

Test(run_folder, a_killed_process_leaves_it_free) {
  vise_i_run_lock lock = VISE_I_RUN_LOCK_INIT;
  bool has_locks = false;
  int ready[2];
  char byte;
  cr_assert_eq(pipe(ready), 0);

  const pid_t child = fork();
  if (child == 0) {
    const bool taken = vise_i_run_lock_take(&lock, folder, &has_locks, NULL) == VISE_OK;
    if (taken && write(ready[1], "x", 1) == 1) pause();
    _exit(1);
  }
  cr_assert_eq(read(ready[0], &byte, 1), 1);
  REFUSED(vise_i_run_lock_take(&lock, folder, &has_locks, &rig_err), VISE_ERR_STATE, "process ");

  cr_assert_eq(kill(child, SIGKILL), 0);
  cr_assert_eq(waitpid(child, NULL, 0), child);
  OK(vise_i_run_lock_take(&lock, folder, &has_locks, &rig_err));
  vise_i_run_lock_release(&lock);
  vise_i_run_lock_release(&lock);
}

/* ---- going on --------------------------------------------------------------------------------------------------- */

Test(run_folder, a_run_without_a_checkpoint_starts_again) {
  vise_run_result result;
  rig_notes notes = {.n_progress = 0};
  OK(train_in("whole", overwriting(), &result));

  make_dir("out");
  put("out/config.json", rig_config_json);
  put("out/metrics.jsonl", "{\"event\":\"epoch\",\"train_loss\":9,\"seconds\":1}\n");
  OK(train_in("out", resuming(&notes), &result));
  cr_expect(strstr(notes.log, "starts again at step 0") != NULL, "said: %s", notes.log);
  cr_expect_eq(result.resumed_from_step, 0);

  char *p = rig_metrics(rig_path(folder, "out")), *q = rig_metrics(rig_path(folder, "whole"));
  cr_expect_str_eq(p, q);
  free(p);
  free(q);
}

Test(run_folder, a_run_that_has_lost_its_checkpoints_does_not_start_again) {
  vise_run_result result;
  OK(train_in("out", overwriting(), &result));
  rig_remove(rig_path(folder, "out/checkpoints"));
  REFUSED(train_in("out", resuming(NULL), &result), VISE_ERR_USAGE, "there is no checkpoint");
  cr_expect(there("out/model.safetensors"));
}

/* A process that was killed before it removed what it did not need any more. */
Test(run_folder, old_checkpoints_of_a_killed_run_go) {
  vise_run_result result;
  char command[1200];
  OK(train_in("out", overwriting(), &result));
  snprintf(command, sizeof command,
           "cd '%s' && cp -r step-000000010 step-000000001 && cp -r step-000000010 step-000000002",
           rig_path(folder, "out/checkpoints"));
  cr_assert_eq(system(command), 0);
  OK(train_in("out", resuming(NULL), &result));
  cr_expect(there("out/checkpoints/step-000000010") && there("out/checkpoints/step-000000002"));
  cr_expect(!there("out/checkpoints/step-000000001"));
}

/* Goes on in a process that may have only few files open; the status of that. */
static int resume_with_few_files(rlim_t n_files) {
  const struct rlimit few = {n_files, n_files};
  return setrlimit(RLIMIT_NOFILE, &few) == 0 ? (int)train_in("out", resuming(NULL), NULL) : -1;
}

Test(run_folder, a_checkpoint_that_cannot_be_read_is_not_called_damaged) {
  vise_run_result result;
  size_t n_failed = 0;
  OK(train_in("out", overwriting(), &result));

  for (rlim_t n_files = 0; n_files < 64; n_files++) {
    const pid_t child = fork();
    int status = 0;
    if (child == 0) _exit(resume_with_few_files(n_files));
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert(WIFEXITED(status));

    cr_assert(WEXITSTATUS(status) == VISE_OK || WEXITSTATUS(status) == VISE_ERR_IO, "%d files: status %d", (int)n_files,
              WEXITSTATUS(status));
    n_failed += WEXITSTATUS(status) != VISE_OK;
    cr_assert(there("out/checkpoints/step-000000010/state.json"), "%d files", (int)n_files);
    cr_assert_not(there("out/checkpoints/step-000000010.damaged"), "%d files", (int)n_files);
  }
  cr_expect_geq(n_failed, 4);
}
