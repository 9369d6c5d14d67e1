"""The cases of vise bench in scikit-learn's MLPClassifier and MLPRegressor, on the CPU.

    python3 bench/peers/sklearn_bench.py [--case mnist-64,policy] [--threads 1] [--seconds 1]

Prints the columns of vise bench --csv. They have neither clip nor box nor skip and shuffle by themselves: they do less
work than Vise and another step, so nothing is verified and the column says "other". Their mini-batch loop is timed over
whole passes of partial_fit; the data wait in memory as float32.
"""

import warnings

from bench_common import Clock, make_data, peer_main, row, scaled
from common import L2

MODE = "no-clip-no-box"


def context(arguments):
    import sklearn

    if arguments.device == "cuda":
        raise ImportError("scikit-learn computes on the CPU alone")
    arguments.device = "cpu"
    return {"sklearn": sklearn.__version__, "blas": blas()}


def blas():
    """The libraries that multiply for scikit-learn, the kernels they chose and their threads."""
    import threadpoolctl

    found = {f"{item['internal_api']} {item['version']} {item.get('architecture', '')} x{item['num_threads']}"
             for item in threadpoolctl.threadpool_info() if item["user_api"] == "blas"}
    return "; ".join(sorted(found))


class Passes:
    """run(first, n) does n steps, in passes of whole batches of at most so many."""

    def __init__(self, case):
        from sklearn.neural_network import MLPClassifier, MLPRegressor

        x, self.y = make_data(case, case.n_rows, 2)
        self.x, self.batch, self.n_batches = scaled(case, x), case.batch, case.n_rows // case.batch
        # alpha/2 * sum w^2 / batch in its units; 2*l2 is the gradient's factor here.
        settings = {"hidden_layer_sizes": case.widths[1:-1], "solver": "sgd", "batch_size": case.batch,
                    "learning_rate_init": case.lr, "momentum": 0.0, "nesterovs_momentum": False,
                    "alpha": 2 * L2 * case.batch, "shuffle": True}
        if case.loss == "cross-entropy":
            self.model, self.first = MLPClassifier(**settings), {"classes": range(case.widths[-1])}
        else:
            self.model, self.first = MLPRegressor(**settings), {}
            self.y = self.y[:, 0] if case.widths[-1] == 1 else self.y

    def run(self, _, n):
        while n > 0:
            now = min(n, self.n_batches) * self.batch
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                self.model.partial_fit(self.x[:now], self.y[:now], **self.first)
            self.first = {}
            n -= now // self.batch


def rows_of(case, reference, arguments):
    import sklearn

    if "fp32" not in arguments.precision:
        yield "left out: scikit-learn computes in the precision of the data, here float32"
        return
    clock = arguments.clocks[MODE] = Clock(Passes(case).run, arguments.seconds)
    yield row(f"scikit-learn-{sklearn.__version__}", MODE, "cpu", case, "fp32", arguments.threads, None,
              clock)


if __name__ == "__main__":
    peer_main(__doc__.splitlines()[0], rows_of, context)
