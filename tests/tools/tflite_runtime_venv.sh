#!/usr/bin/env bash
# usage: tflite_runtime_venv.sh DIR
# The oldest runtimes that artifacts must run in, in an environment of their own because they need numpy < 2 and Python 3.11:
# tflite-runtime 2.14, onnxruntime 1.16.3 and TFLite Micro's interpreter. Prints what to export so that the tests find them.
set -euo pipefail
dir=$1
python=${PYTHON311:-$(command -v python3.11 || command -v python3)}
if ! [ -x "$dir/bin/python" ]; then
    "$python" -m venv "$dir"
fi
if ! [ -e "$dir/.done" ]; then
    "$dir/bin/python" -m pip install --quiet --no-warn-script-location \
        numpy==1.26.4 tflite-runtime==2.14.0 onnxruntime==1.16.3 tflite-micro==0.dev20261023182759 >&2
    touch "$dir/.done"
fi
echo "export EDGE_LASSO_TFLITE_RUNTIME_PYTHON=$dir/bin/python"
echo "export EDGE_LASSO_OLD_ONNXRUNTIME_PYTHON=$dir/bin/python"
