# shellcheck shell=bash
# test.sh, demo.sh, bench.sh and experiment.sh source this file in the checkout. On Debian it installs the missing packages.

# At SIGUSR1, which is OpenVPN's soft restart, Node opens its debugger to every user of this host, and all of this runs as
# root. No host has this address (RFC 5737), so Node cannot open it.
export NODE_OPTIONS="--inspect-port=192.0.2.1:9229 ${NODE_OPTIONS-}"

# Prints the reason to standard error and exits with 1.
die() {
  printf '%s\n' "$*" >&2
  exit 1
}

# Installs the Debian packages in these lists that are missing.
install_packages() {
  command -v dpkg-query >/dev/null || {
    echo "this is not a Debian machine: install what $* list" >&2
    return 0
  }
  local missing=() package
  while read -r package; do
    case $package in '' | '#'*) continue ;; esac
    [[ $(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || missing+=("$package")
  done < <(cat "$@")
  ((${#missing[@]})) || return 0
  ((EUID == 0)) || die "these packages are missing: ${missing[*]}; to fix it, run as root: apt-get install ${missing[*]}"
  echo "installing: ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  apt-get -q update
  apt-get -q install -y --no-install-recommends "${missing[@]}"
}

check_node() {
  command -v node >/dev/null || die "node is missing: install Node.js 20.19 or later (Debian 12 has an older one)"
  node -e 'const [a, b] = process.versions.node.split("."); process.exit(a > 20 || (a == 20 && b >= 19) ? 0 : 1)' ||
    die "node $(node --version) is too old: install Node.js 20.19 or later"
}

# Installs the packages of the lockfile and builds everything.
build_checkout() {
  # The addon that packaging/package.sh puts into prebuilds/ may be older than its source.
  local -x npm_config_build_from_source=true
  if [[ ! -e node_modules/.package-lock.json || package-lock.json -nt node_modules/.package-lock.json ]]; then
    npm ci --no-audit --no-fund
  elif [[ ! -e build/Release/subflowd.node || -n $(find native binding.gyp -newer build/Release/subflowd.node -print -quit) ]]; then
    npm run --silent install
  fi
  npm run --silent build
}
