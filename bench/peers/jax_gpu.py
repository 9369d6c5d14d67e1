"""JAX over the named cases on the GPU, as a jitted step and as a scan, then tf32 and bf16 for large layers.

    python3 bench/peers/jax_gpu.py --vise build/bin/vise --out jax_gpu.csv [--limit 130] [--seconds 0.2]
"""

from gpu_peer import NAMED, main

PASSES = [
    ["--case", NAMED, "--variants", "jit,scan", "--precision", "fp32"],
    ["--case", "large-4096x4", "--variants", "scan", "--precision", "bf16,tf32"],
]

if __name__ == "__main__":
    main("jax_bench.py", __doc__.splitlines()[0], PASSES)
