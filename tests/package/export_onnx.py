"""ONNX's checker takes what `vise export --format onnx` writes, and ONNX Runtime computes with it what `vise predict` does.
Takes WORK and VISE (the tool) from the environment."""
import json
import os

import numpy as np
import onnx
import onnxruntime
from scene import expect, finished, make_arrays, play

VISE = os.environ["VISE"]
ACTIVATIONS = ("relu", "leaky-relu", "silu", "tanh", "sigmoid", "gelu", "identity", "elu")
TOLERANCE = 1e-6


def run(*arguments):
    finished(VISE, *arguments)


def make_data():
    x, _ = make_arrays()
    np.save("numbers.npy", (300 + 20 * x[:, :2]).astype(np.float32))
    with open("table.csv", "w", encoding="utf-8") as file:
        file.write("größe,\"b \"\"c\",y\n")
        file.writelines(f"{40 + 9 * row[0]},{row[1]},{('sí', 'no')[int(row[0] > row[1])]}\n" for row in x)


def predict(model, data, output, backend="cpu"):
    run("predict", "--model", model, "--data", data, "--output", output, "--backend", backend, "--out", "p.npy")
    return np.load("p.npy")


def agree(what, got, want):
    off = np.max(abs(got - want) / np.maximum(1, abs(want)))
    print(f"{what}: {off:.2g}")
    expect(off <= TOLERANCE, f"{what}: {off} apart")


def check(name, train, data, inputs, *options):
    """Trains, exports, and compares for all rows at once and for one alone."""
    run("train", "--train", *train, "--epochs", "3", "--quiet", "--seed", "2", "--out", name, *options)
    run("export", "--model", name, "--format", "onnx", "--out", f"onnx-{name}", "--name", name)
    path = f"onnx-{name}/{name}.onnx"
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    expect(model.opset_import[0].version == 13 and model.producer_name == "Vise", "another opset or producer")

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    backend = "cpu64" if "cpu64" in options else "cpu"
    raw = predict(name, data, "raw", backend)
    outputs = session.run(None, {"inputs": inputs})
    agree(name, outputs[0], raw)
    agree(f"{name}, one row", session.run(["outputs"], {"inputs": inputs[7:8]})[0], raw[7:8])
    if len(outputs) > 1:
        wanted = predict(name, data, "probability", backend)
        agree(f"{name}, probabilities", outputs[1], wanted[:, -outputs[1].shape[1]:])
    return {entry.key: entry.value for entry in model.metadata_props}, len(outputs)


def main():
    make_data()
    x, arrays = np.load("x.npy"), ("x.npy", "--train-labels", "y.npy", "--layers", "6-16-16-3")
    for activation in ACTIVATIONS:
        check(activation.replace("-", "_"), arrays, "x.npy", x, "--activation", activation, "--scale", "standard")
    check("layers", arrays, "x.npy", x, "--batch-norm", "--residual", "--dropout", "0.2", "--activation", "silu")
    check("no_bias", arrays, "x.npy", x, "--no-bias", "--backend", "cpu64")
    bits, numbers = ("bytes.npy", "--train-labels", "bits.npy"), ("x.npy", "--train-labels", "numbers.npy")
    metadata, n = check("bits", bits, "bytes.npy", np.load("bytes.npy").astype(np.float32), "--layers", "6-8-1", "--loss", "bce",
                        "--scale", "unit")
    expect(n == 2 and metadata["loss"] == "bce" and len(metadata["weights_xxh3"]) == 16, f"{metadata}")
    _, n = check("numbers", numbers, "x.npy", x, "--layers", "6-8-2", "--loss", "mse", "--scale-target")
    expect(n == 1, "probabilities of numbers")
    table = np.genfromtxt("table.csv", delimiter=",", skip_header=1, usecols=(0, 1), dtype=np.float32)
    metadata, _ = check("table", ("table.csv",), "table.csv", table)
    expect(json.loads(metadata["inputs"]) == ["größe", 'b "c'] and json.loads(metadata["classes"]) == ["no", "sí"],
           f"{metadata}")


if __name__ == "__main__":
    play("export_onnx", main)
