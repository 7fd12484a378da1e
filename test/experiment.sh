#!/usr/bin/env bash
# Installs and builds what is missing, and runs the experiment with a crowd on one access point.
# See `npm run experiment -- --help`.
set -euo pipefail
cd "$(dirname "$0")/.."
. test/setup.sh

provide_node
install_packages test/packages.txt
build_checkout
exec node dist/test/lab/crowd/main.js "$@"
