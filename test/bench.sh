#!/usr/bin/env bash
# Installs and builds what is missing, and runs the benchmarks. See `npm run bench -- --help`.
set -euo pipefail
cd "$(dirname "$0")/.."
. test/setup.sh

provide_node
install_packages test/packages.txt test/packages-guest.txt test/packages-bench.txt
build_checkout
exec node dist/test/bench/main.js "$@"
