#!/bin/sh
# programs_test.sh BIN WORK: the kit's programs on the emulated device (BIN/emulated_gpu_*), which measure nothing there
# but must get their results right, and notice bits that differ.
set -eu
bin=$1
work=$2
mkdir -p "$work"

"$bin/emulated_gpu_micro" "$work/micro.csv" 0 >"$work/micro"
if [ "$(wc -l <"$work/micro.csv")" -lt 46 ] || grep -q ',NO,' "$work/micro.csv"; then
  cat "$work/micro"
  exit 1
fi

"$bin/emulated_gpu_clocks" "$work/clocks.csv" 2 >"$work/clocks"
grep -q '^all in one launch: 2 steps of 4 CTAs' "$work/clocks"
# Each CTA goes on: its marks are in order.
awk -F, 'NR > 1 && $4 == "start" { last = -1 }
  NR > 1 && $4 ~ / / { if ($5 < last) { print "out of order: " $0; bad = 1 } last = $5; n++ }
  END { exit bad || n < 100 }' "$work/clocks.csv"

"$bin/emulated_gpu_first_bits" record "$work/bits"
VISE_EMU_SMS=7 "$bin/emulated_gpu_first_bits" compare "$work/bits" >"$work/same"
[ "$(grep -c ' steps, the same bits$' "$work/same")" = 5 ]
# The first bytes of a float of the last training's second step, counted from the end.
size=$(wc -c <"$work/bits")
step=$((32 + 4 * 101770))
printf '\1\2\3' | dd of="$work/bits" bs=1 seek=$((size - 6 * step - 4 * 40)) conv=notrunc 2>/dev/null
code=0
"$bin/emulated_gpu_first_bits" compare "$work/bits" >"$work/other" || code=$?
if [ $code != 1 ] || ! grep -q '^mnist: step 2 is the first that differs$' "$work/other" ||
  ! grep -q '^  2.weight: 1 of 1280 differ, ' "$work/other"; then
  cat "$work/other"
  exit 1
fi
