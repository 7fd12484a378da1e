#!/usr/bin/env bash
# The paper's experiment from nothing: packages, node_modules, native addon, kernel, guest. `npm run demo -- --help`.
set -euo pipefail
cd "$(dirname "$0")/.."
. test/setup.sh

check_node
install_packages
build_checkout
exec node dist/test/lab/demo.js "$@"
