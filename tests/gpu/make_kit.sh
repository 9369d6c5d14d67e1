#!/bin/sh
# make_kit.sh BUILD KIT: packs what run.sh needs into KIT/kit.tar.xz: programs, the shared libraries that they need
# beyond glibc and the compiler's own, data and scripts. For a machine with a GPU and its driver, and no more than that:
# there `sh KIT/run.sh --kit KIT --out DIR`. Called in the source folder.
set -eu
build=$1
target=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
kit=$work/kit
mkdir -p "$kit/bin" "$kit/lib" "$kit/build" "$kit/bench/data" "$kit/tests" "$target"

cp "$build/bin/kit/vise" "$build"/bin/test_gpu_* "$kit/bin/"
strip --strip-debug "$kit"/bin/*
ln -s ../bin "$kit/build/bin" # scripts call build/bin/vise
# The programs look for libraries beside them first. What every machine with a C compiler has, in versions that other
# libraries there count on, stays out.
for program in "$kit"/bin/*; do
  ldd "$program"
done | awk '$2 == "=>" { print $3 }' | sort -u >"$work/libraries"
if grep -v '^/' "$work/libraries"; then
  echo "make_kit.sh: a library was not found" >&2
  exit 1
fi
grep -Ev '/(libc|libm|libdl|librt|libpthread|libresolv|libutil|libgcc_s|libstdc\+\+|libcuda)\.so[.0-9]*$' \
  "$work/libraries" | while read -r library; do
  cp -L "$library" "$kit/lib/"
done

cp -R bench/data/mnist "$kit/bench/data/"
cp -R bench/peers "$kit/bench/"
cp -R tests/golden "$kit/tests/"
rm -rf "$kit/bench/peers/__pycache__"
git describe --always --dirty --abbrev=40 >"$kit/COMMIT" 2>/dev/null || echo unknown >"$kit/COMMIT"
nvcc=$(sed -n 's/^VISE_NVCC:[^=]*=//p' "$build/CMakeCache.txt")
{ "$nvcc" --version | tail -n 2 && cc --version | head -n 1; } >"$kit/TOOLKIT"

# The same training on the emulated device: a GPU must find the same bits.
emulated="build-emulation/bin/vise-emulated"
if sh tests/gpu/run.sh --reference "$emulated" "$work/reference" 2>"$work/why"; then
  mkdir "$kit/expected"
  cp "$work/reference/model.safetensors" "$kit/expected/"
else
  echo "The kit has no reference model: $(tail -n 1 "$work/why")"
fi
# The programs have the same kernels: a window over several of them finds that.
tar -cf - -C "$work" kit | xz --lzma2=preset=3,dict=64MiB >"$target/kit.tar.xz"
cp tests/gpu/run.sh "$target/run.sh"
echo "$target: $(du -sh "$target" | cut -f 1), $(find "$kit/bin" -type f | wc -l) programs," \
  "$(find "$kit/lib" -type f | wc -l) libraries"
