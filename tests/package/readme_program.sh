#!/bin/sh
# The C program in README.md compiles as it stands there, and prints what README.md says it prints.
set -eu
awk '/^```c$/ { inside = 1; next } /^```$/ { if (inside) exit } inside' README.md >"$WORK/readme.c"
awk '/^```c$/ { seen = 1 } /^```text$/ { if (seen) { inside = 1; next } } /^```$/ { if (inside) exit } inside' \
  README.md >"$WORK/readme_expected"
[ -s "$WORK/readme.c" ] && [ -s "$WORK/readme_expected" ]
export PKG_CONFIG_PATH="$PREFIX/lib/pkgconfig${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}"
# shellcheck disable=SC2046
"$CC" -std=c11 -Wall -Wextra -Werror "$WORK/readme.c" -o "$WORK/readme" $(pkg-config --cflags --libs vise)
cd "$WORK"
LD_LIBRARY_PATH="$PREFIX/lib" ./readme >readme_output
diff readme_expected readme_output
