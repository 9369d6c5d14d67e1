#!/bin/sh
# make_kit.sh BUILD KIT: packs what run.sh needs into KIT/kit.tar.xz: programs, the shared libraries that they need
# beyond glibc and the compiler's own, data, scripts, and what the emulated device made of the same trainings. For a
# machine with a GPU and its driver, and no more than that: there `sh KIT/run.sh --kit KIT --out DIR`. Called in the
# source folder; needs build-emulation's vise-emulated and emulated_gpu_first_bits.
#
# make_kit.sh --rehearse KIT: the same with the programs of the emulated device and stand-ins for NVIDIA's tools.
set -eu
build=$1
target=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
kit=$work/kit
emulation="build-emulation/bin"
mkdir -p "$kit/bin" "$kit/lib" "$kit/build" "$kit/bench/data" "$kit/tests" "$kit/expected" "$target"

# Programs of the emulated device by the names of those for a GPU.
copy_emulated() {
  cp "$emulation/vise-emulated" "$kit/bin/vise"
  for program in "$emulation"/emulated_*; do
    name=${program##*/emulated_}
    case $name in
      gpu_*) cp "$program" "$kit/bin/$name" ;;
      device_plain | golden_plain | kernel_*_plain | parts_plain) cp "$program" "$kit/bin/test_gpu_${name%_plain}" ;;
    esac
  done
  cp -R tests/gpu/stand-ins "$kit/bin/"
}

level=3
if [ "$build" = --rehearse ]; then
  level=0
  copy_emulated
  echo "the emulated device" >"$kit/TOOLKIT"
else
  cp "$build/bin/kit/vise" "$build"/bin/test_gpu_* "$kit/bin/"
  for name in first_bits clocks micro; do
    cp "$build/bin/gpu_$name" "$kit/bin/"
  done
  nvcc=$(sed -n 's/^VISE_NVCC:[^=]*=//p' "$build/CMakeCache.txt")
  { "$nvcc" --version | tail -n 2 && cc --version | head -n 1; } >"$kit/TOOLKIT"
fi
find "$kit/bin" -type f -exec strip --strip-debug {} + 2>/dev/null || : # stand-ins are scripts
ln -s ../bin "$kit/build/bin" # scripts call build/bin/vise
# The programs look for libraries beside them first. What every machine with a C compiler has, in versions that other
# libraries there count on, stays out.
for program in "$kit"/bin/*; do
  [ ! -f "$program" ] || ldd "$program"
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

# The same trainings on the emulated device: a GPU must find the same bits.
if sh tests/gpu/run.sh --reference "$emulation/vise-emulated" "$work/reference" 2>"$work/why"; then
  cp "$work/reference/model.safetensors" "$kit/expected/"
else
  echo "The kit has no reference model: $(tail -n 1 "$work/why")"
fi
"$emulation/emulated_gpu_first_bits" record "$kit/expected/first_bits" || {
  rm -f "$kit/expected/first_bits"
  echo "The kit has no dump of the emulated device"
}
# The programs have the same kernels: a window over several of them finds that.
tar -cf - -C "$work" kit | xz "--lzma2=preset=$level,dict=64MiB" >"$target/kit.tar.xz"
cp tests/gpu/run.sh tests/gpu/report.py "$target/"
echo "$target: $(du -sh "$target" | cut -f 1), $(find "$kit/bin" -type f | wc -l) programs," \
  "$(find "$kit/lib" -type f | wc -l) libraries"
