#!/usr/bin/env bash
# Installs and builds what is missing, and runs lint, unit tests and end-to-end tests. Tests that this machine cannot run are
# listed as skipped, with the reason. If CI is set, a skipped test is a failure. At the end is the coverage of src/.
# Arguments go to vitest.
set -euo pipefail
cd "$(dirname "$0")/.."
. test/setup.sh

provide_node
install_packages test/packages.txt test/packages-guest.txt test/packages-checks.txt
build_checkout
npm run --silent lint
git ls-files -z -- '*.sh' '*.bash' hooks .ci | xargs -0 shellcheck -x
exec npx vitest run --config test/vitest.config.ts --coverage "$@"
