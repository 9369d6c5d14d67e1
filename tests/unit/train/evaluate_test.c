/* Evaluation, prediction, saving arrays and what the build reports about itself. */
#include <locale.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "rig.h"

static vise_eval_config on(vise_backend backend, size_t batch) {
  vise_eval_config config;
  vise_eval_config_init(&config);
  config.backend = backend;
  config.batch = batch;
  return config;
}

/* y = W x + b for one linear layer of 2 inputs and 3 outputs. */
static const double weights[6] = {1, -1, 0.5, 2, -1.5, 0.25}, biases[3] = {0.1, -0.2, 0.3};
static const double inputs[8] = {0.5, 1, -1, 2, 3, -0.5, 0, 0};

static vise_model *linear_model(vise_loss loss, vise_dtype dtype) {
  vise_model *model = rig_model((const size_t[]){2, 3}, 2, true, dtype);
  OK(vise_model_set_tensor(model, 0, weights, 6, &rig_err));
  OK(vise_model_set_tensor(model, 1, biases, 3, &rig_err));
  vise_model_set_loss(model, loss, VISE_MSE_HALF_MEAN, 0.0);
  return model;
}

static double output_at(const double *x, size_t k) {
  return weights[2 * k] * x[0] + weights[2 * k + 1] * x[1] + biases[k];
}

Test(predict, gives_raw_outputs_probabilities_and_classes) {
  static const vise_backend backends[] = {VISE_BACKEND_AUTO, VISE_BACKEND_CPU, VISE_BACKEND_CPU64};
  vise_dataset *data = rig_dataset(inputs, 4, 2, NULL, 0);

  for (size_t b = 0; b < 3; b++) {
    for (size_t batch = 0; batch <= 4; batch++) {
      /* A float64 model on the float32 backend, and the other way round. */
      vise_model *model = linear_model(VISE_LOSS_CROSS_ENTROPY, b % 2 == 0 ? VISE_F64 : VISE_F32);
      vise_eval_config config = on(backends[b], batch);
      double raw[12], probability[12], class[4];

      cr_expect_eq(vise_predict_width(model, VISE_OUTPUT_RAW), 3);
      cr_expect_eq(vise_predict_width(model, VISE_OUTPUT_PROBABILITY), 3);
      cr_expect_eq(vise_predict_width(model, VISE_OUTPUT_CLASS), 1);

      OK(vise_predict(model, data, &config, VISE_OUTPUT_RAW, raw, &rig_err));
      OK(vise_predict(model, data, &config, VISE_OUTPUT_PROBABILITY, probability, &rig_err));
      OK(vise_predict(model, data, &config, VISE_OUTPUT_CLASS, class, &rig_err));

      for (size_t r = 0; r < 4; r++) {
        double sum = 0, best = -INFINITY, best_k = 0;
        for (size_t k = 0; k < 3; k++) sum += exp(output_at(inputs + 2 * r, k));
        for (size_t k = 0; k < 3; k++) {
          const double z = output_at(inputs + 2 * r, k);
          EXPECT_NEAR(raw[3 * r + k], z, 1e-6);
          EXPECT_NEAR(probability[3 * r + k], exp(z) / sum, 1e-6);
          if (z > best) {
            best = z;
            best_k = (double)k;
          }
        }
        cr_expect_eq(class[r], best_k);
      }
      vise_model_free(model);
    }
  }
  vise_dataset_free(data);
}

Test(predict, knows_sigmoid_ties_and_single_outputs) {
  vise_eval_config config = on(VISE_BACKEND_CPU64, 0);
  double out[12];
  vise_dataset *data = rig_dataset((const double[]){-800, 0, 800, 1e-3}, 4, 1, NULL, 0);
  vise_model *model = rig_model((const size_t[]){1, 1}, 2, false, VISE_F64);

  OK(vise_model_set_tensor(model, 0, (const double[]){1}, 1, &rig_err));
  vise_model_set_loss(model, VISE_LOSS_BCE, VISE_MSE_HALF_MEAN, 0.0);

  OK(vise_predict(model, data, &config, VISE_OUTPUT_PROBABILITY, out, &rig_err));
  cr_expect(out[0] == 0.0 && out[1] == 0.5 && out[2] == 1.0);
  EXPECT_NEAR(out[3], 0.50025, 1e-8);
  OK(vise_predict(model, data, &config, VISE_OUTPUT_CLASS, out, &rig_err));
  cr_expect(out[0] == 0.0 && out[1] == 0.0 && out[2] == 1.0 && out[3] == 1.0);
  vise_model_free(model);

  model = rig_model((const size_t[]){1, 3}, 2, false, VISE_F64);
  OK(vise_model_set_tensor(model, 0, (const double[]){0, 1, 1}, 3, &rig_err));
  vise_model_set_loss(model, VISE_LOSS_HINGE, VISE_MSE_HALF_MEAN, 0.0);
  OK(vise_predict(model, data, &config, VISE_OUTPUT_CLASS, out, &rig_err));
  cr_expect(out[0] == 0.0 && out[1] == 0.0 && out[2] == 1.0 && out[3] == 1.0, "ties go to the lowest index");
  vise_model_free(model);
  vise_dataset_free(data);
}

Test(predict, undoes_the_scaling_of_targets_and_applies_that_of_features) {
  vise_eval_config config = on(VISE_BACKEND_CPU64, 3);
  vise_dataset *data = rig_dataset(inputs, 4, 2, NULL, 0);
  vise_model *model = linear_model(VISE_LOSS_MSE, VISE_F64);
  const double shift[2] = {0.5, -1}, scale[2] = {2, 4}, y_shift[3] = {10, 20, 30}, y_scale[3] = {1, 2, 3};
  double out[12];

  OK(vise_model_set_feature_scaling(model, VISE_SCALE_STANDARD, shift, scale, &rig_err));
  OK(vise_model_set_target_scaling(model, VISE_SCALE_STANDARD, y_shift, y_scale, &rig_err));
  OK(vise_predict(model, data, &config, VISE_OUTPUT_RAW, out, &rig_err));

  for (size_t r = 0; r < 4; r++) {
    const double x[2] = {(inputs[2 * r] - 0.5) / 2, (inputs[2 * r + 1] + 1) / 4};
    for (size_t k = 0; k < 3; k++) {
      EXPECT_NEAR(out[3 * r + k], output_at(x, k) * y_scale[k] + y_shift[k], 1e-12);
    }
  }

  double mean[12];
  OK(vise_predict(model, data, &config, VISE_OUTPUT_MEAN, mean, &rig_err));
  cr_expect_arr_eq(mean, out, sizeof out, "mse predicts the mean itself");
  cr_expect_eq(vise_predict_output(model, VISE_OUTPUT_AUTO), VISE_OUTPUT_RAW);
  cr_expect_eq(vise_predict_output(NULL, VISE_OUTPUT_AUTO), VISE_OUTPUT_RAW);

  vise_model_free(model);
  vise_dataset_free(data);
}

Test(predict, poisson_predicts_the_mean) {
  vise_eval_config config = on(VISE_BACKEND_CPU64, 2);
  vise_dataset *data = rig_dataset(inputs, 4, 2, NULL, 0);
  vise_model *model = linear_model(VISE_LOSS_POISSON, VISE_F64);
  double raw[12], out[12];

  OK(vise_predict(model, data, &config, VISE_OUTPUT_RAW, raw, &rig_err));
  OK(vise_predict(model, data, &config, VISE_OUTPUT_AUTO, out, &rig_err));
  cr_expect_eq(vise_predict_output(model, VISE_OUTPUT_AUTO), VISE_OUTPUT_MEAN);

  for (size_t r = 0; r < 4; r++) {
    for (size_t k = 0; k < 3; k++) {
      EXPECT_NEAR(raw[3 * r + k], output_at(inputs + 2 * r, k), 1e-12);
      EXPECT_NEAR(out[3 * r + k], exp(raw[3 * r + k]), 1e-12 * out[3 * r + k]);
    }
  }
  REFUSED(vise_predict(model, data, &config, VISE_OUTPUT_CLASS, out, &rig_err), VISE_ERR_USAGE, "poisson");

  vise_model_free(model);
  vise_dataset_free(data);
}

Test(predict, takes_the_rows_of_a_selection) {
  vise_eval_config config = on(VISE_BACKEND_CPU64, 2);
  vise_dataset *data = rig_dataset(inputs, 4, 2, NULL, 0), *some = NULL;
  vise_model *model = linear_model(VISE_LOSS_MSE, VISE_F64);
  const size_t rows[3] = {3, 0, 2};
  double out[9];

  OK(vise_dataset_select(data, rows, 3, &some, &rig_err));
  OK(vise_predict(model, some, &config, VISE_OUTPUT_RAW, out, &rig_err));
  for (size_t i = 0; i < 9; i++) EXPECT_NEAR(out[i], output_at(inputs + 2 * rows[i / 3], i % 3), 1e-12);

  vise_model_free(model);
  vise_dataset_free(some);
  vise_dataset_free(data);
}

Test(predict, refuses_outputs_that_the_loss_does_not_have) {
  vise_eval_config config = on(VISE_BACKEND_CPU64, 0);
  vise_dataset *data = rig_dataset(inputs, 4, 2, NULL, 0), *wide = rig_dataset(inputs, 2, 4, NULL, 0);
  vise_model *model = linear_model(VISE_LOSS_MSE, VISE_F64);
  double out[12] = {77};

  REFUSED(vise_predict(model, data, &config, VISE_OUTPUT_PROBABILITY, out, &rig_err), VISE_ERR_USAGE, "mse");
  REFUSED(vise_predict(model, data, &config, VISE_OUTPUT_CLASS, out, &rig_err), VISE_ERR_USAGE, "mse");

  vise_model_set_loss(model, VISE_LOSS_HINGE, VISE_MSE_HALF_MEAN, 0.0);
  REFUSED(vise_predict(model, data, &config, VISE_OUTPUT_PROBABILITY, out, &rig_err), VISE_ERR_USAGE, "hinge");
  REFUSED(vise_predict(model, data, &config, VISE_OUTPUT_MEAN, out, &rig_err), VISE_ERR_USAGE, "use raw");
  vise_model_set_loss(model, VISE_LOSS_BCE, VISE_MSE_HALF_MEAN, 0.0);
  REFUSED(vise_predict(model, data, &config, VISE_OUTPUT_MEAN, out, &rig_err), VISE_ERR_USAGE, "use probability");
  REFUSED(vise_predict(model, wide, &config, VISE_OUTPUT_RAW, out, &rig_err), VISE_ERR_SHAPE, "4");

  config.backend = VISE_BACKEND_CUDA;
  REFUSED(vise_predict(model, data, &config, VISE_OUTPUT_RAW, out, &rig_err), VISE_ERR_UNSUPPORTED, "cuda");
  config = on(VISE_BACKEND_CPU64, 0);
  config.n_threads = -1;
  REFUSED(vise_predict(model, data, &config, VISE_OUTPUT_RAW, out, &rig_err), VISE_ERR_USAGE, "-1");
  config = (vise_eval_config){0};
  REFUSED(vise_predict(model, data, &config, VISE_OUTPUT_RAW, out, &rig_err), VISE_ERR_USAGE, "struct_size");

  cr_expect_eq(out[0], 77.0, "outputs stay as they were");
  vise_model_free(model);
  vise_dataset_free(data);
  vise_dataset_free(wide);
}

Test(evaluate, agrees_with_a_sum_by_hand_for_any_batch) {
  const double labels[4] = {0, 1, 2, 2};
  vise_dataset *data = rig_dataset(inputs, 4, 2, labels, 1);
  vise_model *model = linear_model(VISE_LOSS_CROSS_ENTROPY, VISE_F32);
  double loss = 0, right = 0;

  for (size_t r = 0; r < 4; r++) {
    double sum = 0, best = -INFINITY, best_k = 0;
    for (size_t k = 0; k < 3; k++) {
      const double z = output_at(inputs + 2 * r, k);
      sum += exp(z);
      if (z > best) {
        best = z;
        best_k = (double)k;
      }
    }

    loss += (log(sum) - output_at(inputs + 2 * r, (size_t)labels[r])) / 4;
    right += best_k == labels[r] ? 0.25 : 0;
  }

  for (size_t batch = 0; batch <= 5; batch++) {
    for (int b = 0; b < 2; b++) {
      vise_metrics metrics;
      vise_eval_config config = on(b == 0 ? VISE_BACKEND_CPU : VISE_BACKEND_CPU64, batch);
      OK(vise_evaluate(model, data, &config, &metrics, &rig_err));
      cr_expect_eq(metrics.n_rows, 4);
      EXPECT_NEAR(metrics.loss, loss, 1e-6);
      cr_expect_eq(metrics.accuracy, right);
      cr_expect(isnan(metrics.rmse) && isnan(metrics.r2));
    }
  }

  vise_model_free(model);
  vise_dataset_free(data);
}

Test(evaluate, weighs_classes_as_a_training_does) {
  const double labels[4] = {0, 1, 2, 2}, class_weights[3] = {1, 5, 0.5};
  vise_dataset *data = rig_dataset(inputs, 4, 2, labels, 1);
  vise_model *model = linear_model(VISE_LOSS_CROSS_ENTROPY, VISE_F64);
  vise_eval_config config = on(VISE_BACKEND_CPU64, 0);
  vise_metrics plain, weighted;
  double loss = 0, weight = 0;

  for (size_t r = 0; r < 4; r++) {
    double sum = 0;
    const size_t label = (size_t)labels[r];
    for (size_t k = 0; k < 3; k++) sum += exp(output_at(inputs + 2 * r, k));
    loss += class_weights[label] * (log(sum) - output_at(inputs + 2 * r, label));
    weight += class_weights[label];
  }

  OK(vise_evaluate(model, data, &config, &plain, &rig_err));
  config.class_weights = class_weights;
  config.n_class_weights = 3;
  OK(vise_evaluate(model, data, &config, &weighted, &rig_err));
  EXPECT_NEAR(weighted.loss, loss / weight, 1e-12);
  cr_expect_eq(weighted.accuracy, plain.accuracy);

  config.n_class_weights = 2;
  REFUSED(vise_evaluate(model, data, &config, &weighted, &rig_err), VISE_ERR_USAGE, "2 numbers, expected 3");
  config.class_weights = NULL;
  REFUSED(vise_evaluate(model, data, &config, &weighted, &rig_err), VISE_ERR_USAGE, "the pointer is NULL");

  vise_model_free(model);
  vise_dataset_free(data);
}

Test(evaluate, refuses_data_that_do_not_fit) {
  const double labels[4] = {0, 1, 2, 3};
  vise_eval_config config = on(VISE_BACKEND_CPU64, 0);
  vise_metrics metrics = {.n_rows = 77};
  vise_dataset *data = rig_dataset(inputs, 4, 2, labels, 1), *bare = rig_dataset(inputs, 4, 2, NULL, 0);
  vise_model *model = linear_model(VISE_LOSS_CROSS_ENTROPY, VISE_F64);

  REFUSED(vise_evaluate(model, data, &config, &metrics, &rig_err), VISE_ERR_VALUE, "3");
  REFUSED(vise_evaluate(model, bare, &config, &metrics, &rig_err), VISE_ERR_USAGE, "target");
  vise_model_set_loss(model, VISE_LOSS_EXTERNAL, VISE_MSE_HALF_MEAN, 0.0);
  REFUSED(vise_evaluate(model, data, &config, &metrics, &rig_err), VISE_ERR_USAGE, "external");
  cr_expect_eq(metrics.n_rows, 77);

  vise_model_free(model);
  vise_dataset_free(data);
  vise_dataset_free(bare);
}

Test(array_save, npy_reads_back_for_every_type_and_order) {
  char folder[256];
  rig_folder(folder);

  for (int dtype = 0; dtype < vise_dtype_count_; dtype++) {
    union {
      uint8_t u8[6];
      int32_t i32[6];
      int64_t i64[6];
      float f32[6];
      double f64[6];
    } v;

    for (int i = 0; i < 6; i++) {
      if (dtype == VISE_U8) v.u8[i] = (uint8_t)(40 * i);
      if (dtype == VISE_I32) v.i32[i] = -70000 * i;
      if (dtype == VISE_I64) v.i64[i] = -(INT64_C(1) << 40) * i;
      if (dtype == VISE_F32) v.f32[i] = 0.1f * (float)i;
      if (dtype == VISE_F64) v.f64[i] = 0.1 * i;
    }

    for (int fortran = 0; fortran < 2; fortran++) {
      const char *path = rig_path(folder, "a.npy");
      vise_array array = vise_array_of(&v, (vise_dtype)dtype, 3, 2);
      vise_dataset_source source;
      vise_dataset *data = NULL;

      if (fortran) {
        array.row_stride = 1;
        array.col_stride = 3;
      }
      OK(vise_array_save(path, &array, NULL, &rig_err));

      vise_dataset_source_init(&source);
      source.features_path = path;
      source.target = "";
      OK(vise_dataset_load(&source, &data, &rig_err));

      cr_expect_eq(vise_dataset_feature_dtype(data), (vise_dtype)dtype);
      cr_assert(vise_dataset_n_rows(data) == 3 && vise_dataset_n_features(data) == 2);
      for (size_t r = 0; r < 3; r++) {
        double row[2];
        OK(vise_dataset_get_features(data, r, row, &rig_err));
        for (size_t c = 0; c < 2; c++) {
          const size_t i = fortran ? c * 3 + r : r * 2 + c;
          const double want = dtype == VISE_U8    ? v.u8[i]
                              : dtype == VISE_I32 ? v.i32[i]
                              : dtype == VISE_I64 ? (double)v.i64[i]
                              : dtype == VISE_F32 ? (double)v.f32[i]
                                                  : v.f64[i];
          cr_expect_eq(row[c], want, "%s [%zu, %zu]: %g, expected %g", vise_dtype_name((vise_dtype)dtype), r, c, row[c],
                       want);
        }
      }
      vise_dataset_free(data);
    }
  }
  rig_remove(folder);
}

Test(array_save, npy_values_start_at_a_multiple_of_64_bytes) {
  char folder[256];
  rig_folder(folder);

  for (size_t n = 1; n <= 100000; n *= 10) {
    unsigned char *zeros = calloc(n, 1);
    const vise_array array = vise_array_of(zeros, VISE_U8, n, 1);
    OK(vise_array_save(rig_path(folder, "a.npy"), &array, "ignored", &rig_err));

    unsigned char *bytes = (unsigned char *)rig_read(rig_path(folder, "a.npy"));
    const size_t header = 10 + bytes[8] + 256u * bytes[9];
    cr_expect(memcmp(bytes, "\x93NUMPY\x01\x00", 8) == 0 && header % 64 == 0 && bytes[header - 1] == '\n');
    free(bytes);
    free(zeros);
  }
  rig_remove(folder);
}

Test(array_save, csv_holds_every_digit_in_any_locale) {
  char folder[256];
  rig_folder(folder);

  /* If either is installed, the program's decimal point is a comma. */
  if (setlocale(LC_ALL, "de_DE.UTF-8") == NULL) setlocale(LC_ALL, "fr_FR.UTF-8");

  const double values[4] = {0.1, -1.7976931348623157e308, 5e-324, NAN};
  const float floats[2] = {0.1f, INFINITY};
  const int64_t integers[2] = {INT64_MIN, 3};

  vise_array array = vise_array_of(values, VISE_F64, 2, 2);
  OK(vise_array_save(rig_path(folder, "a.csv"), &array, "a,\"b,c\"", &rig_err));
  char *text = rig_read(rig_path(folder, "a.csv"));
  cr_expect_str_eq(text, "a,\"b,c\"\n0.10000000000000001,-1.7976931348623157e+308\n4.9406564584124654e-324,nan\n");
  free(text);

  array = vise_array_of(floats, VISE_F32, 1, 2);
  OK(vise_array_save(rig_path(folder, "a.csv"), &array, NULL, &rig_err));
  text = rig_read(rig_path(folder, "a.csv"));
  cr_expect_str_eq(text, "0.100000001,inf\n");
  free(text);

  array = vise_array_of(integers, VISE_I64, 2, 1);
  OK(vise_array_save(rig_path(folder, "a.CSV"), &array, NULL, &rig_err));
  text = rig_read(rig_path(folder, "a.CSV"));
  cr_expect_str_eq(text, "-9223372036854775808\n3\n");
  free(text);

  rig_remove(folder);
}

Test(array_save, large_csv_is_whole) {
  char folder[256];
  rig_folder(folder);

  const size_t n = 20000;
  double *values = malloc(n * sizeof *values);
  for (size_t i = 0; i < n; i++) values[i] = (double)i / 7;
  const vise_array array = vise_array_of(values, VISE_F64, n / 4, 4);
  OK(vise_array_save(rig_path(folder, "a.csv"), &array, NULL, &rig_err));

  char *text = rig_read(rig_path(folder, "a.csv")), *at = text;
  for (size_t i = 0; i < n; i++) {
    cr_assert_eq(strtod(at, &at), values[i], "value %zu", i);
    cr_assert_eq(*at++, i % 4 == 3 ? '\n' : ',');
  }
  cr_expect_eq(*at, '\0');

  free(text);
  free(values);
  rig_remove(folder);
}

Test(array_save, refuses_names_headers_and_places_it_cannot_use) {
  char folder[256];
  rig_folder(folder);
  const double values[2] = {1, 2};
  const vise_array array = vise_array_of(values, VISE_F64, 1, 2), empty = vise_array_of(values, VISE_F64, 1, 0);

  REFUSED(vise_array_save(rig_path(folder, "a.txt"), &array, NULL, &rig_err), VISE_ERR_USAGE, ".npy or .csv");
  REFUSED(vise_array_save(".csv", &array, NULL, &rig_err), VISE_ERR_USAGE, ".npy or .csv");
  REFUSED(vise_array_save(rig_path(folder, "a.csv"), &array, "a", &rig_err), VISE_ERR_USAGE, "1 column");
  REFUSED(vise_array_save(rig_path(folder, "a.csv"), &array, "a,b\n", &rig_err), VISE_ERR_USAGE, "line break");
  REFUSED(vise_array_save(rig_path(folder, "a.csv"), &empty, NULL, &rig_err), VISE_ERR_SHAPE, "[1, 0]");
  cr_expect(!rig_exists(rig_path(folder, "a.csv")) && !rig_exists(rig_path(folder, "a.txt")));

  REFUSED(vise_array_save(rig_path(folder, "none/a.csv"), &array, NULL, &rig_err), VISE_ERR_IO, "none");
  rig_remove(folder);
}

Test(info, names_version_build_and_backends) {
  vise_backend_info info[8];
  int major = -1, minor = -1, patch = -1, n_read = 0;

  cr_assert_eq(sscanf(vise_version(), "%d.%d.%d%n", &major, &minor, &patch, &n_read), 3);
  cr_expect_eq(vise_version()[n_read], '\0');
  cr_expect(strstr(vise_build_options(), "compiler=") != NULL && strstr(vise_build_options(), "build=") != NULL);

  memset(info, 0, sizeof info);
  const size_t n = vise_list_backends(info, 8);
  cr_assert_eq(n, 3);
  cr_expect_eq(vise_list_backends(NULL, 0), n);

  for (size_t i = 0; i < n; i++) {
    cr_expect(strlen(info[i].detail) > 0);
    if (info[i].backend != VISE_BACKEND_CUDA) cr_expect(info[i].available);
  }

  info[1].backend = VISE_BACKEND_AUTO;
  cr_expect_eq(vise_list_backends(info, 1), n);
  cr_expect_eq(info[1].backend, VISE_BACKEND_AUTO, "only as many as asked for");
}

Test(array_save, memory_has_the_bytes_of_the_csv) {
  char folder[256];
  rig_folder(folder);
  const double values[4] = {0.1, -2, 5e-324, NAN};
  const char *texts[3] = {"a,b", NULL, "say \"x\""};
  const vise_array array = vise_array_of(values, VISE_F64, 2, 2);
  void *bytes = NULL;
  size_t n = 0;

  OK(vise_array_save(rig_path(folder, "a.csv"), &array, "a,b", &rig_err));
  OK(vise_array_save_memory(&array, "a,b", &bytes, &n, &rig_err));
  char *text = rig_read(rig_path(folder, "a.csv"));
  cr_expect(n == strlen(text) && memcmp(bytes, text, n) == 0);
  vise_buffer_free(bytes);
  free(text);

  OK(vise_texts_save(rig_path(folder, "t.csv"), texts, 3, "name", &rig_err));
  OK(vise_texts_save_memory(texts, 3, "name", &bytes, &n, &rig_err));
  text = rig_read(rig_path(folder, "t.csv"));
  cr_expect_str_eq(text, "name\n\"a,b\"\n\n\"say \"\"x\"\"\"\n");
  cr_expect(n == strlen(text) && memcmp(bytes, text, n) == 0);
  vise_buffer_free(bytes);
  free(text);

  REFUSED(vise_array_save_memory(&array, "a", &bytes, &n, &rig_err), VISE_ERR_USAGE, "1 column");
  rig_remove(folder);
}
