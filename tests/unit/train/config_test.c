/* Every refused option and combination, with the words that name it. */
#include <stdlib.h>
#include <string.h>

#include "rig.h"

/* One refused configuration. change makes it from a good default. */
typedef struct refused {
  void (*change)(vise_train_config *config);
  vise_status status;
  const char *says;
} refused;

#define CHANGE(name, body)                 \
  static void name(vise_train_config *c) { \
    body;                                  \
  }

static const double two_weights[] = {1, 2}, zero_weights[] = {0, 0, 0}, negative_weights[] = {1, -1, 1};
static const double three_weights[] = {1, 2, 3};
static const vise_layer_bound bound_one[] = {{1, 2}}, bound_nine[] = {{9, 2}}, bound_zero[] = {{0, 0}},
                              bound_twice[] = {{1, 2}, {1, 3}};
static const vise_layer_clamp positive_box[] = {{1, 0.5, 1}}, missing_layer[] = {{2, -1, 1}},
                              twice[] = {{0, -1, 1}, {0, -2, 2}}, reversed[] = {{0, 1, -1}};
static const size_t layer_nine[] = {9};

CHANGE(size, c->struct_size = 3)
CHANGE(bad_loss, c->loss = (vise_loss)99)
CHANGE(bad_backend, c->backend = (vise_backend)77)
CHANGE(lr_negative, c->lr = -1)
CHANGE(lr_nan, c->lr = NAN)
CHANGE(momentum_one, c->momentum = 1)
CHANGE(momentum_adam, c->momentum = 0.9; c->optimizer = VISE_ADAM)
CHANGE(nesterov_alone, c->nesterov = true)
CHANGE(momentum_lion, c->momentum = 0.9; c->optimizer = VISE_LION)
CHANGE(nesterov_adam, c->nesterov = true; c->optimizer = VISE_ADAM)
CHANGE(nesterov_rmsprop, c->nesterov = true; c->momentum = 0.5; c->optimizer = VISE_RMSPROP)
CHANGE(rho_one, c->rho = 1)
CHANGE(beta1_big, c->beta1 = 1.5)
CHANGE(beta2_negative, c->beta2 = -0.1)
CHANGE(eps_zero, c->eps = 0)
CHANGE(max_update_negative, c->max_update = -1)
CHANGE(linear_unlimited, c->lr_schedule.kind = VISE_SCHEDULE_LINEAR; c->epochs = 0)
CHANGE(cosine_unlimited, c->lr_schedule.kind = VISE_SCHEDULE_COSINE; c->epochs = 0)
CHANGE(clamp_unlimited, c->clamp_schedule.kind = VISE_SCHEDULE_COSINE; c->epochs = 0)
CHANGE(warmup_long, c->lr_schedule.kind = VISE_SCHEDULE_LINEAR; c->steps = 5; c->lr_schedule.warmup_steps = 5)
CHANGE(warmup_epochs, c->lr_schedule.kind = VISE_SCHEDULE_LINEAR; c->lr_schedule.warmup_steps = 1000)
CHANGE(step_epochs_zero, c->lr_schedule.kind = VISE_SCHEDULE_STEP; c->lr_schedule.step_epochs = 0)
CHANGE(final_ratio_negative, c->lr_schedule.final_ratio = -0.5)
CHANGE(gamma_nan, c->lr_schedule.gamma = NAN)
CHANGE(l2_negative, c->l2 = -1)
CHANGE(l1_infinite, c->l1 = INFINITY)
CHANGE(norm_penalty_negative, c->norm_penalty = -1)
CHANGE(decay_nan, c->decoupled_decay = NAN)
CHANGE(clip_reversed, c->clip_value = true; c->clip_value_lo = 1; c->clip_value_hi = -1)
CHANGE(clip_nan, c->clip_value = true; c->clip_value_lo = NAN; c->clip_value_hi = 1)
CHANGE(clip_norm_negative, c->clip_norm = -5)
CHANGE(clamp_reversed, c->clamp = true; c->clamp_lo = 1; c->clamp_hi = 0.5)
CHANGE(clamp_layer_reversed, c->layer_clamps = reversed; c->n_layer_clamps = 1)
CHANGE(clamp_layer_missing, c->layer_clamps = missing_layer; c->n_layer_clamps = 1)
CHANGE(clamp_layer_twice, c->layer_clamps = twice; c->n_layer_clamps = 2)
CHANGE(clamp_bias_alone, c->clamp_bias = true)
CHANGE(prox_box, c->prox_l1 = true; c->l1 = 1; c->clamp = true; c->clamp_lo = 0.1; c->clamp_hi = 1)
CHANGE(max_norm_box, c->max_norm = 1; c->clamp = true; c->clamp_lo = -1; c->clamp_hi = -0.1)
CHANGE(max_norm_layer, c->max_norm = 1; c->layer_clamps = positive_box; c->n_layer_clamps = 1)
CHANGE(clamp_init_negative, c->clamp_init = -1)
CHANGE(clamp_init_both, c->clamp_init = 1; c->clamp = true; c->clamp_lo = -1; c->clamp_hi = 1)
CHANGE(row_l1_negative, c->row_l1 = -1)
CHANGE(row_l1_both, c->row_l1 = c->row_l1_sided = 1)
CHANGE(row_l1_box, c->row_l1 = 1; c->clamp = true; c->clamp_lo = -1; c->clamp_hi = -0.1)
CHANGE(row_l1_layer_box, c->row_l1_sided_layers = bound_one; c->n_row_l1_sided_layers = 1;
       c->layer_clamps = positive_box; c->n_layer_clamps = 1)
CHANGE(row_l1_layer_missing, c->row_l1_layers = bound_nine; c->n_row_l1_layers = 1)
CHANGE(row_l1_layer_null, c->n_row_l1_sided_layers = 1)
CHANGE(row_l1_layer_zero, c->row_l1_layers = bound_zero; c->n_row_l1_layers = 1)
CHANGE(row_l1_layer_twice, c->row_l1_layers = bound_twice; c->n_row_l1_layers = 2)
CHANGE(row_l1_layer_both, c->row_l1_layers = bound_one; c->row_l1_sided_layers = bound_one;
       c->n_row_l1_layers = c->n_row_l1_sided_layers = 1)
CHANGE(row_l1_unlimited, c->row_l1_schedule.kind = VISE_SCHEDULE_LINEAR; c->epochs = 0)
CHANGE(prune_box, c->weight_op.kind = VISE_PRUNE; c->clamp = true; c->clamp_lo = 0.1; c->clamp_hi = 1)
CHANGE(max_norm_negative, c->max_norm = -1)
CHANGE(op_t, c->weight_op.kind = VISE_REL_CLIP; c->weight_op.t = 1.5)
CHANGE(op_layer, c->weight_op.kind = VISE_REL_CLIP; c->weight_op.layers = layer_nine; c->weight_op.n_layers = 1)
CHANGE(op_when_zero, c->weight_op.kind = VISE_REL_CLIP; c->weight_op_when = 0)
CHANGE(op_too_late, c->weight_op.kind = VISE_REL_CLIP; c->weight_op_when = 11)
CHANGE(op_step_late, c->weight_op.kind = VISE_REL_CLIP; c->weight_op_at = VISE_AT_STEP; c->steps = 5;
       c->weight_op_when = 6)
CHANGE(smoothing_hinge, c->label_smoothing = 0.1; c->loss = VISE_LOSS_HINGE)
CHANGE(smoothing_one, c->label_smoothing = 1)
CHANGE(reduction_bce, c->loss = VISE_LOSS_BCE; c->mse_reduction = VISE_MSE_MEAN)
CHANGE(scale_target_ce, c->scale_target = true)
CHANGE(scale_target_poisson, c->scale_target = true; c->loss = VISE_LOSS_POISSON)
CHANGE(scale_target_labels, c->scale_target = true; c->loss = VISE_LOSS_MSE)
CHANGE(scale_unit, c->scale = VISE_SCALE_UNIT)
CHANGE(weights_two, c->class_weights = two_weights; c->n_class_weights = 2)
CHANGE(weights_zero, c->class_weights = zero_weights; c->n_class_weights = 3)
CHANGE(weights_negative, c->class_weights = negative_weights; c->n_class_weights = 3)
CHANGE(weights_null, c->n_class_weights = 3)
CHANGE(external_data, c->loss = VISE_LOSS_EXTERNAL)
CHANGE(patience_alone, c->patience = 3)
CHANGE(min_delta_alone, c->min_delta = 0.1)
CHANGE(patience_by_alone, c->patience_by = VISE_PATIENCE_BY_SCORE)
CHANGE(keep_best_alone, c->keep_best = true)
CHANGE(stop_loss_nan, c->stop_loss_on = true; c->stop_loss = NAN)
CHANGE(projected_negative, c->stop_projected_gradient = -1)
CHANGE(max_skips_zero, c->max_skips = 0)
CHANGE(threads_negative, c->n_threads = -1)
CHANGE(drop_last_batch, c->drop_last = true; c->batch = 31)
CHANGE(mode_fused, c->step_mode = VISE_STEP_FUSED)
CHANGE(precision_tf32, c->precision = VISE_TF32)
CHANGE(precision_64, c->backend = VISE_BACKEND_CPU64; c->precision = VISE_FP32)
CHANGE(backend_cuda, c->backend = VISE_BACKEND_CUDA)
CHANGE(device_one, c->device = 1)
CHANGE(launches, c->steps_per_launch = 4)
CHANGE(device_memory, c->device_memory_limit = 1000)
CHANGE(dtype, c->backend = VISE_BACKEND_CPU64)

static const refused table[] = {
    {size, VISE_ERR_USAGE, "vise_train_config_init"},
    {bad_loss, VISE_ERR_USAGE, "`loss`"},
    {bad_backend, VISE_ERR_USAGE, "`backend`"},
    {lr_negative, VISE_ERR_USAGE, "`lr` -1"},
    {lr_nan, VISE_ERR_USAGE, "`lr` nan"},
    {momentum_one, VISE_ERR_USAGE, "`momentum` 1: expected a number of at least 0 and below 1"},
    {momentum_adam, VISE_ERR_USAGE, "`momentum` 0.9: `optimizer` adam"},
    {momentum_lion, VISE_ERR_USAGE, "`momentum` 0.9: `optimizer` lion"},
    {nesterov_alone, VISE_ERR_USAGE, "`nesterov` needs `momentum` > 0"},
    {nesterov_adam, VISE_ERR_USAGE, "`nesterov` is for `optimizer` sgd"},
    {nesterov_rmsprop, VISE_ERR_USAGE, "`nesterov` is for `optimizer` sgd"},
    {rho_one, VISE_ERR_USAGE, "`rho` 1"},
    {beta1_big, VISE_ERR_USAGE, "`beta1` 1.5"},
    {beta2_negative, VISE_ERR_USAGE, "`beta2` -0.1"},
    {eps_zero, VISE_ERR_USAGE, "`eps` 0"},
    {max_update_negative, VISE_ERR_USAGE, "`max_update` -1"},
    {linear_unlimited, VISE_ERR_USAGE, "`lr_schedule.kind` linear needs `epochs` or `steps`"},
    {cosine_unlimited, VISE_ERR_USAGE, "`lr_schedule.kind` cosine needs `epochs` or `steps`"},
    {clamp_unlimited, VISE_ERR_USAGE, "`clamp_schedule.kind` cosine needs"},
    {warmup_long, VISE_ERR_USAGE, "`lr_schedule.warmup_steps` 5"},
    {warmup_epochs, VISE_ERR_USAGE, "`lr_schedule.warmup_steps` 1000"},
    {step_epochs_zero, VISE_ERR_USAGE, "`lr_schedule.step_epochs` 0"},
    {final_ratio_negative, VISE_ERR_USAGE, "`lr_schedule.final_ratio` -0.5"},
    {gamma_nan, VISE_ERR_USAGE, "`lr_schedule.gamma` nan"},
    {l2_negative, VISE_ERR_USAGE, "`l2` -1"},
    {l1_infinite, VISE_ERR_USAGE, "`l1` inf"},
    {norm_penalty_negative, VISE_ERR_USAGE, "`norm_penalty` -1"},
    {decay_nan, VISE_ERR_USAGE, "`decoupled_decay` nan"},
    {clip_reversed, VISE_ERR_USAGE, "`clip_value` 1:-1"},
    {clip_nan, VISE_ERR_USAGE, "`clip_value` nan:1"},
    {clip_norm_negative, VISE_ERR_USAGE, "`clip_norm` -5"},
    {clamp_reversed, VISE_ERR_USAGE, "`clamp` 1:0.5: LO is above HI"},
    {clamp_layer_reversed, VISE_ERR_USAGE, "`layer_clamps` 1:-1"},
    {clamp_layer_missing, VISE_ERR_USAGE, "`layer_clamps` 2: the net has layers 0 to 1"},
    {clamp_layer_twice, VISE_ERR_USAGE, "`layer_clamps`: layer 0 is given twice"},
    {clamp_bias_alone, VISE_ERR_USAGE, "`clamp_bias` needs `clamp`"},
    {prox_box, VISE_ERR_USAGE, "with `prox_l1` the box must contain 0"},
    {max_norm_box, VISE_ERR_USAGE, "`clamp` -1:-0.1: with `max_norm`"},
    {max_norm_layer, VISE_ERR_USAGE, "`layer_clamps` 1=0.5:1: with `max_norm`"},
    {clamp_init_negative, VISE_ERR_USAGE, "`clamp_init` -1: expected a number above 0, or off"},
    {clamp_init_both, VISE_ERR_USAGE, "`clamp` and `clamp_init` contradict each other"},
    {row_l1_negative, VISE_ERR_USAGE, "`row_l1` -1: expected a number above 0, or off"},
    {row_l1_both, VISE_ERR_USAGE, "`row_l1` and `row_l1_sided` contradict each other"},
    {row_l1_box, VISE_ERR_USAGE, "`clamp` -1:-0.1: with `row_l1` the box must contain 0"},
    {row_l1_layer_box, VISE_ERR_USAGE, "`layer_clamps` 1=0.5:1: with `row_l1_sided` the box must contain 0"},
    {row_l1_layer_missing, VISE_ERR_USAGE, "`row_l1_layers` 9: the net has layers 0 to 1"},
    {row_l1_layer_null, VISE_ERR_USAGE, "row_l1_sided_layers is NULL"},
    {row_l1_layer_zero, VISE_ERR_USAGE, "`row_l1_layers` 0=0: expected a number above 0"},
    {row_l1_layer_twice, VISE_ERR_USAGE, "`row_l1_layers`: layer 1 is given twice"},
    {row_l1_layer_both, VISE_ERR_USAGE, "`row_l1_layers` and `row_l1_sided_layers` both bound layer 1"},
    {row_l1_unlimited, VISE_ERR_USAGE, "`row_l1_schedule.kind` linear needs `epochs` or `steps`"},
    {prune_box, VISE_ERR_USAGE, "with `weight_op.kind` the box must contain 0"},
    {max_norm_negative, VISE_ERR_USAGE, "`max_norm` -1"},
    {op_t, VISE_ERR_USAGE, "`weight_op.t` 1.5"},
    {op_layer, VISE_ERR_USAGE, "layer 9"},
    {op_when_zero, VISE_ERR_USAGE, "`weight_op_at` epoch:0"},
    {op_too_late, VISE_ERR_USAGE, "`weight_op_at` epoch:11"},
    {op_step_late, VISE_ERR_USAGE, "`weight_op_at` step:6"},
    {smoothing_hinge, VISE_ERR_USAGE, "`label_smoothing` is for `loss` cross-entropy, not hinge"},
    {smoothing_one, VISE_ERR_USAGE, "`label_smoothing` 1"},
    {reduction_bce, VISE_ERR_USAGE, "`mse_reduction` is for `loss` mse, not bce"},
    {scale_target_poisson, VISE_ERR_USAGE, "`scale_target` is for `loss` mse and huber, not poisson"},
    {scale_target_ce, VISE_ERR_USAGE, "`scale_target` is for `loss` mse and huber"},
    {scale_target_labels, VISE_ERR_USAGE, "`scale_target`: the one target column"},
    {scale_unit, VISE_ERR_USAGE, "`scale` unit is for bytes"},
    {weights_two, VISE_ERR_USAGE, "`class_weights`: 2 numbers, expected 3"},
    {weights_zero, VISE_ERR_USAGE, "`class_weights`: their sum is 0"},
    {weights_negative, VISE_ERR_USAGE, "`class_weights` -1"},
    {weights_null, VISE_ERR_USAGE, "`class_weights`: 3 numbers, but the pointer is NULL"},
    {external_data, VISE_ERR_USAGE, "`loss` external"},
    {patience_alone, VISE_ERR_USAGE, "`patience` needs validation data"},
    {min_delta_alone, VISE_ERR_USAGE, "`min_delta` needs `patience` or `stop_stall`"},
    {patience_by_alone, VISE_ERR_USAGE, "`patience_by` needs `patience`"},
    {keep_best_alone, VISE_ERR_USAGE, "`keep_best` needs `patience`"},
    {stop_loss_nan, VISE_ERR_USAGE, "`stop_loss` nan"},
    {projected_negative, VISE_ERR_USAGE, "`stop_projected_gradient` -1"},
    {max_skips_zero, VISE_ERR_USAGE, "`max_skips` 0"},
    {threads_negative, VISE_ERR_USAGE, "`n_threads` -1"},
    {drop_last_batch, VISE_ERR_USAGE, "`drop_last` with `batch` 31"},
    {mode_fused, VISE_ERR_UNSUPPORTED, "`step_mode` fused"},
    {precision_tf32, VISE_ERR_UNSUPPORTED, "`precision` tf32"},
    {precision_64, VISE_ERR_UNSUPPORTED, "`precision` fp32"},
    {backend_cuda, VISE_ERR_UNSUPPORTED, "`backend` cuda"},
    {device_one, VISE_ERR_UNSUPPORTED, "`device` 1"},
    {launches, VISE_ERR_UNSUPPORTED, "`steps_per_launch` 4"},
    {device_memory, VISE_ERR_UNSUPPORTED, "`device_memory_limit` 1000"},
    {dtype, VISE_ERR_USAGE, "`backend` cpu64 needs a model of f64, this one is f32"},
};

Test(config, refuses_what_contradicts_and_names_it) {
  const size_t widths[] = {4, 5, 3};
  vise_dataset *train = rig_classes(30, 4, 3, 1);
  vise_model *model = rig_model(widths, 3, true, VISE_F32);
  double *before = rig_params(model);

  for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
    vise_train_config config;
    vise_train_config_init(&config);
    config.backend = VISE_BACKEND_CPU;
    table[i].change(&config);

    vise_trainer *trainer = NULL;
    vise_error err = VISE_ERROR_INIT;
    const vise_status status = vise_trainer_create(&config, model, train, NULL, NULL, &trainer, &err);

    cr_expect_eq(status, table[i].status, "row %zu (%s): %s: %s", i, table[i].says, vise_status_name(status), err.text);
    cr_expect(strstr(err.text, table[i].says) != NULL, "row %zu: \"%s\" does not say \"%s\"", i, err.text,
              table[i].says);
    cr_expect(trainer == NULL);
    vise_trainer_free(trainer);
  }

  double *after = rig_params(model);
  cr_expect(memcmp(before, after, vise_model_n_parameters(model) * sizeof(double)) == 0, "the model was touched");

  free(before);
  free(after);
  vise_model_free(model);
  vise_dataset_free(train);
}

Test(config, has_the_documented_defaults) {
  vise_train_config c;
  vise_train_config_init(&c);
  cr_expect_eq(c.struct_size, sizeof(c));
  cr_expect(c.loss == VISE_LOSS_CROSS_ENTROPY && c.optimizer == VISE_SGD && c.scale == VISE_SCALE_AUTO);
  cr_expect(c.lr == 0.01 && c.rho == 0.9 && c.beta1 == 0.9 && isnan(c.beta2) && c.eps == 1e-8);
  cr_expect(c.batch == 64 && c.epochs == 10 && c.steps == 0 && c.shuffle && !c.drop_last && c.max_skips == 8);
  cr_expect(c.lr_schedule.kind == VISE_SCHEDULE_CONSTANT && c.lr_schedule.gamma == 0.1 &&
            c.lr_schedule.step_epochs == 30);
}

Test(config, accepts_what_is_allowed_at_the_edge) {
  const size_t widths[] = {4, 5, 3};
  vise_dataset *train = rig_classes(30, 4, 3, 1);
  vise_model *model = rig_model(widths, 3, true, VISE_F32);

  vise_train_config config;
  vise_train_config_init(&config);
  const vise_layer_clamp open_first[] = {{0, -INFINITY, INFINITY}, {1, -0.1, 0.1}};
  config.class_weights = three_weights;
  config.n_class_weights = 3;
  config.clamp = true; /* overridden in every layer, so it need not contain 0 */
  config.clamp_lo = 0.1;
  config.clamp_hi = 1;
  config.layer_clamps = open_first;
  config.n_layer_clamps = 2;
  config.max_norm = 1;
  config.batch = 1000;
  config.precision = VISE_FP32;
  config.clip_value = true;
  config.clip_value_lo = -INFINITY;
  config.clip_value_hi = 0.5;

  vise_trainer *trainer = NULL;
  OK(vise_trainer_create(&config, model, train, NULL, NULL, &trainer, &rig_err));
  cr_expect_eq(vise_trainer_backend(trainer), VISE_BACKEND_CPU);
  cr_expect_geq(vise_trainer_n_threads(trainer), 1);
  OK(vise_trainer_step(trainer, 3, NULL, NULL, &rig_err));

  vise_trainer_free(trainer);
  vise_model_free(model);
  vise_dataset_free(train);
}

Test(config, refuses_a_box_without_zero_for_a_model_with_a_mask) {
  const size_t widths[] = {4, 3};
  vise_dataset *train = rig_classes(30, 4, 3, 1);
  vise_model *model = rig_model(widths, 2, true, VISE_F32);

  uint8_t mask[15];
  memset(mask, 1, sizeof(mask));
  mask[2] = 0;
  OK(vise_model_set_mask(model, mask, sizeof(mask), &rig_err));

  vise_train_config config;
  vise_train_config_init(&config);
  config.clamp = true;
  config.clamp_lo = 0.1;
  config.clamp_hi = 1;

  vise_trainer *trainer = NULL;
  REFUSED(vise_trainer_create(&config, model, train, NULL, NULL, &trainer, &rig_err), VISE_ERR_USAGE, "with a mask");
  vise_model_free(model);
  vise_dataset_free(train);
}

Test(config, refuses_data_that_do_not_fit_the_loss_or_the_net) {
  const size_t one[] = {4, 1}, three[] = {4, 3}, five[] = {5, 3};
  vise_dataset *classes = rig_classes(30, 4, 3, 1), *numbers = rig_regression(30, 4, 1);
  vise_model *to_one = rig_model(one, 2, true, VISE_F32), *to_three = rig_model(three, 2, true, VISE_F32);
  vise_model *from_five = rig_model(five, 2, true, VISE_F32);
  const double x[] = {1, 2, 3, 4};
  vise_dataset *unlabelled = rig_dataset(x, 1, 4, NULL, 0);

  vise_train_config config;
  vise_train_config_init(&config);
  vise_trainer *trainer = NULL;

  REFUSED(vise_trainer_create(&config, to_one, classes, NULL, NULL, &trainer, &rig_err), VISE_ERR_USAGE,
          "`loss` cross-entropy needs at least 2 outputs");
  REFUSED(vise_trainer_create(&config, to_three, numbers, NULL, NULL, &trainer, &rig_err), VISE_ERR_VALUE, "row");
  REFUSED(vise_trainer_create(&config, from_five, classes, NULL, NULL, &trainer, &rig_err), VISE_ERR_SHAPE,
          "4 features, the net has 5 inputs");
  REFUSED(vise_trainer_create(&config, to_three, unlabelled, NULL, NULL, &trainer, &rig_err), VISE_ERR_USAGE,
          "no targets");
  REFUSED(vise_trainer_create(&config, to_three, classes, unlabelled, NULL, &trainer, &rig_err), VISE_ERR_USAGE,
          "no targets");

  config.loss = VISE_LOSS_BCE;
  REFUSED(vise_trainer_create(&config, to_one, numbers, NULL, NULL, &trainer, &rig_err), VISE_ERR_VALUE, "0 or 1");
  config.loss = VISE_LOSS_HINGE;
  REFUSED(vise_trainer_create(&config, to_one, numbers, NULL, NULL, &trainer, &rig_err), VISE_ERR_VALUE, "1");

  vise_dataset_free(classes);
  vise_dataset_free(numbers);
  vise_dataset_free(unlabelled);
  vise_model_free(to_one);
  vise_model_free(to_three);
  vise_model_free(from_five);
}
