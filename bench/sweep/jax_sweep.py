"""The fits of a sweep in JAX: models as a batch (vmap), steps as a scan, the whole a compiled function. The steps are those
of vise sweep: a batch of a fold's training rows in a new order each epoch, cross-entropy and L2, Adam; at the end the
accuracy of the fold's held-out rows. The orders of the rows are drawn beforehand and are not timed."""

import concurrent.futures
import time

import jax
import jax.numpy as jnp
import numpy as np

BETA1, BETA2, EPS = 0.9, 0.999, 1e-8


def folds_of(n_rows, n_folds):
    """Training rows [folds, n] and held-out rows [folds, m] of each fold."""
    parts = np.array_split(np.random.default_rng(0).permutation(n_rows), n_folds)
    train = [np.concatenate(parts[:i] + parts[i + 1:]) for i in range(n_folds)]
    return np.stack(train), np.stack(parts)


def orders_of(train, epochs, batch):
    """Rows of each step, [folds, steps, batch]; a last, partial batch would need steps of two sizes."""
    if train.shape[1] % batch:
        raise SystemExit(f"{train.shape[1]} rows are no whole number of batches of {batch}")
    rng = np.random.default_rng(1)
    orders = [np.concatenate([rng.permutation(rows) for _ in range(epochs)]) for rows in train]
    return np.stack(orders).reshape(len(train), -1, batch).astype(np.int32)


def initial(key, sizes):
    keys = jax.random.split(key, len(sizes) - 1)
    return [(jax.random.uniform(k, (n, m), minval=-1, maxval=1) / np.sqrt(n), jnp.zeros(m))
            for k, n, m in zip(keys, sizes[:-1], sizes[1:])]


def outputs(parameters, x):
    for weights, biases in parameters[:-1]:
        x = jax.nn.relu(x @ weights + biases)
    weights, biases = parameters[-1]
    return x @ weights + biases


def loss(parameters, l2, x, y):
    scores = outputs(parameters, x)
    data = jnp.mean(jax.nn.logsumexp(scores, axis=1) - jnp.take_along_axis(scores, y[:, None], axis=1)[:, 0])
    return data + l2 * sum(jnp.sum(weights * weights) for weights, _ in parameters)


def adam_step(x, y, lr, l2, state, rows):
    parameters, mean, square, step = state
    gradient = jax.grad(loss)(parameters, l2, x[rows], y[rows])
    step = step + 1
    mean = jax.tree.map(lambda m, g: BETA1 * m + (1 - BETA1) * g, mean, gradient)
    square = jax.tree.map(lambda v, g: BETA2 * v + (1 - BETA2) * g * g, square, gradient)
    rate = lr * jnp.sqrt(1 - BETA2**step) / (1 - BETA1**step)
    parameters = jax.tree.map(lambda p, m, v: p - rate * m / (jnp.sqrt(v) + EPS), parameters, mean, square)
    return (parameters, mean, square, step), None


class Fits:
    """All (l2, fold) pairs, trained so many at a time."""

    def __init__(self, x, y, sizes, epochs, batch, n_folds, lr):
        train, held = folds_of(len(x), n_folds)
        self.held, self.orders = jnp.asarray(held), jnp.asarray(orders_of(train, epochs, batch))
        self.n_folds = n_folds
        x, y = jnp.asarray(x), jnp.asarray(y)

        def fit(key, l2, orders, held):
            parameters = initial(key, sizes)
            zeros = jax.tree.map(jnp.zeros_like, parameters)
            state = (parameters, zeros, zeros, 0.0)
            state, _ = jax.lax.scan(lambda s, rows: adam_step(x, y, lr, l2, s, rows), state, orders)
            return jnp.mean(jnp.argmax(outputs(state[0], x[held]), axis=1) == y[held])

        self.one = jax.jit(fit)
        self.many = jax.jit(jax.vmap(fit))

    def arguments(self, strengths):
        """Of all fits: keys, strengths and folds."""
        pairs = [(l2, fold) for l2 in strengths for fold in range(self.n_folds)]
        folds = np.array([fold for _, fold in pairs])
        l2 = jnp.asarray([l2 for l2, _ in pairs], jnp.float32)
        return jax.random.split(jax.random.key(0), len(pairs)), l2, self.orders[folds], self.held[folds]

    def batched(self, strengths, size):
        """Seconds for all fits, `size` models at a time, and their mean accuracy; size 0: one model at a time, in two
        threads. What a call is given is made beforehand."""
        given = self.arguments(strengths)
        n = len(given[1])
        if size == 0:
            calls = [tuple(part[i] for part in given) for i in range(n)]
        else:
            calls = [tuple(part[i:i + size] for part in given) for i in range(0, n - n % size, size)]
        jax.block_until_ready(calls)
        begin = time.perf_counter()
        if size == 0:
            with concurrent.futures.ThreadPoolExecutor(2) as pool:
                scores = list(pool.map(lambda call: jax.block_until_ready(self.one(*call)), calls))
        else:
            scores = [jax.block_until_ready(self.many(*call)) for call in calls]
        seconds = time.perf_counter() - begin
        return seconds * n / (len(calls) * max(size, 1)), float(np.mean([np.mean(score) for score in scores]))
