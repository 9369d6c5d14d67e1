"""The ways in which a careful user of PyTorch would run the step of torch_step.py. Each is a class
Way(params, data, settings): run(first, n) does the steps first to first + n of the data, of which step i takes the rows
order[i mod n_batches]; loss is that of the last step."""

import functools
import math

import torch

import torch_step

STEPS_PER_GRAPH = 32


class Eager:
    """A step called from Python. data: (x, y, order), order a list of index tensors."""

    def __init__(self, params, data, settings):
        self.params = [p.clone() for p in params]
        self.x, self.y, self.order = data
        self.settings = dict(settings, branch=not self.params[0].is_cuda)
        self.prepare()

    def prepare(self):
        self.step = functools.partial(torch_step.step_manual, self.params, **self.settings)

    def set_order(self, order):
        """order: int64 [n_batches, batch], as many batches as before."""
        self.order = list(order.unbind())

    def run(self, first, n):
        for i in range(first, first + n):
            rows = self.order[i % len(self.order)]
            self.loss = self.step(self.x.index_select(0, rows), self.y.index_select(0, rows))


class Buffers(Eager):
    """The step by hand, as few operations as PyTorch allows: every result goes to a buffer made beforehand (out=), all
    parameters and all gradients are views of one array each, weights before biases, so that penalty, norm, step and box
    are one operation each. On the CPU, where the host may look at a number at no cost."""

    def prepare(self):
        n_layers = len(self.params) // 2
        self.flat, self.params = self.packed([p.clone() for p in self.params])
        self.grad, self.grads = self.packed([torch.zeros_like(p) for p in self.params])
        n_weights = sum(p.numel() for p in self.params[0::2])
        self.weights, self.weight_grads = self.flat[:n_weights], self.grad[:n_weights]
        n = len(self.order[0])
        empty = lambda width: torch.empty(n, width, dtype=self.x.dtype)
        widths = [self.params[2 * i].shape[0] for i in range(n_layers)]
        self.rows, self.y_rows = empty(self.x.shape[1]), torch.empty((n,) + self.y.shape[1:], dtype=self.y.dtype)
        self.inputs = [self.rows] + [empty(w) for w in widths[:-1]]
        self.z, self.delta = empty(widths[-1]), [empty(w) for w in widths]
        self.picked, self.minus_one = empty(1), torch.full((n, 1), -1.0, dtype=self.x.dtype)
        self.norm = torch.empty((), dtype=self.x.dtype)
        self.transposed = [w.t() for w in self.params[0::2]]

    @staticmethod
    def packed(tensors):
        """One array that holds copies of these, those at even places first, and views of it in their places."""
        flat = torch.empty(sum(t.numel() for t in tensors), dtype=tensors[0].dtype)
        views, at = [None] * len(tensors), 0
        for i in list(range(0, len(tensors), 2)) + list(range(1, len(tensors), 2)):
            views[i] = flat[at:at + tensors[i].numel()].view(tensors[i].shape)
            views[i].copy_(tensors[i])
            at += tensors[i].numel()
        return flat, views

    def loss_and_delta(self):
        n, delta = self.z.shape[0], self.delta[-1]
        if self.y_rows.is_floating_point():
            torch.sub(self.z, self.y_rows, out=delta)
            loss = torch.dot(delta.view(-1), delta.view(-1)).div_(2 * n)
            delta.mul_(1.0 / n)
            return loss
        labels = self.y_rows.unsqueeze(1)
        torch.ops.aten._log_softmax.out(self.z, 1, False, out=delta)
        torch.gather(delta, 1, labels, out=self.picked)
        loss = self.picked.sum().mul_(-1.0 / n)
        delta.exp_().scatter_add_(1, labels, self.minus_one).mul_(1.0 / n)
        return loss

    @torch.no_grad()
    def step(self):
        last = len(self.transposed) - 1
        for i, weight in enumerate(self.transposed):
            out = self.z if i == last else self.inputs[i + 1]
            torch.addmm(self.params[2 * i + 1], self.inputs[i], weight, out=out)
            if i < last:
                out.relu_()
        self.loss = self.loss_and_delta()
        for i in range(last, -1, -1):
            delta = self.delta[i]
            torch.mm(delta.t(), self.inputs[i], out=self.grads[2 * i])
            torch.sum(delta, 0, out=self.grads[2 * i + 1])
            if i > 0:
                below = self.delta[i - 1]
                torch.mm(delta, self.params[2 * i], out=below)
                torch.ops.aten.threshold_backward.grad_input(below, self.inputs[i], 0, grad_input=below)
        self.update()

    def update(self):
        self.weight_grads.add_(self.weights, alpha=2 * self.settings["l2"])
        torch.linalg.vector_norm(self.grad, out=self.norm)
        norm = self.norm.item()
        if not math.isfinite(norm + self.loss.item()):
            return
        scale = min(1.0, self.settings["clip_norm"] / norm) if norm > 0 else 1.0
        self.flat.add_(self.grad, alpha=-self.settings["lr"] * scale)
        self.weights.clamp_(-self.settings["clamp"], self.settings["clamp"])

    def run(self, first, n):
        for i in range(first, first + n):
            rows = self.order[i % len(self.order)]
            torch.index_select(self.x, 0, rows, out=self.rows)
            torch.index_select(self.y, 0, rows, out=self.y_rows)
            self.step()


class Autograd(Eager):
    def prepare(self):
        self.params = [p.requires_grad_(True) for p in self.params]
        self.step = functools.partial(torch_step.step_autograd, self.params, **self.settings)


class Module(Eager):
    """nn.Sequential, clip_grad_norm_, torch.optim.SGD. The penalty is added before the clip."""

    kind = {"foreach": True}

    def prepare(self):
        layers = []
        for i in range(0, len(self.params), 2):
            n_out, n_in = self.params[i].shape
            layers += [torch.nn.Linear(n_in, n_out, device=self.x.device), torch.nn.ReLU()]
        self.net = torch.nn.Sequential(*layers[:-1])
        with torch.no_grad():
            for mine, given in zip(self.net.parameters(), self.params):
                mine.copy_(given)
        self.params = list(self.net.parameters())
        self.weights = self.params[0::2]
        self.optimizer = torch.optim.SGD(self.params, lr=self.settings["lr"], **self.kind)

    def skip(self, finite):
        """Whether the host skips the step; else sees to it that the optimizer changes nothing."""
        if self.settings["branch"]:
            return not finite
        for p in self.params:
            p.grad = torch.where(finite, p.grad, 0.0)
        return False

    def step(self, x, y):
        self.optimizer.zero_grad(set_to_none=True)
        loss = torch_step.loss_of(self.net(x), y)
        loss.backward()
        with torch.no_grad():
            torch._foreach_add_([w.grad for w in self.weights], self.weights, alpha=2 * self.settings["l2"])
            norm = torch.nn.utils.clip_grad_norm_(self.params, self.settings["clip_norm"], foreach=True)
            if self.skip(torch.isfinite(norm + loss)):
                return loss
            self.optimizer.step()
            torch._foreach_clamp_min_(self.weights, -self.settings["clamp"])
            torch._foreach_clamp_max_(self.weights, self.settings["clamp"])
        return loss


class ModuleFused(Module):
    kind = {"fused": True}

    def skip(self, finite):
        if self.settings["branch"]:
            return not finite
        self.optimizer.found_inf = (~finite).to(torch.float32)  # as GradScaler tells it; the fused kernel then stays
        return False


@functools.lru_cache(maxsize=4)
def compiled_parts(settings):
    """The loss, whose backward pass is compiled along with it, and the update; once for the same settings (a tuple of
    pairs), so that what was compiled for one instance serves the next: compiling takes some ten seconds."""
    loss_at = torch.compile(lambda params, x, y: torch_step.loss_of(torch_step.forward(params, x), y), dynamic=False)
    return loss_at, torch.compile(functools.partial(torch_step.update, **dict(settings)), dynamic=False)


@functools.lru_cache(maxsize=4)
def compiled_step(settings):
    """Likewise the whole step by hand."""
    step = functools.partial(torch_step.step_manual, **dict(settings))
    return torch.compile(lambda params, x, y: step(params, x, y), dynamic=False)


class CompileAutograd(Eager):
    def prepare(self):
        self.params = [p.requires_grad_(True) for p in self.params]
        loss_at, update = compiled_parts(tuple(sorted(dict(self.settings, branch=False).items())))

        def step(x, y):
            loss = loss_at(self.params, x, y)
            grads = list(torch.autograd.grad(loss, self.params))
            with torch.no_grad():
                update(self.params, grads, loss=loss)
            return loss

        self.step = step


class CompileManual(Eager):
    options = {}

    def prepare(self):
        settings = dict(self.settings, branch=False)
        compiled = compiled_step(tuple(sorted(settings.items())))
        if self.options:  # CUDA graphs keep the addresses of one instance
            step = functools.partial(torch_step.step_manual, **settings)
            compiled = torch.compile(lambda params, x, y: step(params, x, y), dynamic=False, **self.options)
        self.step = lambda x, y: compiled(self.params, x, y)


class CompileReduceOverhead(CompileManual):
    """Inductor's own CUDA graphs. It makes none of a function that changes its inputs, unless these stay in one place."""

    options = {"mode": "reduce-overhead"}

    def prepare(self):
        for p in self.params:
            torch._dynamo.mark_static_address(p)
        super().prepare()


class Graph(Eager):
    """CUDA graphs of one step and of several; the place in the order is kept on the device, so that a replay needs
    nothing from the host."""

    steps = 1
    compiled = False

    def prepare(self):
        step = functools.partial(torch_step.step_manual, **dict(self.settings, branch=False))
        self.step = torch.compile(lambda p, x, y: step(p, x, y), dynamic=False) if self.compiled else step
        self.rows = torch.stack(list(self.order))
        self.at = torch.zeros(1, dtype=torch.int64, device=self.x.device)
        start = [p.clone() for p in self.params]
        self.one, self.many = self.capture(1), self.capture(self.steps) if self.steps > 1 else None
        with torch.no_grad():
            torch._foreach_copy_(self.params, start)
        self.at.zero_()

    def one_step(self):
        rows = self.rows.index_select(0, self.at).squeeze(0)
        loss = self.step(self.params, self.x.index_select(0, rows), self.y.index_select(0, rows))
        self.at.add_(1).remainder_(self.rows.shape[0])
        return loss

    def capture(self, n):
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):
                self.one_step()
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            for _ in range(n):
                loss = self.one_step()
        return graph, loss

    def set_order(self, order):
        self.rows.copy_(order)
        self.at.zero_()

    def run(self, first, n):
        while n >= self.steps > 1:
            self.many[0].replay()
            self.loss = self.many[1]
            n -= self.steps
        for _ in range(n):
            self.one[0].replay()
            self.loss = self.one[1]


class GraphMany(Graph):
    steps = STEPS_PER_GRAPH


class GraphManyCompiled(GraphMany):
    compiled = True


ON_ALL = {"eager-module-foreach": Module, "eager-module-fused": ModuleFused, "eager-autograd-foreach": Autograd,
          "eager-manual-foreach": Eager, "compile-autograd": CompileAutograd, "compile-manual": CompileManual}
ON_CUDA = {"compile-reduce-overhead": CompileReduceOverhead, "graph-manual": Graph, "graph-many": GraphMany,
           "graph-many-compiled": GraphManyCompiled}


ON_CPU = {"eager-manual-buffers": Buffers}


def ways(device):
    return dict(ON_ALL, **ON_CUDA) if device == "cuda" else dict(ON_ALL, **ON_CPU)
