#!/usr/bin/env bash
# OpenVPN of a newer Debian release, with the libraries it needs, into DESTINATION: DESTINATION/usr/sbin/openvpn. Nothing
# is installed; apt's own lists and state are left alone.
# usage: fetch.sh SUITE DESTINATION
# SUITE is RELEASE or RELEASE-backports, e.g. trixie-backports. The mirror is the one that this machine's apt has for
# Debian; what comes from it must be signed by the keys in debian-archive-keyring.
# The caller holds the lock; DESTINATION appears whole or not at all. This file is part of the cache's key.
set -euo pipefail

suite=$1
destination=$2
release=${suite%-backports}
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

die() {
  printf '%s\n' "$*" >&2
  exit 1
}

# The first address of the archive itself; `security` and other people's archives have other suites.
# shellcheck source=/dev/null
codename=$(. /etc/os-release && echo "${VERSION_CODENAME-}")
# shellcheck disable=SC2016 # the names are apt's
mirror=$(apt-get indextargets --format '$(RELEASE) $(COMPONENT) $(REPO_URI)' 'Created-By: Packages' |
  awk -v codename="$codename" '$1 == codename && $2 == "main" { print $3; exit }')
[[ -n $mirror ]] || die "apt has no source of ${codename:-this machine} main to take the mirror's address from"
[[ -e $keyring ]] || die "$keyring is missing: run \"apt-get install debian-archive-keyring\""

work=$(mktemp -d "$destination.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

cat >"$work/debian.sources" <<SOURCES
Types: deb
URIs: $mirror
Suites: $(printf '%s\n' "$release" "$suite" | sort -u | paste -sd' ')
Components: main
Signed-By: $keyring
SOURCES
mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$work/state" "$work/tree"
# nothing counts as installed, so that apt names every library
: >"$work/status"
apt=(apt-get -q -y
  -o "Dir::Etc::sourcelist=$work/debian.sources" -o Dir::Etc::sourceparts=-
  -o "Dir::State=$work/state" -o "Dir::State::Lists=$work/lists" -o "Dir::State::status=$work/status"
  -o "Dir::Cache=$work/cache" -o APT::Sandbox::User=root -o Acquire::Languages=none)

echo "asking for openvpn in $suite"
"${apt[@]}" -o APT::Update::Error-Mode=any update
"${apt[@]}" --no-install-recommends --download-only install "openvpn/$suite"
for package in "$work"/cache/archives/*.deb; do dpkg-deb --extract "$package" "$work/tree"; done

# It has its own C library and loader. The program names both, so that it is the process's own (/proc/PID/exe), as an
# installed one is, and nothing is in the environment of the hooks that it runs.
program=$work/tree/usr/sbin/openvpn
loader=$(cd "$work/tree" && find usr -name ld-linux-x86-64.so.2 -print -quit)
libraries=$(cd "$work/tree" && find . -name '*.so*' -printf '%h\n' | sort -u | sed "s|^\\.|$destination|" | paste -sd:)
patchelf --set-interpreter "$destination/$loader" --force-rpath --set-rpath "$libraries" "$program"
mv -T "$work/tree" "$destination"
"$destination/usr/sbin/openvpn" --version | head -n 1 || true
