// The public headers in C++, and steps of a small classifier on a batch of the caller's own.
#include <vise/vise.h>

#include <cmath>
#include <cstdint>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <vector>

namespace {

void check(vise_status status, const vise_error &err) {
  if (status != VISE_OK) throw std::runtime_error(err.text);
}

struct Free {
  void operator()(vise_model *model) const {
    vise_model_free(model);
  }
  void operator()(vise_trainer *trainer) const {
    vise_trainer_free(trainer);
  }
};

// 300 steps on four points that no linear model separates.
void train() {
  vise_error err = VISE_ERROR_INIT;
  std::vector<vise_layer> layers(3);
  for (vise_layer &layer : layers) vise_layer_init(&layer);
  layers[0].width = 16;
  layers[1].kind = VISE_LAYER_ACTIVATION;
  layers[1].activation = VISE_TANH;
  layers[2].width = 2;

  vise_model *raw_model = nullptr;
  check(vise_model_create_layers(2, layers.data(), layers.size(), VISE_F32, &raw_model, &err), err);
  std::unique_ptr<vise_model, Free> model(raw_model);
  check(vise_model_initialize(model.get(), VISE_INIT_LINEAR, 1, &err), err);

  vise_train_config config;
  vise_train_config_init(&config);
  config.lr = 0.5;
  config.clamp = true;
  config.clamp_lo = -2;
  config.clamp_hi = 2;
  config.backend = VISE_BACKEND_CPU;

  vise_trainer *raw_trainer = nullptr;
  check(vise_trainer_create(&config, model.get(), nullptr, nullptr, nullptr, &raw_trainer, &err), err);
  std::unique_ptr<vise_trainer, Free> trainer(raw_trainer);

  const std::vector<float> points = {-1, -1, -1, 1, 1, -1, 1, 1};
  const std::vector<std::int32_t> labels = {0, 1, 1, 0};
  const vise_array x = vise_array_of(points.data(), VISE_F32, 4, 2);
  const vise_array y = vise_array_of(labels.data(), VISE_I32, 4, 1);

  vise_step_stats first{}, last{};
  check(vise_trainer_step_batch(trainer.get(), &x, &y, nullptr, &first, &err), err);
  for (int i = 0; i < 300; i++) check(vise_trainer_step_batch(trainer.get(), &x, &y, nullptr, &last, &err), err);

  std::cout << "loss " << first.loss << " -> " << last.loss << " in " << last.step << " steps\n";
  if (!(last.loss < 0.2 * first.loss) || last.n_boxed != 64) throw std::runtime_error("the step did not train");
}

}  // namespace

int main() {
  try {
    train();
  } catch (const std::exception &error) {
    std::cout << error.what() << '\n';
    return 1;
  }
}
