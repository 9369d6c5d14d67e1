#!/bin/sh
# A project that finds Vise by find_package builds and runs, with the shared and with the static library.
set -eu
rm -rf "$WORK/consumer"
"$CMAKE" -S tests/package/consumer -B "$WORK/consumer" -DCMAKE_PREFIX_PATH="$PREFIX" -DCMAKE_C_COMPILER="$CC"
"$CMAKE" --build "$WORK/consumer"
for program in c_shared c_static cpp_shared cpp_static; do
  echo "$program:"
  "$WORK/consumer/$program"
done
# The static one must not need the shared library, the shared one must use the one that was installed.
if ldd "$WORK/consumer/c_static" | grep libvise; then
  echo "c_static needs a shared libvise"
  exit 1
fi
ldd "$WORK/consumer/c_shared" | grep -F "$PREFIX/lib/libvise.so"
