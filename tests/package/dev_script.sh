#!/bin/sh
# ./dev counts tests and fails where it should: run on a copy, with stand-ins for cmake and ctest.
set -eu
root=$PWD
rm -rf "$WORK/dev_script"
mkdir -p "$WORK/dev_script/bin"
cd "$WORK/dev_script"
cp "$root/dev" dev
cat >bin/cmake <<'END'
#!/bin/sh
# Fails for `--build --preset $BROKEN`.
[ "$1" != --build ] || [ "$3" != "${BROKEN:-}" ]
END
cat >bin/ctest <<'END'
#!/bin/sh
# A report of 10 tests, of which some failed or were skipped; the options are --preset P --parallel N --output-junit F.
mkdir -p "$(dirname "$6")"
printf "%s VISE_REQUIRE_GPU=%s\n" "${7:-}${8:+ $8}" "${VISE_REQUIRE_GPU:-}" >"options.$2"
printf '<testsuite name="x"\n\ttests="%s"\n\tfailures="%s"\n\tdisabled="0"\n\tskipped="%s"\n>\n' \
  "${TESTS:-10}" "${FAILURES:-0}" "${SKIPPED:-0}" >"$6"
printf '\t<testcase name="a"/>\n</testsuite>\n' >>"$6"
exit "${CODE:-0}"
END
# The test must install nothing.
printf '#!/bin/sh\nexit 1\n' | tee bin/sudo >bin/apt-get
chmod +x bin/*

# expect CODE LAST_LINE VARIABLE=VALUE...: what ./dev test $thorough ends with.
thorough=
expect() {
  want_code=$1
  want_line=$2
  shift 2
  code=0
  # shellcheck disable=SC2086 # nothing or one word
  env PATH="$PWD/bin:$PATH" VISE_WITHOUT_PYTORCH=1 "$@" ./dev test $thorough >output 2>&1 || code=$?
  line=$(tail -n 1 output)
  if [ "$code" != "$want_code" ] || [ "$line" != "$want_line" ]; then
    cat output
    echo "with '$*': exit $code and '$line', expected $want_code and '$want_line'"
    exit 1
  fi
}
# A machine with the headers of a CUDA toolkit; only the last call is without.
mkdir -p cuda/include
: >cuda/include/cuda_runtime_api.h
export CUDA_PATH="$PWD/cuda"
expect 0 '30 passed, 0 failed' CODE=0
expect 0 '24 passed, 0 failed, 6 skipped' SKIPPED=2
expect 1 '27 passed, 3 failed' FAILURES=1 CODE=8
expect 1 '20 passed, 1 failed' BROKEN=sanitized
expect 1 '20 passed, 1 failed' BROKEN=emulation
expect 1 '30 passed, 3 failed' CODE=1
expect 1 '0 passed, 3 failed' TESTS=0
thorough=--thorough
expect 0 '40 passed, 0 failed' CODE=0
expect 1 '30 passed, 1 failed' BROKEN=asan
expect 1 '30 passed, 1 failed' BROKEN=ubsan
thorough=
expect 0 '20 passed, 0 failed, 1 skipped' CUDA_PATH="$PWD/none"
grep -q 'No CUDA toolkit here' output
grep -q 'did not run (VISE_WITHOUT_PYTORCH=1)' output

# A machine without a GPU leaves out the tests that need one and says so; a machine with one requires them.
mkdir -p build/bin
printf '#!/bin/sh\necho "no CUDA device: none"\nexit 77\n' >build/bin/gpu_present
chmod +x build/bin/gpu_present
expect 0 '30 passed, 0 failed' CODE=0
grep -q 'that need a GPU did not run (no CUDA device: none)' output
[ "$(cat options.default)" = '--label-exclude ^gpu$ VISE_REQUIRE_GPU=' ]
printf '#!/bin/sh\nexit 0\n' >build/bin/gpu_present
expect 0 '30 passed, 0 failed' CODE=0
[ "$(cat options.default)" = ' VISE_REQUIRE_GPU=1' ]
if grep -q 'did not run (no CUDA' output; then
  echo "a machine with a GPU said that it has none"
  exit 1
fi

# Without the CUDA toolkit there is nothing to run on a GPU or in the emulation.
rm build/bin/gpu_present
expect_failure() {
  want_text=$1
  shift
  code=0
  env PATH="$PWD/bin:$PATH" "$@" >output 2>&1 || code=$?
  if [ "$code" != 1 ] || ! grep -qF "$want_text" output; then
    cat output
    echo "'$*': exit $code, expected 1 and '$want_text'"
    exit 1
  fi
}
expect_failure 'no CUDA backend' ./dev gpu
expect_failure 'set CUDA_PATH' CUDA_PATH="$PWD/none" ./dev emulate info
expect_failure 'the build failed' BROKEN=emulation ./dev emulate info
mkdir -p build-emulation/bin
printf '#!/bin/sh\necho "$@"\nexit 3\n' >build-emulation/bin/vise-emulated
chmod +x build-emulation/bin/vise-emulated
code=0
env PATH="$PWD/bin:$PATH" ./dev emulate train --steps 1 >output 2>&1 || code=$?
[ "$code" = 3 ] && [ "$(cat output)" = 'train --steps 1' ]

code=0
./dev nonsense >output 2>&1 || code=$?
[ "$code" = 2 ] && grep -q usage output
./dev help | grep -q 'VISE_WITHOUT_PYTORCH'
