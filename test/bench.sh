#!/usr/bin/env bash
# What subflowd costs, measured beside what would be used instead, from nothing: packages, node_modules, addon, guest kernel.
# `npm run bench -- --help`.
set -euo pipefail
cd "$(dirname "$0")/.."
. test/setup.sh

check_node
install_packages test/packages.txt test/packages-guest.txt test/packages-bench.txt
build_checkout
exec node dist/test/bench/main.js "$@"
