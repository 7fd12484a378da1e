#!/usr/bin/env bash
# Usage: base.sh SUITE DIRECTORY
# Makes DIRECTORY the root of a minimal Debian with systemd and procps, and nothing else, from the mirror that this host uses.
set -euo pipefail
suite=$1 directory=$2
[[ ! -e $directory ]] || exit 0
# shellcheck disable=SC2016 # apt-get expands it
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | head -n 1)
work=$directory.tmp
rm -rf "$work"
mkdir -p "$(dirname "$directory")"
debootstrap --variant=minbase --include=systemd,systemd-sysv,dbus,procps "$suite" "$work" "$mirror" >"$directory.log" 2>&1 || {
  tail -n 5 "$directory.log" >&2
  exit 1
}
mv "$work" "$directory"
