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
# `bench --case C --csv FILE` writes a heading, a row and, with --phases, a phase; `train` writes the text $MODEL (with
# --steps-per-launch, $LAUNCHES) as a model, and reports $ACCURACY.
case $1 in
  bench)
    precision=all
    phases=
    while [ $# != 0 ]; do
      case $1 in
        --case) case=$2 ;;
        --mode) mode=$2 ;;
        --precision) precision=$2 ;;
        --phases) phases=1 ;;
        --csv) csv=$2 ;;
      esac
      shift
    done
    {
      printf '# commit: x\ntool,case,mode,batch,precision,us_per_step\n"vise-1",%s,"%s",64,%s,5\n' "$case" "$mode" $precision
      [ -z "$phases" ] || cat <<'ROWS'
# phase,case,mode,batch,precision,name,us_wait,us_skew,us_work,share_wait,share_work,steps,clock_mhz
# phase,mnist-64,fused,64,fp32,forward 0,,,1.25,,0.4,320,1980
# phase,mnist-64,fused,64,fp32,rows,0.5,0.1,1.5,0.1,0.5,320,1980
ROWS
    } >"$csv"
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
for name in device kernel_exchange steps other; do
  cat >programs/test_gpu_$name <<'END'
#!/bin/sh
[ "$VISE_REQUIRE_GPU" = 1 ] || exit 1
[ -z "${SLEEP:-}" ] || sleep "$SLEEP"
[ -z "${HUNG:-}" ] || echo "[FAIL] one::test: Timed out. (30.00s)"
echo "[====] Synthesis: Tested: ${TESTED:-3} | Passing: 3 | Failing: 0 | Crashing: 0 "
exit "${CODE:-0}"
END
done
# `first_bits compare FILE` and the like: $KIT is their exit status.
for name in first_bits clocks micro; do
  cat >programs/gpu_$name <<'END'
#!/bin/sh
case $0 in
  */gpu_micro) printf 'name,value,unit,least,most,right,replaces,assumed\nlaunch,2.5,us,2,3,yes,LAUNCH_US,1.3\n' >"$1" ;;
esac
[ "$1" != compare ] || echo "mnist: step 3 is the first that differs"
exit "${KIT:-0}"
END
done
cp "$(dirname "$run")/stand-ins/ncu" tools/ncu
cat >tools/compute-sanitizer <<'END'
#!/bin/sh
# Two processes, the first of which may have findings.
echo "========= ${SUMMARY-ERROR SUMMARY: 0 errors}"
[ -z "${SUMMARY-x}" ] || echo "========= RACECHECK SUMMARY: 0 hazards displayed (0 errors, 0 warnings)"
END
# Modules by $MODULES, peers by $PEER; short programs and the report are Python's.
cat >tools/python3 <<END
#!/bin/sh
case \$1 in -c | */report.py) exec $(command -v python3) "\$@" ;; esac
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

# summary_md_has TEXT
summary_md_has() {
  grep -qF -e "$1" out/summary.md || {
    cat out/summary.md out/logs/report.log
    echo "summary.md does not have '$1'"
    exit 1
  }
}

# bits: 7 steps with training, 2 programs, 5 that are not there; phases 2, micro 1, ncu 4, small 3, large 3, sanitize 4;
# rest: steps and another, 3 that are not there.
expect 0 '28 passed, 0 failed, 9 absent'
[ "$(tail -n 1 out/summary.txt)" = '28 passed, 0 failed, 9 absent' ]
[ -f out/logs/test-other.log ] && [ -f out/logs/racecheck-train.log ] && grep -q '^commit: ' out/machine.txt
grep -q 'compute-sanitizer --tool memcheck --report-api-errors no' out/logs/memcheck-train.log
grep -q 'compute-sanitizer --tool racecheck --error-exitcode' out/logs/racecheck-train.log
grep -q -- '--clock-control none' out/logs/ncu-one-launch.log
# What matters most comes first.
awk 'NR > 1 { print $1 }' out/summary.txt | grep -n -e '^train$' -e '^test-kernel_exchange' -e '^phases' -e '^micro' \
  -e '^ncu-one-launch$' -e '^bench-mnist-64' -e '^bench-large-bf16' -e '^memcheck-train' -e '^test-steps' -e '^test-other' |
  cut -d : -f 2 | tr '\n' ' ' >order
[ "$(cat order)" = 'train test-kernel_exchange phases micro ncu-one-launch bench-mnist-64 bench-large-bf16 memcheck-train test-steps test-other ' ]
# One table of all that was measured, and a summary that a reader understands without the rest.
[ "$(grep -c '^tool,' out/bench.csv)" = 1 ] && [ "$(grep -c '^"vise-1",' out/bench.csv)" = 6 ]
grep -q '^"vise-1",large-4096x4,"unfused,unfused-graph,fused,fused-many",64,bf16,5$' out/bench.csv
[ "$(grep -c '^# phase,mnist-64,' out/bench.csv)" = 2 ] && [ ! -e out/part.csv ]
summary_md_has '**28 passed, 0 failed, 9 absent**'
summary_md_has '| Bits | 9 |  | 6 |'
summary_md_has '| rows | 0.5 | 0.1 | 1.5 |'
summary_md_has '| launch | 2.5 | us | 2 | 3 | yes | LAUNCH_US | 1.3 |'
summary_md_has '| gpu__time_duration.sum | us | nan |'
summary_md_has '| large-4096x4 | 64 | bf16 | unfused,unfused-graph,fused,fused-many | 5 |'
summary_md_has '| racecheck-train | ERROR SUMMARY: 0 errors; RACECHECK SUMMARY: 0 hazards'
if grep -q '^## What failed' out/summary.md; then
  echo "summary.md says that something failed"
  exit 1
fi
expect 0 '9 passed, 0 failed, 6 absent' -- --only bits
expect 0 '2 passed, 0 failed, 3 absent' -- --only rest
expect 0 '4 passed, 0 failed, 0 absent' -- --only sanitize
expect 0 '9 passed, 0 failed, 10 absent' LAUNCHES=refused -- --only bits,rest
expect 0 '2 passed, 0 failed, 2 absent' -- --only peers
: >bench/peers/torch_gpu.py
: >bench/peers/jax_gpu.py
expect 0 '4 passed, 0 failed, 0 absent' MODULES=0 -- --only peers
expect 1 '1 passed, 3 failed, 0 absent' MODULES=0 PEER=1 -- --only peers
# PyTorch's own cuBLAS is found, and peers keep the path they were given.
mkdir -p site/nvidia/cu13/lib
: >site/nvidia/cu13/lib/libcublasLt.so.13
expect 0 '4 passed, 0 failed, 0 absent' MODULES=0 PYTHONPATH="$PWD/site" LD_LIBRARY_PATH=/given -- --only peers
grep -q "^cuBLAS .*: $PWD/site/nvidia/cu13/lib/libcublasLt.so.13" out/machine.txt
grep -q "^libraries: /given:$PWD/site/nvidia/cu13/lib" out/machine.txt
grep -q '^libraries: /given$' out/logs/peers-torch.log
rm bench/peers/*
# What must not pass.
expect 1 '9 passed, 4 failed, 9 absent' CODE=1 -- --only bits,rest,phases
summary_md_has '### test-device (exit status 1)'
expect 1 '7 passed, 2 failed, 6 absent' TESTED=0 -- --only bits
expect 1 '7 passed, 2 failed, 6 absent' MODEL=time -- --only bits
expect 1 '8 passed, 1 failed, 6 absent' LAUNCHES=other -- --only bits
expect 1 '8 passed, 1 failed, 6 absent' ACCURACY=0.5 -- --only bits
expect 1 '8 passed, 1 failed, 6 absent' ACCURACY=null -- --only bits
expect 1 '0 passed, 4 failed, 0 absent' SUMMARY= -- --only sanitize
expect 1 '0 passed, 1 failed, 0 absent' KIT=1 -- --only micro
mkdir -p expected
: >expected/first_bits
expect 1 '9 passed, 1 failed, 5 absent' KIT=1 -- --only bits
summary_md_has 'mnist: step 3 is the first that differs'
expect 0 '10 passed, 0 failed, 5 absent' -- --only bits
rm expected/first_bits
# After two programs of a part that hang no third is begun there; the next part begins anew.
expect 1 '8 passed, 4 failed, 9 absent, 2 skipped after others hung' SLEEP=20 LIMIT=1 -- --only bits,small,rest
summary_has '^test-device  *FAILED  *124 .*stopped after 60 s'
summary_has '^train-three-epochs  *skipped '
summary_has '^test-steps  *FAILED '
expect 1 '5 passed, 2 failed, 6 absent, 2 skipped after others hung' CODE=1 HUNG=1 -- --only bits
# Trainings that hang leave the tests to say why, and what is timed is what does not hang.
expect 1 '6 passed, 4 failed, 6 absent, 3 skipped after others hung' HANG=20 LIMIT=1 -- --only bits,phases,ncu,small
summary_has '^train-many-steps-a-launch  *skipped '
summary_has '^ncu  *skipped '
summary_has '^test-kernel_exchange  *passed '
grep -q '^"vise-1",mnist-64,"unfused,unfused-graph",64,all,5$' out/bench.csv
cat >tools/compute-sanitizer <<'END'
#!/bin/sh
echo "========= ERROR SUMMARY: 2 errors"
echo "========= ERROR SUMMARY: 0 errors"
END
expect 1 '0 passed, 4 failed, 0 absent' -- --only sanitize
rm tools/compute-sanitizer tools/ncu
expect 1 '0 passed, 0 failed, 1 absent' -- --only ncu
# The run as a whole has a time limit: what does not fit is absent, and named.
late='test-device test-kernel_exchange train-three-epochs check-against-cpu64'
expect 0 "5 passed, 0 failed, 10 absent; no time was left for: $late" SLEEP=30 -- --only bits --seconds 14
summary_has '^test-device  *absent .*, when no time was left'
summary_has '^check-against-cpu64  *absent .*no time was left'
expect 2 "gpu: --only nonsense: the parts are bits phases micro ncu small large sanitize rest peers" -- --only nonsense
echo others >expected/model.safetensors
expect 1 '9 passed, 1 failed, 5 absent' -- --only bits
echo bits >expected/model.safetensors
expect 0 '10 passed, 0 failed, 5 absent' -- --only bits
# Without a Python that works the steps are the summary.
mv tools/python3 tools/python
printf '#!/bin/sh\nexit 1\n' >tools/python3
chmod +x tools/python3
expect 0 '1 passed, 0 failed, 0 absent' -- --only micro
summary_md_has 'micro                                passed'
mv tools/python tools/python3

# A kit is unpacked elsewhere, and leaves one archive of logs, though tar may see one grow.
mkdir -p kit
cp -R programs bin
mkdir packed
mv bin packed/kit_bin
mkdir packed/kit
mv packed/kit_bin packed/kit/bin
tar -cJf kit/kit.tar.xz -C packed kit
for code in 0 1; do
  expect 0 '12 passed, 0 failed, 6 absent' TAR=$code -- --kit kit --only bits,small
  [ ! -d out/logs ] && tar -tzf out/logs.tar.gz | grep -q logs/train.log
  [ "$(find out -type f | wc -l)" -le 8 ]
  rm -r out
done
