#!/bin/sh
# with_python.sh pytorch|tensorboard|onnx|estimators ARGS...: runs a Python that has PyTorch, TensorBoard, ONNX, or what the tests
# of the Python package need, with these arguments: $VISE_PYTHON, the environment that ./dev made, or python3. Without
# TensorBoard or ONNX the test is skipped; without the others it fails, unless VISE_WITHOUT_PYTORCH=1 says that it need not run.
package=$1
shift
modules='"numpy", "tensorboard"'
[ "$package" != onnx ] || modules='"numpy", "onnx", "onnxruntime"'
if [ "$package" != tensorboard ] && [ "$package" != onnx ]; then
  modules='"numpy", "safetensors", "torch"'
  [ "$package" = pytorch ] || modules='"numpy", "pandas", "pytest", "scipy", "sklearn"'
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
[ "$package" != tensorboard ] && [ "$package" != onnx ] || exit 77
exit 1
