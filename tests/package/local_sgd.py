"""Processes that train on rows of their own and take the mean of their weights (--sync-every): against what one process makes
of all rows, run after run, interrupted, and refused."""
import filecmp
import json
import os
import random
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time

VISE = os.environ["VISE"]
ENVIRONMENT = dict(os.environ, OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1", OMP_NUM_THREADS="1")
MPIRUN = ["mpirun", "--oversubscribe", "--mca", "btl", "self,vader"]
NET = "--recipe none --layers auto-12-auto --scale standard --target kind --quiet"
ROWS = [90, 41, 160]  # of each process


def check(condition, text, result=None):
    if condition:
        return
    more = f"\n{result.returncode}\n{result.stdout[-2000:]}\n{result.stderr[-3000:]}" if result else ""
    sys.exit(f"FAILED: {text}{more}")


def run(command):
    return subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=120, check=False)


def ranks(n, words):
    return MPIRUN + ["-n", str(n), VISE, "train"] + words.split()


def train(words, out, n=3, own=True):
    given = f"--train t{{rank}}.csv --own-data {words}" if own else words
    result = run(ranks(n, f"{given} --out {out} --overwrite"))
    check(result.returncode == 0, f"{given}, {n} ranks", result)
    return result


def complaint(n, words):
    result = run(ranks(n, words))
    told = [line for line in result.stderr.splitlines() if line.startswith("vise")]
    check(result.returncode == 2 and len(told) == 1, f"{words} is refused once", result)
    return told[0]


def make_tables():
    """Tables that differ: other means, a class and a category that are rare, gaps, dates; and all of them in one."""
    draw = random.Random(5)
    header = "id,x,y,color,day,site,kind"
    lines, of_rank = [], []
    for rank, n in enumerate(ROWS):
        mine = []
        for i in range(n):
            x, y = draw.gauss(3 * rank, 1 + rank), draw.gauss(0, 2)
            color = "violet" if rank == 1 and i % 20 == 0 else draw.choice(["red", "green"] if rank else ["red", "blue"])
            kind = "rare" if rank == 2 and i % 15 == 0 else ("up" if x + y > 3 else "down")
            gap = draw.random() < 0.1
            mine.append(f"{1000 * rank + i},{x:.4f},{'' if gap else f'{y:.4f}'},{color},2026-0{1 + rank}-{1 + i % 27:02d},s{rank},{kind}")
        of_rank.append(mine)
        lines += mine
    for name, rows in [("all.csv", lines)] + [(f"t{r}.csv", mine) for r, mine in enumerate(of_rank)]:
        with open(name, "w", encoding="utf-8") as out:
            out.write("\n".join([header] + rows) + "\n")


def read_model(folder):
    """Tensors of a model by name, and its preprocessing."""
    with open(f"{folder}/model.safetensors", "rb") as file:
        data = file.read()
    n = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + n])
    meta = header.pop("__metadata__")
    tensors = {}
    for name, t in header.items():
        begin, end = t["data_offsets"]
        code = {"F64": "d", "F32": "f"}[t["dtype"]]
        tensors[name] = struct.unpack(f"<{(end - begin) // struct.calcsize(code)}{code}", data[8 + n + begin:8 + n + end])
    return tensors, json.loads(meta["vise"])["preprocessing"]


def near(a, b, tolerance, what):
    check(sorted(a) == sorted(b), f"{what}: other tensors")
    for name, values in a.items():
        worst = max(abs(p - q) for p, q in zip(values, b[name]))
        check(len(values) == len(b[name]) and worst <= tolerance, f"{what}: {name} differs by {worst}")


def same_preprocessing(own, whole):
    for c, d in zip(own["columns"], whole["columns"]):
        for key in ("name", "kind", "role", "gaps", "categories", "other", "indicator"):
            check(c.get(key) == d.get(key), f"column {c['name']}: {key} is {c.get(key)}, {d.get(key)} of one table")
        if c["kind"] == "number" and c["role"] == "feature":
            for key in ("fill", "shift", "scale"):
                check(abs(c[key] - d[key]) <= 1e-12 * abs(d[key]), f"column {c['name']}: {key} is {c[key]}, not {d[key]}")
    check(own["target"]["classes"] == whole["target"]["classes"], "classes and their rows")


def one_step_of_each():
    """A mean after every step on all rows, weighed by rows, is a step on the rows of all: also what each table is taken for."""
    words = f"{NET} --backend cpu64 --batch full --drop site --lr 0.1 --momentum 0.9 --l2 0.01 --epochs 30"
    result = run([VISE, "train", "--train", "all.csv", "--out", "whole", "--overwrite"] + words.split())
    check(result.returncode == 0, "one process", result)
    whole, whole_table = read_model("whole")

    train(f"{words} --sync-every 1", "own")
    own, own_table = read_model("own")
    same_preprocessing(own_table, whole_table)
    # Dates are days since another day, whose standardised values agree but for rounding.
    near(own, whole, 1e-9, "three tables and a mean after every step, against all rows")

    train(f"--train all.csv {words} --sync-every 1 --shard-by site", "shared", own=False)
    near(read_model("shared")[0], whole, 1e-9, "rows dealt out by a column")
    train(f"--train all.csv {words} --sync-every 1", "dealt", n=4, own=False)
    near(read_model("dealt")[0], whole, 1e-9, "rows dealt out one by one")

    numbers = "--recipe none --layers auto-8-auto --target x --loss mse --scale standard --scale-target --quiet --drop kind"
    words = words.replace(NET, numbers)
    run([VISE, "train", "--train", "all.csv", "--out", "whole", "--overwrite"] + words.split())
    train(f"{words} --sync-every 1", "own")
    near(read_model("own")[0], read_model("whole")[0], 1e-9, "a regression whose target is scaled")
    print("a mean after every step: the weights of one process on all rows")


def repeats():
    words = (f"{NET} --batch 16 --epochs 8 --optimizer adam --lr 0.02 --sync-every 5 --val-fraction 0.2 --patience 5 "
             "--clamp 0.3 --row-l1 1.2 --max-norm 0.6 --assert-projection --log-every 1")
    for backend in ("cpu", "cpu64"):
        result = train(f"{words} --backend {backend}", "first")
        train(f"{words} --backend {backend}", "second")
        check(filecmp.cmp("first/model.safetensors", "second/model.safetensors", shallow=False),
              f"{backend}: two runs have the same weights")
    held_out = sum(int(0.2 * n) for n in ROWS)
    check(f"({held_out} rows)" in result.stdout, f"validation is over {held_out} rows of all", result)
    with open("first/metrics.jsonl", encoding="utf-8") as file:
        epochs = [e for e in map(json.loads, file) if e["event"] == "epoch"]
    check(len(epochs) > 3 and epochs[-1]["train_loss"] < epochs[0]["train_loss"], "it learns")

    deep = "--layers auto-16-16-auto --batch-norm --dropout 0.2"
    words = f"{NET.replace('--layers auto-12-auto', deep)} --batch 16 --epochs 4 --sync-every 3"
    train(words, "first")
    train(words, "second")
    check(filecmp.cmp("first/model.safetensors", "second/model.safetensors", shallow=False), "batch norm and dropout repeat")
    print("equal runs have equal weights, and bounds hold after each mean")


def goes_on():
    words = f"{NET} --batch 16 --epochs 300 --optimizer adam --lr 0.02 --sync-every 5 --checkpoint-every 35"
    train(words, "whole")
    process = subprocess.Popen(ranks(3, f"--train t{{rank}}.csv --own-data {words} --out cut --overwrite"), env=ENVIRONMENT,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    end = time.monotonic() + 60
    while time.monotonic() < end and process.poll() is None and not (os.path.isdir("cut/checkpoints") and os.listdir("cut/checkpoints")):
        time.sleep(0.005)
    with open(f"/proc/{process.pid}/task/{process.pid}/children", encoding="utf-8") as file:
        os.kill(int(file.read().split()[-1]), signal.SIGTERM)  # one rank; all end after the next mean
    _, errors = process.communicate(timeout=60)
    check(process.returncode == 143 and "resume with" in errors, f"a signal ends all, exit code {process.returncode}\n{errors}")
    check(not filecmp.cmp("whole/model.safetensors", "cut/model.safetensors", shallow=False), "it was interrupted")

    complaint(2, "--resume cut --quiet")  # the third table is missing
    train(f"--train all.csv {NET} --batch 16 --epochs 2 --sync-every 5", "dealt", own=False)
    told = complaint(2, "--resume dealt --epochs 4 --quiet")
    check("processes with --sync-every" in told, f"another number of processes cannot go on: {told}")
    shutil.copy("t1.csv", "kept.csv")
    with open("t1.csv", "a", encoding="utf-8") as out:
        out.write("7777,1,1,red,2026-02-02,s1,up\n")
    told = complaint(3, "--resume cut --quiet")
    check("cut" in told, f"other rows on one rank cannot go on: {told}")
    shutil.move("kept.csv", "t1.csv")

    result = run(ranks(3, "--resume cut --quiet"))
    check(result.returncode == 0, "going on", result)
    check(filecmp.cmp("whole/model.safetensors", "cut/model.safetensors", shallow=False), "going on: the same weights")
    print("interrupted: gone on with to the same weights")


def refusals():
    own = f"--train t{{rank}}.csv --own-data --sync-every 5 {NET}"
    shared = f"--train all.csv {NET} --sync-every 5"
    for words, says in [
            (f"{shared} --parts 4", "contradict"), (f"{shared} --quantize int8,acc16", "--quantize"),
            (f"{shared} --backend cuda", "--backend cuda"), (f"{shared} --checkpoint-every 7 --out no", "a multiple"),
            (f"{shared} --weight-op rel-clip --weight-op-t 0.5 --weight-op-at every", "--weight-op-at"),
            (f"{shared} --shard-by nothing", "no such column"), (f"{shared} --shard-by kind", "at most as many as values"),
            (f"{own} --shard-by site", "contradict"), (f"{own} --fold 1/3", "contradict"),
            (f"{shared} --cross-validate yes", "contradict"), (f"--train all.csv {NET} --own-data", "needs --sync-every"),
            (f"--train all.csv {NET} --shard-by site", "needs --sync-every"), (own.replace("t{rank}", "u{rank}"), "u0.csv")]:
        told = complaint(4 if "--shard-by kind" in words else 3, words)
        check(says in told, f"{words}: {told}")
    check("mpirun" in run([VISE, "train"] + shared.split()).stderr, "one process by itself")

    for change, says in [(("color", "colour"), '"colour"'), (("0.", "a."), "is text")]:
        for r in range(3):
            with open(f"t{r}.csv", encoding="utf-8") as file, open(f"v{r}.csv", "w", encoding="utf-8") as out:
                out.write(file.read().replace(*change) if r == 2 else file.read())
        told = complaint(3, own.replace("t{rank}", "v{rank}"))
        check("rank 2" in told and says in told, f"another table on one rank: {told}")
    os.remove("v1.csv")
    check("rank 1" in complaint(3, own.replace("t{rank}", "v{rank}")), "a file that one rank lacks")
    check(not os.path.exists("no"), "what is refused leaves no folder")
    print("refusals: said once")


def main():
    if shutil.which("mpirun") is None or not os.path.exists(os.path.join(os.environ["BUILD"], "lib", "vise-mpi.so")):
        print("no MPI: skipped")
        sys.exit(77)
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        make_tables()
        one_step_of_each()
        repeats()
        goes_on()
        refusals()
    print("all passed")


main()
