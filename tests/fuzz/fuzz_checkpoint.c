/* Fuzz target: checkpoints in memory. The bytes are read as they are, and as a block whose hash and footer are right: a
   length of the parts (two bytes), the parts, and the rest of state.json. */
#include <string.h>
#include <xxhash.h>

#include "fuzz.h"
#include "host/model/checkpoint.h"
#include "host/model/checkpoint_format.h"

static void read_all(const uint8_t *bytes, size_t n) {
  const vise_i_checkpoint_place place = vise_i_checkpoint_in_memory(bytes, n);
  vise_error err = VISE_ERROR_INIT;
  json_t *state = NULL;
  vise_i_st_file *part = NULL;

  const vise_status verified = vise_i_checkpoint_verify(place, &err);
  fuzz_check_status(verified, &err);

  vise_error_clear(&err);
  vise_status status = vise_i_checkpoint_read_state(place, &state, &err);
  fuzz_check_status(status, &err);
  FUZZ_CHECK((status == VISE_OK) == (state != NULL) && (verified != VISE_OK || status == VISE_OK));

  vise_error_clear(&err);
  status = vise_i_checkpoint_read_part(place, "tensors", &part, &err);
  fuzz_check_status(status, &err);
  FUZZ_CHECK((status == VISE_OK) == (part != NULL));

  vise_i_st_free(part);
  json_decref(state);
}

static void read_stamped(const uint8_t *bytes, size_t n) {
  const size_t n_parts = (size_t)bytes[0] + 256 * (size_t)bytes[1], n_rest = n - 2 - n_parts;
  const vise_i_footer footer = {VISE_I_PREFIX_BYTES + n_rest, VISE_I_FOOTER_MARK};
  const size_t n_block = n_parts + VISE_I_PREFIX_BYTES + n_rest + sizeof footer;
  uint8_t *block = malloc(n_block);
  char prefix[VISE_I_PREFIX_BYTES + 1];
  FUZZ_CHECK(block != NULL);

  snprintf(prefix, sizeof prefix, VISE_I_PREFIX_FORMAT, (unsigned long long)XXH64(bytes + 2 + n_parts, n_rest, 0));
  memcpy(block, bytes + 2, n_parts);
  memcpy(block + n_parts, prefix, VISE_I_PREFIX_BYTES);
  memcpy(block + n_parts + VISE_I_PREFIX_BYTES, bytes + 2 + n_parts, n_rest);
  memcpy(block + n_block - sizeof footer, &footer, sizeof footer);

  read_all(block, n_block);
  free(block);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
  static const uint8_t nothing[1];
  read_all(n > 0 ? bytes : nothing, n);
  if (n >= 2 && (size_t)bytes[0] + 256 * (size_t)bytes[1] <= n - 2) read_stamped(bytes, n);
  return 0;
}
