#!/usr/bin/env bash
# Usage: base.sh SUITE DIRECTORY [PACKAGE...]
# Makes DIRECTORY the root of a minimal Debian with systemd, procps and these packages, and nothing else, from the mirror
# that this host uses.
set -euo pipefail
suite=$1 directory=$2
shift 2
[[ ! -e $directory ]] || exit 0
# shellcheck disable=SC2016 # apt-get expands it
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | head -n 1)
work=$directory.tmp
rm -rf "$work"
mkdir -p "$(dirname "$directory")"
include=$(IFS=, && echo "systemd,systemd-sysv,dbus,procps${*:+,$*}")
debootstrap --variant=minbase --include="$include" "$suite" "$work" "$mirror" >"$directory.log" 2>&1 || {
  tail -n 5 "$directory.log" >&2
  exit 1
}
mv "$work" "$directory"
