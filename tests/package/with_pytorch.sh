#!/bin/sh
# with_pytorch.sh SCRIPT ARGS...: runs SCRIPT with a Python that has PyTorch: $VISE_PYTHON, the environment that ./dev
# made, or python3. Without one the test fails, unless VISE_WITHOUT_PYTORCH=1 says that it need not run.
if [ "${VISE_WITHOUT_PYTORCH:-0}" = 1 ]; then
  echo "did not run: VISE_WITHOUT_PYTORCH=1"
  exit 77
fi
# Found, not imported: that takes seconds.
find='import importlib.util as i; [i.find_spec(name).name for name in ("numpy", "safetensors", "torch")]'
for python in ${VISE_PYTHON:+"$VISE_PYTHON"} "${XDG_CACHE_HOME:-$HOME/.cache}/vise/venv/bin/python" python3; do
  if "$python" -c "$find" >/dev/null 2>&1; then
    exec "$python" "$@"
  fi
done
echo "no Python with torch, safetensors and numpy: run './dev test', which makes one, or set VISE_PYTHON"
exit 1
