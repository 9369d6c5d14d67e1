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
printf '<testsuite name="x"\n\ttests="%s"\n\tfailures="%s"\n\tdisabled="0"\n\tskipped="%s"\n>\n' \
  "${TESTS:-10}" "${FAILURES:-0}" "${SKIPPED:-0}" >"$6"
printf '\t<testcase name="a"/>\n</testsuite>\n' >>"$6"
exit "${CODE:-0}"
END
# A test installs nothing.
printf '#!/bin/sh\nexit 1\n' | tee bin/sudo >bin/apt-get
chmod +x bin/*

# expect CODE LAST_LINE VARIABLE=VALUE...: what ./dev test ends with.
expect() {
  want_code=$1
  want_line=$2
  shift 2
  code=0
  env PATH="$PWD/bin:$PATH" VISE_WITHOUT_PYTORCH=1 "$@" ./dev test >output 2>&1 || code=$?
  line=$(tail -n 1 output)
  if [ "$code" != "$want_code" ] || [ "$line" != "$want_line" ]; then
    cat output
    echo "with '$*': exit $code and '$line', expected $want_code and '$want_line'"
    exit 1
  fi
}
# Two machines: with the headers of a CUDA toolkit, and without.
mkdir -p cuda/include
: >cuda/include/cuda_runtime_api.h
export CUDA_PATH="$PWD/cuda"
expect 0 '40 passed, 0 failed' CODE=0
expect 0 '32 passed, 0 failed, 8 skipped' SKIPPED=2
expect 1 '36 passed, 4 failed' FAILURES=1 CODE=8
expect 1 '30 passed, 1 failed' BROKEN=asan
expect 1 '30 passed, 1 failed' BROKEN=emulation
expect 1 '40 passed, 4 failed' CODE=1
expect 1 '0 passed, 4 failed' TESTS=0
expect 0 '30 passed, 0 failed, 1 skipped' CUDA_PATH="$PWD/none"
grep -q 'No CUDA toolkit here' output
grep -q 'did not run (VISE_WITHOUT_PYTORCH=1)' output

code=0
./dev gpu >output 2>&1 || code=$?
[ "$code" = 2 ] && grep -q 'no CUDA backend' output
code=0
./dev nonsense >output 2>&1 || code=$?
[ "$code" = 2 ] && grep -q usage output
./dev help | grep -q 'VISE_WITHOUT_PYTORCH'
