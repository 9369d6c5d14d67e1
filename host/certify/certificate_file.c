/* A certificate in the metadata of a model's file, whose tensors and other metadata stay as they are. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "host/base/call.h"
#include "host/base/file.h"
#include "host/base/memory.h"
#include "host/certify/certificate.h"
#include "host/model/safetensors.h"
#include "host/model/safetensors_hash.h"

/* The path of a model, in the folder of a run or as it is; malloc'ed. */
static vise_status model_path(const char *path, char **out, vise_error *err) {
  struct stat info;
  if (stat(path, &info) != 0) return vise_i_fail_errno(err, VISE_ERR_IO, errno, "%s: cannot be opened", path);
  return S_ISDIR(info.st_mode) ? vise_i_path_join(out, path, "model.safetensors", err)
                               : vise_i_copy_text(out, path, err);
}

static vise_status check_weights(const vise_certificate *certificate, const char *path, vise_error *err) {
  vise_model *model = NULL;
  vise_status status = vise_model_load(path, &model, err);
  if (status == VISE_OK && vise_i_weights_sum(model) != certificate->weights) {
    status = vise_i_fail(err, VISE_ERR_STATE, "%s: its weights are not those that were certified", path);
  }
  vise_model_free(model);
  return status;
}

/* The entries that stay, at the start of the list: an older certificate goes, and the hash, which is written anew. */
static size_t keep(vise_i_st_meta *list, size_t n) {
  size_t kept = 0;
  for (size_t i = 0; i < n; i++) {
    const bool goes = strcmp(list[i].key, VISE_I_CERTIFICATE_KEY) == 0 || strcmp(list[i].key, VISE_I_ST_HASH_KEY) == 0;
    if (!goes) list[kept++] = list[i];
  }
  return kept;
}

static vise_status rewrite(const vise_i_st_file *file, const char *text, const char *path, vise_error *err) {
  vise_status status = VISE_OK;
  vise_i_st_meta *had = NULL, *meta = NULL;
  vise_i_st_tensor *tensors = NULL;
  size_t n_had = 0;
  const size_t n_tensors = vise_i_st_n_tensors(file);

  VISE_TRY(vise_i_st_list_metadata(file, &had, &n_had, err));
  VISE_TRY(vise_i_alloc(&meta, n_had + 1, sizeof *meta, "a file's metadata", err));
  VISE_TRY(vise_i_alloc(&tensors, n_tensors, sizeof *tensors, "a file's tensors", err));
  for (size_t i = 0; i < n_tensors; i++) tensors[i] = *vise_i_st_at(file, i);

  const size_t n_kept = keep(had, n_had);
  for (size_t i = 0; i < n_kept; i++) meta[i] = had[i];
  meta[n_kept] = (vise_i_st_meta){VISE_I_CERTIFICATE_KEY, text};
  VISE_TRY(vise_i_st_write(path, &(vise_i_st_content){tensors, n_tensors, meta, n_kept + 1}, NULL, err));

done:
  free(had);
  free(meta);
  free(tensors);
  return status;
}

vise_status vise_certificate_attach(const vise_certificate *certificate, const char *path, vise_error *err) {
  vise_status status = VISE_OK;
  vise_i_st_file *file = NULL;
  char *text = NULL, *whole = NULL;
  VISE_ENTER(err, certificate, path);

  VISE_TRY(model_path(path, &whole, err));
  VISE_TRY(check_weights(certificate, whole, err));
  VISE_TRY(vise_certificate_to_json(certificate, &text, err));
  VISE_TRY(vise_i_st_read(whole, &file, err));
  VISE_TRY(rewrite(file, text, whole, err));

done:
  vise_i_st_free(file);
  free(text);
  free(whole);
  return status;
}
