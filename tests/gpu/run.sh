#!/bin/sh
# Everything that needs a GPU, in one go: `./dev gpu` calls this. Needs a POSIX shell, and GNU's timeout and tar.
#
#   run.sh --bin DIR [--out DIR] [--only PARTS] [--seconds N] [--pack]   programs in DIR, called in the source folder
#   run.sh --kit DIR ...              with the programs of a kit (make_kit.sh), on a machine that has nothing else
#   run.sh --reference VISE DIR       trains on the emulated device what a GPU must repeat bit by bit
#
# PARTS of tests,bench,sanitize run in this order, so that what matters most is done when time runs out: N seconds in
# all (default 480), besides each step's own limit. A failing step stops no later one. Leaves in --out (default
# build/gpu) summary.txt, machine.txt, results as CSV, and a log of each step, with --pack (and --kit) in one
# logs.tar.gz that is brought up to date after each step.
# Exit status 0: no step failed; 1: one failed; 2: nothing was done.
set -eu

die() {
  printf 'gpu: %s\n' "$*" >&2
  exit 2
}

mnist=bench/data/mnist
mnist_job="train --train $mnist/train-images-idx3-ubyte.gz --train-labels $mnist/train-labels-idx1-ubyte.gz
  --layers 784-128-10 --loss cross-entropy --lr 0.1 --l2 1e-5 --clip-norm 5 --clamp 0.5 --batch 64 --seed 0
  --backend cuda --quiet --overwrite"
reference_steps=20

# ---- steps ------------------------------------------------------------------------------------------------------

n_passed=0
n_failed=0
n_absent=0
check=
may_be_absent=

# record NAME RESULT CODE SECONDS NOTE
record() {
  case $2 in
    passed) n_passed=$((n_passed + 1)) ;;
    absent) n_absent=$((n_absent + 1)) ;;
    *) n_failed=$((n_failed + 1)) ;;
  esac
  printf '%-36s %-7s %5s %8s  %s\n' "$1" "$2" "$3" "$4" "logs/$1.log${5:+  ($5)}" | tee -a "$out/summary.txt"
  [ -z "$pack" ] || tar -czf "$out/logs.tar.gz" -C "${logs%/logs}" logs
}

# step NAME SECONDS COMMAND...: runs it with a log of its own. For this one step, `check` names a function of the log
# that says what is wrong with it, and may_be_absent an option: where it is what is not available (exit status 2, and
# named in the log), that is no failure.
step() {
  name=$1
  limit=$2
  shift 2
  log=$logs/$name.log
  left=$((deadline - $(date +%s)))
  [ "$limit" -le "$left" ] || limit=$left
  printf '$ %s\n' "$*" >"$log"
  begin=$(date +%s.%N)
  code=124
  note="no time was left"
  if [ "$limit" -ge 5 ]; then
    code=0
    note=
    timeout -k 5 "$limit" "$@" >>"$log" 2>&1 </dev/null || code=$?
    case $code in
      0) [ -z "$check" ] || note=$("$check" "$log") ;;
      124 | 137) note="stopped after $limit s" ;;
    esac
  fi
  took=$(echo "$begin $(date +%s.%N)" | awk '{ printf "%.1f", $2 - $1 }')
  result=FAILED
  if [ "$code" = 0 ] && [ -z "$note" ]; then
    result=passed
  elif [ "$code" = 2 ] && [ -n "$may_be_absent" ] && tail -n +2 "$log" | grep -qe "$may_be_absent"; then
    result=absent
    note="this version does not have it"
  fi
  check=
  may_be_absent=
  record "$name" $result "$code" "$took" "$note"
}

# absent NAME WHY
absent() {
  echo "$2" >"$logs/$1.log"
  record "$1" absent - - "$2"
}

# ---- the machine ------------------------------------------------------------------------------------------------

describe_machine() {
  echo "commit: $(cat COMMIT 2>/dev/null || git describe --always --dirty --abbrev=40 2>/dev/null || echo unknown)"
  date -u '+date: %Y-%m-%d %H:%M UTC'
  "$bin/vise" info 2>&1 || :
  uname -a
  sed -n 's/^PRETTY_NAME=//p' /etc/os-release 2>/dev/null || :
  lscpu 2>/dev/null | grep -E '^(Model name|CPU\(s\)|NUMA node\(s\))' || :
  [ ! -f TOOLKIT ] || sed 's/^/built with: /' TOOLKIT
  nvcc --version 2>/dev/null | tail -n 2 || echo "no nvcc here"
  if command -v nvidia-smi >/dev/null 2>&1; then
    timeout 30 nvidia-smi || :
    timeout 30 nvidia-smi -q -d MEMORY,CLOCK,POWER,PERFORMANCE,ECC,COMPUTE || :
  else
    echo "no nvidia-smi here"
  fi
}

# ---- part: tests ------------------------------------------------------------------------------------------------

# That none was skipped is seen to by the program (main.c).
ran_tests() {
  grep -q 'Tested: [1-9]' "$1" || echo "no test ran"
}

# The test accuracy after the last epoch is what the CPU reaches (0.957), give or take a little.
learned() {
  sed -n 's/.*"event":"epoch".*"test_accuracy":\([0-9.]*\).*/\1/p' "$work/epochs/metrics.jsonl" | tail -n 1 |
    awk '{ a = $1 } END { if (!(a >= 0.95 && a <= 0.97)) print "test accuracy " a }'
}

part_tests() {
  n_programs=0
  for program in "$bin"/test_gpu_*; do
    [ -x "$program" ] || continue
    n_programs=$((n_programs + 1))
    check=ran_tests
    step "test-${program##*/test_gpu_}" 120 "$program" --jobs 1
  done
  [ $n_programs != 0 ] || step test-programs-are-built 10 ls "$bin"/test_gpu_device
  # shellcheck disable=SC2086 # lists of options
  {
    step train 60 "$bin/vise" $mnist_job --steps $reference_steps --out "$work/train"
    step train-again 60 "$bin/vise" $mnist_job --steps $reference_steps --out "$work/again"
    step train-gives-the-same-bits 10 cmp "$work/train/model.safetensors" "$work/again/model.safetensors"
    if [ -f expected/model.safetensors ]; then
      step train-gives-the-bits-of-emulation 10 cmp "$work/train/model.safetensors" expected/model.safetensors
    else
      absent train-gives-the-bits-of-emulation "there is no reference model (./dev gpu --prepare makes one)"
    fi
    may_be_absent=--steps-per-launch
    step train-many-steps-a-launch 60 "$bin/vise" $mnist_job --steps $reference_steps --steps-per-launch 7 \
      --out "$work/launches"
    if [ -f "$work/launches/model.safetensors" ]; then
      step many-steps-give-the-same-bits 10 cmp "$work/train/model.safetensors" "$work/launches/model.safetensors"
    fi
    check=learned
    step train-three-epochs 60 "$bin/vise" $mnist_job --epochs 3 --test $mnist/t10k-images-idx3-ubyte.gz \
      --test-labels $mnist/t10k-labels-idx1-ubyte.gz --out "$work/epochs"
  }
  step check-against-cpu64 120 "$bin/vise" check --backend cuda
}

# ---- part: bench ------------------------------------------------------------------------------------------------

# has_modules NAME...: whether python3 has them, without importing them.
has_modules() {
  python3 - "$@" <<'END' 2>/dev/null
import importlib.util, sys
sys.exit(any(importlib.util.find_spec(name) is None for name in sys.argv[1:]))
END
}

# About four minutes in all: the named cases in every mode, the phases of MNIST's net, then each peer.
part_bench() {
  if "$bin/vise" bench --help >/dev/null 2>&1; then
    step bench-named 110 "$bin/vise" bench --seconds 0.2 --total-seconds 85 \
      --mode unfused,unfused-graph,fused,fused-many --csv "$out/bench.csv"
    may_be_absent=--phases
    step bench-phases 30 "$bin/vise" bench --seconds 0.1 --case mnist-64 --mode fused,fused-many --phases \
      --csv "$out/phases.csv"
  else
    absent bench-named "this version has no vise bench"
  fi
  # A peer X is called as bench/peers/X_gpu.py --vise PROGRAM --out FILE.csv, by a Python that has X.
  set --
  for script in bench/peers/*_gpu.py; do
    peer=$(basename "$script" _gpu.py)
    if ! [ -f "$script" ]; then
      absent peers "there is no bench/peers/*_gpu.py"
    elif ! has_modules "$peer" numpy; then
      absent "peers-$peer" "no python3 with $peer and numpy"
    else
      step "peers-$peer" 90 python3 "$script" --vise "$bin/vise" --out "$out/${peer}_gpu.csv"
      set -- "$@" "$out/${peer}_gpu.csv"
    fi
  done
  if [ -f "$out/bench.csv" ] && command -v python3 >/dev/null 2>&1; then
    step bench-summary 20 python3 bench/peers/summarize_gpu_run.py --out "$out/bench-summary.csv" "$out/bench.csv" "$@"
  fi
}

# ---- part: sanitize ---------------------------------------------------------------------------------------------

# The summary must be there and clean, in each process: an exit status alone may be another process'.
is_clean() {
  grep -Eq '^=+ (ERROR|RACECHECK) SUMMARY: 0 ' "$1" || echo "no summary of the sanitizer"
  ! grep -Eq '^=+ (ERROR|RACECHECK) SUMMARY: [1-9]' "$1" || echo "findings"
}

# sanitize TOOL NAME SECONDS COMMAND...
sanitize() {
  tool=$1
  what=$2
  limit=$3
  shift 3
  check=is_clean
  step "$tool-$what" "$limit" "$sanitizer" --tool "$tool" --error-exitcode 9 --target-processes all \
    --require-cuda-init no "$@"
}

part_sanitize() {
  sanitizer=$(command -v compute-sanitizer || :)
  if [ -z "$sanitizer" ]; then
    for tool in memcheck racecheck synccheck initcheck; do
      step $tool 10 sh -c 'echo "compute-sanitizer is not on the PATH nor in /usr/local/cuda/bin"; exit 127'
    done
    return
  fi
  for tool in memcheck racecheck synccheck initcheck; do
    # shellcheck disable=SC2086
    sanitize $tool train 60 "$bin/vise" $mnist_job --steps 4 --out "$work/$tool"
  done
  for tool in memcheck racecheck synccheck initcheck; do
    for program in "$bin"/test_gpu_kernel_*; do
      [ ! -x "$program" ] || sanitize "$tool" "${program##*/test_gpu_}" 60 "$program" --jobs 1
    done
  done
}

# ---- the whole --------------------------------------------------------------------------------------------------

# absolute PATH
absolute() {
  case $1 in
    /*) echo "$1" ;;
    *) echo "$PWD/$1" ;;
  esac
}

kit=
bin=
out=build/gpu
only=tests,bench,sanitize
seconds=480
pack=
while [ $# != 0 ]; do
  case $1 in
    --kit | --bin | --out | --only | --seconds)
      [ $# -ge 2 ] || die "$1 needs a value"
      case $1 in
        --kit) kit=$(absolute "$2") pack=1 ;;
        --bin) bin=$(absolute "$2") ;;
        --out) out=$2 ;;
        --only) only=$2 ;;
        --seconds) seconds=$2 ;;
      esac
      shift 2
      ;;
    --pack) pack=1 && shift ;;
    --reference)
      # shellcheck disable=SC2086
      exec "$2" $mnist_job --steps $reference_steps --out "$3"
      ;;
    *) die "unknown option '$1'" ;;
  esac
done
for part in $(echo "$only" | tr ',' ' '); do
  case $part in
    tests | bench | sanitize) ;;
    *) die "--only $only: the parts are tests, bench and sanitize" ;;
  esac
done
case $seconds in
  '' | *[!0-9]*) die "--seconds $seconds: expected a number" ;;
esac

out=$(absolute "$out")
mkdir -p "$out"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM
if [ -n "$kit" ]; then
  # A bare machine may have no xz, but it has Python.
  tar -xJf "$kit/kit.tar.xz" -C "$work" 2>/dev/null ||
    python3 -c 'import sys, tarfile; tarfile.open(sys.argv[1]).extractall(sys.argv[2])' "$kit/kit.tar.xz" "$work" ||
    die "$kit is no kit (./dev gpu --prepare makes one)"
  cd "$work/kit"
  bin=$PWD/bin
fi
[ -x "$bin/vise" ] || die "there is no program '$bin/vise'"
logs=$out/logs
[ -z "$pack" ] || logs=$work/logs
rm -rf "$out/logs" "$out/summary.txt" "$out/machine.txt" "$out/logs.tar.gz"
rm -f "$out/bench.csv" "$out/phases.csv" "$out/torch_gpu.csv" "$out/jax_gpu.csv" "$out/bench-summary.csv"
mkdir -p "$logs"
PATH=$PATH:/usr/local/cuda/bin
export VISE_REQUIRE_GPU=1 PATH
deadline=$(($(date +%s) + seconds))

describe_machine >"$out/machine.txt" 2>&1
printf '%-36s %-7s %5s %8s  %s\n' step result exit seconds log | tee "$out/summary.txt"
for part in tests bench sanitize; do
  case ",$only," in
    *",$part,"*) "part_$part" ;;
  esac
done
printf '%d passed, %d failed, %d absent\n' $n_passed $n_failed $n_absent | tee -a "$out/summary.txt"
[ $n_failed = 0 ] && [ $n_passed != 0 ]
