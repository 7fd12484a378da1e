#!/usr/bin/env bash
# The paper's experiment from nothing: packages, node_modules, native addon and, where this machine's own kernel will not
# do, a guest and its kernel. `npm run demo -- --help`.
set -euo pipefail
cd "$(dirname "$0")/.."
. test/setup.sh

check_node
install_packages test/packages.txt
build_checkout
if [[ $(node dist/test/lab/demo.js --where "$@") == guest ]]; then
  install_packages test/packages-guest.txt
fi
exec node dist/test/lab/demo.js "$@"
