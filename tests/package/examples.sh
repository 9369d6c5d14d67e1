#!/bin/sh
# Each program of examples/ builds against the installed package and prints what examples/README.md says it prints.
set -eu
export PKG_CONFIG_PATH="$PREFIX/lib/pkgconfig${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}"
n=0
for source in examples/*.c; do
  name=$(basename "$source" .c)
  # shellcheck disable=SC2046
  "$CC" -std=c11 -Wall -Wextra -Werror "$source" -o "$WORK/example_$name" $(pkg-config --cflags --libs vise)
  awk -v title="## $name.c" '$0 == title { here = 1; next } /^## / { here = 0 }
    here && /^```text$/ { inside = 1; next } /^```$/ { inside = 0 } inside' examples/README.md >"$WORK/$name.expected"
  [ -s "$WORK/$name.expected" ]
  LD_LIBRARY_PATH="$PREFIX/lib" "$WORK/example_$name" >"$WORK/$name.output"
  diff "$WORK/$name.expected" "$WORK/$name.output"
  n=$((n + 1))
done
[ "$n" -eq "$(grep -c '^## .*\.c$' examples/README.md)" ]
