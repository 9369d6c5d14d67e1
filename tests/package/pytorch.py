"""Models go both ways between Vise and PyTorch: each function is one test, named on the command line. Takes WORK and VISE
(the tool) from the environment."""
import csv
import json
import os
import subprocess
import sys

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

WORK, VISE = os.environ["WORK"], os.environ["VISE"]


def run(*arguments):
    result = subprocess.run([VISE, *arguments], capture_output=True, text=True)
    if result.returncode != 0:
        raise RuntimeError(f"{' '.join(arguments)}: exit {result.returncode}\n{result.stdout}{result.stderr}")
    return result.stdout


def expect(condition, message):
    if not condition:
        raise RuntimeError(message)


def agree(got, want, tolerance):
    worst = np.max(np.abs(np.asarray(got, np.float64) - np.asarray(want, np.float64)))
    print(f"largest difference {worst:.3g}, allowed {tolerance:g}")
    expect(worst <= tolerance, "the numbers do not agree")  # a NaN does not pass


def folder(name):
    path = os.path.join(WORK, name)
    os.makedirs(path, exist_ok=True)
    return path


def three_classes(path):
    """Three overlapping clouds in six dimensions, as .npy files."""
    rng = np.random.default_rng(7)
    labels = np.arange(300) % 3
    features = rng.normal(size=(300, 6)) + 1.5 * np.eye(3, 6)[labels]
    np.save(f"{path}/x.npy", features.astype(np.float32))
    np.save(f"{path}/y.npy", labels.astype(np.int64))
    return features.astype(np.float32), labels


def train(path, *extra):
    run("train", "--train", f"{path}/x.npy", "--train-labels", f"{path}/y.npy", "--layers", "6-16-3", "--loss",
        "cross-entropy", "--lr", "0.1", "--l2", "1e-3", "--clip-norm", "1", "--clamp", "0.5", "--batch", "32",
        "--epochs", "5", "--seed", "3", "--out", f"{path}/run", "--overwrite", *extra)
    return f"{path}/run/model.safetensors"


def sequential(dtype=torch.float32, activation=torch.nn.ReLU):
    return torch.nn.Sequential(torch.nn.Linear(6, 16), activation(), torch.nn.Linear(16, 3)).to(dtype)


def predictions(path, model, output, *more):
    run("predict", "--model", model, "--data", f"{path}/x.npy", "--out", f"{path}/{output}.npy", "--output", output,
        "--backend", "cpu", *more)
    return np.load(f"{path}/{output}.npy")


def changes(path, file, metadata):
    """A copy made by safetensors is read; one with other weights only without the hash."""
    data = ["--data", f"{path}/x.npy", "--labels", f"{path}/y.npy"]
    state, other = load_file(file), f"{path}/other.safetensors"
    save_file(state, other, metadata=metadata)
    expect(run("eval", "--model", other, *data) == run("eval", "--model", file, *data), "a copy is another model")

    state["2.bias"] = state["2.bias"] + 1
    save_file(state, other, metadata=metadata)
    refused = subprocess.run([VISE, "eval", "--model", other, *data], capture_output=True, text=True)
    expect(refused.returncode == 2 and "damaged" in refused.stderr, f"{refused}")
    save_file(state, other, metadata={key: text for key, text in metadata.items() if key != "vise.xxh3_128"})
    run("eval", "--model", other, *data)


def pytorch_loads_model():
    path = folder("pytorch_loads_model")
    three_classes(path)
    file = train(path, "--backend", "cpu")
    net = sequential()
    net.load_state_dict(load_file(file), strict=True)
    expect(all(parameter.dtype == torch.float32 for parameter in load_file(file).values()), "not float32")
    expect(net[0].weight.abs().max() <= 0.5 and net[2].weight.abs().max() <= 0.5, "a weight left the box")
    with safe_open(file, framework="pt") as opened:
        metadata = opened.metadata()
    expect(metadata["format"] == "pt" and len(metadata["vise.xxh3_128"]) == 32, f"metadata {metadata}")
    changes(path, file, metadata)
    with open(f"{path}/run/metrics.jsonl", encoding="utf-8") as lines:
        events = [json.loads(line) for line in lines]
    expect([event["epoch"] for event in events if event["event"] == "epoch"] == [1, 2, 3, 4, 5], f"{events}")
    expect(events[-1]["event"] == "end" and events[-1]["reason"] == "epochs", f"{events[-1]}")


def pytorch_predictions_agree():
    path = folder("pytorch_predictions_agree")
    features, labels = three_classes(path)
    for scale in ("none", "standard"):
        print(f"--scale {scale}")
        file = train(path, "--backend", "cpu", "--scale", scale)
        net = sequential()
        net.load_state_dict(load_file(file), strict=True)
        seen = features.astype(np.float64)
        if scale == "standard":
            seen = (seen - seen.mean(axis=0)) / seen.std(axis=0)
        with torch.no_grad():
            raw = net(torch.from_numpy(seen.astype(np.float32)))
        agree(predictions(path, file, "raw"), raw, 2e-6)
        agree(predictions(path, file, "probability"), torch.softmax(raw, 1), 2e-6)
        classes = predictions(path, file, "class").ravel()
        expect((classes == raw.argmax(1).numpy()).mean() >= 0.99, "the classes do not agree")
        stated = json.loads(run("eval", "--model", file, "--data", f"{path}/x.npy", "--labels", f"{path}/y.npy",
                                "--backend", "cpu", "--json"))
        agree(stated["loss"], torch.nn.functional.cross_entropy(raw, torch.from_numpy(labels)).item(), 1e-5)
        agree(stated["accuracy"], (raw.argmax(1).numpy() == labels).mean(), 1 / 300 + 1e-9)
    run("predict", "--model", file, "--data", f"{path}/x.npy", "--out", f"{path}/raw.csv", "--output", "raw",
        "--backend", "cpu")
    with open(f"{path}/raw.csv", encoding="utf-8") as lines:
        rows = list(csv.reader(lines))
    agree(np.array(rows[-300:], dtype=np.float64), np.load(f"{path}/raw.npy"), 1e-12)


def pytorch_elu_model():
    path = folder("pytorch_elu_model")
    features, _ = three_classes(path)
    file = train(path, "--backend", "cpu", "--activation", "elu")
    net = sequential(activation=torch.nn.ELU)
    net.load_state_dict(load_file(file), strict=True)
    with torch.no_grad():
        agree(predictions(path, file, "raw"), net(torch.from_numpy(features)), 2e-6)


def pytorch_model_is_read():
    path = folder("pytorch_model_is_read")
    features, labels = three_classes(path)
    torch.manual_seed(5)
    net = sequential()
    file = f"{path}/torch.safetensors"
    save_file(net.state_dict(), file)
    with torch.no_grad():
        raw = net(torch.from_numpy(features))
    agree(predictions(path, file, "raw", "--activation", "relu"), raw, 2e-6)
    agree(predictions(path, file, "probability", "--activation", "relu", "--loss", "cross-entropy"),
          torch.softmax(raw, 1), 2e-6)
    # One full-batch step from these weights is PyTorch's step.
    run("train", "--train", f"{path}/x.npy", "--train-labels", f"{path}/y.npy", "--layers", "6-16-3", "--loss",
        "cross-entropy", "--lr", "0.5", "--batch", "full", "--steps", "1", "--init", file, "--activation", "relu", "--backend", "cpu",
        "--out", f"{path}/run", "--overwrite")
    optimizer = torch.optim.SGD(net.parameters(), lr=0.5)
    torch.nn.functional.cross_entropy(net(torch.from_numpy(features)), torch.from_numpy(labels)).backward()
    optimizer.step()
    state = load_file(f"{path}/run/model.safetensors")
    for name, tensor in net.state_dict().items():
        agree(state[name], tensor, 1e-6)


LAYERS = ("--layers", "6-16-16-3", "--batch-norm", "--dropout", "0.2", "--input-dropout", "0.1", "--activation", "tanh",
          "--backend", "cpu64")


def predictions64(path, model, *options):
    run("predict", "--model", model, "--data", f"{path}/x.npy", "--out", f"{path}/raw.npy", "--output", "raw",
        "--backend", "cpu64", *options)
    return np.load(f"{path}/raw.npy")


def expect_counters(state, names):
    found = {name: tensor for name, tensor in state.items() if name.endswith("num_batches_tracked")}
    expect(sorted(found) == names, f"{sorted(found)}")
    # 300 rows in batches of 32 are 10 steps, 5 epochs of them.
    expect(all(tensor.dtype == torch.int64 and tensor.item() == 50 for tensor in found.values()), f"{found}")


def pytorch_layers_model():
    path = folder("pytorch_layers_model")
    features, _ = three_classes(path)
    file = train(path, *LAYERS)
    state = load_file(file)
    expect_counters(state, ["2.num_batches_tracked", "6.num_batches_tracked"])
    block = [[torch.nn.Linear(n, 16, bias=False), torch.nn.BatchNorm1d(16), torch.nn.Tanh(), torch.nn.Dropout(0.2)]
             for n in (6, 16)]
    net = torch.nn.Sequential(torch.nn.Dropout(0.1), *block[0], *block[1], torch.nn.Linear(16, 3)).double().eval()
    net.load_state_dict(state, strict=True)
    expect(net[1].weight.abs().max() <= 0.5 and net[9].weight.abs().max() <= 0.5, "a weight left the box")
    with torch.no_grad():
        agree(predictions64(path, file), net(torch.from_numpy(features).double()), 1e-12)


def documented_module():
    """ViseNet, as docs/files.md has it."""
    page = open("docs/files.md", encoding="utf-8").read()
    blocks = [block.split("```")[0] for block in page.split("```python\n")[1:]]
    [code] = [block for block in blocks if "class ViseNet" in block]
    names = {}
    exec(code, names)  # pylint: disable=exec-used
    return names["ViseNet"]


def pytorch_residual_model():
    path = folder("pytorch_residual_model")
    features, _ = three_classes(path)
    made = documented_module()
    x = torch.from_numpy(features).double()
    for extra in ((), ("--residual",), ("--residual", "--dropout", "0", "--no-batch-norm", "--no-bias")):
        file = train(path, *LAYERS, *extra)
        net = made(file).eval()
        expect(len(net.begins) == ("--residual" in extra), f"residuals {net.begins}")
        with torch.no_grad():
            agree(predictions64(path, file), net(x), 1e-12)
            plain = torch.nn.Sequential(*net)
            expect(torch.equal(plain(x), net(x)) == ("--residual" not in extra), "the residual does nothing")


def pytorch_batch_norm_is_read():
    path = folder("pytorch_batch_norm_is_read")
    features, labels = three_classes(path)
    torch.manual_seed(5)
    net = torch.nn.Sequential(torch.nn.Linear(6, 16), torch.nn.BatchNorm1d(16), torch.nn.ReLU(), torch.nn.Dropout(0.0),
                              torch.nn.Linear(16, 3)).double()
    x, y = torch.from_numpy(features).double(), torch.from_numpy(labels)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.5)

    def step():
        net.train()
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(net(x), y).backward()
        optimizer.step()
        net.eval()

    step()
    file = f"{path}/torch.safetensors"
    save_file(net.state_dict(), file)
    with torch.no_grad():
        agree(predictions64(path, file, "--activation", "relu"), net(x), 1e-12)

    # One full-batch step from there is PyTorch's step; the bias is part of the running mean.
    run("train", "--train", f"{path}/x.npy", "--train-labels", f"{path}/y.npy", "--loss", "cross-entropy", "--lr",
        "0.5", "--batch", "full", "--steps", "1", "--init", file, "--activation", "relu", "--backend", "cpu64", "--out",
        f"{path}/run", "--overwrite")
    bias = net[0].bias.detach().clone()
    step()
    state, wanted = load_file(f"{path}/run/model.safetensors"), net.state_dict()
    expect(set(wanted) - set(state) == {"0.bias"} and set(state) < set(wanted), f"{sorted(state)}")
    wanted["1.running_mean"] -= bias
    for name, tensor in state.items():
        agree(tensor, wanted[name], 1e-12)
    expect(state["1.num_batches_tracked"].item() == 2, "another count")


def pytorch_float64_model():
    path = folder("pytorch_float64_model")
    features, _ = three_classes(path)
    file = train(path, "--backend", "cpu64")
    state = load_file(file)
    expect(all(tensor.dtype == torch.float64 for tensor in state.values()), "not float64")
    net = sequential(torch.float64)
    net.load_state_dict(state, strict=True)
    run("predict", "--model", file, "--data", f"{path}/x.npy", "--out", f"{path}/raw.npy", "--output", "raw",
        "--backend", "cpu64")
    with torch.no_grad():
        agree(np.load(f"{path}/raw.npy"), net(torch.from_numpy(features).double()), 1e-12)


if __name__ == "__main__":
    test = {name: value for name, value in globals().items() if name.startswith("pytorch_")}[sys.argv[1]]
    try:
        test()
    except RuntimeError as error:
        print(error)
        sys.exit(1)
