#!/usr/bin/env bash
# A crowd on one access point and what spreads it, from nothing: packages, node_modules, native addon.
# `npm run experiment -- --help`.
set -euo pipefail
cd "$(dirname "$0")/.."
. test/setup.sh

check_node
install_packages test/packages.txt
build_checkout
exec node dist/test/lab/crowd/main.js "$@"
