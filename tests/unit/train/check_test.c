/* The self-check passes what is right over losses, activations, penalties and constraints, and finds what is wrong. */
#include "host/train/check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "host/model/model.h"
#include "host/train/data_view.h"
#include "host/train/resolve.h"
#include "rig.h"

/* What the check reported. */
typedef struct heard {
  size_t n_items, n_failed, n_kinks;
  char text[8192];
} heard;

static void hear(void *user, const vise_check_item *item) {
  heard *h = user;
  const size_t n = strlen(h->text);
  h->n_items++;
  if (!item->passed) h->n_failed++;
  if (strstr(item->name, "kinks") != NULL) h->n_kinks++;
  /* What is reported must agree with the verdict. */
  cr_expect((item->worst <= item->tolerance) == item->passed, "%s: %g of %g, passed %d", item->name, item->worst,
            item->tolerance, item->passed);
  snprintf(h->text + n, sizeof h->text - n, "%s: %g of %g%s\n", item->name, item->worst, item->tolerance,
           item->passed ? "" : " FAILED");
}

static vise_train_config small_config(vise_loss loss) {
  vise_train_config config;
  vise_train_config_init(&config);
  config.loss = loss;
  config.batch = 16;
  config.lr = 0.05;
  return config;
}

static void check_passes(const vise_train_config *config, const vise_model *model, const vise_dataset *dataset,
                         heard *h) {
  bool passed = false;
  *h = (heard){0};
  double *before = rig_params(model), *after = NULL;
  OK(vise_check(config, model, dataset, hear, h, &passed, &rig_err));
  after = rig_params(model);
  cr_expect(passed && h->n_failed == 0, "loss %s, activation %s:\n%s", vise_loss_name(config->loss),
            vise_activation_name(vise_model_activation(model)), h->text);
  cr_expect(memcmp(before, after, vise_model_n_parameters(model) * sizeof *before) == 0, "the model was changed");
  free(before);
  free(after);
}

static vise_model *net(vise_activation activation, size_t n_in, size_t n_hidden, size_t n_out) {
  vise_net_config config;
  vise_model *model = NULL;
  vise_net_config_init(&config);

  config.n_layers = 2;
  config.widths[0] = n_in;
  config.widths[1] = n_hidden;
  config.widths[2] = n_out;
  config.activation = activation;

  OK(vise_model_create(&config, VISE_F32, &model, &rig_err));
  OK(vise_model_initialize(model, VISE_INIT_LINEAR, 3, &rig_err));
  return model;
}

Test(check, passes_every_loss_and_activation) {
  static const struct {
    vise_loss loss;
    size_t n_out;
  } losses[] = {{VISE_LOSS_CROSS_ENTROPY, 3}, {VISE_LOSS_BCE, 3},    {VISE_LOSS_HINGE, 3}, {VISE_LOSS_MSE, 3},
                {VISE_LOSS_BCE, 1},           {VISE_LOSS_HINGE, 1},  {VISE_LOSS_MSE, 1},   {VISE_LOSS_HUBER, 1},
                {VISE_LOSS_POISSON, 3},       {VISE_LOSS_POISSON, 1}};
  vise_dataset *three = rig_classes(60, 5, 3, 1), *two = rig_classes(60, 5, 2, 2), *line = rig_regression(60, 5, 3);

  for (size_t i = 0; i < sizeof losses / sizeof losses[0]; i++) {
    const bool regression = losses[i].loss == VISE_LOSS_HUBER || losses[i].loss == VISE_LOSS_MSE;
    for (int a = 0; a < vise_activation_count_; a++) {
      heard h;
      vise_train_config config = small_config(losses[i].loss);
      vise_model *model = net((vise_activation)a, 5, 7, losses[i].n_out);
      check_passes(&config, model, losses[i].n_out == 3 ? three : regression ? line : two, &h);
      cr_expect_eq(h.n_items, 6, "%s", h.text);
      vise_model_free(model);
    }
  }

  vise_dataset_free(three);
  vise_dataset_free(two);
  vise_dataset_free(line);
}

Test(check, passes_penalties_clips_optimizers_and_constraints) {
  vise_dataset *data = rig_classes(60, 5, 3, 1);
  const double class_weights[] = {1, 0.5, 2};

  for (int optimizer = 0; optimizer < vise_optimizer_count_; optimizer++) {
    heard h;
    vise_train_config config = small_config(VISE_LOSS_CROSS_ENTROPY);
    vise_model *model = net(VISE_RELU, 5, 7, 3);
    uint8_t mask[5 * 7 + 7 + 7 * 3 + 3];

    for (size_t i = 0; i < sizeof mask; i++) mask[i] = i >= 35 || i % 3 != 0;
    OK(vise_model_set_mask(model, mask, sizeof mask, &rig_err));

    config.label_smoothing = 0.1;
    config.class_weights = class_weights;
    config.n_class_weights = 3;
    config.optimizer = (vise_optimizer)optimizer;
    config.l2 = 1e-3;
    config.l1 = 1e-4;
    config.norm_penalty = 1e-3;

    config.clip_value = true;
    config.clip_value_lo = -0.02;
    config.clip_value_hi = 0.05;
    config.clip_norm = 0.2;

    config.clamp = true;
    config.clamp_lo = -0.3;
    config.clamp_hi = 0.2;
    config.clamp_schedule.kind = VISE_SCHEDULE_COSINE;
    config.clamp_schedule.final_ratio = 0.5;
    config.steps = 20;
    config.row_l1 = 1.5;
    config.max_norm = 0.5;
    config.min_delta = 0.1;
    config.patience_by = VISE_PATIENCE_BY_SCORE;
    config.keep_best = true;
    config.patience = 3; /* needs validation data in training, but not here */

    check_passes(&config, model, data, &h);
    for (const char *const *name =
             (const char *const[]){"penalty gradient of 2.weight", "cpu64: box after", "cpu64: mask after",
                                   "cpu64: max-norm after", "cpu: box after", "cpu: mask after", "cpu: max-norm after",
                                   "cpu64: sums of rows after", "cpu: sums of rows after",
                                   "cpu: weights after 20 steps", NULL};
         *name != NULL; name++) {
      cr_expect(strstr(h.text, *name) != NULL, "no \"%s\" in\n%s", *name, h.text);
    }
    vise_model_free(model);
  }

  vise_dataset_free(data);
}

Test(check, zero_weights_and_large_l1_are_no_false_alarm) {
  vise_dataset *data = rig_classes(60, 5, 3, 1);
  vise_model *model = net(VISE_RELU, 5, 7, 3);
  heard h;
  vise_train_config config = small_config(VISE_LOSS_CROSS_ENTROPY);
  OK(vise_model_initialize(model, VISE_INIT_ZEROS, 0, &rig_err));
  config.l1 = 0.01;
  config.prox_l1 = true;
  check_passes(&config, model, data, &h);
  vise_model_free(model);
  vise_dataset_free(data);
}

/* A point at which tests compare gradients of their own. */
typedef struct spot {
  vise_dataset *data;
  vise_model *model;
  vise_i_scales scales;
  vise_i_view view;
  vise_i_step_spec spec;
  vise_i_check_point point;
  double *gradient;
} spot;

static void spot_open(spot *s, vise_train_config *config, const double *params) {
  const vise_i_backend_ops *ops = &vise_i_backend_cpu64;
  *s = (spot){.data = rig_classes(40, 5, 3, 1)};
  s->model = rig_model((const size_t[]){5, 7, 3}, 3, true, VISE_F64);
  const vise_i_net *the_net = vise_i_model_net(s->model);

  OK(vise_i_scales_fit(config, s->model, s->data, &s->scales, &rig_err));
  OK(vise_i_view_make(s->data, the_net, config->loss, true, &s->scales, &s->view, &rig_err));
  OK(vise_i_resolve_spec(config, the_net, 40, false, &s->spec, &rig_err));
  s->spec.max_batch = 40;

  s->point = (vise_i_check_point){.ops = ops, .data = &s->view.data, .n_rows = 40, .net = the_net, .max_entries = 200};
  OK(ops->create(&s->spec, &s->point.backend, &rig_err));
  s->point.params = rig_params(s->model);
  for (size_t i = 0; params != NULL && i < the_net->n_params; i++) s->point.params[i] = params[i];
  s->point.scratch = malloc(the_net->n_params * sizeof(double));
  s->gradient = malloc(the_net->n_params * sizeof(double));

  OK(ops->set_state(s->point.backend, VISE_I_PARAMS, s->point.params, &rig_err));
  OK(ops->full_gradient(s->point.backend, &(vise_i_batch){.data = &s->view.data, .n = 40}, s->gradient, NULL, NULL,
                        &rig_err));
}

static void spot_close(spot *s) {
  s->point.ops->destroy(s->point.backend);
  vise_i_scales_free(&s->scales);
  vise_dataset_free(s->data);
  vise_model_free(s->model);
  free(s->point.params);
  free(s->point.scratch);
  free(s->gradient);
}

Test(check, finds_a_wrong_gradient) {
  spot s;
  vise_train_config config = small_config(VISE_LOSS_CROSS_ENTROPY);
  vise_i_gradient_verdict verdict;
  spot_open(&s, &config, NULL);

  for (size_t tensor = 0; tensor < s.point.net->n_tensors; tensor++) {
    const vise_i_tensor *t = &s.point.net->tensors[tensor];
    const size_t n = t->n_rows * t->n_cols;
    double largest = 0.0;

    OK(vise_i_check_tensor(&s.point, VISE_I_CHECK_DATA_LOSS, tensor, s.gradient, &verdict, &rig_err));
    cr_expect(verdict.passed, "%s: %g of %g", t->name, verdict.worst, verdict.tolerance);
    for (size_t i = 0; i < n; i++) largest = fmax(largest, fabs(s.gradient[t->offset + i]));

    /* Each entry in turn: off by a ten-thousandth of the largest, of the other sign, infinite, or NaN. */
    for (size_t i = t->offset; i < t->offset + n; i++) {
      const double right = s.gradient[i];
      const double wrong[] = {right + 1e-4 * largest, right - 1e-4 * largest, -right + 1e-4 * largest, INFINITY, NAN};
      for (size_t k = 0; k < sizeof wrong / sizeof wrong[0]; k++) {
        if (fabs(wrong[k] - right) < 1e-5 * largest) continue;
        s.gradient[i] = wrong[k];
        OK(vise_i_check_tensor(&s.point, VISE_I_CHECK_DATA_LOSS, tensor, s.gradient, &verdict, &rig_err));
        cr_expect(!verdict.passed, "%s[%zu]: %g for %g was not noticed", t->name, i - t->offset, wrong[k], right);
        cr_expect(!(verdict.worst <= verdict.tolerance));
      }
      s.gradient[i] = right;
    }
  }

  spot_close(&s);
}

Test(check, finds_a_gradient_of_another_objective) {
  spot s;
  vise_train_config config = small_config(VISE_LOSS_CROSS_ENTROPY);
  vise_i_gradient_verdict verdict;

  config.l2 = 1e-4; /* gradient of the total instead of the data loss */
  spot_open(&s, &config, NULL);
  OK(vise_i_check_tensor(&s.point, VISE_I_CHECK_DATA_LOSS, 0, s.gradient, &verdict, &rig_err));
  cr_expect(!verdict.passed, "%g of %g", verdict.worst, verdict.tolerance);

  /* A penalty off by a factor of two, as between two conventions. */
  for (size_t i = 0; i < s.point.net->n_params; i++) s.gradient[i] = 2e-4 * s.point.params[i];
  OK(vise_i_check_tensor(&s.point, VISE_I_CHECK_PENALTY, 0, s.gradient, &verdict, &rig_err));
  cr_expect(verdict.passed, "%g of %g", verdict.worst, verdict.tolerance);
  for (size_t i = 0; i < s.point.net->n_params; i++) s.gradient[i] = 1e-4 * s.point.params[i];
  OK(vise_i_check_tensor(&s.point, VISE_I_CHECK_PENALTY, 0, s.gradient, &verdict, &rig_err));
  cr_expect(!verdict.passed, "%g of %g", verdict.worst, verdict.tolerance);
  spot_close(&s);
}

Test(check, leaves_out_kinks_and_no_more) {
  spot s;
  vise_train_config config = small_config(VISE_LOSS_CROSS_ENTROPY);
  vise_i_gradient_verdict verdict;
  double params[5 * 7 + 7 + 7 * 3 + 3];

  config.l1 = 0.01;
  for (size_t i = 0; i < sizeof params / sizeof params[0]; i++) params[i] = i % 4 == 0 ? 1e-8 : 0.1 * sin((double)i);
  spot_open(&s, &config, params);

  for (size_t i = 0; i < s.point.net->n_params; i++) {
    s.gradient[i] = 0.01 * (s.point.params[i] > 0) - 0.01 * (s.point.params[i] < 0);
  }
  OK(vise_i_check_tensor(&s.point, VISE_I_CHECK_PENALTY, 0, s.gradient, &verdict, &rig_err));
  cr_expect(verdict.passed && verdict.n_kinks == 9, "%zu kinks, %g of %g", verdict.n_kinks, verdict.worst,
            verdict.tolerance);

  s.gradient[4] = 0.02; /* no subgradient near 0 */
  OK(vise_i_check_tensor(&s.point, VISE_I_CHECK_PENALTY, 0, s.gradient, &verdict, &rig_err));
  cr_expect(!verdict.passed);

  /* With every entry at a kink nothing is compared, so the check must not pass. */
  for (size_t i = 0; i < s.point.net->n_params; i++) {
    s.point.params[i] = 1e-8;
    s.gradient[i] = 0.01;
  }
  OK(vise_i_check_tensor(&s.point, VISE_I_CHECK_PENALTY, 0, s.gradient, &verdict, &rig_err));
  cr_expect(!verdict.passed && verdict.n_kinks == verdict.n_entries);
  spot_close(&s);
}

Test(check, differences_of_runs_notice_drift_and_nan) {
  vise_model *model = rig_model((const size_t[]){3, 2}, 2, true, VISE_F64);
  const vise_i_net *the_net = vise_i_model_net(model);
  const double start[8] = {0}, reference[8] = {1, 1, 1, 1, 1, 1, 1, 1};
  double params[8] = {1, 1, 1, 1, 1, 1, 1, 1};

  cr_expect_eq(vise_i_check_weight_difference(the_net, start, reference, params, 1e-3), 0.0);
  params[7] = 1.01; /* in the bias, the smaller tensor */
  const double worst = vise_i_check_weight_difference(the_net, start, reference, params, 1e-3);
  EXPECT_NEAR(worst, 0.01 / sqrt(2.0), 1e-4);

  params[0] = NAN;
  cr_expect(isnan(vise_i_check_weight_difference(the_net, start, reference, params, 1e-3)));

  EXPECT_NEAR(vise_i_check_loss_difference(reference, ((const double[]){1, 1, 1.1}), 3), 0.1, 1e-3);
  cr_expect(isnan(vise_i_check_loss_difference(reference, (const double[]){1, NAN, 1}, 3)));
  vise_model_free(model);
}

Test(check, refuses_what_it_cannot_check) {
  bool passed = false;
  vise_dataset *data = rig_classes(60, 5, 3, 1);
  vise_model *model = net(VISE_RELU, 5, 7, 3);
  vise_train_config config = small_config(VISE_LOSS_EXTERNAL);
  REFUSED(vise_check(&config, model, data, NULL, NULL, &passed, &rig_err), VISE_ERR_USAGE, "external");

  config = small_config(VISE_LOSS_CROSS_ENTROPY);
  config.backend = VISE_BACKEND_CUDA;
  REFUSED(vise_check(&config, model, data, NULL, NULL, &passed, &rig_err), VISE_ERR_UNSUPPORTED, "cuda");

  config = small_config(VISE_LOSS_CROSS_ENTROPY);
  config.nesterov = true;
  REFUSED(vise_check(&config, model, data, NULL, NULL, &passed, &rig_err), VISE_ERR_USAGE, "nesterov");

  vise_model_free(model);
  model = net(VISE_RELU, 4, 7, 3);
  config = small_config(VISE_LOSS_CROSS_ENTROPY);
  REFUSED(vise_check(&config, model, data, NULL, NULL, &passed, &rig_err), VISE_ERR_SHAPE, "5");

  cr_expect(!passed);
  vise_model_free(model);
  vise_dataset_free(data);
}
