/* What cannot be read is not damaged: each call of the system that reading a model, a mask or a checkpoint makes fails once,
   for several reasons, and the error is VISE_ERR_IO with that reason. */
#include <criterion/criterion.h>
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "host/model/checkpoint.h"
#include "tests/support/io_fault.h"
#include "tests/unit/model/rig.h"

static vise_model *source;
static const char *model_path, *run_path, *mask_path, *checkpoint_path;

static void set_up(void) {
  static const double numbers[2] = {1, 2};
  const vise_i_st_tensor tensor = {.name = "m", .dtype = VISE_I_ST_F64, .n_dims = 1, .dims = {2}, .data = numbers};
  const vise_i_checkpoint_part part = {"moments", &tensor, 1};
  vise_error err = VISE_ERROR_INIT;
  json_t *state = json_pack("{s:i}", "step", 1);
  rig_make_folder();
  source = rig_full_model(VISE_F32);
  run_path = rig_in(".");
  model_path = rig_in("model.safetensors");
  mask_path = rig_in("mask.safetensors");
  checkpoint_path = rig_in("step-000000001");

  EXPECT_OK(vise_model_save(source, model_path, &err), err);
  EXPECT_OK(vise_model_save_mask(source, mask_path, &err), err);
  EXPECT_OK(vise_i_checkpoint_write(checkpoint_path, state, &part, 1, &err), err);
  json_decref(state);
}

static void tear_down(void) {
  vise_model_free(source);
  rig_remove_folder();
}

TestSuite(reading_fault, .init = set_up, .fini = tear_down);

static vise_status load(const char *path, vise_error *err) {
  vise_model *model = NULL;
  const vise_status status = vise_model_load(path, &model, err);
  cr_assert_eq(status == VISE_OK, model != NULL);
  vise_model_free(model);
  return status;
}

static vise_status load_model(vise_error *err) {
  return load(model_path, err);
}

static vise_status load_from_run(vise_error *err) {
  return load(run_path, err);
}

static vise_status load_mask(vise_error *err) {
  return vise_model_load_mask(source, mask_path, err);
}

static vise_status read_checkpoint(vise_error *err) {
  json_t *state = NULL;
  vise_i_st_file *file = NULL;
  vise_status status = vise_i_checkpoint_read_state(vise_i_checkpoint_in_folder(checkpoint_path), &state, err);
  if (status == VISE_OK) {
    status = vise_i_checkpoint_read_part(vise_i_checkpoint_in_folder(checkpoint_path), "moments", &file, err);
  }
  json_decref(state);
  vise_i_st_free(file);
  return status;
}

static vise_status verify_checkpoint(vise_error *err) {
  return vise_i_checkpoint_verify(vise_i_checkpoint_in_folder(checkpoint_path), err);
}

/* What is somebody else's is not ours; what cannot be read is neither. */
static vise_status know_checkpoint(vise_error *err) {
  bool ours = false;
  const vise_status status = vise_i_checkpoint_is_ours(checkpoint_path, &ours, err);
  cr_assert(status != VISE_OK || ours);
  return status;
}

/* Returns how many calls there were. */
static size_t fail_each(vise_status (*read)(vise_error *err), io_call call, int number) {
  for (size_t i = 0;; i++) {
    vise_error err = VISE_ERROR_INIT;
    io_fault_arm_with(call, i, number);
    const vise_status status = read(&err);
    if (!io_fault_disarm()) {
      cr_assert_eq(status, VISE_OK, "%s", err.text);
      return i;
    }
    cr_assert_eq(status, VISE_ERR_IO, "%s %zu: %s: %s", io_call_names[call], i, vise_status_name(status), err.text);
    cr_assert(strstr(err.text, strerror(number)) != NULL && strchr(err.text, '/') != NULL, "%s", err.text);
  }
}

static void fail_all(vise_status (*read)(vise_error *err), size_t at_least) {
  static const io_call calls[] = {IO_OPEN, IO_STAT, IO_READ};
  static const int numbers[] = {EIO, EACCES, EMFILE, ENOMEM, ELOOP};
  for (size_t k = 0; k < sizeof numbers / sizeof *numbers; k++) {
    size_t n = 0;
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) n += fail_each(read, calls[i], numbers[k]);
    cr_assert_geq(n, at_least, "%zu calls only", n);
  }
}

Test(reading_fault, models) {
  fail_all(load_model, 4);
  fail_all(load_from_run, 4);
}

Test(reading_fault, masks) {
  fail_all(load_mask, 3);
}

Test(reading_fault, checkpoints) {
  fail_all(read_checkpoint, 9);
  fail_all(verify_checkpoint, 6);
  fail_all(know_checkpoint, 3);
}
