#!/bin/sh
# Each installed header compiles alone, as C11 and as C++11, without a warning.
set -eu
for header in "$PREFIX"/include/vise/*.h; do
  for language in c c++; do
    echo "#include <vise/${header##*/}>" |
      "$CC" -x $language "-std=${language}11" -Wall -Wextra -Wpedantic -Werror -I "$PREFIX/include" -fsyntax-only -
  done
done
