"""MNIST 784-128-10 in PyTorch with the settings of Vise's main job; test accuracy per seed, as CSV.

    python3 bench/peers/mnist_torch.py [--seeds 0,1,2,3,4] [--epochs 10] [--threads 1] [--out FILE]

The counterpart is: vise train --layers 784-128-10 --batch 64 --epochs 10 --lr 0.1 --l2 1e-5 --clip-norm 5
--clamp 0.5 --loss cross-entropy --seed N. The two draw other random numbers, so their accuracies agree in the mean.
"""

import argparse
import statistics

from environment import print_into  # before torch
import torch

from common import BATCH, CLAMP, EPOCHS, print_context, read_mnist
from torch_step import forward, initial_parameters, step_autograd


def accuracy(params, x, y):
    with torch.no_grad():
        return (forward(params, x).argmax(1) == y).double().mean().item()


def train(seed, epochs, x, y):
    torch.manual_seed(seed)
    params = initial_parameters()
    for i, p in enumerate(params):
        if i % 2 == 0:
            p.clamp_(-CLAMP, CLAMP)  # the box holds from the start
        p.requires_grad_(True)
    loss_sum = 0.0
    for _ in range(epochs):
        loss_sum = torch.zeros(())
        for rows in torch.randperm(len(x)).split(BATCH):  # the last batch is smaller and divides by its own size
            loss = step_autograd(params, x.index_select(0, rows), y.index_select(0, rows))
            loss_sum += loss.detach() * len(rows)
    weights = [p.detach() for p in params[0::2]]
    at_bound = sum((w.abs() == CLAMP).sum().item() for w in weights) / sum(w.numel() for w in weights)
    return params, loss_sum.item() / len(x), at_bound


def run(arguments):
    print_context(torch=torch.__version__, threads=arguments.threads)
    x, y = (torch.from_numpy(a) for a in read_mnist("train"))
    x_test, y_test = (torch.from_numpy(a) for a in read_mnist("t10k"))
    x, x_test = x.float(), x_test.float()
    print("seed,epochs,train_loss,test_accuracy,share_at_bound", flush=True)
    accuracies = []
    for seed in arguments.seeds:
        params, loss, at_bound = train(seed, arguments.epochs, x, y)
        accuracies.append(accuracy(params, x_test, y_test))
        print(f"{seed},{arguments.epochs},{loss:.6f},{accuracies[-1]:.4f},{at_bound:.6f}", flush=True)
    print(f"mean,{arguments.epochs},,{statistics.mean(accuracies):.5f},", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=lambda text: [int(s) for s in text.split(",")], default=[0, 1, 2, 3, 4])
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", help="write the CSV to this file instead of standard output")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    print_into(arguments.out, lambda: run(arguments))


if __name__ == "__main__":
    main()
