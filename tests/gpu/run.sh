#!/bin/sh
# Everything that needs a GPU, in one go: `./dev gpu` calls this. Needs a POSIX shell, and GNU's timeout and tar.
#
#   run.sh --bin DIR [--out DIR] [--only PARTS] [--seconds N] [--pack]   programs in DIR, called in the source folder
#   run.sh --kit DIR ...              with the programs of a kit (make_kit.sh), on a machine that has nothing else
#   run.sh --reference VISE DIR       trains on the emulated device what a GPU must repeat bit by bit
#
# PARTS of bits,bench,rest,sanitize run in this order, so that what matters most is done when time runs out; `tests`
# are bits (the bits of trainings, and the tests of the device, the kernels and golden files) and rest (all other tests).
# N seconds in all (default 480), besides each step's own limit; what these do not suffice for is absent, and the last
# line names it. A failing step stops no later one, but after two programs that had to be stopped no test is begun.
# Where a command may take ten minutes, two calls do everything, each with another --out:
#
#   run.sh ... --seconds 560 --only bits,bench        and then        run.sh ... --only rest,sanitize
#
# Leaves in --out (default build/gpu) summary.txt, machine.txt, results as CSV (bench.csv, torch_gpu.csv, jax_gpu.csv,
# bench-summary.csv), and a log of each step, with --pack (and --kit) in one logs.tar.gz: at most eight files. All of
# them are up to date after each step, and the CSVs of benchmarks after each row.
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
n_skipped=0
late=
n_stopped=0 # of careful steps
check=
may_be_absent=

# What was written is never half there, even where a log grows meanwhile (tar then ends with 1).
pack_logs() {
  [ -n "$pack" ] || return 0
  tar -czf "$out/logs.tar.gz.new" -C "${logs%/logs}" logs 2>/dev/null || :
  mv -f "$out/logs.tar.gz.new" "$out/logs.tar.gz" || :
}

# record NAME RESULT CODE SECONDS NOTE
record() {
  case $2 in
    passed) n_passed=$((n_passed + 1)) ;;
    absent) n_absent=$((n_absent + 1)) ;;
    skipped) n_skipped=$((n_skipped + 1)) ;;
    *) n_failed=$((n_failed + 1)) ;;
  esac
  printf '%-36s %-7s %5s %8s  %s\n' "$1" "$2" "$3" "$4" "logs/$1.log${5:+  ($5)}" | tee -a "$out/summary.txt"
  pack_logs
}

# step NAME SECONDS COMMAND...: runs it with a log of its own. For this one step, `check` names a function of the log
# that says what is wrong with it, and may_be_absent an option: where it is what is not available (exit status 2, and
# named in the log), that is not a failure. Nor is it one when the time for all steps is over.
step() {
  name=$1
  limit=$2
  shift 2
  log=$logs/$name.log
  left=$((deadline - $(date +%s)))
  cut=
  stopped=
  [ "$limit" -le "$left" ] || { limit=$left && cut=1; }
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
      124 | 137) note="stopped after $limit s${cut:+, when no time was left}" ;;
    esac
  fi
  took=$(echo "$begin $(date +%s.%N)" | awk '{ printf "%.1f", $2 - $1 }')
  result=FAILED
  if [ "$code" = 0 ] && [ -z "$note" ]; then
    result=passed
  elif [ "$code" = 2 ] && [ -n "$may_be_absent" ] && tail -n +2 "$log" | grep -qe "$may_be_absent"; then
    result=absent
    note="this version does not have it"
  elif [ "$code" = 124 ] || [ "$code" = 137 ]; then
    if [ -n "$cut" ]; then
      result=absent
      late="$late $name"
    else
      stopped=1
    fi
  fi
  check=
  may_be_absent=
  record "$name" $result "$code" "$took" "$note"
}

# careful_step, as step: but not after two that had to be stopped, or had a test that was, since a device that hangs would
# take all the time.
careful_step() {
  if [ "$n_stopped" -lt 2 ]; then
    step "$@"
    if [ -n "$stopped" ] || grep -q ': Timed out' "$log"; then n_stopped=$((n_stopped + 1)); fi
  else
    check=
    may_be_absent=
    skip "$1"
  fi
}

# skip NAME
skip() {
  echo "not run: two before it had to be stopped" >"$logs/$1.log"
  record "$1" skipped - - "not run: two before it had to be stopped"
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
  timeout -k 5 60 "$bin/vise" info 2>&1 || echo "vise info: exit status $?"
  uname -a
  sed -n 's/^PRETTY_NAME=//p' /etc/os-release 2>/dev/null || :
  lscpu 2>/dev/null | grep -E '^(Model name|CPU\(s\)|NUMA node\(s\))' || :
  [ ! -f TOOLKIT ] || sed 's/^/built with: /' TOOLKIT
  nvcc --version 2>/dev/null | tail -n 2 || echo "no nvcc here"
  echo "cuBLAS beside what the loader knows: ${cublas:-none}" | tr '\n' ' ' && echo
  ldconfig -p 2>/dev/null | grep libcublasLt || echo "the loader knows no libcublasLt"
  if command -v nvidia-smi >/dev/null 2>&1; then
    timeout 30 nvidia-smi || :
    timeout 30 nvidia-smi -q -d MEMORY,CLOCK,POWER,PERFORMANCE,ECC,COMPUTE || :
  else
    echo "no nvidia-smi here"
  fi
}

# The files of a cuBLAS that the loader may not look for, 13 before 12: PyTorch's and JAX's wheels bring one, a toolkit
# has its own.
find_cublas() {
  timeout 20 python3 -c 'import glob, os, sys
for version in ("13", "12"):
    for folder in sys.path:
        for file in sorted(glob.glob(os.path.join(folder, "nvidia", "*", "lib", "libcublasLt.so." + version))):
            print(os.path.abspath(file))' 2>/dev/null || :
  for file in /usr/local/cuda/lib64/libcublasLt.so.1[23]; do
    [ ! -e "$file" ] || echo "$file"
  done
}

# ---- parts: bits and rest, the tests ------------------------------------------------------------------------------

# That none was skipped is seen to by the program (main.c).
ran_tests() {
  grep -q 'Tested: [1-9]' "$1" || echo "no test ran"
}

# The test accuracy after the last epoch is what the CPU reaches (0.957), give or take a little.
learned() {
  sed -n 's/.*"event":"epoch".*"test_accuracy":\([0-9.]*\).*/\1/p' "$work/epochs/metrics.jsonl" | tail -n 1 |
    awk '{ a = $1 } END { if (!(a >= 0.95 && a <= 0.97)) print "test accuracy " a }'
}

is_first() {
  case $1 in
    device | golden | kernel_*) return 0 ;;
    *) return 1 ;;
  esac
}

# programs first|rest: those tests, each with a limit of its own and one for each test in it.
programs() {
  for program in "$bin"/test_gpu_*; do
    [ -x "$program" ] || continue
    name=${program##*/test_gpu_}
    if is_first "$name"; then half=first; else half=rest; fi
    [ $half = "$1" ] || continue
    limit=60
    case $name in *agreement) limit=120 ;; esac # a thousand trainings
    check=ran_tests
    careful_step "test-$name" $limit "$program" --jobs 1 --verbose --timeout 30
  done
}

# shellcheck disable=SC2086 # lists of options
trainings() {
  careful_step train 30 "$bin/vise" $mnist_job --steps $reference_steps --out "$work/train"
  careful_step train-again 30 "$bin/vise" $mnist_job --steps $reference_steps --out "$work/again"
  step train-gives-the-same-bits 10 cmp "$work/train/model.safetensors" "$work/again/model.safetensors"
  if [ -f expected/model.safetensors ]; then
    step train-gives-the-bits-of-emulation 10 cmp "$work/train/model.safetensors" expected/model.safetensors
  else
    absent train-gives-the-bits-of-emulation "there is no reference model (./dev gpu --prepare makes one)"
  fi
  may_be_absent=--steps-per-launch
  careful_step train-many-steps-a-launch 30 "$bin/vise" $mnist_job --steps $reference_steps --steps-per-launch 7 \
    --out "$work/launches"
  if [ -f "$work/launches/model.safetensors" ]; then
    step many-steps-give-the-same-bits 10 cmp "$work/train/model.safetensors" "$work/launches/model.safetensors"
  fi
  check=learned
  careful_step train-three-epochs 30 "$bin/vise" $mnist_job --epochs 3 --test $mnist/t10k-images-idx3-ubyte.gz \
    --test-labels $mnist/t10k-labels-idx1-ubyte.gz --out "$work/epochs"
  careful_step check-against-cpu64 60 "$bin/vise" check --backend cuda
}

part_bits() {
  trainings
  n_stopped_trainings=$n_stopped
  n_stopped=0 # the tests say why trainings hang
  step test-programs-are-built 10 ls "$bin/test_gpu_device"
  programs first
}

part_rest() {
  programs rest
}

# ---- part: bench ------------------------------------------------------------------------------------------------

# has_modules NAME...: whether python3 has them, without importing them.
has_modules() {
  python3 - "$@" <<'END' 2>/dev/null
import importlib.util, sys
sys.exit(any(importlib.util.find_spec(name) is None for name in sys.argv[1:]))
END
}

# take_in FILE [REGEXP]: appends the lines of FILE (that match) to bench.csv, and removes it.
take_in() {
  [ -f "$1" ] || return 0
  heading=
  [ ! -s "$out/bench.csv" ] || heading='^tool,'
  grep -e "${2:-}" "$1" | { if [ -n "$heading" ]; then grep -v "$heading"; else cat; fi; } >>"$out/bench.csv" || :
  rm -f "$1"
}

# About seven minutes in all: the named cases in every mode, the large one, the phases of MNIST's net, then each peer.
part_bench() {
  modes=unfused,unfused-graph,fused,fused-many
  # Where trainings hang, what does not launch that kernel can still be timed.
  [ "$n_stopped_trainings" -lt 2 ] || modes=unfused,unfused-graph
  if "$bin/vise" bench --help >/dev/null 2>&1; then
    rm -f "$out/bench.csv"
    step bench-named 110 "$bin/vise" bench --case mnist-64,mnist-128,tabular,policy,classic-64x4,classic-128x4 \
      --seconds 0.2 --total-seconds 85 --mode $modes --csv "$out/bench.csv"
    step bench-large 90 "$bin/vise" bench --case large-4096x4 --seconds 0.2 --mode $modes --csv "$out/part.csv"
    take_in "$out/part.csv"
    if [ "$n_stopped_trainings" -lt 2 ]; then
      may_be_absent=--phases
      step bench-phases 30 "$bin/vise" bench --seconds 0.1 --case mnist-64 --mode fused,fused-many --phases \
        --csv "$out/part.csv"
      take_in "$out/part.csv" '^# phase,'
    else
      skip bench-phases
    fi
  else
    absent bench-named "this version has no vise bench"
  fi
  # A peer X is called as bench/peers/X_gpu.py --vise PROGRAM --out FILE.csv --limit SECONDS, by a Python that has X and
  # brings its own libraries.
  set --
  for script in bench/peers/torch_gpu.py bench/peers/jax_gpu.py; do
    peer=$(basename "$script" _gpu.py)
    if ! [ -f "$script" ]; then
      absent "peers-$peer" "there is no $script"
    elif ! has_modules "$peer" numpy; then
      absent "peers-$peer" "no python3 with $peer and numpy"
    else
      peer_seconds=$((deadline - $(date +%s) - 10))
      [ $peer_seconds -le 130 ] || peer_seconds=130
      step "peers-$peer" 140 env LD_LIBRARY_PATH="$library_path" python3 "$script" --vise "$bin/vise" \
        --limit $peer_seconds --out "$out/${peer}_gpu.csv"
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
  # Tests provoke errors of the API; these are not findings.
  api=
  [ "$tool" != memcheck ] || api='--report-api-errors no'
  check=is_clean
  # shellcheck disable=SC2086 # words
  step "$tool-$what" "$limit" "$sanitizer" --tool "$tool" $api --error-exitcode 9 --target-processes all \
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
    tests | bits | bench | rest | sanitize) ;;
    *) die "--only $only: the parts are tests (bits and rest), bench and sanitize" ;;
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
    die "$kit is not a kit (./dev gpu --prepare makes one)"
  cd "$work/kit"
  bin=$PWD/bin
fi
[ -x "$bin/vise" ] || die "there is no program '$bin/vise'"
logs=$out/logs
[ -z "$pack" ] || logs=$work/logs
rm -rf "$out/logs" "$out/summary.txt" "$out/machine.txt" "$out/logs.tar.gz"
rm -f "$out/bench.csv" "$out/part.csv" "$out/torch_gpu.csv" "$out/jax_gpu.csv" "$out/bench-summary.csv"
mkdir -p "$logs"
deadline=$(($(date +%s) + seconds))
PATH=$PATH:/usr/local/cuda/bin
cublas=$(find_cublas)
library_path=${LD_LIBRARY_PATH:-}
LD_LIBRARY_PATH=$library_path$(echo "$cublas" | while read -r file; do printf '%s' "${file:+:${file%/*}}"; done)
LD_LIBRARY_PATH=${LD_LIBRARY_PATH#:}
export VISE_REQUIRE_GPU=1 PATH LD_LIBRARY_PATH

describe_machine >"$out/machine.txt" 2>&1
printf '%-36s %-7s %5s %8s  %s\n' step result exit seconds log | tee "$out/summary.txt"
n_stopped_trainings=0
for part in bits bench rest sanitize; do
  case ",$only," in
    *",$part,"*) "part_$part" ;;
    *,tests,*) case $part in bits | rest) "part_$part" ;; esac ;;
  esac
done
{
  printf '%d passed, %d failed, %d absent' $n_passed $n_failed $n_absent
  [ $n_skipped = 0 ] || printf ', %d skipped after others hung' $n_skipped
  [ -z "$late" ] || printf '; no time was left for:%s' "$late"
  echo
} | tee -a "$out/summary.txt"
[ $n_failed = 0 ] && [ $n_passed != 0 ]
