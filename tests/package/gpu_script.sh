#!/bin/sh
# tests/gpu/run.sh, which only a machine with a GPU can run in earnest, with stand-ins for the programs: what it counts,
# what it must not let pass, and that it goes on after a failure.
set -eu
run=$PWD/tests/gpu/run.sh
rm -rf "$WORK/gpu_script"
mkdir -p "$WORK/gpu_script/programs" "$WORK/gpu_script/tools" "$WORK/gpu_script/bench/peers"
cd "$WORK/gpu_script"

cat >programs/vise <<'END'
#!/bin/sh
# `bench --csv FILE` makes the file, and `train` writes the text $MODEL (with --steps-per-launch, $LAUNCHES) as a model, and reports $ACCURACY.
case $1 in
  bench)
    while [ $# != 0 ]; do
      [ "$1" != --csv ] || : >"$2"
      shift
    done
    exit "${BENCH:-0}"
    ;;
  train) ;;
  *) exit 0 ;;
esac
model=${MODEL:-bits}
while [ $# != 0 ]; do
  case $1 in
    --steps-per-launch) model=${LAUNCHES:-bits} ;;
    --out) out=$2 ;;
  esac
  shift
done
[ "$model" != refused ] || { echo "vise train: --steps-per-launch: not here" >&2; exit 2; }
[ "$model" != time ] || model=$(date +%N)
mkdir -p "$out"
echo "$model" >"$out/model.safetensors"
echo "{\"event\":\"epoch\",\"epoch\":2,\"test_accuracy\":${ACCURACY:-0.957}}" >"$out/metrics.jsonl"
END
for name in one kernel_two; do
  cat >programs/test_gpu_$name <<'END'
#!/bin/sh
[ "$VISE_REQUIRE_GPU" = 1 ] || exit 1
[ -z "${SLEEP:-}" ] || sleep "$SLEEP"
echo "[====] Synthesis: Tested: ${TESTED:-3} | Passing: 3 | Failing: 0 | Crashing: 0 "
exit "${CODE:-0}"
END
done
cat >tools/compute-sanitizer <<'END'
#!/bin/sh
# Two processes, the first of which may have findings.
echo "========= ${SUMMARY-ERROR SUMMARY: 0 errors}"
[ -z "${SUMMARY-x}" ] || echo "========= RACECHECK SUMMARY: 0 hazards displayed (0 errors, 0 warnings)"
END
# shellcheck disable=SC2016 # for the script that it writes
printf '#!/bin/sh\n[ "$1" = - ] && exit "${MODULES:-1}"\nexit "${PEER:-0}"\n' >tools/python3
chmod +x programs/* tools/*
PATH=$PWD/tools:$PATH

# expect CODE LAST_LINE VARIABLE=VALUE... [-- OPTION...]
expect() {
  want_code=$1
  want_line=$2
  shift 2
  variables=
  while [ $# != 0 ] && [ "$1" != -- ]; do
    variables="$variables $1"
    shift
  done
  [ $# = 0 ] || shift
  code=0
  # shellcheck disable=SC2086 # words
  env $variables sh "$run" --bin programs --out out "$@" >output 2>&1 || code=$?
  line=$(tail -n 1 output)
  if [ "$code" != "$want_code" ] || [ "$line" != "$want_line" ]; then
    cat output
    echo "with '$variables' and '$*': exit $code and '$line', expected $want_code and '$want_line'"
    exit 1
  fi
}

# tests: 2 programs, 7 steps with training; bench: 2 steps, a summary and no peers; sanitize: 4 tools x 2 programs.
expect 0 '20 passed, 0 failed, 2 absent'
[ "$(tail -n 1 out/summary.txt)" = '20 passed, 0 failed, 2 absent' ]
[ -f out/logs/test-one.log ] && [ -f out/logs/racecheck-kernel_two.log ] && grep -q '^commit: ' out/machine.txt
expect 0 '9 passed, 0 failed, 1 absent' -- --only tests
expect 0 '8 passed, 0 failed, 0 absent' -- --only sanitize
expect 0 '8 passed, 0 failed, 2 absent' BENCH=2 -- --only bench,sanitize
expect 0 '7 passed, 0 failed, 2 absent' LAUNCHES=refused -- --only tests
: >bench/peers/torch_gpu.py
: >bench/peers/jax_gpu.py
expect 0 '3 passed, 0 failed, 2 absent' -- --only bench
expect 0 '5 passed, 0 failed, 0 absent' MODULES=0 -- --only bench
expect 1 '2 passed, 3 failed, 0 absent' MODULES=0 PEER=1 -- --only bench
rm bench/peers/*
# What must not pass.
expect 1 '7 passed, 2 failed, 1 absent' CODE=1 -- --only tests
expect 1 '7 passed, 2 failed, 1 absent' TESTED=0 -- --only tests
expect 1 '7 passed, 2 failed, 1 absent' MODEL=time -- --only tests
expect 1 '8 passed, 1 failed, 1 absent' LAUNCHES=other -- --only tests
expect 1 '8 passed, 1 failed, 1 absent' ACCURACY=0.5 -- --only tests
expect 1 '8 passed, 1 failed, 1 absent' ACCURACY=null -- --only tests
expect 1 '0 passed, 8 failed, 0 absent' SUMMARY= -- --only sanitize
cat >tools/compute-sanitizer <<'END'
#!/bin/sh
echo "========= ERROR SUMMARY: 2 errors"
echo "========= ERROR SUMMARY: 0 errors"
END
expect 1 '0 passed, 8 failed, 0 absent' -- --only sanitize
rm tools/compute-sanitizer
# The whole has a time limit: what does not fit has failed, and is named.
expect 1 '0 passed, 8 failed, 1 absent' SLEEP=20 -- --only tests --seconds 6
grep -q 'stopped after' output && grep -q 'no time was left' output
expect 2 'gpu: --only nonsense: the parts are tests, bench and sanitize' -- --only nonsense
mkdir -p expected
echo others >expected/model.safetensors
expect 1 '9 passed, 1 failed, 0 absent' -- --only tests
echo bits >expected/model.safetensors
expect 0 '10 passed, 0 failed, 0 absent' -- --only tests

# A kit is unpacked elsewhere, and leaves one archive of logs.
mkdir -p kit
cp -R programs bin
mkdir packed
mv bin packed/kit_bin
mkdir packed/kit
mv packed/kit_bin packed/kit/bin
tar -cJf kit/kit.tar.xz -C packed kit
expect 0 '9 passed, 0 failed, 1 absent' -- --kit kit --only tests
[ ! -d out/logs ] && tar -tzf out/logs.tar.gz | grep -q logs/train.log
