#!/bin/sh
# The stories of examples/hardware run to their ends and say what they promise: each line below is a pattern of its output.
set -eu
failed=0
tell() {
  printf '%s\n' "$*" >&2
  failed=1
}

# story NAME PATTERN...
story() {
  name=$1
  shift
  rm -rf "${WORK:?}/$name"
  if ! sh "examples/hardware/$name.sh" "$VISE" "$WORK/$name" >"$WORK/$name.said" 2>&1; then
    tell "$name.sh fails:" "$(cat "$WORK/$name.said")"
    return
  fi
  for pattern; do
    grep -qE "$pattern" "$WORK/$name.said" || tell "$name.sh does not say '$pattern':" "$(cat "$WORK/$name.said")"
  done
}

story bearing '^as int8,acc16 .*no sum can overflow' 'accuracy 9[5-9]\.' 'right in 9[5-9]\.' 'says what the tool says, row by row'
story board '^test .*R\^2 0\.9' '^0 sums left the accumulator' '^200 test vectors, 0 numbers wrong'
story controller '^  opening .* never falls with level, .*inflow' ' 0 outputs wrong'
[ "$(find examples/hardware -name '*.sh' | wc -l)" = 3 ] || tell "a story of examples/hardware is not told here"
exit "$failed"
