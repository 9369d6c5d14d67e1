/* Certificates of nets whose bounds are known. */
#include "vise/certify.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/certify/certificate.h"
#include "host/model/safetensors.h"
#include "tests/unit/model/rig.h"

static void set_up(void) {
  rig_make_folder();
}

static void tear_down(void) {
  rig_remove_folder();
}

TestSuite(certify, .init = set_up, .fini = tear_down);

/* z = [1 -2; 0.5 0] x + [0.25, -1], y = 3 f(z_0) - f(z_1). */
static vise_model *small(vise_activation activation) {
  static const double weights[] = {1, -2, 0.5, 0}, biases[] = {0.25, -1}, last[] = {3, -1}, none[] = {0};
  vise_model *model = rig_model((const size_t[]){2, 2, 1, 0}, true, VISE_F32);
  cr_assert_eq(vise_model_set_activation(model, activation, NULL), VISE_OK);
  cr_assert_eq(vise_model_set_tensor(model, 0, weights, 4, NULL), VISE_OK);
  cr_assert_eq(vise_model_set_tensor(model, 1, biases, 2, NULL), VISE_OK);
  cr_assert_eq(vise_model_set_tensor(model, 2, last, 2, NULL), VISE_OK);
  cr_assert_eq(vise_model_set_tensor(model, 3, none, 1, NULL), VISE_OK);
  return model;
}

static vise_certificate *certify(const vise_model *model, double low, double high) {
  const double lows[] = {low, low}, highs[] = {high, high};
  vise_error err = VISE_ERROR_INIT;
  vise_certificate *out = NULL;
  vise_certify_config config;
  vise_certify_config_init(&config);
  config.low = lows;
  config.high = highs;
  cr_assert_eq(vise_certify(model, &config, &out, &err), VISE_OK, "%s", err.text);
  return out;
}

/* What is claimed is wider than the exact range, by no more than `more`. */
static void expect_range(double low, double high, double exact_low, double exact_high, double more) {
  cr_expect(low < exact_low && low > exact_low - more, "%.17g for %.17g", low, exact_low);
  cr_expect(high > exact_high && high < exact_high + more, "%.17g for %.17g", high, exact_high);
}

Test(certify, ranges_are_the_exact_ones_and_a_margin) {
  vise_model *model = small(VISE_RELU);
  vise_certificate *c = certify(model, -1, 1);
  double low, high, error;

  cr_assert_eq(vise_certificate_layer(c, 0, &low, &high, NULL), VISE_OK);
  expect_range(low, high, -2.75, 3.25, 2e-5);
  cr_assert_eq(vise_certificate_output(c, 0, &low, &high, &error, NULL), VISE_OK);
  expect_range(low, high, 0, 9.75, 6e-5); /* z_1 is below 0 */
  cr_expect(error > 1e-7 && error < 6e-5, "%g", error);

  vise_certificate_free(c);
  vise_model_free(model);
}

Test(certify, lipschitz_bounds_are_those_of_the_paths) {
  vise_model *model = small(VISE_RELU);
  const double shift[] = {0, 0}, scale[] = {2, 0.5};
  cr_assert_eq(vise_model_set_feature_scaling(model, VISE_SCALE_STANDARD, shift, scale, NULL), VISE_OK);
  vise_certificate *c = certify(model, -1, 1);

  /* |3| (1/2 + 2/0.5) + |-1| 0.5/2. */
  const double exact = 13.75, inf = vise_certificate_lipschitz_inf(c), two = vise_certificate_lipschitz_2(c);
  cr_expect(inf >= exact && inf < exact * (1 + 1e-12), "%.17g", inf);
  cr_expect(c->inf_product >= 4 * 4.5 && c->inf_product < 18.000001, "%.17g", c->inf_product);
  /* The norm of [0.5 -4; 0.25 0], and sqrt 10. */
  const double norm = 4.0312485899, product = norm * sqrt(10.0);
  cr_expect(two >= product * (1 - 1e-9) && two < product * 1.001, "%.17g", two);
  cr_expect_eq(c->layers[0].spectral_by, VISE_I_BY_CHOLESKY);

  vise_certificate_free(c);
  vise_model_free(model);
}

Test(certify, monotone_inputs_are_those_whose_paths_agree) {
  vise_model *model = small(VISE_RELU);
  vise_certificate *c = certify(model, -1, 1);
  cr_expect(!vise_certificate_increases(c, 0, 0)); /* 1 * 3, but 0.5 * -1 */
  cr_expect(!vise_certificate_decreases(c, 0, 0));
  cr_expect(!vise_certificate_increases(c, 0, 1));
  cr_expect(vise_certificate_decreases(c, 0, 1)); /* -2 * 3, and no other path */
  cr_expect(!vise_certificate_decreases(c, 1, 0) && !vise_certificate_decreases(c, 0, 2));
  vise_certificate_free(c);

  cr_assert_eq(vise_model_set_activation(model, VISE_GELU, NULL), VISE_OK);
  c = certify(model, -1, 1);
  cr_expect(!vise_certificate_decreases(c, 0, 1));
  vise_certificate_free(c);
  vise_model_free(model);
}

Test(certify, what_smooth_activations_do_between_the_ends_of_a_range_counts) {
  vise_model *model = small(VISE_SILU);
  vise_certificate *c = certify(model, -8, 8);
  double low, high;
  cr_assert_eq(vise_certificate_output(c, 0, &low, &high, NULL, NULL), VISE_OK);
  cr_expect_lt(low, 3 * -0.278464542 - 2.8577); /* silu(3) = 2.8577 */
  cr_expect_gt(low, 3 * -0.278464542 - 2.8578 - 1e-3);
  vise_certificate_free(c);
  vise_model_free(model);
}

/* Of the C library's own rounding: each row's positive integers times the largest input, with the bias. */
Test(certify, sums_of_integers_are_bounded) {
  vise_model *model = small(VISE_RELU);
  const double rows[] = {0, 0, 1, 1}, low[] = {0, 0}, high[] = {1, 1};
  const vise_array x = vise_array_of(rows, VISE_F64, 2, 2);
  vise_dataset *data = NULL;
  vise_certificate *c = NULL;
  vise_certify_config config;
  vise_error err = VISE_ERROR_INIT;
  int64_t least = 0, most = 0;
  double fullest = 0;
  bool is_trained = true;
  cr_assert_eq(vise_dataset_from_arrays(&x, NULL, NULL, true, &data, &err), VISE_OK, "%s", err.text);
  vise_certify_config_init(&config);
  config.low = low;
  config.high = high;
  config.integers = "int8,acc16,in4";
  config.data = data;
  cr_assert_eq(vise_certify(model, &config, &c, &err), VISE_OK, "%s", err.text);
  cr_assert_str_eq(vise_certificate_integers(c, &is_trained), "int8,acc16,act8,in4");
  cr_assert(!is_trained && vise_certificate_integers_fault(c) == NULL);

  /* With the scales 2^-5 of weights and 1/15 of inputs: [32 -64] and 120, [16 0] and -480. */
  cr_assert_eq(vise_certificate_sums(c, 0, &least, &most, &fullest, &err), VISE_OK, "%s", err.text);
  const vise_i_integer_layer *layer = &c->sums.net->layers[0];
  const int32_t w = layer->weights[0], b = layer->bias[0];
  cr_assert(w > 0 && layer->weights[1] == -2 * w && layer->weights[2] * 2 == w && layer->weights[3] == 0);
  cr_assert(b > 0 && layer->bias[1] < 0 && layer->in_max == 15);
  cr_assert_eq(most, 15 * w + b);
  cr_assert_eq(least, -30 * w < layer->bias[1] ? -30 * w : layer->bias[1]);
  cr_assert_float_eq(fullest, fmax((double)most / 32767, -(double)least / 32768), 1e-15);
  cr_assert_eq(vise_certificate_sums(c, 2, &least, &most, NULL, NULL), VISE_ERR_USAGE);
  vise_certificate_free(c);

  c = certify(model, 0, 1);
  cr_assert_null(vise_certificate_integers(c, NULL));
  cr_assert_eq(vise_certificate_sums(c, 0, &least, &most, NULL, &err), VISE_ERR_USAGE);
  cr_assert(strstr(err.text, "about floats alone"), "%s", err.text);
  vise_certificate_free(c);
  vise_dataset_free(data);
  vise_model_free(model);
}

static void expect_refused(const vise_model *model, const double *low, const double *high, vise_status code,
                           const char *says) {
  vise_error err = VISE_ERROR_INIT;
  vise_certificate *out = NULL;
  vise_certify_config config;
  vise_certify_config_init(&config);
  config.low = low;
  config.high = high;
  cr_expect_eq(vise_certify(model, &config, &out, &err), code, "%s", err.text);
  cr_expect(strstr(err.text, says) != NULL && out == NULL, "\"%s\" does not say \"%s\"", err.text, says);
}

Test(certify, refuses_with_the_reason) {
  vise_model *model = small(VISE_RELU);
  expect_refused(model, NULL, NULL, VISE_ERR_USAGE, "input 0: its range is not known");
  expect_refused(model, (const double[]){0, 1}, (const double[]){1, 0}, VISE_ERR_USAGE, "input 1: the range 1 to 0");
  expect_refused(model, (const double[]){0, NAN}, (const double[]){1, 1}, VISE_ERR_USAGE,
                 "input 1: the range nan to 1");
  expect_refused(model, (const double[]){0, 0}, (const double[]){1, 3e38}, VISE_ERR_VALUE, "beyond float32");

  cr_assert_eq(vise_model_set_feature_scaling(model, VISE_SCALE_UNIT, NULL, NULL, NULL), VISE_OK);
  vise_certificate *c = NULL;
  double low, high;
  cr_assert_eq(vise_certify(model, NULL, &c, NULL), VISE_OK); /* bytes */
  cr_assert_eq(vise_certificate_input(c, 1, &low, &high, NULL), VISE_OK);
  cr_expect(low >= 0 && low <= 0 && high >= 255 && high <= 255);
  cr_expect_eq(vise_certificate_output(c, 1, &low, &high, NULL, NULL), VISE_ERR_USAGE);
  vise_certificate_free(c);
  vise_model_free(model);
}

Test(certify, the_file_keeps_what_it_had) {
  vise_error err = VISE_ERROR_INIT;
  vise_model *model = small(VISE_RELU), *again = NULL, *other = rig_model((const size_t[]){2, 2, 1, 0}, true, VISE_F32);
  vise_certificate *c = certify(model, -1, 1);
  vise_i_st_file *file = NULL;
  const char *path = rig_in("m.safetensors");
  char *json = NULL;
  cr_assert_eq(vise_model_save(model, path, NULL), VISE_OK);

  for (int times = 0; times < 2; times++) { /* the second takes the place of the first */
    cr_assert_eq(vise_certificate_attach(c, path, &err), VISE_OK, "%s", err.text);
    cr_assert_eq(vise_i_st_read(path, &file, NULL), VISE_OK);
    cr_assert_eq(vise_certificate_to_json(c, &json, NULL), VISE_OK);
    cr_expect_str_eq(vise_i_st_metadata(file, VISE_I_CERTIFICATE_KEY), json);
    cr_expect_str_eq(vise_i_st_metadata(file, "format"), "pt");
    free(json);
    vise_i_st_free(file);
  }
  cr_assert_eq(vise_model_load(path, &again, &err), VISE_OK, "%s", err.text);
  rig_assert_same(model, again, true);

  vise_certificate *wrong = certify(other, -1, 1);
  cr_expect_eq(vise_certificate_attach(wrong, path, &err), VISE_ERR_STATE);
  cr_expect(strstr(err.text, "not those that were certified") != NULL);
  vise_certificate_free(wrong);
  vise_certificate_free(c);
  vise_model_free(model);
  vise_model_free(again);
  vise_model_free(other);
}

/* Bounds of matrices whose norms are known, by each way. */
Test(certify, spectral_bounds_hold_and_are_close) {
  enum { N = 60, M = 90 };
  static double matrix[N * M];
  vise_i_certified_layer layer;
  for (size_t i = 0; i < N; i++) matrix[i * M + i] = i == 7 ? -3 : 1; /* norm 3 */
  cr_assert_eq(vise_i_spectral_bound(matrix, N, M, &layer, NULL), VISE_OK);
  cr_expect(layer.spectral >= 3 && layer.spectral < 3.001, "%.17g", layer.spectral);

  memset(matrix, 0, sizeof matrix);
  matrix[5] = 0.5; /* rank one, where all ways agree */
  cr_assert_eq(vise_i_spectral_bound(matrix, N, M, &layer, NULL), VISE_OK);
  cr_expect(layer.spectral >= 0.5 && layer.spectral < 0.5 + 1e-9 && layer.spectral_by != VISE_I_BY_CHOLESKY);

  matrix[5] = 0;
  cr_assert_eq(vise_i_spectral_bound(matrix, N, M, &layer, NULL), VISE_OK);
  cr_expect(layer.spectral >= 0 && layer.spectral < 1e-300);
}
