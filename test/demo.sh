#!/usr/bin/env bash
# Installs and builds what is missing, and runs the paper's experiment. If this machine's kernel cannot run it, that includes
# a guest and its kernel. See `npm run demo -- --help`.
set -euo pipefail
cd "$(dirname "$0")/.."
. test/setup.sh

provide_node
install_packages test/packages.txt
build_checkout
if [[ $(node dist/test/lab/demo.js --where "$@") == guest ]]; then
  install_packages test/packages-guest.txt
fi
exec node dist/test/lab/demo.js "$@"
