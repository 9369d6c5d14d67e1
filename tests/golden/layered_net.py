"""Nets with batch norm, dropout and residuals in PyTorch, whose dropout keeps what Vise's keeps: Philox4x32-10 with the
seed as its key and the counter (step, row of the batch, place * 2^24 + unit, 5); see host/ops/dropout/dropout.h."""
import numpy as np
import torch
from torch import nn

DROPOUT_STREAM = 5


def philox(seed, counter):
    """Philox4x32-10 (Salmon et al. 2011) of each row of counter [n, 4]."""
    x = np.array(counter, np.uint64).T
    key = [seed & 0xFFFFFFFF, seed >> 32]
    low, half = np.uint64(0xFFFFFFFF), np.uint64(32)
    for _ in range(10):
        a, b = np.uint64(0xD2511F53) * x[0], np.uint64(0xCD9E8D57) * x[2]
        x = np.array([(b >> half) ^ x[1] ^ np.uint64(key[0]), b & low, (a >> half) ^ x[3] ^ np.uint64(key[1]), a & low])
        key = [(key[0] + 0x9E3779B9) & 0xFFFFFFFF, (key[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return x.T


class Dropout(nn.Module):
    """place: 0 for the net's inputs, l + 1 after linear layer l. The caller sets step, the attempted ones before it."""

    def __init__(self, p, seed, place):
        super().__init__()
        self.p, self.seed, self.place, self.step = p, seed, place, 0

    def keeps(self, n_rows, n_units):
        row, unit = np.divmod(np.arange(n_rows * n_units), n_units)
        counter = np.zeros((n_rows * n_units, 4), np.uint64)
        counter[:, 0], counter[:, 1] = self.step, row
        counter[:, 2], counter[:, 3] = (self.place << 24) + unit, DROPOUT_STREAM
        draws = philox(self.seed, counter)[:, 0] >> np.uint64(8)
        return torch.tensor(draws.reshape(n_rows, n_units) >= self.p * 2 ** 24)

    def forward(self, a):
        if not self.training:
            return a
        scale = float(np.float32(1 / (1 - self.p)))
        return torch.where(self.keeps(*a.shape), a * scale, 0.0)


class LayeredNet(nn.Module):
    """What vise_net_config makes. Each block is an nn.Sequential; a residual adds what went into it."""

    def __init__(self, widths, activation, bias, batch_norm=False, dropout=0.0, input_dropout=0.0, residual=False,
                 seed=0):
        super().__init__()
        self.blocks = nn.ModuleList()
        self.adds = []
        if input_dropout:
            self.add([Dropout(input_dropout, seed, 0)])
        for i, (n_in, n_out) in enumerate(zip(widths, widths[1:])):
            if i + 2 == len(widths):
                self.add([nn.Linear(n_in, n_out, bias=bias)])
                break
            block = [nn.Linear(n_in, n_out, bias=bias and not batch_norm)]
            if batch_norm:
                block.append(nn.BatchNorm1d(n_out))
            block.append(activation())
            if dropout:
                block.append(Dropout(dropout, seed, i + 1))
            self.add(block, residual and n_in == n_out)

    def add(self, modules, adds=False):
        self.blocks.append(nn.Sequential(*modules))
        self.adds.append(adds)

    def set_step(self, step):
        for module in self.modules():
            if isinstance(module, Dropout):
                module.step = step

    def statistics(self):
        """Running means and variances, in the order in which Vise keeps them behind the parameters."""
        return [s for m in self.modules() if isinstance(m, nn.BatchNorm1d) for s in (m.running_mean, m.running_var)]

    def forward(self, x):
        for block, adds in zip(self.blocks, self.adds):
            x = x + block(x) if adds else block(x)
        return x
