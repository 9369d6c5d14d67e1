"""The ways in which a careful user of PyTorch would run the step of torch_step.py. Each is a class
Way(params, data, settings): run(first, n) does the steps first to first + n of the data, of which step i takes the rows
order[i mod n_batches]; loss is that of the last step."""

import functools

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


class CompileAutograd(Eager):
    def prepare(self):
        self.params = [p.requires_grad_(True) for p in self.params]
        settings = dict(self.settings, branch=False)
        # The backward pass is compiled along with the loss.
        loss_at = torch.compile(lambda params, x, y: torch_step.loss_of(torch_step.forward(params, x), y), dynamic=False)
        update = torch.compile(functools.partial(torch_step.update, **settings), dynamic=False)

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
        step = functools.partial(torch_step.step_manual, **dict(self.settings, branch=False))
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


def ways(device):
    return dict(ON_ALL, **ON_CUDA) if device == "cuda" else ON_ALL
