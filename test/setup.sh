# shellcheck shell=bash
# Sourced by test.sh, demo.sh and their like, in the checkout: what a fresh Debian machine lacks is installed, the rest left alone.

# All of it runs as root, and by SIGUSR1, OpenVPN's soft restart, Node opens its debugger to every user of this host: no
# host has this address (RFC 5737), so that it cannot.
export NODE_OPTIONS="--inspect-port=192.0.2.1:9229 ${NODE_OPTIONS-}"

# Words of a reason, to stderr, and out.
die() {
  printf '%s\n' "$*" >&2
  exit 1
}

# Debian packages of these lists that are not installed are.
install_packages() {
  command -v dpkg-query >/dev/null || {
    echo "not a Debian machine: what $* list has to be there already" >&2
    return 0
  }
  local missing=() package
  while read -r package; do
    case $package in '' | '#'*) continue ;; esac
    [[ $(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || missing+=("$package")
  done < <(cat "$@")
  ((${#missing[@]})) || return 0
  ((EUID == 0)) || die "these packages are missing: ${missing[*]}; as root, run: apt-get install ${missing[*]}"
  echo "installing: ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  apt-get -q update
  apt-get -q install -y --no-install-recommends "${missing[@]}"
}

check_node() {
  command -v node >/dev/null || die "node is missing: Node.js 20.19 or newer is needed (Debian 12's own is older)"
  node -e 'const [a, b] = process.versions.node.split("."); process.exit(a > 20 || (a == 20 && b >= 19) ? 0 : 1)' ||
    die "node $(node --version) is too old: 20.19 or newer is needed"
}

# node_modules as the lockfile says, and everything built.
build_checkout() {
  if [[ ! -e node_modules/.package-lock.json || package-lock.json -nt node_modules/.package-lock.json ]]; then
    npm ci --no-audit --no-fund
  elif [[ ! -e build/Release/subflowd.node || -n $(find native binding.gyp -newer build/Release/subflowd.node -print -quit) ]]; then
    npm run --silent install
  fi
  npm run --silent build
}
