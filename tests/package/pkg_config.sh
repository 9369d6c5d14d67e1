#!/bin/sh
# A plain compiler call with what pkg-config says builds a program, with the shared and with the static library.
set -eu
export PKG_CONFIG_PATH="$PREFIX/lib/pkgconfig${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}"
version=$(pkg-config --modversion vise)
# shellcheck disable=SC2046 # lists of options
"$CC" tests/package/consumer/main.c $(pkg-config --cflags --libs vise) -lm -o "$WORK/pc_shared"
# shellcheck disable=SC2046
"$CC" tests/package/consumer/main.c $(pkg-config --cflags --libs --static vise | sed 's/-lvise/-l:libvise.a/') \
  -o "$WORK/pc_static"
LD_LIBRARY_PATH="$PREFIX/lib" "$WORK/pc_shared" | tee "$WORK/pc_output"
grep -F "$version" "$WORK/pc_output"
"$WORK/pc_static"
if ldd "$WORK/pc_static" | grep libvise; then
  echo "pc_static needs a shared libvise"
  exit 1
fi
