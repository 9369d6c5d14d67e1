/* Fuzz target: the readers of safetensors and of the models in them. */
#include <string.h>

#include "fuzz.h"
#include "host/model/model_struct.h"

static void check_tensors(const vise_i_st_file *file) {
  volatile uint8_t sum = 0;
  for (size_t i = 0; i < vise_i_st_n_tensors(file); i++) {
    const vise_i_st_tensor *tensor = vise_i_st_at(file, i);
    const uint8_t *data = tensor->data;
    const size_t n = vise_i_st_n_elements(tensor) * vise_i_st_dtype_size(tensor->dtype);
    FUZZ_CHECK(tensor->n_dims <= VISE_I_ST_MAX_DIMS && (uintptr_t)data % 8 == 0);
    FUZZ_CHECK(vise_i_st_find(file, tensor->name) == tensor);
    for (size_t k = 0; k < n; k++) sum = (uint8_t)(sum + data[k]); /* all of it can be read */
  }
  FUZZ_CHECK(vise_i_st_at(file, vise_i_st_n_tensors(file)) == NULL);
}

static void check_model(const vise_model *model) {
  for (size_t i = 0; i < model->net.n_values; i++) {
    FUZZ_CHECK(isfinite(vise_i_param_get(model->dtype, model->params, i)));
  }

  /* What was parsed can be formatted, and the text parses to the same. */
  char *text = NULL, *again = NULL;
  vise_model *other = NULL;
  vise_error err = VISE_ERROR_INIT;

  FUZZ_CHECK(vise_i_model_meta_format(model, &text, &err) == VISE_OK);
  FUZZ_CHECK(vise_i_model_meta_parse(text, "again", model->dtype, model->net.n_values, &other, &err) == VISE_OK);
  FUZZ_CHECK(vise_i_model_meta_format(other, &again, &err) == VISE_OK);
  FUZZ_CHECK(strcmp(text, again) == 0);

  vise_model_free(other);
  free(text);
  free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
  vise_error err = VISE_ERROR_INIT;
  vise_i_st_file *file = NULL;
  vise_model *model = NULL;
  vise_status status = vise_i_st_parse("fuzz", bytes, n, &file, &err);

  fuzz_check_status(status, &err);
  FUZZ_CHECK((status == VISE_OK) == (file != NULL));
  if (status != VISE_OK) return 0;

  check_tensors(file);
  status = vise_i_model_from_tensors(file, "fuzz", &model, &err);
  fuzz_check_status(status, &err);
  FUZZ_CHECK((status == VISE_OK) == (model != NULL));
  if (model) check_model(model);

  vise_model_free(model);
  vise_i_st_free(file);
  return 0;
}
