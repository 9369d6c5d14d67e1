#!/bin/sh
# The C program in docs/api.md compiles as it stands there, and prints what the page says it prints.
set -eu
page=docs/api.md
awk '/^```c$/ { inside = 1; next } /^```$/ { if (inside) exit } inside' $page >"$WORK/program.c"
awk '/^```text$/ { inside = 1; next } /^```$/ { if (inside) exit } inside' $page >"$WORK/program_expected"
[ -s "$WORK/program.c" ] && [ -s "$WORK/program_expected" ]
export PKG_CONFIG_PATH="$PREFIX/lib/pkgconfig${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}"
# shellcheck disable=SC2046
"$CC" -std=c11 -Wall -Wextra -Werror "$WORK/program.c" -o "$WORK/program" $(pkg-config --cflags --libs vise)
cd "$WORK"
LD_LIBRARY_PATH="$PREFIX/lib" ./program >program_output
diff program_expected program_output
