"""The job's step in PyTorch: two Linear layers and relu, cross-entropy, L2 on the weights, global norm clip, box.

In the order that Vise uses: gradient of the data loss; plus 2*l2*w on weights (not biases); the total gradient is
scaled by min(1, M/norm); w -= lr*g; weights (not biases) are clamped to the box.
"""

import torch
import torch.nn.functional as F

from common import CLAMP, CLIP_NORM, L2, LR, N_HIDDEN, N_IN, N_OUT


def initial_parameters(dtype=torch.float32):
    """W0, b0, W1, b1 as nn.Linear draws them."""
    layers = [torch.nn.Linear(N_IN, N_HIDDEN), torch.nn.Linear(N_HIDDEN, N_OUT)]
    return [p.detach().to(dtype).clone() for layer in layers for p in (layer.weight, layer.bias)]


def forward(params, x):
    w0, b0, w1, b1 = params
    return F.linear(F.relu(F.linear(x, w0, b0)), w1, b1)


def update(params, grads, l2=L2, clip_norm=CLIP_NORM, clamp=CLAMP, lr=LR):
    """Penalty, clip, SGD and box, in place, with the multi-tensor operations."""
    weights = params[0::2]
    torch._foreach_add_(grads[0::2], weights, alpha=2 * l2)
    norm = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(grads)))
    # Multiplying by 1 where nothing is clipped, as torch's clip_grad_norm_ does too, spares a branch.
    torch._foreach_mul_(grads, torch.clamp(clip_norm / norm, max=1.0))
    torch._foreach_add_(params, grads, alpha=-lr)
    torch._foreach_clamp_min_(weights, -clamp)
    torch._foreach_clamp_max_(weights, clamp)
    return norm


def step_autograd(params, x, y):
    """params must require gradients."""
    loss = F.cross_entropy(forward(params, x), y)
    grads = list(torch.autograd.grad(loss, params))
    with torch.no_grad():
        update(params, grads)
    return loss


@torch.no_grad()
def step_manual(params, x, y):
    """The same without autograd: the backward pass written out."""
    w0, b0, w1, b1 = params
    z0 = torch.addmm(b0, x, w0.t())
    a0 = torch.relu(z0)
    z1 = torch.addmm(b1, a0, w1.t())
    log_p = torch.log_softmax(z1, 1)
    loss = F.nll_loss(log_p, y)
    n = x.shape[0]
    d1 = log_p.exp_().div_(n)
    d1.scatter_add_(1, y.unsqueeze(1), d1.new_full((n, 1), -1.0 / n))
    d0 = torch.ops.aten.threshold_backward(torch.mm(d1, w1), z0, 0)
    update(params, [torch.mm(d0.t(), x), d0.sum(0), torch.mm(d1.t(), a0), d1.sum(0)])
    return loss
