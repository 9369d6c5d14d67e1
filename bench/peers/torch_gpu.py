"""PyTorch over the named cases on the GPU: eager and CUDA graphs for all of them, then tf32 and bf16, then what
torch.compile makes of MNIST's net.

    python3 bench/peers/torch_gpu.py --vise build/bin/vise --out torch_gpu.csv [--limit 130] [--seconds 0.2]
"""

from gpu_peer import NAMED, main

PLAIN = "eager-module-fused,eager-manual-foreach,graph-manual,graph-many"
PASSES = [
    ["--case", NAMED, "--variants", PLAIN, "--precision", "fp32"],
    ["--case", "large-4096x4,classic-128x4", "--variants", "eager-manual-foreach,graph-many", "--precision",
     "bf16,tf32"],
    ["--case", "mnist-64", "--variants", "graph-many-compiled,compile-reduce-overhead", "--precision", "fp32"],
]

if __name__ == "__main__":
    main("torch_bench.py", __doc__.splitlines()[0], PASSES)
