#!/usr/bin/env bash
# Everything that is checked, from nothing: packages, build, lint, unit tests, end-to-end tests. What the machine
# cannot run is listed as skipped, with the reason; with CI set a skip is a failure. At the end is the coverage of src/.
# Arguments go to vitest.
set -euo pipefail
cd "$(dirname "$0")/.."
. test/setup.sh

check_node
install_packages test/packages.txt test/packages-guest.txt test/packages-checks.txt
build_checkout
npm run --silent lint
git ls-files -z -- '*.sh' hooks .ci | xargs -0 shellcheck -x
exec npx vitest run --config test/vitest.config.ts --coverage "$@"
