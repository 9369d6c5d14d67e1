/* A full disk, or a disk that fails, at every place of a run: nothing leaves a broken checkpoint or model as the newest,
   and nothing that could not be read is taken for damaged. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "host/train/jsonl.h"
#include "rig.h"
#include "tests/support/io_fault.h"

static const size_t widths[] = {4, 6, 3};

typedef struct scene {
  vise_dataset *train;
  vise_train_config config;
  char folder[256];
  bool resume, patience;
} scene;

static void set_scene(scene *s) {
  s->train = rig_classes(23, 4, 3, 1);
  vise_train_config_init(&s->config);
  s->config.backend = VISE_BACKEND_CPU64;
  s->config.optimizer = VISE_ADAM;
  s->config.batch = 5;
  s->config.n_threads = 1;
  s->config.weight_op.kind = VISE_PRUNE; /* so that there is a mask too */
  s->config.weight_op.fraction = 0.3;
  s->config.weight_op_at = VISE_AT_STEP;
  s->config.weight_op_when = 2;
}

static vise_status run_epochs(const scene *s, uint64_t epochs, vise_model **out) {
  vise_model *model = rig_model(widths, 3, true, VISE_F64);
  vise_trainer *trainer = NULL;
  vise_train_config config = s->config;
  config.epochs = epochs;

  vise_run_config run = rig_run_config(s->folder, NULL);
  run.resume = s->resume;
  run.log_every = 1;
  run.config_json = rig_config_json;
  run.checkpoint_each_epoch = true;

  OK(vise_trainer_create(&config, model, s->train, NULL, NULL, &trainer, &rig_err));
  vise_run_result result;
  vise_error_clear(&rig_err);
  const vise_status status = vise_trainer_run(trainer, &run, &result, &rig_err);

  vise_trainer_free(trainer);
  if (out != NULL) {
    *out = model;
  } else {
    vise_model_free(model);
  }
  return status;
}

static int run_in_child(void *user) {
  const scene *s = user;
  return (int)run_epochs(s, 4, NULL);
}

/* Every checkpoint present is whole and the model, if any, loads; returns the number of checkpoints. */
static size_t check_folder(const scene *s, size_t limit) {
  const size_t n = rig_whole_checkpoints(s->folder, "limit", limit);
  const char *model_path = rig_path(s->folder, "model.safetensors");
  if (rig_exists(model_path)) {
    vise_model *model = NULL;
    vise_error err = VISE_ERROR_INIT;
    cr_assert_eq(vise_model_load(model_path, &model, &err), VISE_OK, "limit %zu: %s", limit, err.text);
    vise_model_free(model);
  }
  return n;
}

static void check_lines(const scene *s, size_t limit) {
  if (!rig_exists(rig_path(s->folder, "metrics.jsonl"))) return;
  char *text = rig_read(rig_path(s->folder, "metrics.jsonl"));
  const size_t n = strlen(text);
  cr_assert(n == 0 || text[n - 1] == '\n', "limit %zu: half a line in metrics.jsonl", limit);
  free(text);
}

/* Size of the largest file of a run, so that the limits go past it. */
static size_t largest_file(const char *folder) {
  size_t largest = 0;
  DIR *dir = opendir(folder);
  cr_assert(dir != NULL);

  for (const struct dirent *entry; (entry = readdir(dir)) != NULL;) {
    char path[600];
    struct stat info;
    if (entry->d_name[0] == '.') continue;

    snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
    if (stat(path, &info) != 0) continue;
    const size_t size = S_ISDIR(info.st_mode) ? largest_file(path) : (size_t)info.st_size;
    if (size > largest) largest = size;
  }

  closedir(dir);
  return largest;
}

static void check_all_limits(bool resume) {
  scene s = {.resume = false};
  vise_model *reference = NULL;
  set_scene(&s);
  rig_folder(s.folder);

  OK(run_epochs(&s, 4, &reference));
  const size_t end = largest_file(s.folder) + 64;
  rig_remove(s.folder);

  size_t n_failed = 0, n_ended = 0;
  for (size_t limit = 0; limit < end; limit += 23) {
    rig_folder(s.folder);
    s.resume = false;
    if (resume) OK(run_epochs(&s, 2, NULL));
    s.resume = resume;

    const vise_status status = (vise_status)rig_with_full_disk(limit, run_in_child, &s);
    cr_assert(status == VISE_OK || status == VISE_ERR_IO, "limit %zu: %s", limit, vise_status_name(status));
    n_failed += status == VISE_ERR_IO;
    n_ended += status == VISE_OK;

    const size_t n = check_folder(&s, limit);
    check_lines(&s, limit);
    if (resume) cr_assert_gt(n, 0, "limit %zu: the last good checkpoint is gone", limit);

    if (n > 0) {
      vise_model *model = NULL;
      s.resume = true;
      OK(run_epochs(&s, 4, &model));
      cr_assert(rig_same_params(model, reference), "limit %zu: other bits after the disk had room again", limit);
      vise_model_free(model);
    }
    rig_remove(s.folder);
  }

  cr_expect_gt(n_failed, 10);
  cr_expect_gt(n_ended, 0);
  vise_model_free(reference);
  vise_dataset_free(s.train);
}

Test(full_disk, leaves_a_new_run_whole_or_without_checkpoints) {
  check_all_limits(false);
}

Test(full_disk, keeps_the_last_good_checkpoint_of_a_run_that_goes_on) {
  check_all_limits(true);
}

/* ---- a disk that fails once --------------------------------------------------------------------------------------- */

static bool has_damaged(const scene *s) {
  bool found = false;
  DIR *dir = opendir(rig_path(s->folder, "checkpoints"));
  for (const struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
    found = found || strstr(entry->d_name, "damaged") != NULL;
  }
  if (dir != NULL) closedir(dir);
  return found;
}

/* Whether a failure of the i-th call must fail the run: not that of the lock's owner, who may stay unnamed, nor one that
   only keeps what is old or was left behind from being removed. */
static bool must_fail(io_call call, size_t i) {
  return (call == IO_PWRITE && i > 0) || call == IO_FSYNC || call == IO_WRITE || call == IO_FLOCK;
}

/* Lets the i-th call fail in a run of four epochs, or in the second half of one; false: it was never made. */
static bool check_failing_call(scene *s, io_call call, size_t i, bool resume, const vise_model *reference) {
  rig_folder(s->folder);
  s->resume = false;
  if (resume) OK(run_epochs(s, 2, NULL));
  s->resume = resume;

  io_fault_arm(call, i);
  const vise_status status = run_epochs(s, 4, NULL);
  const bool has_failed = io_fault_disarm();
  const bool may_fail = has_failed && !(call == IO_PWRITE && i == 0);
  cr_assert(status == VISE_OK ? !has_failed || !must_fail(call, i) : may_fail && status == VISE_ERR_IO,
            "%s %zu: %s: %s", io_call_names[call], i, vise_status_name(status), rig_err.text);

  const size_t n = check_folder(s, i);
  check_lines(s, i);
  cr_assert_not(has_damaged(s), "%s %zu", io_call_names[call], i);
  if (resume) cr_assert_gt(n, 0, "%s %zu: the last good checkpoint is gone", io_call_names[call], i);

  if (rig_exists(rig_path(s->folder, "config.json"))) {
    vise_model *model = NULL;
    s->resume = true;
    OK(run_epochs(s, 4, &model));
    cr_assert(rig_same_params(model, reference), "%s %zu: other bits after the failure", io_call_names[call], i);
    vise_model_free(model);
  }
  rig_remove(s->folder);
  return has_failed;
}

static void check_all_calls(bool resume) {
  scene s = {.resume = false};
  vise_model *reference = NULL;
  set_scene(&s);
  rig_folder(s.folder);
  OK(run_epochs(&s, 4, &reference));
  rig_remove(s.folder);

  for (int call = 0; call < IO_N_CALLS; call++) {
    size_t i = 0;
    while (check_failing_call(&s, (io_call)call, i, resume, reference)) i++;
    const bool none = (call == IO_READ && !resume) || call == IO_FLOCK; /* which is one call */
    cr_expect(i > 1 || none, "%s: %zu calls", io_call_names[call], i);
  }
  vise_model_free(reference);
  vise_dataset_free(s.train);
}

Test(failing_disk, leaves_a_new_run_whole_or_without_checkpoints) {
  check_all_calls(false);
}

Test(failing_disk, keeps_the_last_good_checkpoint_of_a_run_that_goes_on) {
  check_all_calls(true);
}

/* ---- a disk that tells once of what it lost ------------------------------------------------------------------------- */

Test(failing_disk, lines_that_were_lost_are_not_taken_for_saved_later) {
  vise_i_jsonl file = VISE_I_JSONL_INIT;
  char folder[256];
  rig_folder(folder);
  OK(vise_i_jsonl_open(&file, rig_path(folder, "lines"), 0, NULL, &rig_err));
  vise_i_jsonl_begin(&file, "step");
  OK(vise_i_jsonl_end(&file, &rig_err));

  io_fault_arm(IO_FSYNC, 0);
  REFUSED(vise_i_jsonl_sync(&file, &rig_err), VISE_ERR_IO, "its lines may not last");
  cr_assert(io_fault_disarm());
  REFUSED(vise_i_jsonl_sync(&file, &rig_err), VISE_ERR_IO, "its lines may not last");
  vise_i_jsonl_close(&file);
  rig_remove(folder);
}

/* The file is there, and the call says that it may not be after a crash. */
Test(failing_disk, a_file_whose_folder_is_not_synced_may_not_last) {
  vise_model *model = rig_model(widths, 3, true, VISE_F64);
  char folder[256];
  rig_folder(folder);
  const char *path = rig_path(folder, "model.safetensors");
  io_fault_arm(IO_FSYNC, 1);
  REFUSED(vise_model_save(model, path, &rig_err), VISE_ERR_IO, "was written, but may not last");
  cr_assert(io_fault_disarm());
  cr_assert(rig_exists(path));

  io_fault_arm(IO_FSYNC, 0);
  REFUSED(vise_model_save(model, path, &rig_err), VISE_ERR_IO, "cannot be written");
  cr_assert(io_fault_disarm());
  rig_remove(folder);
  vise_model_free(model);
}
