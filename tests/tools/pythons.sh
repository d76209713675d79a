#!/usr/bin/env bash
# usage: pythons.sh DIR
# The Pythons that artifacts and the runtime must run in, beside this machine's own: CPython 3.9 and 3.13 and MicroPython's
# unix port, unpacked from Debian's packages and started through their own loader; CPython 3.10 and 3.12 as WebAssembly in
# node. No root. Puts programs named python3.9 ... micropython into DIR/bin and prints what to export.
set -euo pipefail
tools=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1/bin"
dir=$(cd "$1" && pwd)

# unpack SUITE PACKAGE...: apt works on a state of its own, packages are never configured
unpack() {
    local suite=$1 away options keys mirror deb
    shift
    [ -d "$dir/$suite" ] && return
    away=$(mktemp -d "$dir/making-XXXXXX")
    mkdir -p "$away/state/lists/partial" "$away/cache/archives/partial" "$away/parts" "$away/root"
    touch "$away/status"
    keys=/usr/share/keyrings/debian-archive-keyring.gpg
    [ -e "$keys" ] || { echo "pythons.sh: needs Debian's keys ($keys)" >&2; return 1; }
    mirror=$(apt-get indextargets --format '$(LABEL) $(REPO_URI)' 'Created-By: Packages' | sed -n '/^Debian /{s///;p;q}')
    [ -n "$mirror" ] || { echo "pythons.sh: no Debian mirror is set up; first: apt-get update" >&2; return 1; }
    printf 'Types: deb\nURIs: %s\nSuites: %s\nComponents: main\nSigned-By: %s\n' "$mirror" "$suite" "$keys" \
        >"$away/$suite.sources"
    options=(-o "Dir::State=$away/state" -o "Dir::State::status=$away/status" -o "Dir::Cache=$away/cache"
        -o "Dir::Etc::sourcelist=$away/$suite.sources" -o "Dir::Etc::sourceparts=$away/parts" -o APT::Install-Recommends=0
        -o APT::Sandbox::User= -o Acquire::Languages=none -o Debug::NoLocking=1)
    apt-get "${options[@]}" update -q >"$away/log" 2>&1 || { cat "$away/log" >&2; return 1; }
    apt-get "${options[@]}" install -q -y --download-only "$@" >"$away/log" 2>&1 || { cat "$away/log" >&2; return 1; }
    for deb in "$away"/cache/archives/*.deb; do dpkg-deb -x "$deb" "$away/root"; done
    mv "$away/root" "$dir/$suite"
    rm -rf "$away"
}

# loaded SUITE PROGRAM: a program of an unpacked suite, started by that suite's loader with its libraries
loaded() {
    local machine root loader
    machine=$(uname -m)-linux-gnu
    root=$dir/$1
    loader=$(find "$root" -name 'ld-linux*.so.*' -path '*lib*' ! -path "$root/lib64/*" -print -quit)
    printf '#!/bin/sh\nexec "%s" --library-path "%s" "%s" "$@"\n' "$loader" \
        "$root/usr/lib/$machine:$root/lib/$machine" "$root/usr/bin/$2" >"$dir/bin/$2"
    chmod +x "$dir/bin/$2"
}

# in_node PROGRAM VERSION: the CPython inside a version of npm's pyodide
in_node() {
    if ! [ -d "$dir/$1/node_modules/pyodide" ]; then
        npm install --silent --no-audit --no-fund --prefix "$dir/$1" "pyodide@$2" >/dev/null
    fi
    printf '#!/bin/sh\nexec node "%s" "%s" "$@"\n' "$tools/pyodide_python.mjs" "$dir/$1/node_modules/pyodide" >"$dir/bin/$1"
    chmod +x "$dir/bin/$1"
}

unpack bullseye python3.9
unpack trixie python3.13 micropython
loaded bullseye python3.9
loaded trixie python3.13
loaded trixie micropython
in_node python3.10 0.22.1
in_node python3.12 0.27.7
echo "export EDGE_LASSO_PYTHONS=$dir/bin"
