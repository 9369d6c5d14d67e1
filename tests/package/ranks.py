"""Several processes train as one (mpirun on this machine): the same weights for any number of ranks, and a clean end
whatever happens to one of them.

    ranks.py            a sample (two minutes)
    ranks.py --all      22 sets of options, 1, 2, 3, 4 and 8 ranks, on cpu and cpu64 (--only NAME,...: these)
    ranks.py --faults   what is refused and what fails, without the weights
    ranks.py --hosts    two hosts, which are network namespaces with a cable between them (as root)
    ranks.py --kills N  N times: kill a rank at some moment, go on with another number of ranks
    ranks.py --cuda     a sample on cuda, with what is refused there, a rank that is killed and one that stalls, by the
                        emulated tool (--tool), whose NCCL is emulated too. With --all: all sets of options
"""
import argparse
import csv
import filecmp
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time

VISE = sys.argv[sys.argv.index("--tool") + 1] if "--tool" in sys.argv else os.environ["VISE"]
ENVIRONMENT = dict(os.environ, OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1", OMP_NUM_THREADS="1")
BASE = "--quiet --recipe none --layers auto-24-16-auto --epochs 3 --lr 0.05"
SETS = {
    "plain": "--batch 250",
    "one_part": "--batch 20",
    "two_parts": "--batch 64",
    "partial_batches": "--batch 333 --momentum 0.9 --nesterov",
    "full": "--batch full --optimizer adam",
    "clip_global": "--batch 256 --clip-norm 0.1 --clip-value=-0.01:0.01",
    "clip_units": "--batch 256 --clip-norm 0.05 --clip-norm-type unit --clip-agc 0.01",
    "clip_tensors": "--batch 256 --clip-norm 0.05 --clip-norm-type tensor --clip-scope data --l2 0.01",
    "box": "--batch 200 --clamp 0.2 --clamp-bias --clamp-schedule linear --l1 1e-4 --assert-projection",
    "rows": "--batch 200 --row-l1 1.5 --max-norm 0.7 --assert-projection",
    "prox": "--batch 200 --l1 1e-3 --prox-l1 --decoupled-decay 0.01 --optimizer rmsprop",
    "batch_norm": "--batch 250 --batch-norm",
    "norm_dropout_residual": "--batch 300 --batch-norm --dropout 0.2 --input-dropout 0.1 --residual "
                             "--layers auto-24-24-24-auto",
    "dropout": "--batch 300 --dropout 0.3 --activation gelu",
    "smooth": "--batch 128 --label-smoothing 0.1 --class-weights 1,3,1 --optimizer lion --lr 0.001",
    "schedules": "--batch 128 --lr-schedule cosine --warmup-steps 5 --clip-norm 1 --clip-schedule linear",
    "held_out": "--batch 128 --val-fraction 0.2 --test-fraction 0.2 --patience 2",
    "weights_of_rows": "--batch 128 --row-weights weights.csv",
    "skips": "--batch 128 --nonfinite skip --max-skips 100000",
    "quantized": "--batch 128 --quantize int8,acc16 --activation relu",
    "regression": "--batch 200 --loss mse --target number --drop class --scale-target",
}
SETS["long_sums"] = "--batch 250 --layers auto-220-160-auto --momentum 0.5 --epochs 1"  # that travel in slices
CUDA_SAMPLE = ["one_part", "partial_batches", "rows", "quantized", "long_sums", "norm_dropout_residual"]
SAMPLE = ["one_part", "partial_batches", "clip_global", "rows", "norm_dropout_residual", "held_out"]


def make_table(path):
    """Three classes of twelve numbers, with weights and a number to regress on."""
    draw = random.Random(7)
    with open(path, "w", encoding="utf-8") as out, open("weights.csv", "w", encoding="utf-8") as weights:
        out.write(",".join(f"x{i}" for i in range(12)) + ",weight,number,class\n")
        for _ in range(1000):
            label = draw.randrange(3)
            x = [draw.gauss(0.7 * label * (i % 3 - 1), 1) for i in range(12)]
            number = sum(x[:4]) + draw.gauss(0, 0.3)
            weight = draw.uniform(0.5, 2)
            weights.write(f"{weight:.3f}\n")
            out.write(",".join(f"{v:.5f}" for v in x) + f",{weight:.3f},{number:.4f},c{label}\n")


BACKEND = "cpu"  # of faults


def columns(name):
    return "--drop weight,class" if name == "regression" else "--target class --drop weight,number"


def options(name, backend="cpu"):
    return f"{BASE} --backend {backend} {SETS[name].replace(' --drop class', '')} {columns(name)}".split()


def mpirun(n, words, each=None):
    """The command line of n ranks; each: other words for a rank."""
    start = ["mpirun", "--oversubscribe", "--mca", "btl", "self,vader"]
    if not each:
        return start + ["-n", str(n), VISE, "train"] + words
    for rank in range(n):
        start += ([":"] if rank else []) + ["-n", "1"] + each.get(rank, [VISE, "train"] + words)
    return start


def run(command, **more):
    return subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=300, **more)


def check(condition, text, result=None):
    if condition:
        return
    more = f"\n{result.returncode}\n{result.stdout[-2000:]}\n{result.stderr[-3000:]}" if result else ""
    sys.exit(f"FAILED: {text}{more}")


def own_lines(result):
    return [line for line in result.stderr.splitlines() if line.startswith("vise")]


# ---- the same weights ------------------------------------------------------------------------------------------------

def same_skips(backend, counts):
    """Steps that are skipped leave no net to compare: as many are."""
    told = []
    for command in [[VISE, "train", "--train", "t.csv", "--parts", "8"]] + [mpirun(n, ["--train", "t.csv"]) for n in counts]:
        result = run(command + options("skips", backend) + ["--lr", "1e30" if backend == "cpu" else "1e250"])
        told.append(next((line for line in own_lines(result) if "skipped steps: 2" in line), None))
        check(result.returncode == 1 and told[-1] is not None and told[-1] == told[0], f"skips, {backend}", result)
    print(f"skips, {backend}: as many for one process and {', '.join(map(str, counts))} ranks", flush=True)


def same_weights(names, counts, backends):
    for name in names:
        for backend in backends:
            if name == "skips":
                same_skips(backend, counts)
                continue
            words = options(name, backend)
            result = run([VISE, "train", "--train", "t.csv", "--out", "one", "--overwrite", "--parts", "8"] + words)
            check(result.returncode == 0, f"{name}, {backend}: one process", result)
            for n in counts:
                result = run(mpirun(n, ["--train", "t.csv", "--out", "many", "--overwrite"] + words))
                check(result.returncode == 0, f"{name}, {backend}: {n} ranks", result)
                check(filecmp.cmp("one/model.safetensors", "many/model.safetensors", shallow=False),
                      f"{name}, {backend}: {n} ranks have other weights than one process")
            print(f"{name}, {backend}: equal for one process and {', '.join(map(str, counts))} ranks", flush=True)


# ---- what is refused -------------------------------------------------------------------------------------------------

def refusals():
    words = ["--train", "t.csv", "--out", "refused"] + options("plain")
    other = [VISE, "train"] + words

    result = run(mpirun(3, ["--train", "nothing.csv"] + options("plain")))
    check(result.returncode == 2 and len(own_lines(result)) == 1 and "nothing.csv" in own_lines(result)[0],
          "a file that is missing is said once", result)

    result = run(mpirun(2, words, {1: other + ["--momentum", "0.5"]}))
    check(result.returncode == 2 and "--momentum = 0.5 here, and 0 on rank 0" in result.stderr, "other options", result)
    result = run(mpirun(2, words, {1: other + ["--stop-loss", "0.5"]}))
    check(result.returncode == 2 and "--stop-loss" in result.stderr, "other limits", result)

    with open("t.csv", encoding="utf-8") as table, open("t2.csv", "w", encoding="utf-8") as out:
        lines = table.read().splitlines()
        lines[777] = "9.5" + lines[777][lines[777].index(","):]
        out.write("\n".join(lines) + "\n")
    result = run(mpirun(2, words, {1: [VISE, "train", "--train", "t2.csv", "--out", "refused"] + options("plain")}))
    check(result.returncode == 2 and "the training rows: not the same" in result.stderr, "other data", result)
    check(not os.path.exists("refused"), "what is refused leaves no folder", result)

    result = run(["mpirun", "--oversubscribe", "-n", "3", VISE, "predict", "--model", "m", "--data", "t.csv", "--out", "p.csv"])
    check(result.returncode == 2 and len(own_lines(result)) == 1, "a command for one process", result)
    result = run(mpirun(3, ["--train", "t.csv"] + options("two_parts") + ["--no-quiet"]))
    check("1 of 3 processes have no work in a step: a batch of 64 rows has 2 parts" in result.stderr, "a note of idle ranks", result)

    os.makedirs("bare", exist_ok=True)
    shutil.copy(VISE, "bare/vise")
    result = run(["mpirun", "--oversubscribe", "-n", "2", "bare/vise", "train", "--train", "t.csv"])
    check(result.returncode == 2 and own_lines(result) and all("MPI" in line for line in own_lines(result)),
          "a tool without MPI", result)  # each says so that lacks it, unless the first one's end came before
    launched = dict(ENVIRONMENT, WORLD_SIZE="2", RANK="0")
    result = subprocess.run([VISE, "train"] + words, env=launched, capture_output=True, text=True, check=False)
    check(result.returncode == 2 and "mpirun" in result.stderr, "a launcher without MPI", result)
    print("refusals: said once, nothing written", flush=True)


def cuda_refusals():
    for words, text in ((["--precision", "bf16"], "fp32"), (["--step", "unfused"], "unfused"),
                        (["--steps-per-launch", "4"], "--steps-per-launch")):
        result = run([VISE, "train", "--train", "t.csv", "--out", "refused", "--parts", "8"] + options("plain", "cuda") + words)
        check(result.returncode == 2 and "--parts on --backend cuda" in result.stderr and text in result.stderr,
              " ".join(words), result)
    check(not os.path.exists("refused"), "what is refused leaves no folder", result)
    result = run([VISE, "train", "--train", "t.csv", "--parts", "8", "--out", "auto"] + options("plain", "auto"))
    check(result.returncode == 0, "auto", result)
    with open("auto/config.json", encoding="utf-8") as file:
        check('"cuda"' not in file.read(), "auto is cpu where batches come in parts")
    print("refusals on cuda: with the reason", flush=True)


def sweeps():
    words = ("--train t.csv --target class --drop weight,number --recipe none --layers auto-24-auto --epochs 15 --jobs 1 "
             "--vary l2=off,1e-3,1e-2 --vary lr=0.01,0.1,0.3").split()
    result = run([VISE, "sweep", "--out", "alone"] + words)
    check(result.returncode == 0, "a sweep by one process", result)
    result = run(["mpirun", "--oversubscribe", "-n", "3", VISE, "sweep", "--out", "shared"] + words)
    check(result.returncode == 0, "a sweep by three ranks", result)

    tables = []
    for folder in ("alone", "shared"):
        with open(f"{folder}/results.csv", encoding="utf-8", newline="") as file:
            tables.append([{k: v for k, v in row.items() if "time" not in k} for row in csv.DictReader(file)])
    check(len(tables[0]) == 9 and tables[0] == tables[1], "the results of a sweep by ranks are those of one process")
    check(filecmp.cmp("alone/best/model.safetensors", "shared/best/model.safetensors", shallow=False),
          "the winner of a sweep by ranks")
    result = run(["mpirun", "--oversubscribe", "-n", "2", VISE, "sweep"] + words)
    check(result.returncode == 2 and len(own_lines(result)) == 1 and "--out" in result.stderr, "a sweep without folder", result)
    print("sweep: three ranks have the results of one process", flush=True)


# ---- faults ----------------------------------------------------------------------------------------------------------

LONG = {"cpu": "--epochs 400 --batch 128 --checkpoint-every 37",  # amid epochs
        "cuda": "--epochs 14 --batch 128 --checkpoint-every 7"}


def long_run():
    return options("partial_batches", BACKEND) + LONG[BACKEND].split()


def start(n, out, more=()):
    command = mpirun(n, ["--train", "t.csv", "--out", out] + long_run() + list(more))
    # An emulated device that does its work when asked, as a real one does while the host goes on: the host has a deadline.
    environment = dict(ENVIRONMENT, VISE_EMU_STREAMS="deferred")
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def ranks_of(process):
    """Processes of the ranks, in their order."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:
                variables = dict(v.split(b"=", 1) for v in file.read().split(b"\0") if b"=" in v)
            with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
                parent = int(file.read().rsplit(")", 1)[1].split()[1])
        except (OSError, ValueError):
            continue
        if parent == process.pid and b"OMPI_COMM_WORLD_RANK" in variables:
            found.append((int(variables[b"OMPI_COMM_WORLD_RANK"]), int(pid)))
    return [pid for _, pid in sorted(found)]


def wait_for_checkpoint(out, process):
    end = time.monotonic() + 60
    while time.monotonic() < end and process.poll() is None:
        if os.path.isdir(f"{out}/checkpoints") and os.listdir(f"{out}/checkpoints"):
            return
        time.sleep(0.02)


def uninterrupted():
    result = run([VISE, "train", "--train", "t.csv", "--out", "whole", "--parts", "8"] + long_run())
    check(result.returncode == 0, "the run that is not interrupted", result)


def resume(n, out, what):
    result = run(mpirun(n, ["--resume", out, "--quiet"]))
    check(result.returncode == 0, f"{what}: going on with {n} ranks", result)
    check(filecmp.cmp("whole/model.safetensors", f"{out}/model.safetensors", shallow=False),
          f"{what}: the weights are those of a run that was not interrupted")


def kills(times, seed):
    draw = random.Random(seed)
    for i in range(times):
        shutil.rmtree("killed", ignore_errors=True)
        n = draw.choice([2, 3, 4])
        process = start(n, "killed")
        wait_for_checkpoint("killed", process)
        time.sleep(draw.uniform(0, 0.5))
        pids = ranks_of(process)
        victim = draw.randrange(n)
        if len(pids) == n:
            os.kill(pids[victim], signal.SIGKILL)
        _, errors = process.communicate(timeout=60)
        code = process.returncode
        check(code != 0 or len(pids) < n or os.path.exists("killed/model.safetensors"), f"kill {i}: exit code {code}")
        check(code == 0 or f"rank {victim}" in errors, f"kill {i}: mpirun names the rank\n{errors[-2000:]}")
        resume(draw.choice([1, 2, 3]), "killed", f"kill {i} of rank {victim} of {n}")
        print(f"kill {i}: rank {victim} of {n}, exit code {code}, gone on with", flush=True)


def stalled():
    for victim in (0, 1):
        shutil.rmtree("stalled", ignore_errors=True)
        process = start(2, "stalled", ["--rank-timeout", "2"])
        wait_for_checkpoint("stalled", process)
        pids = ranks_of(process)
        check(len(pids) == 2, "both ranks are there")
        os.kill(pids[victim], signal.SIGSTOP)
        begin = time.monotonic()
        try:
            _, errors = process.communicate(timeout=40)
        except subprocess.TimeoutExpired:
            os.kill(pids[victim], signal.SIGCONT)
            process.kill()
            sys.exit("FAILED: a stalled rank holds the others for ever")
        told = [line for line in errors.splitlines() if line.startswith("vise")]
        check(process.returncode != 0 and len(told) == 1 and f"rank {victim} of 2" in told[0],
              f"a stalled rank is named once, exit code {process.returncode}\n{errors[-2000:]}")
        print(f"stalled: rank {victim} named after {time.monotonic() - begin:.1f} s", flush=True)
        resume(2, "stalled", "a stalled rank")


def full_disk():
    """A limit on the size of files is what a full disk is to whoever writes; MPI's own files are there already."""
    shutil.rmtree("full", ignore_errors=True)
    process = start(3, "full", ["--log-every", "1"])
    wait_for_checkpoint("full", process)
    size = os.path.getsize("full/metrics.jsonl")
    resource.prlimit(ranks_of(process)[0], resource.RLIMIT_FSIZE, (size + 4096, size + 4096))
    _, errors = process.communicate(timeout=60)
    told = [line for line in errors.splitlines() if line.startswith("vise")]
    check(process.returncode == 1 and len(told) == 1 and "full/" in told[0],
          f"the first rank's disk is full, exit code {process.returncode}\n{errors[-2000:]}")
    resume(2, "full", "a full disk")
    print("full disk: said once, gone on with", flush=True)


def interrupted():
    shutil.rmtree("ended", ignore_errors=True)
    process = start(3, "ended")
    wait_for_checkpoint("ended", process)
    pids = ranks_of(process)
    os.kill(pids[-1], signal.SIGTERM)  # one of them is enough
    _, errors = process.communicate(timeout=60)
    check(process.returncode == 143 and "resume with" in errors,
          f"a signal to one rank ends all, exit code {process.returncode}\n{errors[-2000:]}")
    resume(1, "ended", "an interruption")
    print("interrupted: one signal, all ended, gone on with", flush=True)


# ---- two hosts -------------------------------------------------------------------------------------------------------

AGENT = """#!/bin/sh
# agent HOST COMMAND...: what ssh would do
host=$1
shift
exec ip netns exec "vise${host##*.}" unshare --uts sh -c "hostname vise${host##*.}; $*"
"""


def in_host(i, command):
    subprocess.run(["ip", "netns", "exec", f"vise{i}"] + command.split(), check=True)


def make_hosts():
    remove_hosts()
    for i in (1, 2):
        subprocess.run(["ip", "netns", "add", f"vise{i}"], check=True)
    subprocess.run("ip link add vise1 netns vise1 type veth peer name vise2 netns vise2".split(), check=True)
    for i in (1, 2):
        in_host(i, f"ip addr add 10.9.0.{i}/24 dev vise{i}")
        in_host(i, f"ip link set vise{i} up")
        in_host(i, "ip link set lo up")
    with open("agent.sh", "w", encoding="utf-8") as out:
        out.write(AGENT)
    os.chmod("agent.sh", 0o755)


def remove_hosts():
    for i in (1, 2):
        subprocess.run(["ip", "netns", "del", f"vise{i}"], stderr=subprocess.DEVNULL, check=False)


def on_hosts(words):
    """The command line of a rank on each host."""
    own = "10.9.0.0/24"
    start = ["mpirun", "-n", "2", "--map-by", "node", "--host", "10.9.0.1:1,10.9.0.2:1"]
    for name, value in (("plm_rsh_agent", os.path.abspath("agent.sh")), ("btl", "self,tcp"),
                        ("btl_tcp_if_include", own), ("oob_tcp_if_include", own)):
        start += ["--mca", name, value]
    return ["ip", "netns", "exec", "vise1", "unshare", "--uts", "sh", "-c", 'hostname vise1; exec "$@"', "sh"] + start + [
        VISE, "train"] + words


def hosts():
    try:
        make_hosts()
        result = run(on_hosts(["--train", "t.csv", "--out", "hosts"] + long_run()))
        check(result.returncode == 0, "two hosts", result)
        check(filecmp.cmp("whole/model.safetensors", "hosts/model.safetensors", shallow=False), "two hosts, one training")
        print("two hosts: the weights of one process", flush=True)

        words = ["--train", "t.csv", "--out", "cut", "--rank-timeout", "3"] + long_run() + ["--epochs", "100000"]
        process = subprocess.Popen(on_hosts(words), env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                   text=True)
        wait_for_checkpoint("cut", process)
        begin = time.monotonic()
        in_host(1, "ip link set vise1 down")
        line = next((text for text in process.stderr if text.startswith("vise")), "")
        seconds = time.monotonic() - begin
        check("rank 1 of 2, on vise2, has not answered for 3 seconds" in line, f"a cut cable: {line}")
        process.kill()  # mpirun itself waits for the other host
        print(f"a cut cable: said after {seconds:.1f} s", flush=True)

        in_host(1, "ip link set vise1 up")
        result = run(on_hosts(["--resume", "cut", "--quiet", "--epochs", "400"]))
        check(result.returncode == 0, "going on after the cut", result)
    finally:
        subprocess.run(["pkill", "-f", "10.9.0.1"], check=False)
        remove_hosts()


def cuda(given):
    global BACKEND
    BACKEND = "cuda"
    if not given.faults:
        same_weights(CUDA_SAMPLE, [2, 3], ["cuda"])
        same_weights(["one_part"], [1, 8], ["cuda"])
    cuda_refusals()
    uninterrupted()
    kills(max(given.kills, 1), given.seed)
    stalled()
    print("all passed on cuda")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--only", default=",".join(SETS))
    parser.add_argument("--faults", action="store_true")
    parser.add_argument("--hosts", action="store_true")
    parser.add_argument("--cuda", action="store_true")
    parser.add_argument("--tool", help="in the place of $VISE")
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    if shutil.which("mpirun") is None or not os.path.exists(os.path.join(os.environ["BUILD"], "lib", "vise-mpi.so")):
        print("no MPI: skipped")
        sys.exit(77)

    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        make_table("t.csv")
        if given.cuda and given.all:
            same_weights(given.only.split(","), [1, 2, 3, 4, 8], ["cuda"])
            return
        if given.all:
            same_weights(given.only.split(","), [1, 2, 3, 4, 8], ["cpu", "cpu64"])
            return
        if given.cuda:
            cuda(given)
            return
        uninterrupted()
        if given.kills or given.hosts:
            kills(given.kills, given.seed)
            if given.hosts:
                hosts()
            return
        if not given.faults:
            same_weights(SAMPLE, [2, 3], ["cpu"])
            same_weights(["norm_dropout_residual"], [8], ["cpu64"])
        refusals()
        sweeps()
        kills(2, given.seed)
        stalled()
        full_disk()
        interrupted()
    print("all passed")


main()
