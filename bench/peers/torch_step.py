"""The step in PyTorch: Linear layers with relu between them, cross-entropy (integer targets) or mse, L2 on the weights,
global norm clip, box, and no change at all by a step whose loss or gradient is not finite.

In the order that Vise uses: gradient of the data loss; plus 2*l2*w on weights (not biases); the total gradient is
scaled by min(1, M/norm); w -= lr*g; weights (not biases) are clamped to the box. Parameters are W0, b0, W1, b1, ...
"""

import torch
import torch.nn.functional as F

from common import CLAMP, CLIP_NORM, L2, LR, N_HIDDEN, N_IN, N_OUT


def initial_parameters(dtype=torch.float32, widths=(N_IN, N_HIDDEN, N_OUT)):
    """As nn.Linear draws them."""
    layers = [torch.nn.Linear(n_in, n_out) for n_in, n_out in zip(widths, widths[1:])]
    return [p.detach().to(dtype).clone() for layer in layers for p in (layer.weight, layer.bias)]


def forward(params, x):
    last = len(params) - 2
    for i in range(0, last, 2):
        x = F.relu(F.linear(x, params[i], params[i + 1]))
    return F.linear(x, params[last], params[last + 1])


def loss_of(z, y):
    """Cross-entropy for labels, 1/(2N) sum (z-y)^2 for values."""
    if y.is_floating_point():
        return (z - y).square().sum() / (2 * z.shape[0])
    return F.cross_entropy(z, y)


def update(params, grads, l2=L2, clip_norm=CLIP_NORM, clamp=CLAMP, lr=LR, loss=None, branch=True):
    """Penalty, clip, skip, SGD and box, in place, with the multi-tensor operations. branch: the host looks whether the
    step is to be skipped, which is cheap on the CPU; else the values decide, so that a device need not be waited for.
    Returns the norm entering the clip."""
    weights = params[0::2]
    grads = [g if g.dtype == p.dtype else g.to(p.dtype) for g, p in zip(grads, params)]
    torch._foreach_add_(grads[0::2], weights, alpha=2 * l2)
    norm = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(grads)))
    finite = torch.isfinite(norm if loss is None else norm + loss.detach().to(norm.dtype))
    # Multiplying by 1 where nothing is clipped, as torch's clip_grad_norm_ does too, spares a branch.
    scale = torch.clamp(clip_norm / norm, max=1.0)
    if branch:
        if not finite:
            return norm
    else:
        grads = [torch.where(finite, g, 0.0) for g in grads]
        scale = torch.where(finite, scale, 0.0)
    torch._foreach_mul_(grads, scale)
    torch._foreach_add_(params, grads, alpha=-lr)
    torch._foreach_clamp_min_(weights, -clamp)
    torch._foreach_clamp_max_(weights, clamp)
    return norm


def step_autograd(params, x, y, **settings):
    """params must require gradients."""
    loss = loss_of(forward(params, x), y)
    grads = list(torch.autograd.grad(loss, params))
    with torch.no_grad():
        update(params, grads, loss=loss, **settings)
    return loss


def loss_and_delta(z, y):
    """The loss and its gradient with respect to z."""
    n = z.shape[0]
    if y.is_floating_point():
        delta = (z - y) / n
        return (z - y).square().sum() / (2 * n), delta
    log_p = torch.log_softmax(z, 1)
    loss = F.nll_loss(log_p, y)
    delta = log_p.exp_().div_(n)
    delta.scatter_add_(1, y.unsqueeze(1), delta.new_full((n, 1), -1.0 / n))
    return loss, delta


@torch.no_grad()
def step_manual(params, x, y, **settings):
    """The same without autograd: the backward pass written out."""
    n_layers = len(params) // 2
    inputs = [x]
    for i in range(n_layers):
        z = torch.addmm(params[2 * i + 1], inputs[-1], params[2 * i].t())
        if i + 1 < n_layers:
            inputs.append(torch.relu(z))
    loss, delta = loss_and_delta(z, y)
    grads = [None] * len(params)
    for i in reversed(range(n_layers)):
        grads[2 * i], grads[2 * i + 1] = torch.mm(delta.t(), inputs[i]), delta.sum(0)
        if i > 0:
            delta = torch.ops.aten.threshold_backward(torch.mm(delta, params[2 * i]), inputs[i], 0)
    update(params, grads, loss=loss, **settings)
    return loss
