/* The hash in a safetensors file: no flipped bit goes unseen, and who only copies a file, or knows no hash, is not refused. */
#include <criterion/criterion.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "host/model/safetensors_hash.h"
#include "tests/unit/model/rig.h"

TestSuite(hash, .init = rig_make_folder, .fini = rig_remove_folder);

static vise_model *layered(void) {
  vise_layer layers[5];
  static const vise_layer_kind kinds[] = {VISE_LAYER_LINEAR, VISE_LAYER_BATCH_NORM, VISE_LAYER_ACTIVATION,
                                          VISE_LAYER_DROPOUT, VISE_LAYER_LINEAR};
  vise_model *model = NULL;
  vise_error err = VISE_ERROR_INIT;
  for (size_t i = 0; i < 5; i++) {
    vise_layer_init(&layers[i]);
    layers[i].kind = kinds[i];
    layers[i].width = i == 0 ? 3 : 2;
    layers[i].bias = i != 0;
    layers[i].dropout = 0.25;
  }
  EXPECT_OK(vise_model_create_layers(2, layers, 5, VISE_F32, &model, &err), err);
  EXPECT_OK(vise_model_initialize(model, VISE_INIT_LINEAR, 3, &err), err);
  EXPECT_OK(vise_model_set_preprocessing(model, "{\"version\":1,\"names\":[\"caf\xc3\xa9\"]}", &err), err);
  return model;
}

static void save(const vise_model *model, uint8_t **bytes, size_t *n) {
  void *saved;
  vise_error err = VISE_ERROR_INIT;
  EXPECT_OK(vise_model_save_memory(model, &saved, n, &err), err);
  *bytes = saved;
}

/* What is read in spite of a flipped bit saves the same file. */
static void expect_same(vise_model *model, const uint8_t *bytes, size_t n, size_t bit) {
  uint8_t *again;
  size_t n_again;
  save(model, &again, &n_again);
  cr_assert(n_again == n && memcmp(again, bytes, n) == 0, "bit %zu made another model", bit);
  free(again);
  vise_model_free(model);
}

/* Only a flip in the name of the hash is harmless. */
static void flip_each_bit(vise_model *model) {
  uint8_t *bytes;
  size_t n, n_harmless = 0;
  save(model, &bytes, &n);

  for (size_t bit = 0; bit < 8 * n; bit++) {
    vise_model *read = NULL;
    vise_error err = VISE_ERROR_INIT;
    bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    const vise_status status = vise_model_load_memory(bytes, n, &read, &err);
    bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);

    cr_assert(status == VISE_OK || (status == VISE_ERR_FORMAT && err.text[0] != '\0'), "bit %zu: %s: %s", bit,
              vise_status_name(status), err.text);
    n_harmless += status == VISE_OK;
    if (status == VISE_OK) expect_same(read, bytes, n, bit);
  }

  cr_assert_leq(n_harmless, 8 * strlen(VISE_I_ST_HASH_KEY), "%zu of %zu", n_harmless, 8 * n);
  free(bytes);
  vise_model_free(model);
}

Test(hash, every_flipped_bit_of_a_model_is_seen) {
  flip_each_bit(rig_full_model(VISE_F32));
  flip_each_bit(rig_full_model(VISE_F64));
  flip_each_bit(layered());
}

Test(hash, every_flipped_bit_of_a_mask_is_seen) {
  vise_model *model = rig_full_model(VISE_F32);
  vise_error err = VISE_ERROR_INIT;
  const char *path = rig_in("mask.safetensors");
  const size_t n_params = vise_model_n_parameters(model);
  uint8_t *bytes, *mask = malloc(n_params);
  size_t n;
  memcpy(mask, vise_model_mask(model), n_params);
  EXPECT_OK(vise_model_save_mask(model, path, &err), err);
  rig_read(path, &bytes, &n);

  for (size_t bit = 0; bit < 8 * n; bit++) {
    bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    rig_write(path, bytes, n);
    bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    vise_error why = VISE_ERROR_INIT;
    const vise_status status = vise_model_load_mask(model, path, &why);
    cr_assert(status == VISE_OK || status == VISE_ERR_FORMAT, "bit %zu: %s", bit, why.text);
    cr_assert(memcmp(mask, vise_model_mask(model), n_params) == 0, "bit %zu changed the mask", bit);
  }

  free(bytes);
  free(mask);
  vise_model_free(model);
}

/* The text of the definition, by hand. */
static void append(uint8_t *to, size_t *at, const void *bytes, size_t n) {
  memcpy(to + *at, bytes, n);
  *at += n;
}

static void append_number(uint8_t *to, size_t *at, uint64_t number) {
  append(to, at, &number, 8);
}

static void append_text(uint8_t *to, size_t *at, const char *text) {
  append_number(to, at, strlen(text));
  append(to, at, text, strlen(text));
}

Test(hash, is_what_its_definition_says) {
  static const float w[] = {1, 2, 3, 4};
  static const uint8_t m[] = {7};
  const vise_i_st_tensor tensors[] = {{.name = "b", .dtype = VISE_I_ST_F32, .n_dims = 2, .dims = {2, 2}, .data = w},
                                      {.name = "a", .dtype = VISE_I_ST_U8, .n_dims = 0, .data = m}};
  const vise_i_st_meta meta[] = {{"vise", "{}"}, {"format", "pt"}, {VISE_I_ST_HASH_KEY, "not counted"}};
  uint8_t text[256];
  size_t n = 0;
  append_number(text, &n, 2);
  append_text(text, &n, "format");
  append_text(text, &n, "pt");
  append_text(text, &n, "vise");
  append_text(text, &n, "{}");
  append_number(text, &n, 2);
  append_text(text, &n, "a");
  append_text(text, &n, "U8");
  append_number(text, &n, 0);
  append(text, &n, m, 1);
  append_text(text, &n, "b");
  append_text(text, &n, "F32");
  append_number(text, &n, 2);
  append_number(text, &n, 2);
  append_number(text, &n, 2);
  append(text, &n, w, sizeof w);

  char hash[VISE_I_ST_HASH_BYTES], expected[VISE_I_ST_HASH_BYTES];
  vise_error err = VISE_ERROR_INIT;
  const XXH128_hash_t digest = XXH3_128bits(text, n);
  snprintf(expected, sizeof expected, "%016llx%016llx", (unsigned long long)digest.high64,
           (unsigned long long)digest.low64);
  EXPECT_OK(vise_i_st_hash(&(vise_i_st_content){tensors, 2, meta, 3}, hash, &err), err);
  cr_assert_str_eq(hash, expected);
}

/* The file with its header changed by `change`, written in another order and with other spaces. */
static vise_status load_changed(void (*change)(json_t *header), vise_error *err) {
  vise_model *model = rig_full_model(VISE_F32), *read = NULL;
  uint8_t *bytes, *other;
  size_t n;
  uint64_t n_header;
  save(model, &bytes, &n);
  memcpy(&n_header, bytes, 8);
  json_t *header = json_loadb((const char *)bytes + 8, (size_t)n_header, 0, NULL);
  change(header);

  char *text = json_dumps(header, JSON_SORT_KEYS | JSON_INDENT(2));
  const size_t n_text = strlen(text), n_data = n - 8 - (size_t)n_header;
  other = malloc(8 + n_text + n_data);
  memcpy(other, &(uint64_t){n_text}, 8);
  memcpy(other + 8, text, n_text);
  memcpy(other + 8 + n_text, bytes + 8 + n_header, n_data);
  const vise_status status = vise_model_load_memory(other, 8 + n_text + n_data, &read, err);
  if (status == VISE_OK) expect_same(read, bytes, n, 0);

  free(text);
  free(bytes);
  free(other);
  json_decref(header);
  vise_model_free(model);
  return status;
}

static void nothing(json_t *header) {
  (void)header;
}

static void remove_hash(json_t *header) {
  cr_assert_eq(json_object_del(json_object_get(header, "__metadata__"), VISE_I_ST_HASH_KEY), 0);
}

static void add_entry(json_t *header) {
  json_object_set_new(json_object_get(header, "__metadata__"), "note", json_string("mine"));
}

static void change_loss(json_t *header) {
  json_t *metadata = json_object_get(header, "__metadata__");
  char *text = strdup(json_string_value(json_object_get(metadata, "vise"))), *at = strstr(text, "0.1");
  cr_assert(at != NULL, "%s", text);
  at[2] = '2';
  json_object_set_new(metadata, "vise", json_string(text));
  free(text);
}

static void state_nonsense(json_t *header) {
  json_object_set_new(json_object_get(header, "__metadata__"), VISE_I_ST_HASH_KEY, json_string("\x1b[2J"));
}

Test(hash, copies_and_files_without_one_are_read) {
  vise_error err = VISE_ERROR_INIT;
  EXPECT_OK(load_changed(nothing, &err), err);
  EXPECT_OK(load_changed(remove_hash, &err), err);
}

Test(hash, changes_are_told_as_damage) {
  static void (*const changes[])(json_t * header) = {add_entry, change_loss, state_nonsense};
  for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
    vise_error err = VISE_ERROR_INIT;
    EXPECT_ERROR(load_changed(changes[i], &err), &err, VISE_ERR_FORMAT, "memory: damaged: its hash is ");
    cr_assert(strstr(err.text, "leaves 'vise.xxh3_128' out") != NULL && strchr(err.text, 27) == NULL, "%s", err.text);
  }
}
