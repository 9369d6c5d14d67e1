/* Every allocation of a certificate fails once: the call says so, leaks nothing, and the file stays as it was. */
#include <criterion/criterion.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/allocation_fault.h"
#include "tests/unit/model/rig.h"
#include "vise/certify.h"

/* In integers too. */
static vise_status certify_and_attach(const vise_model *model, const vise_dataset *data, const char *path,
                                      vise_error *err) {
  vise_status status = VISE_OK;
  vise_certificate *certificate = NULL;
  vise_certify_config config;
  vise_certify_config_init(&config);
  config.integers = "int8,acc16";
  config.data = data;
  VISE_TRY(vise_certify(model, &config, &certificate, err));
  VISE_TRY(vise_certificate_attach(certificate, path, err));

done:
  vise_certificate_free(certificate);
  return status;
}

Test(certify_memory, each_allocation_fails_once) {
  json_set_alloc_funcs(__wrap_malloc, free);
  rig_make_folder();
  vise_model *model = rig_model((const size_t[]){3, 4, 2, 0}, true, VISE_F32);
  const char *path = rig_in("m.safetensors");
  uint8_t *before = NULL, *after = NULL;
  const uint8_t bytes[6] = {0, 9, 255, 3, 4, 5};
  const vise_array x = vise_array_of(bytes, VISE_U8, 2, 3);
  vise_dataset *data = NULL;
  size_t n_before = 0, n_after = 0, n = 0;
  cr_assert_eq(vise_dataset_from_arrays(&x, NULL, NULL, true, &data, NULL), VISE_OK);
  cr_assert_eq(vise_model_set_feature_scaling(model, VISE_SCALE_UNIT, NULL, NULL, NULL), VISE_OK);
  cr_assert_eq(vise_model_save(model, path, NULL), VISE_OK);
  rig_read(path, &before, &n_before);

  for (;; n++) {
    vise_error err = VISE_ERROR_INIT;
    cr_assert_eq(vise_model_save(model, path, NULL), VISE_OK);
    fault_arm(n);
    const vise_status status = certify_and_attach(model, data, path, &err);
    fault_disarm();
    if (status == VISE_OK && !fault.has_failed) break;
    if (status == VISE_OK) continue; /* the buffer of a stream */
    cr_assert(status == VISE_ERR_MEMORY || status == VISE_ERR_IO, "allocation %zu: %s", n, err.text);
    rig_read(path, &after, &n_after);
    const bool same = n_after == n_before && memcmp(after, before, n_before) == 0;
    cr_assert(same || strstr(err.text, "may not last") != NULL, "allocation %zu: the file changed: %s", n, err.text);
    free(after);
  }

  cr_assert_geq(n, 100, "%zu allocations only", n);
  free(before);
  vise_dataset_free(data);
  vise_model_free(model);
  rig_remove_folder();
}
