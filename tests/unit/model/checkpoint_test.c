#include "host/model/checkpoint.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/base/file.h"
#include "tests/unit/model/rig.h"

TestSuite(checkpoint, .init = rig_make_folder, .fini = rig_remove_folder);

static const float weights[6] = {1, 2, 3, 4, 5, 6};
static const uint8_t mask[3] = {1, 0, 1};
static const vise_i_st_tensor weight_tensors[] = {
    {.name = "0.weight", .dtype = VISE_I_ST_F32, .n_dims = 2, .dims = {2, 3}, .data = weights}};
static const vise_i_st_tensor mask_tensors[] = {
    {.name = "0.weight", .dtype = VISE_I_ST_U8, .n_dims = 1, .dims = {3}, .data = mask}};
static const vise_i_checkpoint_part parts[] = {{"model", weight_tensors, 1}, {"mask", mask_tensors, 1}};
static const char *const file_names[] = {"state.json", "model.safetensors", "mask.safetensors"};

static json_t *example_state(void) {
  json_t *state = json_pack("{s:I, s:f, s:f, s:s}", "step", (json_int_t)123, "third", 1.0 / 3, "tiny", 5e-324, "bits",
                            "7ff8000000000000");
  cr_assert_not_null(state);
  return state;
}

static vise_status write_step(uint64_t step, vise_error *err) {
  json_t *state = example_state();
  const char *parent = rig_in("checkpoints");
  char *dir = NULL;
  cr_assert_eq(vise_i_make_dir(parent, NULL), VISE_OK);
  cr_assert_eq(vise_i_checkpoint_path(&dir, parent, step, NULL), VISE_OK);
  vise_status status = vise_i_checkpoint_write(dir, state, parts, 2, err);
  json_decref(state);
  free(dir);
  return status;
}

static char *step_path(uint64_t step) {
  const char *parent = rig_in("checkpoints");
  char *dir = NULL;
  cr_assert_eq(vise_i_checkpoint_path(&dir, parent, step, NULL), VISE_OK);
  return dir;
}

Test(checkpoint, everything_written_is_read_back) {
  vise_error err = VISE_ERROR_INIT;
  EXPECT_OK(write_step(123, &err), err);
  char *dir = step_path(123);
  cr_assert_not_null(strstr(dir, "/checkpoints/step-000000123"));
  EXPECT_OK(vise_i_checkpoint_verify(vise_i_checkpoint_in_folder(dir), &err), err);

  json_t *state = NULL, *expected = example_state();
  EXPECT_OK(vise_i_checkpoint_read_state(vise_i_checkpoint_in_folder(dir), &state, &err), err);
  cr_assert(json_equal(state, expected));

  for (int i = 0; i < 2; ++i) {
    vise_i_st_file *file = NULL;
    EXPECT_OK(vise_i_checkpoint_read_part(vise_i_checkpoint_in_folder(dir), parts[i].name, &file, &err), err);
    const vise_i_st_tensor *found = vise_i_st_find(file, "0.weight");
    cr_assert_not_null(found);
    cr_assert_eq(memcmp(found->data, parts[i].tensors[0].data, i == 0 ? sizeof weights : sizeof mask), 0);
    vise_i_st_free(file);
  }

  vise_i_st_file *none = NULL;
  cr_assert_eq(vise_i_checkpoint_read_part(vise_i_checkpoint_in_folder(dir), "moments", &none, NULL), VISE_ERR_FORMAT);
  cr_assert_eq(vise_i_checkpoint_read_part(vise_i_checkpoint_in_folder(dir), "../x", &none, NULL), VISE_ERR_INTERNAL);
  cr_assert_eq(rig_n_entries(dir), 3);

  json_decref(state);
  json_decref(expected);
  free(dir);
}

Test(checkpoint, is_never_written_over) {
  const char *parent = rig_in("checkpoints");
  char *dir = step_path(1);
  cr_assert_eq(write_step(1, NULL), VISE_OK);
  cr_assert_eq(write_step(1, NULL), VISE_ERR_IO);
  cr_assert_eq(vise_i_checkpoint_verify(vise_i_checkpoint_in_folder(dir), NULL), VISE_OK);
  cr_assert_eq(rig_n_entries(parent), 1);

  json_t *state = example_state();
  const char *nowhere = rig_in("missing/step-000000001");
  cr_assert_eq(vise_i_checkpoint_write(nowhere, state, parts, 2, NULL), VISE_ERR_IO);

  json_decref(state);
  free(dir);
}

Test(checkpoint, any_flipped_bit_in_any_file_is_found) {
  cr_assert_eq(write_step(5, NULL), VISE_OK);
  char *dir = step_path(5);
  size_t n_flips = 0;

  for (int f = 0; f < 3; ++f) {
    const char *path = rig_path(dir, file_names[f]);
    uint8_t *bytes;
    size_t n;
    rig_read(path, &bytes, &n);

    for (size_t i = 0; i < n; ++i) {
      for (int bit = 0; bit < 8; ++bit, ++n_flips) {
        vise_error err = VISE_ERROR_INIT;
        bytes[i] ^= (uint8_t)(1u << bit);
        rig_write(path, bytes, n);
        cr_assert_eq(vise_i_checkpoint_verify(vise_i_checkpoint_in_folder(dir), &err), VISE_ERR_FORMAT, "%s, byte %zu",
                     file_names[f], i);
        cr_assert_not_null(strstr(err.text, file_names[f]), "%s", err.text);
        bytes[i] ^= (uint8_t)(1u << bit);
      }
    }

    rig_write(path, bytes, n);
    cr_assert_eq(vise_i_checkpoint_verify(vise_i_checkpoint_in_folder(dir), NULL), VISE_OK);
    free(bytes);
  }

  cr_assert_gt(n_flips, 3000);
  free(dir);
}

Test(checkpoint, any_cut_or_missing_file_is_found) {
  cr_assert_eq(write_step(5, NULL), VISE_OK);
  char *dir = step_path(5);

  for (int f = 0; f < 3; ++f) {
    const char *path = rig_path(dir, file_names[f]);
    uint8_t *bytes;
    size_t n;
    rig_read(path, &bytes, &n);

    for (size_t cut = 0; cut < n; ++cut) {
      rig_write(path, bytes, cut);
      cr_assert_eq(vise_i_checkpoint_verify(vise_i_checkpoint_in_folder(dir), NULL), VISE_ERR_FORMAT, "%s cut at %zu",
                   file_names[f], cut);
    }

    cr_assert_eq(unlink(path), 0);
    cr_assert_eq(vise_i_checkpoint_verify(vise_i_checkpoint_in_folder(dir), NULL), VISE_ERR_FORMAT);
    cr_assert_eq(mkdir(path, 0777), 0);
    cr_assert_eq(vise_i_checkpoint_verify(vise_i_checkpoint_in_folder(dir), NULL), VISE_ERR_FORMAT);
    cr_assert_eq(rmdir(path), 0);
    rig_write(path, bytes, n);
    cr_assert_eq(vise_i_checkpoint_verify(vise_i_checkpoint_in_folder(dir), NULL), VISE_OK);
    free(bytes);
  }
  free(dir);
}

Test(checkpoint, a_part_that_was_exchanged_is_not_read) {
  cr_assert_eq(write_step(5, NULL), VISE_OK);
  char *dir = step_path(5);
  static const float others[6] = {1, 2, 3, 4, 5, 7};
  vise_i_st_tensor tensor = weight_tensors[0];
  vise_i_st_file *file = NULL;
  tensor.data = others;

  cr_assert_eq(
      vise_i_st_write(rig_path(dir, "model.safetensors"), &(vise_i_st_content){&tensor, 1, NULL, 0}, NULL, NULL),
      VISE_OK);

  cr_assert_eq(vise_i_checkpoint_read_part(vise_i_checkpoint_in_folder(dir), "model", &file, NULL), VISE_ERR_FORMAT);
  cr_assert_null(file);
  cr_assert_eq(vise_i_checkpoint_read_part(vise_i_checkpoint_in_folder(dir), "mask", &file, NULL), VISE_OK);
  vise_i_st_free(file);

  free(dir);
}

static void make_entry(const char *parent, const char *name, bool folder) {
  const char *path = rig_path(parent, name);
  if (folder) {
    cr_assert_eq(mkdir(path, 0777), 0);
  } else {
    rig_write(path, "x", 1);
  }
}

Test(checkpoint, lists_and_prunes_only_its_own) {
  static const uint64_t steps[] = {7, 1000000000, 0, 12, 999999999};
  static const char *const junk_folders[] = {
      "step-12",           "step-00000000x", "step--00000001", "other", "step-", "step-99999999999999999999999",
      "step-000000012.old"};
  const char *parent = rig_in("checkpoints");
  uint64_t *listed = NULL;
  size_t n = 99;

  cr_assert_eq(vise_i_checkpoint_list(parent, &listed, &n, NULL), VISE_OK);
  cr_assert(n == 0 && !listed);
  cr_assert_eq(vise_i_checkpoint_prune(parent, 2, NULL), VISE_OK);

  for (size_t i = 0; i < 5; ++i) cr_assert_eq(write_step(steps[i], NULL), VISE_OK);
  for (size_t i = 0; i < 7; ++i) make_entry(parent, junk_folders[i], true);
  make_entry(parent, "step-000000055", false);
  make_entry(parent, "step-000000003", true); /* named as a checkpoint, but holds none */

  cr_assert_eq(vise_i_checkpoint_list(parent, &listed, &n, NULL), VISE_OK);
  static const uint64_t expected[] = {1000000000, 999999999, 12, 7, 3, 0};
  cr_assert_eq(n, 6);
  cr_assert_eq(memcmp(listed, expected, sizeof expected), 0);
  free(listed);

  cr_assert_eq(vise_i_checkpoint_prune(parent, 2, NULL), VISE_OK);
  cr_assert_eq(vise_i_checkpoint_list(parent, &listed, &n, NULL), VISE_OK);
  cr_assert_eq(n, 3);
  cr_assert_eq(memcmp(listed, expected, 2 * sizeof *expected), 0);
  cr_assert_eq(listed[2], 3);
  free(listed);
  cr_assert_eq(rig_n_entries(parent), 2 + 7 + 2);
}

Test(checkpoint, one_with_a_file_of_others_is_kept) {
  const char *parent = rig_in("checkpoints");
  char *dir = step_path(1);
  bool ours = false;
  for (uint64_t step = 1; step <= 3; ++step) cr_assert_eq(write_step(step, NULL), VISE_OK);

  cr_assert_eq(vise_i_checkpoint_is_ours(dir, &ours, NULL), VISE_OK);
  cr_assert(ours);
  make_entry(dir, "notes.txt", false);
  cr_assert_eq(vise_i_checkpoint_is_ours(dir, &ours, NULL), VISE_OK);
  cr_assert_not(ours);

  cr_assert_eq(vise_i_checkpoint_prune(parent, 1, NULL), VISE_OK);
  cr_assert_eq(rig_n_entries(parent), 2);
  cr_assert_eq(rig_n_entries(dir), 4);
  free(dir);
}

/* The id of a process that has ended. */
static long dead_process(void) {
  pid_t pid = fork();
  cr_assert_geq(pid, 0);
  if (pid == 0) _exit(0);
  cr_assert_eq(waitpid(pid, NULL, 0), pid);
  return (long)pid;
}

Test(checkpoint, only_leftovers_of_ended_processes_are_removed) {
  const char *parent = rig_in("checkpoints");
  char dead[64], old[64], living[64];
  cr_assert_eq(vise_i_make_dir(parent, NULL), VISE_OK);
  snprintf(dead, sizeof dead, ".step-000000013.tmp-%ld-0", dead_process());
  snprintf(old, sizeof old, ".step-000000013.tmp-%ld", dead_process());
  snprintf(living, sizeof living, ".step-000000013.tmp-%ld-0", (long)getppid());

  make_entry(parent, dead, true);
  make_entry(parent, old, true);
  make_entry(parent, living, true);
  make_entry(parent, ".step-000000013.tmp-x", true);
  cr_assert_eq(vise_i_checkpoint_remove_leftovers(parent, NULL), VISE_OK);

  cr_assert_eq(rig_n_entries(parent), 2);
  cr_assert_eq(access(rig_path(parent, living), F_OK), 0);
}

Test(checkpoint, damaged_ones_are_set_aside_one_by_one) {
  char *dir = step_path(4), *first = NULL, *second = NULL;
  cr_assert_eq(write_step(4, NULL), VISE_OK);
  cr_assert_eq(vise_i_checkpoint_set_aside(dir, &first, NULL), VISE_OK);
  cr_assert_eq(write_step(4, NULL), VISE_OK);
  cr_assert_eq(vise_i_checkpoint_set_aside(dir, &second, NULL), VISE_OK);

  cr_assert_not_null(strstr(first, "step-000000004.damaged"));
  cr_assert_not_null(strstr(second, "step-000000004.damaged-2"));
  cr_assert_eq(vise_i_checkpoint_verify(vise_i_checkpoint_in_folder(first), NULL), VISE_OK);
  cr_assert_eq(vise_i_checkpoint_verify(vise_i_checkpoint_in_folder(second), NULL), VISE_OK);
  cr_assert_neq(access(dir, F_OK), 0);

  free(first);
  free(second);
  free(dir);
}

/* Whether the checkpoint counts as damaged for a process that may open no more files. */
static int verify_without_files(const char *dir) {
  const struct rlimit none = {0, 0};
  if (setrlimit(RLIMIT_NOFILE, &none) != 0) return -1;
  return (int)vise_i_checkpoint_verify(vise_i_checkpoint_in_folder(dir), NULL);
}

Test(checkpoint, what_cannot_be_opened_is_not_damaged) {
  char *dir = step_path(6);
  cr_assert_eq(write_step(6, NULL), VISE_OK);
  const pid_t child = fork();
  if (child == 0) _exit(verify_without_files(dir));

  int result = 0;
  cr_assert_eq(waitpid(child, &result, 0), child);
  cr_assert_eq(WEXITSTATUS(result), VISE_ERR_IO);
  free(dir);
}

Test(checkpoint, a_file_in_place_of_the_folder_is_an_error) {
  const char *path = rig_in("file");
  uint64_t *listed = NULL;
  size_t n = 0;
  rig_write(path, "x", 1);
  cr_assert_eq(vise_i_checkpoint_list(path, &listed, &n, NULL), VISE_ERR_IO);
  cr_assert_eq(vise_i_checkpoint_verify(vise_i_checkpoint_in_folder(path), NULL), VISE_ERR_IO);
}

static int write_in_child(void *user) {
  (void)user;
  return (int)write_step(2, NULL);
}

Test(checkpoint, a_full_disk_leaves_the_earlier_one_and_no_trace) {
  const char *parent = rig_in("checkpoints");
  char *dir = step_path(1);
  cr_assert_eq(write_step(1, NULL), VISE_OK);

  for (size_t limit = 0; limit < 200; limit += 7) {
    cr_assert_eq(rig_with_full_disk(limit, write_in_child, NULL), VISE_ERR_IO, "limit %zu", limit);
    cr_assert_eq(rig_n_entries(parent), 1);
  }

  cr_assert_eq(vise_i_checkpoint_verify(vise_i_checkpoint_in_folder(dir), NULL), VISE_OK);
  cr_assert_eq(rig_with_full_disk(100000, write_in_child, NULL), VISE_OK);
  cr_assert_eq(rig_n_entries(parent), 2);

  free(dir);
}

/* ---- in memory ---- */

static void write_block(uint8_t **bytes, size_t *n) {
  json_t *state = example_state();
  void *out = NULL;
  vise_error err = VISE_ERROR_INIT;
  EXPECT_OK(vise_i_checkpoint_write_memory(state, parts, 2, &out, n, &err), err);
  *bytes = out;
  json_decref(state);
}

Test(checkpoint, block_has_the_files_of_a_folder) {
  vise_error err = VISE_ERROR_INIT;
  uint8_t *bytes, *file;
  size_t n, n_file, at = 0;
  write_block(&bytes, &n);
  EXPECT_OK(write_step(3, &err), err);
  char *dir = step_path(3);

  static const char *const in_order[] = {"model.safetensors", "mask.safetensors", "state.json"};
  for (size_t i = 0; i < 3; ++i) {
    rig_read(rig_path(dir, in_order[i]), &file, &n_file);
    cr_assert(at + n_file <= n && memcmp(bytes + at, file, n_file) == 0, "%s", in_order[i]);
    at += n_file;
    free(file);
  }
  cr_expect_eq(n, at + 16);

  free(bytes);
  free(dir);
}

Test(checkpoint, block_is_read_back) {
  vise_error err = VISE_ERROR_INIT;
  json_t *state = NULL, *expected = example_state();
  uint8_t *bytes;
  size_t n;
  write_block(&bytes, &n);
  const vise_i_checkpoint_place place = vise_i_checkpoint_in_memory(bytes, n);

  EXPECT_OK(vise_i_checkpoint_verify(place, &err), err);
  EXPECT_OK(vise_i_checkpoint_read_state(place, &state, &err), err);
  cr_expect(json_equal(state, expected));
  for (int i = 0; i < 2; ++i) {
    vise_i_st_file *file = NULL;
    EXPECT_OK(vise_i_checkpoint_read_part(place, parts[i].name, &file, &err), err);
    const vise_i_st_tensor *found = vise_i_st_find(file, "0.weight");
    cr_expect_eq(memcmp(found->data, parts[i].tensors[0].data, i == 0 ? sizeof weights : sizeof mask), 0);
    vise_i_st_free(file);
  }

  json_decref(state);
  json_decref(expected);
  free(bytes);
}

Test(checkpoint, any_change_of_a_block_is_found) {
  uint8_t *bytes;
  size_t n;
  write_block(&bytes, &n);

  for (size_t i = 0; i < 8 * n; ++i) {
    bytes[i / 8] ^= (uint8_t)(1u << i % 8);
    vise_error err = VISE_ERROR_INIT;
    cr_assert_eq(vise_i_checkpoint_verify(vise_i_checkpoint_in_memory(bytes, n), &err), VISE_ERR_FORMAT, "bit %zu", i);
    cr_assert_not_null(strstr(err.text, "memory"), "%s", err.text);
    bytes[i / 8] ^= (uint8_t)(1u << i % 8);
  }

  for (size_t cut = 0; cut < n; ++cut) {
    uint8_t *exact = malloc(cut + 1); /* so that reading past the end is noticed */
    memcpy(exact, bytes, cut);
    cr_assert_eq(vise_i_checkpoint_verify(vise_i_checkpoint_in_memory(exact, cut), NULL), VISE_ERR_FORMAT, "%zu", cut);
    free(exact);
  }
  free(bytes);
}

/* The fuzzer's corpus: each file's name says whether it must be read or refused. */
Test(checkpoint, corpus_is_read_or_refused_as_named) {
  static const char corpus[] = VISE_SOURCE_DIR "/tests/fuzz/corpus/checkpoint";
  size_t n_ok = 0, n_bad = 0;
  DIR *dir = opendir(corpus);
  cr_assert_not_null(dir);

  vise_status status = VISE_OK;
  for (struct dirent *entry; (entry = vise_i_next_entry(dir, corpus, &status, NULL));) {
    const bool ok = strncmp(entry->d_name, "ok-", 3) == 0;
    uint8_t *bytes;
    size_t n;
    vise_error err = VISE_ERROR_INIT;
    rig_read(rig_path(corpus, entry->d_name), &bytes, &n);
    const vise_status refused = strcmp(entry->d_name, "bad-version") == 0 ? VISE_ERR_UNSUPPORTED : VISE_ERR_FORMAT;
    cr_expect_eq(vise_i_checkpoint_verify(vise_i_checkpoint_in_memory(bytes, n), &err), ok ? VISE_OK : refused,
                 "%s: %s", entry->d_name, err.text);
    n_ok += ok;
    n_bad += !ok;
    free(bytes);
  }

  closedir(dir);
  cr_expect(n_ok == 3 && n_bad == 21, "%zu ok, %zu bad", n_ok, n_bad);
}
