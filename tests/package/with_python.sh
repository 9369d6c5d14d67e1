#!/bin/sh
# with_python.sh pytorch|tensorboard SCRIPT ARGS...: runs SCRIPT with a Python that has one of the two: $VISE_PYTHON, the
# environment that ./dev made, or python3. Without TensorBoard the test is skipped; without PyTorch it fails, unless
# VISE_WITHOUT_PYTORCH=1 says that it need not run.
package=$1
shift
modules='"numpy", "tensorboard"'
if [ "$package" = pytorch ]; then
  modules='"numpy", "safetensors", "torch"'
  if [ "${VISE_WITHOUT_PYTORCH:-0}" = 1 ]; then
    echo "did not run: VISE_WITHOUT_PYTORCH=1"
    exit 77
  fi
fi
# Found, not imported: that takes seconds.
find="import importlib.util as i; [i.find_spec(name).name for name in ($modules)]"
for python in ${VISE_PYTHON:+"$VISE_PYTHON"} "${XDG_CACHE_HOME:-$HOME/.cache}/vise/venv/bin/python" python3; do
  if "$python" -c "$find" >/dev/null 2>&1; then
    exec "$python" "$@"
  fi
done
echo "no Python with $modules: run './dev test', which makes one, or set VISE_PYTHON"
[ "$package" = pytorch ] || exit 77
exit 1
