#!/bin/sh
# Everything that needs a GPU, in one go and in ten minutes: `./dev gpu` calls this. Needs a POSIX shell, GNU's timeout
# and tar, and a Python for the report.
#
#   run.sh --bin DIR [--out DIR] [--only PARTS] [--seconds N] [--pack]   programs in DIR, called in the source folder
#   run.sh --kit DIR ...              with the programs of a kit (make_kit.sh), on a machine that has nothing else
#   run.sh ... --rehearse             small sizes and six times the limits, for the emulated device
#   run.sh --reference VISE DIR       trains on the emulated device what a GPU must repeat bit by bit
#
# PARTS run in this order, so that what matters most is done when time runs out, each for so many seconds at most:
#
#   bits      80  trainings, and what must have the same bits: golden files, dumps of the emulated device; the exchange
#   phases    20  where the time of a step goes, by the clocks of every CTA
#   micro     40  what the hardware takes for an exchange, a load, a launch
#   ncu       40  NVIDIA's profiler on the small kernel, one step a launch and many
#   small     70  the named small nets, timed
#   large     60  a large net, timed in each precision
#   sanitize  60  NVIDIA's memcheck and racecheck over four steps
#   rest          all other tests, those that tell most first
#   peers    300  PyTorch and JAX on the same nets, where there are any; only where --only names it
#
# N seconds in all (default 570), besides each step's own limit; what these do not suffice for is absent, and the last
# line names it. A step that fails or has to be stopped stops no later one, but after two programs of a part that had
# to be stopped no test of that part is begun.
#
# Leaves in --out (default build/gpu): summary.md, which says what ran and what came out; summary.txt, the same steps as
# they end; machine.txt; results as CSV (bench.csv, micro.csv; torch_gpu.csv, jax_gpu.csv, bench-summary.csv of peers);
# a log of each step, with --pack (and --kit) in one logs.tar.gz: at most eight files. All of them are up to date after
# each part, the logs after each step, and the CSVs of benchmarks after each row.
# Exit status 0: no step failed; 1: one failed; 2: nothing was done.
set -eu

die() {
  printf 'gpu: %s\n' "$*" >&2
  exit 2
}

all_parts='bits phases micro ncu small large sanitize rest peers'
default_parts='bits,phases,micro,ncu,small,large,sanitize,rest'
mnist=bench/data/mnist
mnist_job="train --train $mnist/train-images-idx3-ubyte.gz --train-labels $mnist/train-labels-idx1-ubyte.gz
  --layers 784-128-10 --loss cross-entropy --lr 0.1 --l2 1e-5 --clip-norm 5 --clamp 0.5 --batch 64 --seed 0
  --backend cuda --quiet --overwrite"
reference_steps=20

part_seconds() {
  case $1 in
    bits) echo $((80 * slower)) ;;
    phases) echo $((20 * slower)) ;;
    micro | ncu) echo $((40 * slower)) ;;
    small) echo $((70 * slower)) ;;
    large | sanitize) echo $((60 * slower)) ;;
    peers) echo $((300 * slower)) ;;
    *) echo 100000 ;;
  esac
}

# ---- steps ------------------------------------------------------------------------------------------------------

n_passed=0
n_failed=0
n_absent=0
n_skipped=0
late=
n_stopped=0 # of careful steps in this part
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
  printf '%s\t%s\t%s\t%s\t%s\t%s\n' "$part" "$1" "$2" "$3" "$4" "$5" >>"$logs/steps.tsv"
  pack_logs
}

# step NAME SECONDS COMMAND...: runs it with a log of its own. For this one step, `check` names a function of the log
# that says what is wrong with it, and may_be_absent an option: where it is what is not available (exit status 2, and
# named in the log), that is not a failure. Nor is it one when the time for all steps, or of the part, is over.
step() {
  name=$1
  limit=$(($2 * slower))
  shift 2
  log=$logs/$name.log
  left=$((part_deadline - $(date +%s)))
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
  [ -z "$rehearse" ] || echo "rehearsal: the device is emulated, sizes are small, times mean nothing"
  timeout -k 5 20 "$bin/vise" info 2>&1 || echo "vise info: exit status $?"
  uname -a
  sed -n 's/^PRETTY_NAME=//p' /etc/os-release 2>/dev/null || :
  lscpu 2>/dev/null | grep -E '^(Model name|CPU\(s\)|NUMA node\(s\))' || :
  [ ! -f TOOLKIT ] || sed 's/^/built with: /' TOOLKIT
  nvcc --version 2>/dev/null | tail -n 2 || echo "no nvcc here"
  echo "cuBLAS beside what the loader knows: ${cublas:-none}" | tr '\n' ' ' && echo
  ldconfig -p 2>/dev/null | grep libcublasLt || echo "the loader knows no libcublasLt"
  if command -v nvidia-smi >/dev/null 2>&1; then
    timeout 10 nvidia-smi || :
    timeout 10 nvidia-smi -q -d MEMORY,CLOCK,POWER,PERFORMANCE,ECC,COMPUTE || :
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

# ---- parts: bits and rest -----------------------------------------------------------------------------------------

# That none was skipped is seen to by the program (main.c).
ran_tests() {
  grep -q 'Tested: [1-9]' "$1" || echo "no test ran"
}

# The test accuracy after the last epoch is what the CPU reaches (0.957), give or take a little.
learned() {
  sed -n 's/.*"event":"epoch".*"test_accuracy":\([0-9.]*\).*/\1/p' "$work/epochs/metrics.jsonl" | tail -n 1 |
    awk -v most="$most_accuracy" '{ a = $1 } END { if (!(a >= 0.95 && a <= most)) print "test accuracy " a }'
}

# test_program NAME: with a limit of its own and one for each test in it.
test_program() {
  if ! [ -x "$bin/test_gpu_$1" ]; then
    absent "test-$1" "there is no such program"
    return
  fi
  limit=60
  case $1 in *agreement) limit=120 ;; esac # a thousand trainings
  check=ran_tests
  careful_step "test-$1" $limit "$bin/test_gpu_$1" --jobs 1 --verbose --timeout 30
}

# kit_program NAME STEP SECONDS ARGUMENTS...: a program of the kit that is no test.
kit_program() {
  program=$bin/gpu_$1
  name=$2
  limit=$3
  shift 3
  if [ -x "$program" ]; then
    careful_step "$name" "$limit" "$program" "$@"
  else
    absent "$name" "there is no program $program"
  fi
}

# shellcheck disable=SC2086 # lists of options
trainings() {
  careful_step train 20 "$bin/vise" $mnist_job --steps $reference_steps --out "$work/train"
  careful_step train-again 20 "$bin/vise" $mnist_job --steps $reference_steps --out "$work/again"
  step train-gives-the-same-bits 10 cmp "$work/train/model.safetensors" "$work/again/model.safetensors"
  if [ -f expected/model.safetensors ]; then
    step train-gives-the-bits-of-emulation 10 cmp "$work/train/model.safetensors" expected/model.safetensors
  else
    absent train-gives-the-bits-of-emulation "there is no reference model (./dev gpu --prepare makes one)"
  fi
  may_be_absent=--steps-per-launch
  careful_step train-many-steps-a-launch 20 "$bin/vise" $mnist_job --steps $reference_steps --steps-per-launch 7 \
    --out "$work/launches"
  if [ -f "$work/launches/model.safetensors" ]; then
    step many-steps-give-the-same-bits 10 cmp "$work/train/model.safetensors" "$work/launches/model.safetensors"
  fi
}

# shellcheck disable=SC2086 # lists of options
long_training() {
  check=learned
  careful_step train-three-epochs 30 "$bin/vise" $long_job --epochs 3 --out "$work/epochs"
}

part_bits() {
  trainings
  n_stopped_trainings=$n_stopped
  n_stopped=0 # the tests say why trainings hang
  test_program device
  if [ -f expected/first_bits ]; then
    kit_program first_bits first-bits 20 compare expected/first_bits
  else
    absent first-bits "there is no dump of the emulated device (./dev gpu --prepare makes one)"
  fi
  test_program golden
  test_program kernel_ptx
  export VISE_EXCHANGE_ROUNDS=$exchange_rounds
  test_program kernel_exchange
  unset VISE_EXCHANGE_ROUNDS
  test_program kernel_reduce
  test_program kernel_gather
  long_training
  careful_step check-against-cpu64 30 "$bin/vise" check --backend cuda
}

is_of_bits() {
  case $1 in
    device | golden | kernel_ptx | kernel_exchange | kernel_reduce | kernel_gather) return 0 ;;
    *) return 1 ;;
  esac
}

part_rest() {
  first='agreement steps launches bits'
  [ -z "$rehearse" ] || first=$rehearse_rest
  for name in $first; do
    test_program "$name"
  done
  [ -z "$rehearse" ] || return 0
  for program in "$bin"/test_gpu_*; do
    name=${program##*/test_gpu_}
    is_of_bits "$name" && continue
    case " $first " in *" $name "*) continue ;; esac
    test_program "$name"
  done
}

# ---- parts that measure -----------------------------------------------------------------------------------------

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
  ! grep -q '^tool,' "$out/bench.csv" 2>/dev/null || heading='^tool,'
  grep -e "${2:-}" "$1" | { if [ -n "$heading" ]; then grep -v "$heading"; else cat; fi; } >>"$out/bench.csv" || :
  rm -f "$1"
}

# hangs NAME: whether trainings hang; then NAME, which would too, is not begun.
hangs() {
  [ "$n_stopped_trainings" -ge 2 ] || return 1
  skip "$1"
}

# bench NAME SECONDS CASES OPTIONS...: rows of these cases, added to bench.csv. In a rehearsal they are of a small net.
bench() {
  name=$1
  limit=$2
  cases="--case $3"
  shift 3
  [ -z "$rehearse" ] || cases='--layers 9-7-3 --batch 16 --steps-per-launch 4'
  modes=unfused,unfused-graph,fused,fused-many
  # Where trainings hang, what does not launch that kernel can still be timed.
  [ "$n_stopped_trainings" -lt 2 ] || modes=unfused,unfused-graph
  # shellcheck disable=SC2086 # words
  step "$name" "$limit" "$bin/vise" bench $cases --seconds "$bench_seconds" --mode $modes --csv "$out/part.csv" "$@"
  take_in "$out/part.csv"
}

part_phases() {
  ! hangs phases || return 0
  cases='--case mnist-64'
  [ -z "$rehearse" ] || cases='--layers 9-7-3 --batch 16 --steps-per-launch 4'
  kit_program clocks clocks 15 "$logs/clocks.csv" "$clock_steps"
  # shellcheck disable=SC2086 # words
  step phases 20 "$bin/vise" bench $cases --seconds 0.05 --mode fused,fused-many --precision fp32 --phases \
    --csv "$out/part.csv"
  take_in "$out/part.csv" '^# phase,'
}

part_micro() {
  kit_program micro micro 40 "$out/micro.csv" "$micro_scale"
}

# profile NAME LAUNCH_OPTIONS OPTIONS...: metrics of launches of the step, as the profiler's report and as CSV.
profile() {
  profile=$1
  launches=$2
  shift 2
  # shellcheck disable=SC2086 # words
  step "ncu-$profile" 25 ncu --clock-control none --set full -k regex:^step_ $launches -f \
    -o "$logs/$profile" "$bin/vise" $mnist_job --out "$work/ncu" "$@"
  if [ -f "$logs/$profile.ncu-rep" ]; then
    step "ncu-$profile-metrics" 15 ncu -i "$logs/$profile.ncu-rep" --page raw --csv
  fi
}

part_ncu() {
  ! hangs ncu || return 0
  if ! command -v ncu >/dev/null 2>&1; then
    absent ncu "there is no ncu on the PATH nor where the toolkit has it"
    return
  fi
  profile one-launch '--launch-skip 6 --launch-count 1' --steps 12 --steps-per-launch 1
  # The first launches project the weights; the last ones have many steps.
  profile persistent '--launch-skip 1 --launch-count 2' --steps $((2 * persistent_steps)) \
    --steps-per-launch $persistent_steps
}

part_small() {
  bench bench-mnist-64 30 mnist-64
  bench bench-policy 20 policy
  bench bench-tabular 20 tabular
}

part_large() {
  for precision in bf16 tf32 fp32; do
    bench "bench-large-$precision" 30 large-4096x4 --precision $precision
  done
}

# A peer X is called as bench/peers/X_gpu.py --vise PROGRAM --out FILE.csv --limit SECONDS, by a Python that has X and
# brings its own libraries.
part_peers() {
  bench bench-named 110 mnist-64,mnist-128,tabular,policy,classic-64x4,classic-128x4 --total-seconds 85
  set --
  for script in bench/peers/torch_gpu.py bench/peers/jax_gpu.py; do
    peer=$(basename "$script" _gpu.py)
    if ! [ -f "$script" ]; then
      absent "peers-$peer" "there is no $script"
    elif ! has_modules "$peer" numpy; then
      absent "peers-$peer" "no python3 with $peer and numpy"
    else
      peer_seconds=$((part_deadline - $(date +%s) - 10))
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
  careful_step "$tool-$what" "$limit" "$sanitizer" --tool "$tool" $api --error-exitcode 9 --target-processes all \
    --require-cuda-init no "$@"
}

part_sanitize() {
  sanitizer=$(command -v compute-sanitizer || :)
  if [ -z "$sanitizer" ]; then
    for tool in memcheck racecheck; do
      step $tool 10 sh -c 'echo "compute-sanitizer is not on the PATH nor in /usr/local/cuda/bin"; exit 127'
    done
    return
  fi
  export VISE_WATCHDOG_POLLS=1000000000 # polls take longer here
  for tool in memcheck racecheck synccheck initcheck; do
    # shellcheck disable=SC2086
    sanitize $tool train 30 "$bin/vise" $mnist_job --steps 4 --out "$work/$tool"
  done
  unset VISE_WATCHDOG_POLLS
}

# ---- the whole --------------------------------------------------------------------------------------------------

# absolute PATH
absolute() {
  case $1 in
    /*) echo "$1" ;;
    *) echo "$PWD/$1" ;;
  esac
}

# report LAST_LINE
report() {
  echo "$1" >"$logs/verdict"
  timeout 20 python3 "$reporter" --out "$out" --logs "$logs" 2>"$logs/report.log" || {
    # Without a Python: the steps alone.
    { echo '# Vise on a GPU' && echo && echo '```' && cat "$out/summary.txt" && echo '```'; } >"$out/summary.md"
  }
  pack_logs
}

kit=
bin=
out=build/gpu
only=$default_parts
seconds=570
pack=
rehearse=
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
    --rehearse) rehearse=1 && shift ;;
    --reference)
      # shellcheck disable=SC2086
      exec "$2" $mnist_job --steps $reference_steps --out "$3"
      ;;
    *) die "unknown option '$1'" ;;
  esac
done
for part in $(echo "$only" | tr ',' ' '); do
  case " $all_parts " in
    *" $part "*) ;;
    *) die "--only $only: the parts are $all_parts" ;;
  esac
done
case $seconds in
  '' | *[!0-9]*) die "--seconds $seconds: expected a number" ;;
esac

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM
long_job="$mnist_job --test $mnist/t10k-images-idx3-ubyte.gz --test-labels $mnist/t10k-labels-idx1-ubyte.gz"
most_accuracy=0.97
persistent_steps=32
exchange_rounds=1000000
bench_seconds=0.2
clock_steps=64
micro_scale=1
slower=1
if [ -n "$rehearse" ]; then
  # Two classes that a line divides.
  awk 'BEGIN { OFS = ","; print "a,b,class"
    for (i = 0; i < 400; i++) print i % 20, i * 7 % 20, (i % 20 + i * 7 % 20 < 19) ? "low" : "high" }' >"$work/rows.csv"
  long_job="train --train $work/rows.csv --test $work/rows.csv --target class --lr 0.5 --batch 20 --layers 2-16-2
    --backend cuda --quiet"
  most_accuracy=1
  persistent_steps=4
  exchange_rounds=20
  bench_seconds=0.01
  clock_steps=3
  micro_scale=0
  slower=6
  rehearse_rest='parts'
  export VISE_EMU_SMS="${VISE_EMU_SMS:-4}"
fi

out=$(absolute "$out")
mkdir -p "$out"
begin_all=$(date +%s)
reporter=$(absolute "$(dirname "$0")")/report.py
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
rm -rf "$out/logs" "$out/summary.txt" "$out/summary.md" "$out/machine.txt" "$out/logs.tar.gz"
rm -f "$out/bench.csv" "$out/part.csv" "$out/micro.csv" "$out/torch_gpu.csv" "$out/jax_gpu.csv" "$out/bench-summary.csv"
mkdir -p "$logs"
deadline=$((begin_all + seconds * slower - 5)) # the last report and archive take a moment
PATH=$PATH:/usr/local/cuda/bin
for folder in /opt/nvidia/nsight-compute/*/; do
  [ ! -x "${folder}ncu" ] || PATH=$PATH:${folder%/}
done
[ -z "$rehearse" ] || PATH=$bin/stand-ins:$PATH
cublas=$(find_cublas)
library_path=${LD_LIBRARY_PATH:-}
LD_LIBRARY_PATH=$library_path$(echo "$cublas" | while read -r file; do printf '%s' "${file:+:${file%/*}}"; done)
LD_LIBRARY_PATH=${LD_LIBRARY_PATH#:}
export VISE_REQUIRE_GPU=1 PATH LD_LIBRARY_PATH

describe_machine >"$out/machine.txt" 2>&1
printf '%-36s %-7s %5s %8s  %s\n' step result exit seconds log | tee "$out/summary.txt"
n_stopped_trainings=0
for part in $all_parts; do
  case ",$only," in
    *",$part,"*) ;;
    *) continue ;;
  esac
  n_stopped=0
  part_deadline=$(($(date +%s) + $(part_seconds "$part")))
  [ $part_deadline -le $deadline ] || part_deadline=$deadline
  "part_$part"
  report "$part is done; more may follow"
done
verdict=$(
  printf '%d passed, %d failed, %d absent' $n_passed $n_failed $n_absent
  [ $n_skipped = 0 ] || printf ', %d skipped after others hung' $n_skipped
  [ -z "$late" ] || printf '; no time was left for:%s' "$late"
)
echo "$verdict" | tee -a "$out/summary.txt"
report "$verdict"
[ $n_failed = 0 ] && [ $n_passed != 0 ]
