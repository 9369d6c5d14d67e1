/* From a model to the files of a format. */
#include "host/export/export.h"

#include <string.h>

#include "host/base/call.h"
#include "host/base/struct.h"

enum { MOST_NAME = 40 };

static vise_export_config default_config(void) {
  return (vise_export_config){
      .struct_size = sizeof(vise_export_config), .format = VISE_EXPORT_ONNX, .name = "net", .n_vectors = 16};
}

VISE_I_DEFINE_INIT(vise_export_config, data, default_config)

static bool is_identifier(const char *name) {
  static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
  static const char others[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
  const size_t n = strlen(name);
  return n > 0 && n <= MOST_NAME && strspn(name, letters) > 0 && strspn(name, others) == n;
}

static vise_status check(const vise_model *model, vise_export_config *own, vise_error *err) {
  if ((int)own->format < 0 || own->format >= vise_export_format_count_) {
    return vise_i_fail(err, VISE_ERR_USAGE, "`format` %d: there is no such format", (int)own->format);
  }
  if (own->name == NULL) own->name = default_config().name;
  if (!is_identifier(own->name)) {
    return vise_i_fail(err, VISE_ERR_USAGE,
                       "`name` '%.60s': expected a letter, then letters, digits and _, at most %d in all", own->name,
                       MOST_NAME);
  }
  if (own->n_vectors == 0 && own->format != VISE_EXPORT_ONNX) {
    return vise_i_fail(err, VISE_ERR_USAGE, "`vectors` 0: expected at least one test vector");
  }
  if (!vise_model_knows_activation(model)) {
    return vise_i_fail(err, VISE_ERR_USAGE,
                       "the model's file does not say its `activation`, without which there is no net");
  }
  return VISE_OK;
}

static vise_status make(vise_i_export *e, const vise_export_config *config, vise_i_export_files *files,
                        vise_error *err) {
  vise_status status = VISE_OK;
  if (config->format == VISE_EXPORT_ONNX) return vise_i_export_onnx(e, files, err);

  VISE_TRY(vise_i_vectors_draw(e, config, err));
  if (config->format == VISE_EXPORT_INTEGER_C) return vise_i_export_integer_c(e, config, files, err);
  VISE_TRY(vise_i_vectors_answer(e, err));
  VISE_TRY(vise_i_export_float_c(e, files, err));

done:
  return status;
}

vise_status vise_export(const vise_model *model, const vise_export_config *config, const char *dir, vise_error *err) {
  vise_status status = VISE_OK;
  vise_i_export e = {0};
  vise_i_export_files files = {0};
  vise_export_config own = default_config();
  VISE_ENTER(err, model, config, dir);

  VISE_TRY(vise_i_config_take(&own, sizeof own, config, "vise_export_config", err));
  VISE_TRY(check(model, &own, err));
  VISE_TRY(vise_i_export_begin(model, &own, &e, err));
  VISE_TRY(make(&e, &own, &files, err));
  VISE_TRY(vise_i_export_write(&files, own.name, dir, err));

done:
  vise_i_export_files_clear(&files);
  vise_i_export_clear(&e);
  return status;
}
