#!/bin/sh
# Installs the build into $PREFIX, afresh, and checks that nothing is missing.
set -eu
rm -rf "$PREFIX"
"$CMAKE" --install "$BUILD" --prefix "$PREFIX"
missing=0
for file in include/vise/vise.h lib/libvise.so lib/libvise.a lib/cmake/vise/vise-config.cmake \
  lib/cmake/vise/vise-config-version.cmake lib/pkgconfig/vise.pc ${VISE:+bin/vise share/man/man1/vise.1 share/man/man1/vise-train.1
  share/bash-completion/completions/vise share/zsh/site-functions/_vise share/fish/vendor_completions.d/vise.fish}; do
  if ! [ -f "$PREFIX/$file" ]; then
    echo "not installed: $file"
    missing=1
  fi
done
# The installed tool must find its library without help from the environment.
[ -z "$VISE" ] || "$PREFIX/bin/vise" --version
exit $missing
