/* Every allocation by Vise and by jansson fails once: the call says so, leaks nothing and leaves its outputs alone. */
#include <criterion/criterion.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/file.h"
#include "host/model/checkpoint.h"
#include "tests/support/allocation_fault.h"
#include "tests/unit/model/rig.h"

static vise_model *source;
static const char *folder, *model_path, *mask_path, *checkpoint_path;

/* The file written without failures: a call that reports success must have written all of it. */
static uint8_t *whole;
static size_t n_whole;

static bool is_whole(const char *path) {
  uint8_t *bytes = NULL;
  size_t n = 0;
  const bool was_armed = fault.armed;

  fault_disarm();
  cr_assert_eq(vise_i_read_file(path, SIZE_MAX, &bytes, &n, NULL), VISE_OK);
  fault.armed = was_armed;

  if (!whole) {
    whole = bytes;
    n_whole = n;
    return true;
  }

  const bool same = n == n_whole && memcmp(bytes, whole, n) == 0;
  free(bytes);
  return same;
}

static vise_status save(vise_error *err) {
  const vise_status status = vise_model_save(source, model_path, err);
  return status == VISE_OK && !is_whole(model_path) ? VISE_ERR_INTERNAL : status;
}

static vise_status load(vise_error *err) {
  vise_model *model = NULL;
  vise_status status = vise_model_load(model_path, &model, err);
  if ((status == VISE_OK) != (model != NULL)) return VISE_ERR_INTERNAL;
  vise_model_free(model);
  return status;
}

static vise_status clone_all(vise_error *err) {
  vise_model *model = NULL;
  vise_status status = vise_model_clone(source, VISE_F64, &model, err);
  if ((status == VISE_OK) != (model != NULL)) return VISE_ERR_INTERNAL;
  vise_model_free(model);
  return status;
}

static vise_status masks(vise_error *err) {
  vise_status status = vise_model_save_mask(source, mask_path, err);
  return status == VISE_OK ? vise_model_load_mask(source, mask_path, err) : status;
}

static vise_status write_checkpoint(vise_error *err) {
  static const double numbers[2] = {1, 2};
  const vise_i_st_tensor tensor = {.name = "m", .dtype = VISE_I_ST_F64, .n_dims = 1, .dims = {2}, .data = numbers};
  const vise_i_checkpoint_part part = {"moments", &tensor, 1};
  json_t *state = json_pack("{s:i, s:[f, f]}", "step", 1, "numbers", 0.5, 0.25);
  if (!state) return vise_i_fail_memory(err, 1, "the test's state");

  vise_status status = vise_i_checkpoint_write(checkpoint_path, state, &part, 1, err);
  json_decref(state);
  if (status != VISE_OK) return status;

  char path[512];
  snprintf(path, sizeof path, "%s/state.json", checkpoint_path);
  return is_whole(path) ? VISE_OK : VISE_ERR_INTERNAL;
}

static vise_status checkpoint(vise_error *err) {
  vise_status status = VISE_OK;
  vise_i_st_file *file = NULL;
  json_t *read = NULL;
  uint64_t *steps = NULL;
  size_t n = 0;

  VISE_TRY(write_checkpoint(err));
  VISE_TRY(vise_i_checkpoint_verify(vise_i_checkpoint_in_folder(checkpoint_path), err));
  VISE_TRY(vise_i_checkpoint_read_state(vise_i_checkpoint_in_folder(checkpoint_path), &read, err));
  VISE_TRY(vise_i_checkpoint_read_part(vise_i_checkpoint_in_folder(checkpoint_path), "moments", &file, err));

  status = vise_i_checkpoint_list(folder, &steps, &n, err);
  if (status == VISE_OK && n != 1) status = VISE_ERR_INTERNAL;

done:
  free(steps);
  vise_i_st_free(file);
  json_decref(read);
  return status;
}

static vise_status in_memory(vise_error *err) {
  vise_status status = VISE_OK;
  void *bytes = NULL;
  size_t n = 0;
  vise_model *model = NULL;
  json_t *state = json_pack("{s:i}", "step", 1), *read = NULL;
  vise_i_st_file *file = NULL;
  const vise_i_st_tensor tensor = {.name = "a", .dtype = VISE_I_ST_U8, .n_dims = 1, .dims = {3}, .data = "abc"};
  const vise_i_checkpoint_part part = {"moments", &tensor, 1};

  VISE_TRY(vise_model_save_memory(source, &bytes, &n, err));
  VISE_TRY(vise_model_load_memory(bytes, n, &model, err));
  vise_buffer_free(bytes);
  bytes = NULL;

  VISE_TRY(vise_i_checkpoint_write_memory(state, &part, 1, &bytes, &n, err));
  const vise_i_checkpoint_place place = vise_i_checkpoint_in_memory(bytes, n);
  VISE_TRY(vise_i_checkpoint_read_state(place, &read, err));
  VISE_TRY(vise_i_checkpoint_read_part(place, "moments", &file, err));

done:
  vise_buffer_free(bytes);
  vise_model_free(model);
  vise_i_st_free(file);
  json_decref(state);
  json_decref(read);
  return status;
}

static void fail_each(vise_status (*call)(vise_error *err), size_t at_least) {
  size_t n = 0;
  for (;; ++n) {
    vise_error err = VISE_ERROR_INIT;
    fault_arm(n);
    vise_status status = call(&err);
    fault_disarm();
    cr_assert_eq(vise_i_remove_tree(checkpoint_path, NULL), VISE_OK);

    if (status == VISE_OK && !fault.has_failed) break;
    /* Failing to allocate a stream's buffer is not an error; any other failure is one, and is reported. */
    if (status == VISE_OK) continue;

    cr_assert(fault.has_failed, "%s", err.text);
    cr_assert_eq(err.code, status);
    cr_assert(status == VISE_ERR_MEMORY || status == VISE_ERR_IO, "allocation %zu: %s: %s", n, vise_status_text(status),
              err.text);
    cr_assert_neq(err.text[0], '\0');
  }
  cr_assert_geq(n, at_least, "%zu allocations only", n);
}

static void set_up(void) {
  json_set_alloc_funcs(__wrap_malloc, free);
  rig_make_folder();
  source = rig_full_model(VISE_F32);
  folder = rig_in(".");
  model_path = rig_in("m.safetensors");
  mask_path = rig_in("mask.safetensors");
  checkpoint_path = rig_in("step-000000001");
}

static void tear_down(void) {
  vise_model_free(source);
  free(whole);
  whole = NULL;
  rig_remove_folder();
}

TestSuite(memory_fault, .init = set_up, .fini = tear_down);

Test(memory_fault, clone_all) {
  fail_each(clone_all, 6);
}

Test(memory_fault, save) {
  cr_assert_eq(save(NULL), VISE_OK);
  fail_each(save, 50);
}

Test(memory_fault, load) {
  cr_assert_eq(save(NULL), VISE_OK);
  fail_each(load, 100);
}

Test(memory_fault, masks) {
  fail_each(masks, 10);
}

Test(memory_fault, checkpoints) {
  fail_each(checkpoint, 100);
}

Test(memory_fault, models_and_checkpoints_in_memory) {
  fail_each(in_memory, 100);
}

Test(memory_fault, checkpoint_writing) {
  cr_assert_eq(write_checkpoint(NULL), VISE_OK);
  cr_assert_eq(vise_i_remove_tree(checkpoint_path, NULL), VISE_OK);
  fail_each(write_checkpoint, 40);
}
