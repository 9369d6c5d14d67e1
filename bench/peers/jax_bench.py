"""The cases of vise bench in JAX, as a jitted step and as a scan over many: verified by vise cpu64, then timed.

    python3 bench/peers/jax_bench.py [--case mnist-64,policy] [--device auto] [--threads 1] [--precision fp32]
                                     [--variants jit,scan] [--seconds 1]

Prints the columns of vise bench --csv. The data and the order of the rows wait in the memory of the device; each step
gathers its rows inside the compiled function. Weights are donated. XLA has no setting for its threads on the CPU: with
--threads N the process is bound to N processors. Exits 1 when a variant computes another step than Vise.
"""

import functools
import os

import numpy as np

from bench_common import Clock, Verdict, peer_main, row, start_weights, timed_data

STEPS_PER_SCAN = 64
# "bfloat16" would mean XLA's default, which is tf32 on a GPU; the name of an algorithm means that one.
PRECISIONS = {"fp32": "highest", "tf32": "TF32_TF32_F32", "bf16": "BF16_BF16_F32"}


def context(arguments):
    if arguments.threads < os.cpu_count() and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: arguments.threads])
    if arguments.device != "auto":
        os.environ["JAX_PLATFORMS"] = arguments.device
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    import jax

    try:
        kind = jax.default_backend()
    except RuntimeError as error:
        raise ImportError(f"JAX has no {arguments.device} device ({error})") from error
    arguments.device = "cuda" if kind == "gpu" else kind
    return {"jax": jax.__version__, "device": jax.devices()[0].device_kind}


def make_step(settings):
    import jax
    import jax.numpy as jnp

    def loss_of(params, x, y):
        for w, b in params[:-1]:
            x = jax.nn.relu(x @ w.T + b)
        z = x @ params[-1][0].T + params[-1][1]
        if jnp.issubdtype(y.dtype, jnp.floating):
            return jnp.square(z - y).sum() / (2 * z.shape[0])
        picked = jnp.take_along_axis(z, y[:, None], 1)[:, 0]
        return (jax.nn.logsumexp(z, axis=1) - picked).mean()

    def step(params, x, y):
        loss, grads = jax.value_and_grad(loss_of)(params, x, y)
        grads = [(gw + 2 * settings["l2"] * w, gb) for (gw, gb), (w, _) in zip(grads, params)]
        norm = jnp.sqrt(sum(jnp.square(g).sum() for pair in grads for g in pair))
        finite = jnp.isfinite(norm + loss)
        rate = settings["lr"] * jnp.minimum(1.0, settings["clip_norm"] / norm)
        bound = settings["clamp"]
        return [(jnp.where(finite, jnp.clip(w - rate * gw, -bound, bound), w), jnp.where(finite, b - rate * gb, b))
                for (w, b), (gw, gb) in zip(params, grads)], loss

    return step


@functools.lru_cache(maxsize=4)
def make_jitted(settings):
    """A step and a scan over steps, jitted: once for the same settings (a tuple of pairs), so that what was compiled for
    one instance serves the next."""
    import jax
    import jax.numpy as jnp

    step = make_step(dict(settings))

    @functools.partial(jax.jit, donate_argnums=0)
    def one(params, x, y, order, i):
        rows = jax.lax.dynamic_index_in_dim(order, i % order.shape[0], keepdims=False)
        return step(params, x[rows], y[rows])

    @functools.partial(jax.jit, donate_argnums=0, static_argnums=5)
    def many(params, x, y, order, i, n):
        def body(carry, k):
            rows = jax.lax.dynamic_index_in_dim(order, k % order.shape[0], keepdims=False)
            return step(carry, x[rows], y[rows])

        params, losses = jax.lax.scan(body, params, i + jnp.arange(n))
        return params, losses[-1]

    return one, many


class Jit:
    """One call a step."""

    steps = 1

    def __init__(self, params, data, settings):
        import jax.numpy as jnp

        arrays = [jnp.array(p) for p in params]  # copies, as they will be donated
        self.params = list(zip(arrays[0::2], arrays[1::2]))
        self.x, self.y, self.order = (jnp.asarray(a) for a in data)
        self.one, self.many = make_jitted(tuple(sorted(settings.items())))

    def run(self, first, n):
        data = (self.x, self.y, self.order)
        while n >= self.steps > 1:
            self.params, self.loss = self.many(self.params, *data, first, self.steps)
            first, n = first + self.steps, n - self.steps
        for i in range(first, first + n):
            self.params, self.loss = self.one(self.params, *data, i)

    def set_order(self, order):
        import jax.numpy as jnp

        self.order = jnp.asarray(order)

    def wait(self):
        self.params[0][0].block_until_ready()
        self.loss.block_until_ready()

    def weights(self):
        return [np.asarray(p) for pair in self.params for p in pair]


class Scan(Jit):
    steps = STEPS_PER_SCAN


class ShortScan(Jit):
    """The scan of the verification, which has fewer steps."""

    steps = 2


WAYS = {"jit": Jit, "scan": Scan}


def verify(kind, reference, precision):
    case, n_steps = reference.case, reference.n_steps
    order = np.arange(case.batch * n_steps).reshape(n_steps, case.batch)
    y = reference.y.astype(np.int32) if reference.y.dtype.kind == "i" else reference.y
    checked = ShortScan if kind is Scan else kind
    way = checked(reference.start, (reference.x, y, order), case.settings)
    losses = []
    for i in range(n_steps):
        way.run(i, 1)
        losses.append(float(way.loss))
    whole = checked(reference.start, (reference.x, y, order), case.settings)
    whole.run(0, n_steps)
    poisoned = reference.x.copy()
    poisoned[0, 0] = np.inf
    way = checked(reference.start, (poisoned, y, order), case.settings)
    way.run(0, 1)
    unchanged = all(np.array_equal(a, b) for a, b in zip(way.weights(), reference.start))
    return Verdict(reference, whole.weights(), losses, unchanged, precision)


def time_way(kind, case, arguments):
    x, y, order = timed_data(case)
    y = y.astype(np.int32) if y.dtype.kind == "i" else y
    way = kind(start_weights(case), (x, y, order), case.settings)
    way.run(0, way.steps + 1)  # compiles both
    return Clock(way.run, arguments.seconds, way.wait, way.steps)


def rows_of(case, reference, arguments):
    import jax

    device, tool = arguments.device, f"jax-{jax.__version__}"
    for precision in arguments.precision:
        if device == "cpu" and precision != "fp32":
            yield f"{precision}: left out: the peers on the CPU compute in fp32"
            continue
        for name, kind in WAYS.items():
            if arguments.variants and name not in arguments.variants:
                continue
            try:
                with jax.default_matmul_precision(PRECISIONS[precision]):
                    verdict = verify(kind, reference, precision)
                    clock = time_way(kind, case, arguments) if verdict.passed else None
                arguments.clocks[name] = clock
            except (RuntimeError, MemoryError) as error:
                yield f"{name} {precision}: not available here ({type(error).__name__}: {str(error).splitlines()[:1]})"
                continue
            if not verdict.passed:
                yield f"{name} {precision}: another step than Vise's: {verdict.text}"
            yield row(tool, name, device, case, precision, arguments.threads, verdict, clock)


if __name__ == "__main__":
    peer_main(__doc__.splitlines()[0], rows_of, context)
