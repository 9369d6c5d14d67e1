"""Trains a linear model through ctypes with the installed shared library and no other package: an example to copy, and
a check that the structs can be declared in another language. Takes PREFIX from the environment."""
import ctypes
import os
import sys
from ctypes import POINTER, byref, c_bool, c_char, c_char_p, c_double, c_int, c_size_t, c_uint64, c_void_p

U8, I32, I64, F32, F64 = range(5)  # vise_dtype
CPU64 = 3  # vise_backend
MSE = 2  # vise_loss


class Error(ctypes.Structure):
    _fields_ = [("code", c_int), ("text", c_char * 1024)]


class Array(ctypes.Structure):
    _fields_ = [("data", c_void_p), ("dtype", c_int), ("n_rows", c_size_t), ("n_cols", c_size_t),
                ("row_stride", c_size_t), ("col_stride", c_size_t)]


class NetConfig(ctypes.Structure):
    _fields_ = [("struct_size", c_size_t), ("n_layers", c_size_t), ("widths", c_size_t * 65), ("activation", c_int),
                ("bias", c_bool)]


class Schedule(ctypes.Structure):
    _fields_ = [("kind", c_int), ("warmup_steps", c_uint64), ("final_ratio", c_double), ("gamma", c_double),
                ("step_epochs", c_uint64)]


class WeightOp(ctypes.Structure):
    _fields_ = [("struct_size", c_size_t), ("kind", c_int), ("t", c_double), ("literal", c_bool),
                ("fraction", c_double), ("scope", c_int), ("layers", c_void_p), ("n_layers", c_size_t),
                ("frozen_m", c_void_p)]


class TrainConfig(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("loss", c_int), ("mse_reduction", c_int), ("label_smoothing", c_double), ("class_weights", c_void_p),
        ("n_class_weights", c_size_t),
        ("scale", c_int), ("scale_target", c_bool),
        ("optimizer", c_int), ("lr", c_double), ("momentum", c_double), ("nesterov", c_bool), ("rho", c_double),
        ("beta1", c_double), ("beta2", c_double), ("eps", c_double), ("max_update", c_double),
        ("lr_schedule", Schedule),
        ("l2", c_double), ("l1", c_double), ("norm_penalty", c_double), ("penalty_convention", c_int),
        ("decoupled_decay", c_double), ("prox_l1", c_bool), ("penalize_bias", c_bool),
        ("clip_value", c_bool), ("clip_value_lo", c_double), ("clip_value_hi", c_double), ("clip_norm", c_double),
        ("clip_norm_type", c_int), ("clip_norm_p", c_int), ("clip_norm_torch_eps", c_bool), ("clip_scope", c_int),
        ("clip_schedule", Schedule),
        ("clamp", c_bool), ("clamp_lo", c_double), ("clamp_hi", c_double), ("layer_clamps", c_void_p),
        ("n_layer_clamps", c_size_t), ("clamp_bias", c_bool), ("clamp_schedule", Schedule), ("max_norm", c_double),
        ("max_norm_scope", c_int),
        ("weight_op", WeightOp), ("weight_op_at", c_int), ("weight_op_when", c_uint64),
        ("batch", c_size_t), ("shuffle", c_bool), ("drop_last", c_bool), ("seed", c_uint64),
        ("epochs", c_uint64), ("steps", c_uint64), ("stop_loss_on", c_bool), ("stop_loss", c_double),
        ("stop_projected_gradient", c_double), ("patience", c_uint64), ("min_delta", c_double), ("nonfinite", c_int),
        ("max_skips", c_uint64),
        ("backend", c_int), ("step_mode", c_int), ("precision", c_int), ("steps_per_launch", c_uint64),
        ("n_threads", c_int), ("device", c_int), ("device_memory_limit", c_size_t), ("assert_projection", c_bool),
    ]


class StepStats(ctypes.Structure):
    _fields_ = [("step", c_uint64), ("epoch", c_uint64), ("n_rows", c_size_t), ("loss", c_double),
                ("penalty", c_double), ("lr", c_double), ("grad_norm", c_double), ("grad_norm_clipped", c_double),
                ("n_clipped_values", c_uint64), ("norm_clipped", c_bool), ("n_at_lo", c_uint64),
                ("n_at_hi", c_uint64), ("n_boxed", c_uint64), ("n_nonfinite", c_uint64), ("n_correct", c_uint64),
                ("skipped", c_bool), ("bad_tensor", c_int)]


class ShortStats(ctypes.Structure):
    """What a binding needs of StepStats: the _sized call is told its size, and writes no more."""
    _fields_ = StepStats._fields_[:4]


def load(path):
    vise = ctypes.CDLL(path)
    vise.vise_version.restype = c_char_p
    vise.vise_array_of.restype = Array
    vise.vise_array_of.argtypes = [c_void_p, c_int, c_size_t, c_size_t]
    vise.vise_dataset_from_arrays.argtypes = [POINTER(Array), POINTER(Array), POINTER(Array), c_bool,
                                              POINTER(c_void_p), POINTER(Error)]
    vise.vise_model_create.argtypes = [POINTER(NetConfig), c_int, POINTER(c_void_p), POINTER(Error)]
    vise.vise_trainer_create.argtypes = [POINTER(TrainConfig), c_void_p, c_void_p, c_void_p, c_void_p,
                                         POINTER(c_void_p), POINTER(Error)]
    vise.vise_trainer_step.argtypes = [c_void_p, c_size_t, POINTER(StepStats), POINTER(c_size_t), POINTER(Error)]
    vise.vise_trainer_step_sized.argtypes = [c_size_t, c_void_p, c_size_t, POINTER(ShortStats), POINTER(c_size_t),
                                             POINTER(Error)]
    vise.vise_train_config_set.argtypes = [POINTER(TrainConfig), c_char_p, c_char_p, POINTER(Error)]
    vise.vise_model_save_memory.argtypes = [c_void_p, POINTER(c_void_p), POINTER(c_size_t), POINTER(Error)]
    vise.vise_model_load_memory.argtypes = [c_char_p, c_size_t, POINTER(c_void_p), POINTER(Error)]
    vise.vise_trainer_sync.argtypes = [c_void_p, POINTER(Error)]
    vise.vise_model_get_tensor.argtypes = [c_void_p, c_size_t, POINTER(c_double), c_size_t, POINTER(Error)]
    for free in (vise.vise_trainer_free, vise.vise_model_free, vise.vise_dataset_free, vise.vise_buffer_free):
        free.restype = None
        free.argtypes = [c_void_p]
    return vise


def check(status, err):
    if status != 0:
        raise RuntimeError(err.text.decode())


def through_bytes(vise, model, err):
    """A copy of the model, as it would be pickled: by the bytes of its file."""
    data, n, copy = c_void_p(), c_size_t(), c_void_p()
    check(vise.vise_model_save_memory(model, byref(data), byref(n), byref(err)), err)
    saved = ctypes.string_at(data, n.value)
    vise.vise_buffer_free(data)
    check(vise.vise_model_load_memory(saved, len(saved), byref(copy), byref(err)), err)
    return copy


def train(vise, clamp):
    """w1, w2 and b of the least-squares fit to y = 3 x1 - 1.5 x2 + 2, weights held in [-clamp, clamp] if not None."""
    err = Error()
    rows = [(i % 7 - 3.0, (i * i) % 5 - 2.0) for i in range(35)]
    x = (c_double * 70)(*(value for row in rows for value in row))
    y = (c_double * 35)(*(3 * x1 - 1.5 * x2 + 2 for x1, x2 in rows))
    features = vise.vise_array_of(x, F64, 35, 2)
    targets = vise.vise_array_of(y, F64, 35, 1)

    net = NetConfig()
    vise.vise_net_config_init(byref(net))
    net.n_layers = 1
    net.widths[0], net.widths[1] = 2, 1
    config = TrainConfig()
    vise.vise_train_config_init(byref(config))
    # The library wrote the size of its own struct: an equal one means that the fields above lie where they should.
    if (net.struct_size, config.struct_size) != (ctypes.sizeof(NetConfig), ctypes.sizeof(TrainConfig)):
        raise RuntimeError("the declared structs are not those of the library")
    if (config.lr, config.batch, config.beta1, config.epochs, config.max_skips) != (0.01, 64, 0.9, 10, 8):
        raise RuntimeError("the defaults do not lie where they should")
    config.loss, config.lr, config.batch, config.backend = MSE, 0.2, 0, CPU64
    if clamp is not None:
        check(vise.vise_train_config_set(byref(config), b"clamp", f"{-clamp}:{clamp}".encode(), byref(err)), err)

    data, model, trainer, copy = c_void_p(), c_void_p(), c_void_p(), c_void_p()
    try:
        check(vise.vise_dataset_from_arrays(byref(features), byref(targets), None, True, byref(data), byref(err)), err)
        check(vise.vise_model_create(byref(net), F64, byref(model), byref(err)), err)
        check(vise.vise_trainer_create(byref(config), model, data, None, None, byref(trainer), byref(err)), err)
        vise.vise_dataset_free(data)  # the trainer has a reference of its own
        data = None
        n_steps = 300
        stats = (StepStats * n_steps)()
        n_done = c_size_t()
        check(vise.vise_trainer_step(trainer, n_steps, stats, byref(n_done), byref(err)), err)
        if n_done.value != n_steps or stats[n_steps - 1].step != n_steps or stats[0].n_rows != 35:
            raise RuntimeError("the step statistics do not lie where they should")
        if not stats[n_steps - 1].loss < stats[0].loss:
            raise RuntimeError(f"the loss did not fall: {stats[0].loss} -> {stats[n_steps - 1].loss}")
        check(vise.vise_trainer_sync(trainer, byref(err)), err)
        copy = through_bytes(vise, model, err)
        weights, bias = (c_double * 2)(), (c_double * 1)()
        check(vise.vise_model_get_tensor(copy, 0, weights, 2, byref(err)), err)
        check(vise.vise_model_get_tensor(copy, 1, bias, 1, byref(err)), err)

        short = (ShortStats * 3)()
        short[2].n_rows = 77
        check(vise.vise_trainer_step_sized(ctypes.sizeof(ShortStats), trainer, 2, short, None, byref(err)), err)
        if [(s.step, s.n_rows) for s in short] != [(n_steps + 1, 35), (n_steps + 2, 35), (0, 77)]:
            raise RuntimeError("shortened step statistics do not lie where they should")
        return [weights[0], weights[1], bias[0]]
    finally:
        vise.vise_trainer_free(trainer)
        vise.vise_model_free(model)
        vise.vise_model_free(copy)
        vise.vise_dataset_free(data)


def main():
    vise = load(os.path.join(os.environ["PREFIX"], "lib", "libvise.so"))
    free, boxed = train(vise, None), train(vise, 1.0)
    print(f"vise {vise.vise_version().decode()}: free {free}, boxed {boxed}")
    worst = max(abs(got - want) for got, want in zip(free, [3, -1.5, 2]))
    return 0 if worst <= 1e-6 and boxed[:2] == [1, -1] else 1


if __name__ == "__main__":
    sys.exit(main())
