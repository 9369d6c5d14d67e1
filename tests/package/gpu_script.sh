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
# `bench --case C --csv FILE` writes a heading, a row and a phase; `train` writes the text $MODEL (with --steps-per-launch,
# $LAUNCHES) as a model, and reports $ACCURACY.
case $1 in
  bench)
    while [ $# != 0 ]; do
      case $1 in
        --case) case=$2 ;;
        --mode) mode=$2 ;;
        --csv) printf '# commit: x\ntool,case\nvise-1,%s,%s\n# phase,%s\n' "$case" "$mode" "$case" >"$2" ;;
      esac
      shift
    done
    exit "${BENCH:-0}"
    ;;
  train) ;;
  info) echo "libraries: $LD_LIBRARY_PATH" && exit 0 ;;
  *) exit 0 ;;
esac
[ -z "${HANG:-}" ] || sleep "$HANG"
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
for name in device kernel_two other; do
  cat >programs/test_gpu_$name <<'END'
#!/bin/sh
[ "$VISE_REQUIRE_GPU" = 1 ] || exit 1
[ -z "${SLEEP:-}" ] || sleep "$SLEEP"
[ -z "${HUNG:-}" ] || echo "[FAIL] one::test: Timed out. (30.00s)"
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
# Modules by $MODULES, peers by $PEER; short programs are Python's.
cat >tools/python3 <<END
#!/bin/sh
[ "\$1" != -c ] || exec $(command -v python3) "\$@"
[ "\$1" = - ] && exit "\${MODULES:-1}"
echo "libraries: \$LD_LIBRARY_PATH"
exit "\${PEER:-0}"
END
# Every limit is $LIMIT seconds, where that is set.
cat >tools/timeout <<END
#!/bin/sh
[ "\$1" != -k ] || shift 2
limit=\$1
shift
exec $(command -v timeout) -k 1 "\${LIMIT:-\$limit}" "\$@"
END
# With $TAR, logs grow while they are packed.
cat >tools/tar <<END
#!/bin/sh
$(command -v tar) "\$@" || exit
[ "\$1" != -czf ] || exit "\${TAR:-0}"
END
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

# summary_has TEXT
summary_has() {
  grep -qe "$1" out/summary.txt || {
    cat out/summary.txt
    echo "the summary does not have '$1'"
    exit 1
  }
}

# tests: 8 steps with training and 3 programs; bench: 3 steps, a summary and no peers; sanitize: 4 tools x 2 programs.
expect 0 '23 passed, 0 failed, 3 absent'
[ "$(tail -n 1 out/summary.txt)" = '23 passed, 0 failed, 3 absent' ]
[ -f out/logs/test-other.log ] && [ -f out/logs/racecheck-kernel_two.log ] && grep -q '^commit: ' out/machine.txt
grep -q 'compute-sanitizer --tool memcheck --report-api-errors no' out/logs/memcheck-train.log
grep -q 'compute-sanitizer --tool racecheck --error-exitcode' out/logs/racecheck-train.log
# What matters most comes first.
awk 'NR > 1 { print $1 }' out/summary.txt | grep -n -e '^train$' -e '^test-kernel' -e '^bench-named' -e '^test-other' \
  -e '^memcheck-train' | cut -d : -f 2 | tr '\n' ' ' >order
[ "$(cat order)" = 'train test-kernel_two bench-named test-other memcheck-train ' ]
# One table of all that was measured, and few files.
[ "$(grep -c '^tool,' out/bench.csv)" = 1 ] && [ "$(grep -c '^vise-1,' out/bench.csv)" = 2 ]
grep -q '^vise-1,large-4096x4,unfused,unfused-graph,fused,fused-many$' out/bench.csv
[ "$(grep -c '^# phase,mnist-64$' out/bench.csv)" = 1 ] && [ ! -e out/part.csv ]
expect 0 '11 passed, 0 failed, 1 absent' -- --only tests
expect 0 '10 passed, 0 failed, 1 absent' -- --only bits
expect 0 '1 passed, 0 failed, 0 absent' -- --only rest
expect 0 '8 passed, 0 failed, 0 absent' -- --only sanitize
expect 0 '8 passed, 0 failed, 3 absent' BENCH=2 -- --only bench,sanitize
expect 0 '9 passed, 0 failed, 2 absent' LAUNCHES=refused -- --only tests
: >bench/peers/torch_gpu.py
: >bench/peers/jax_gpu.py
expect 0 '4 passed, 0 failed, 2 absent' -- --only bench
expect 0 '6 passed, 0 failed, 0 absent' MODULES=0 -- --only bench
expect 1 '3 passed, 3 failed, 0 absent' MODULES=0 PEER=1 -- --only bench
# PyTorch's own cuBLAS is found, and peers keep the path they were given.
mkdir -p site/nvidia/cu13/lib
: >site/nvidia/cu13/lib/libcublasLt.so.13
expect 0 '6 passed, 0 failed, 0 absent' MODULES=0 PYTHONPATH="$PWD/site" LD_LIBRARY_PATH=/given -- --only bench
grep -q "^cuBLAS .*: $PWD/site/nvidia/cu13/lib/libcublasLt.so.13" out/machine.txt
grep -q "^libraries: /given:$PWD/site/nvidia/cu13/lib" out/machine.txt
grep -q '^libraries: /given$' out/logs/peers-torch.log
rm bench/peers/*
# What must not pass.
expect 1 '8 passed, 3 failed, 1 absent' CODE=1 -- --only tests
expect 1 '8 passed, 3 failed, 1 absent' TESTED=0 -- --only tests
expect 1 '9 passed, 2 failed, 1 absent' MODEL=time -- --only tests
expect 1 '10 passed, 1 failed, 1 absent' LAUNCHES=other -- --only tests
expect 1 '10 passed, 1 failed, 1 absent' ACCURACY=0.5 -- --only tests
expect 1 '10 passed, 1 failed, 1 absent' ACCURACY=null -- --only tests
expect 1 '0 passed, 8 failed, 0 absent' SUMMARY= -- --only sanitize
mv programs/test_gpu_device programs/device
expect 1 '9 passed, 1 failed, 1 absent' -- --only tests
mv programs/device programs/test_gpu_device
# After two tests that hang no third is begun, and none of these has passed; the rest goes on.
expect 1 '12 passed, 2 failed, 3 absent, 1 skipped after others hung' SLEEP=20 LIMIT=2 -- --only tests,bench
summary_has '^test-device  *FAILED  *124 .*stopped after 60 s'
summary_has '^test-other  *skipped '
expect 1 '8 passed, 2 failed, 1 absent, 1 skipped after others hung' CODE=1 HUNG=1 -- --only tests
# Trainings that hang leave the tests to say why, and what is timed is what does not hang.
expect 1 '6 passed, 3 failed, 3 absent, 4 skipped after others hung' HANG=20 LIMIT=2 -- --only bits,bench
summary_has '^train-three-epochs  *skipped '
summary_has '^test-kernel_two  *passed '
grep -q '^vise-1,large-4096x4,unfused,unfused-graph$' out/bench.csv
cat >tools/compute-sanitizer <<'END'
#!/bin/sh
echo "========= ERROR SUMMARY: 2 errors"
echo "========= ERROR SUMMARY: 0 errors"
END
expect 1 '0 passed, 8 failed, 0 absent' -- --only sanitize
rm tools/compute-sanitizer
# The run as a whole has a time limit: what does not fit is absent, and named.
late='test-device test-kernel_two test-other'
expect 0 "8 passed, 0 failed, 4 absent; no time was left for: $late" SLEEP=30 -- --only tests --seconds 14
summary_has '^test-device  *absent .*, when no time was left'
summary_has '^test-other  *absent .*no time was left'
expect 2 'gpu: --only nonsense: the parts are tests (bits and rest), bench and sanitize' -- --only nonsense
mkdir -p expected
echo others >expected/model.safetensors
expect 1 '11 passed, 1 failed, 0 absent' -- --only tests
echo bits >expected/model.safetensors
expect 0 '12 passed, 0 failed, 0 absent' -- --only tests

# A kit is unpacked elsewhere, and leaves one archive of logs, though tar may see one grow.
mkdir -p kit
cp -R programs bin
mkdir packed
mv bin packed/kit_bin
mkdir packed/kit
mv packed/kit_bin packed/kit/bin
tar -cJf kit/kit.tar.xz -C packed kit
for code in 0 1; do
  expect 0 '15 passed, 0 failed, 3 absent' TAR=$code -- --kit kit --only tests,bench
  [ ! -d out/logs ] && tar -tzf out/logs.tar.gz | grep -q logs/train.log
  [ "$(find out -type f | wc -l)" -le 8 ]
  rm -r out
done
