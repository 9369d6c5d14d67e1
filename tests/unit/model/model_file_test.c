#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/model/safetensors.h"
#include "tests/unit/model/rig.h"

TestSuite(model_file, .init = rig_make_folder, .fini = rig_remove_folder);

static vise_model *load(const char *path) {
  vise_model *model = NULL;
  vise_error err = VISE_ERROR_INIT;
  EXPECT_OK(vise_model_load(path, &model, &err), err);
  return model;
}

static void assert_refused(const char *path, vise_status expected, const char *says) {
  vise_model *model = NULL;
  vise_error err = VISE_ERROR_INIT;
  EXPECT_ERROR(vise_model_load(path, &model, &err), &err, expected, says);
  cr_assert_not_null(strstr(err.text, path), "%s", err.text);
  cr_assert_null(model);
}

Test(model_file, keeps_everything_to_the_bit) {
  const char *path = rig_in("m.safetensors"), *folder = rig_in(".");
  for (int single = 0; single <= 1; ++single) {
    vise_model *model = rig_full_model(single ? VISE_F32 : VISE_F64);
    cr_assert_eq(vise_model_save(model, path, NULL), VISE_OK);
    vise_model *back = load(path);
    rig_assert_same(model, back, false);
    vise_model_free(back);
    vise_model_free(model);
  }

  cr_assert_eq(rig_n_entries(folder), 1);
}

Test(model_file, keeps_nets_of_all_shapes) {
  static const size_t shapes[][6] = {{1, 1, 0}, {31, 33, 0}, {1, 2, 1, 2, 1, 0}, {13, 1, 13, 0}};
  const char *path = rig_in("m.safetensors");

  for (size_t f = 0; f < 4; ++f) {
    for (int bias = 0; bias <= 1; ++bias) {
      vise_model *model = rig_model(shapes[f], bias, VISE_F32);
      cr_assert_eq(vise_model_save(model, path, NULL), VISE_OK);
      vise_model *back = load(path);

      cr_assert_eq(vise_model_n_tensors(back), vise_model_n_tensors(model));
      cr_assert_eq(vise_model_activation(back), VISE_TANH);
      cr_assert_eq(
          memcmp(vise_i_model_const_params(model), vise_i_model_const_params(back), 4 * vise_model_n_parameters(model)),
          0);

      vise_model_free(back);
      vise_model_free(model);
    }
  }
}

/* A net [4, 3, 2] as another program would write it, with room to get it wrong. */
typedef struct foreign {
  vise_i_st_tensor tensors[5];
  size_t n;
  const char *description;
  float values[32];
} foreign;

static void foreign_init(foreign *f) {
  static const char *names[] = {"0.weight", "0.bias", "2.weight", "2.bias"};
  static const size_t dims[][2] = {{3, 4}, {3, 0}, {2, 3}, {2, 0}};
  size_t at = 0;

  memset(f, 0, sizeof *f);
  for (size_t i = 0; i < 32; ++i) f->values[i] = (float)i;

  for (size_t i = 0; i < 4; ++i) {
    f->tensors[i] = (vise_i_st_tensor){.name = names[i],
                                       .dtype = VISE_I_ST_F32,
                                       .n_dims = i % 2 ? 1 : 2,
                                       .dims = {dims[i][0], dims[i][1]},
                                       .data = f->values + at};
    at += dims[i][0] * (i % 2 ? 1 : dims[i][1]);
  }
  f->n = 4;
}

static const char *foreign_write(const foreign *f) {
  vise_error err = VISE_ERROR_INIT;
  const char *path = rig_in("foreign.safetensors");
  const vise_i_st_meta meta[] = {{"vise", f->description}};
  EXPECT_OK(vise_i_st_write(path, &(vise_i_st_content){f->tensors, f->n, meta, f->description ? 1 : 0}, NULL, &err),
            err);
  return path;
}

Test(model_file, what_a_foreign_file_does_not_say_stays_open_until_it_is_set) {
  foreign f;
  vise_error err = VISE_ERROR_INIT;
  vise_model *clone = NULL;
  foreign_init(&f);
  vise_model *model = load(foreign_write(&f));

  EXPECT_OK(vise_model_clone(model, VISE_F64, &clone, &err), err);
  cr_assert(!vise_model_knows_activation(clone) && !vise_model_knows_loss(clone));
  EXPECT_OK(vise_model_save(clone, rig_in("open.safetensors"), &err), err);
  vise_model_free(clone);
  vise_model *saved = load(rig_in("open.safetensors"));
  cr_assert(!vise_model_knows_activation(saved) && !vise_model_knows_loss(saved));

  cr_assert_eq(vise_model_set_activation(saved, (vise_activation)99, &err), VISE_ERR_USAGE);
  vise_error_clear(&err);
  EXPECT_OK(vise_model_set_activation(saved, VISE_TANH, &err), err);
  cr_assert(vise_model_knows_activation(saved) && !vise_model_knows_loss(saved));
  vise_model_set_loss(saved, VISE_LOSS_MSE, VISE_MSE_MEAN, 0);
  EXPECT_OK(vise_model_save(saved, rig_in("known.safetensors"), &err), err);
  vise_model_free(saved);
  saved = load(rig_in("known.safetensors"));
  cr_assert(vise_model_knows_activation(saved) && vise_model_knows_loss(saved));
  cr_assert(vise_model_activation(saved) == VISE_TANH && vise_model_loss(saved) == VISE_LOSS_MSE);

  vise_model_free(saved);
  vise_model_free(model);
}

Test(model_file, a_foreign_file_is_understood_by_its_names) {
  foreign f;
  double b[2];
  foreign_init(&f);
  vise_model *model = load(foreign_write(&f));

  cr_assert_eq(vise_model_n_layers(model), 2);
  cr_assert(vise_model_width(model, 0) == 4 && vise_model_width(model, 1) == 3 && vise_model_width(model, 2) == 2);
  cr_assert_eq(vise_model_activation(model), VISE_RELU);
  cr_assert(!vise_model_knows_activation(model) && !vise_model_knows_loss(model));
  cr_assert_eq(vise_model_feature_scaling(model, NULL, NULL), VISE_SCALE_NONE);
  cr_assert(vise_model_has_bias(model));
  cr_assert_eq(vise_model_get_tensor(model, 3, b, 2, NULL), VISE_OK);
  cr_assert(b[0] == 21 && b[1] == 22);

  vise_model_free(model);
}

Test(model_file, foreign_files_that_are_not_a_chain_are_refused) {
  enum { N = 10 };
  static const vise_status codes[N] = {VISE_ERR_SHAPE,  VISE_ERR_SHAPE, VISE_ERR_SHAPE, VISE_ERR_SHAPE, VISE_ERR_FORMAT,
                                       VISE_ERR_FORMAT, VISE_ERR_VALUE, VISE_ERR_SHAPE, VISE_ERR_SHAPE, VISE_ERR_SHAPE};
  static const char *says[N] = {"no tensor '0.weight'",
                                "'2.weight' is [3, 2], expected [*, 3]",
                                "no tensor '2.bias'",
                                "'1.num_batches' has no place",
                                "'2.bias' is I64",
                                "one type for all",
                                "'2.bias', element 1 is nan",
                                "no tensors",
                                "'0.bias' has another shape",
                                "'0.weight' has 1 dimensions"};

  for (size_t i = 0; i < N; ++i) {
    foreign f;
    foreign_init(&f);

    if (i == 0) f.tensors[0].name = "fc1.weight";
    if (i == 1) f.tensors[2].dims[0] = 3, f.tensors[2].dims[1] = 2;
    if (i == 2) f.n = 3;
    if (i == 3)
      f.tensors[f.n++] = (vise_i_st_tensor){.name = "1.num_batches", .dtype = VISE_I_ST_F32, .data = f.values};
    if (i == 4) f.tensors[3].dtype = VISE_I_ST_I64;
    if (i == 5) f.tensors[3].dtype = VISE_I_ST_F64, f.tensors[3].data = f.values + 2;
    if (i == 6) f.values[22] = NAN;
    if (i == 7) f.n = 0;
    if (i == 8) f.tensors[1].dims[0] = 4;
    if (i == 9) f.tensors[0].n_dims = 1, f.tensors[0].dims[0] = 12;

    assert_refused(foreign_write(&f), codes[i], says[i]);
  }
}

#define D(version, widths, activation, smoothing, features)                                                     \
  "{\"format_version\":" version ",\"widths\":" widths ",\"activation\":" activation                            \
  ",\"bias\":true,"                                                                                             \
  "\"loss\":\"mse\",\"mse_reduction\":\"mean\",\"label_smoothing\":" smoothing ",\"feature_scaling\":" features \
  ",\"target_scaling\":{\"kind\":\"none\"}}"
#define NONE "{\"kind\":\"none\"}"

Test(model_file, descriptions_are_checked_before_memory_is_taken) {
  static const struct {
    const char *description;
    vise_status code;
    const char *says;
  } cases[] = {
      {"nonsense", VISE_ERR_FORMAT, "the metadata of Vise, byte 0: expected '{'"},
      {"[]", VISE_ERR_FORMAT, "not a JSON object"},
      {"{}", VISE_ERR_FORMAT, "no \"format_version\""},
      {D("3", "[4,3,2]", "\"relu\"", "0", NONE), VISE_ERR_FORMAT, "newer Vise"},
      {D("0", "[4,3,2]", "\"relu\"", "0", NONE), VISE_ERR_FORMAT, "format_version"},
      {D("1", "[4]", "\"relu\"", "0", NONE), VISE_ERR_FORMAT, "widths"},
      {D("1", "[4,0,2]", "\"relu\"", "0", NONE), VISE_ERR_FORMAT, "widths"},
      {D("1", "[4,3.5,2]", "\"relu\"", "0", NONE), VISE_ERR_FORMAT, "widths"},
      {D("1", "[4,5,2]", "\"relu\"", "0", NONE), VISE_ERR_SHAPE, "hold 23 numbers"},
      {D("1", "[1048576,4095,4095,1048576]", "\"relu\"", "0", NONE), VISE_ERR_SHAPE, "hold 23 numbers"},
      {D("1", "[4,3,2]", "\"swish\"", "0", NONE), VISE_ERR_FORMAT, "activation"},
      {D("1", "[4,3,2]", "\"relu\"", "1", NONE), VISE_ERR_FORMAT, "label_smoothing"},
      {D("1", "[4,3,2]", "\"relu\"", "\"0\"", NONE), VISE_ERR_FORMAT, "label_smoothing"},
      {D("1", "[4,3,2]", "\"relu\"", "0", "{\"kind\":\"auto\"}"), VISE_ERR_FORMAT, "feature_scaling"},
      {D("1", "[4,3,2]", "\"relu\"", "0", "{\"kind\":\"standard\"}"), VISE_ERR_FORMAT, "feature_scaling"},
      {D("1", "[4,3,2]", "\"relu\"", "0", "{\"kind\":\"standard\",\"shift\":[0,0,0,0],\"scale\":[1,1,1]}"),
       VISE_ERR_FORMAT, "feature_scaling"},
      {D("1", "[4,3,2]", "\"relu\"", "0", "{\"kind\":\"standard\",\"shift\":[0,0,0,0],\"scale\":[1,1,1,0]}"),
       VISE_ERR_FORMAT, "feature_scaling"},
      {D("1", "[4,3,2]", "\"relu\"", "0", "{\"kind\":\"standard\",\"shift\":[0,0,0,0],\"scale\":[1,1,1,\"1\"]}"),
       VISE_ERR_FORMAT, "feature_scaling"},
  };

  foreign f;
  foreign_init(&f);
  f.description = D("1", "[4,3,2]", "\"gelu\"", "0", "{\"kind\":\"unit\"}");

  vise_model *model = load(foreign_write(&f));
  cr_assert_eq(vise_model_activation(model), VISE_GELU);
  cr_assert_eq(vise_model_mse_reduction(model), VISE_MSE_MEAN);
  cr_assert_eq(vise_model_feature_scaling(model, NULL, NULL), VISE_SCALE_UNIT);
  vise_model_free(model);

  for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
    f.description = cases[i].description;
    assert_refused(foreign_write(&f), cases[i].code, cases[i].says);
  }
}

Test(model_file, missing_files_and_folders_are_named) {
  assert_refused(rig_in("none.safetensors"), VISE_ERR_IO, "cannot be opened");
  assert_refused(rig_in("."), VISE_ERR_IO, "folder");
}

Test(model_file, a_loss_that_could_not_be_read_again_is_not_written) {
  vise_model *model = rig_full_model(VISE_F32);
  const char *path = rig_in("m.safetensors"), *folder = rig_in(".");

  vise_model_set_loss(model, VISE_LOSS_CROSS_ENTROPY, VISE_MSE_MEAN, NAN);
  cr_assert_eq(vise_model_save(model, path, NULL), VISE_ERR_VALUE);
  vise_model_set_loss(model, VISE_LOSS_CROSS_ENTROPY, VISE_MSE_MEAN, 1);
  cr_assert_eq(vise_model_save(model, path, NULL), VISE_ERR_VALUE);
  vise_model_set_loss(model, (vise_loss)77, VISE_MSE_MEAN, 0);
  cr_assert_eq(vise_model_save(model, path, NULL), VISE_ERR_VALUE);

  cr_assert_eq(rig_n_entries(folder), 0);
  vise_model_free(model);
}

Test(model_file, masks_are_kept_in_their_own_file) {
  vise_model *model = rig_full_model(VISE_F32), *other = NULL, *small = NULL;
  static const size_t widths[] = {5, 7, 0}, shape[] = {7, 5, 3, 0};
  const char *path = rig_in("mask.safetensors");

  cr_assert_eq(vise_model_save_mask(model, path, NULL), VISE_OK);
  cr_assert_eq(vise_model_clone(model, VISE_F64, &other, NULL), VISE_OK);
  cr_assert_eq(vise_model_set_mask(other, NULL, 0, NULL), VISE_OK);
  cr_assert_eq(vise_model_save_mask(other, path, NULL), VISE_ERR_STATE);
  cr_assert_eq(vise_model_initialize(other, VISE_INIT_HE, 3, NULL), VISE_OK);
  cr_assert_eq(vise_model_load_mask(other, path, NULL), VISE_OK);

  size_t n = vise_model_n_parameters(model);
  cr_assert_eq(memcmp(vise_model_mask(model), vise_model_mask(other), n), 0);
  for (size_t i = 0; i < n; ++i) {
    if (!vise_model_mask(other)[i]) cr_assert(((const double *)vise_i_model_const_params(other))[i] == 0);
  }

  small = rig_model(widths, true, VISE_F32);
  cr_assert_eq(vise_model_load_mask(small, path, NULL), VISE_ERR_SHAPE);
  vise_model_free(small);
  small = rig_model(shape, true, VISE_F32);
  cr_assert_eq(vise_model_load_mask(small, path, NULL), VISE_ERR_SHAPE);
  cr_assert_null(vise_model_mask(small));

  cr_assert_eq(vise_model_save(model, path, NULL), VISE_OK);
  cr_assert_neq(vise_model_load_mask(model, path, NULL), VISE_OK);

  uint8_t values[35 + 21] = {1, 0, 2};
  const vise_i_st_tensor tensors[] = {
      {.name = "0.weight", .dtype = VISE_I_ST_U8, .n_dims = 2, .dims = {7, 5}, .data = values},
      {.name = "2.weight", .dtype = VISE_I_ST_U8, .n_dims = 2, .dims = {3, 7}, .data = values + 35}};
  cr_assert_eq(vise_i_st_write(path, &(vise_i_st_content){tensors, 2, NULL, 0}, NULL, NULL), VISE_OK);
  vise_error err = VISE_ERROR_INIT;
  EXPECT_ERROR(vise_model_load_mask(model, path, &err), &err, VISE_ERR_VALUE,
               "mask.safetensors: tensor '0.weight', element 2 is 2");

  vise_model_free(small);
  vise_model_free(other);
  vise_model_free(model);
}

typedef struct save_job {
  const vise_model *model;
  const char *path;
} save_job;

static int save_in_child(void *user) {
  const save_job *job = user;
  vise_error err = VISE_ERROR_INIT;
  return (int)vise_model_save(job->model, job->path, &err);
}

Test(model_file, a_full_disk_leaves_the_old_file) {
  vise_model *model = rig_full_model(VISE_F64), *other = NULL;
  const char *path = rig_in("m.safetensors"), *folder = rig_in(".");
  uint8_t *bytes;
  size_t n;

  cr_assert_eq(vise_model_save(model, path, NULL), VISE_OK);
  rig_read(path, &bytes, &n);
  free(bytes);
  cr_assert_eq(vise_model_clone(model, VISE_F64, &other, NULL), VISE_OK);
  cr_assert_eq(vise_model_initialize(other, VISE_INIT_LINEAR, 99, NULL), VISE_OK);
  save_job job = {other, path};

  for (size_t limit = 0; limit < n; limit += limit < 64 || limit + 64 > n ? 1 : 61) {
    cr_assert_eq(rig_with_full_disk(limit, save_in_child, &job), VISE_ERR_IO, "limit %zu", limit);
    cr_assert_eq(rig_n_entries(folder), 1);
  }

  vise_model *back = load(path);
  rig_assert_same(model, back, false);
  vise_model_free(back);
  cr_assert_eq(rig_with_full_disk(n, save_in_child, &job), VISE_OK);
  back = load(path);
  rig_assert_same(other, back, false);
  vise_model_free(back);

  vise_model_free(other);
  vise_model_free(model);
}

/* ---- in memory ---- */

Test(model_file, memory_holds_the_bytes_of_the_file) {
  vise_error err = VISE_ERROR_INIT;
  vise_model *model = rig_full_model(VISE_F32), *again = NULL;
  const char *path = rig_in("m.safetensors");
  void *bytes = NULL;
  uint8_t *file = NULL;
  size_t n = 0, n_file = 0;

  EXPECT_OK(vise_model_save(model, path, &err), err);
  EXPECT_OK(vise_model_save_memory(model, &bytes, &n, &err), err);
  rig_read(path, &file, &n_file);
  cr_assert_eq(n, n_file);
  cr_expect_eq(memcmp(bytes, file, n), 0);

  EXPECT_OK(vise_model_load_memory(bytes, n, &again, &err), err);
  rig_assert_same(again, model, false);
  vise_model_free(again);

  again = NULL;
  for (size_t cut = 0; cut < n; ++cut) {
    cr_assert_eq(vise_model_load_memory(bytes, cut, &again, &err), VISE_ERR_FORMAT, "%zu: %s", cut, err.text);
  }
  cr_expect_null(again);
  cr_expect_not_null(strstr(err.text, "memory: "), "%s", err.text);

  free(file);
  vise_buffer_free(bytes);
  vise_buffer_free(NULL);
  vise_model_free(model);
}

Test(model_file, references_are_counted) {
  vise_model *model = rig_full_model(VISE_F64);
  cr_expect_eq(vise_model_retain(model), model);
  vise_model_free(model);
  cr_expect_eq(vise_model_n_layers(model), 2);
  vise_model_free(model);
  cr_expect_null(vise_model_retain(NULL));
}
