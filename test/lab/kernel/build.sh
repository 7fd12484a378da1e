#!/bin/sh
# Builds a guest kernel: bzImage, vmlinux (with DWARF and BTF) and the config, into DESTINATION.
# usage: build.sh TARBALL FRAGMENT DESTINATION
# The caller holds the lock; DESTINATION appears whole or not at all. This file is part of the cache's key.
set -eu

tarball=$1
fragment=$2
destination=$3

work=$(mktemp -d "$destination.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

echo "unpacking $tarball"
mkdir "$work/source" "$work/result"
tar -xf "$tarball" -C "$work/source" --strip-components=1
cd "$work/source"

# The same inputs give the same image, whoever builds it and when.
export KBUILD_BUILD_TIMESTAMP='2024-01-01 00:00:00 UTC' KBUILD_BUILD_USER=lab KBUILD_BUILD_HOST=lab
make KCONFIG_ALLCONFIG="$fragment" allnoconfig

# Kconfig drops without a word what depends on something that is not set.
missing=
while read -r line; do
  case $line in
    CONFIG_*=*) grep -qxF "$line" .config || missing="$missing $line" ;;
    '# CONFIG_'*' is not set')
      option=${line#\# }
      option=${option%% *}
      ! grep -q "^$option=" .config || missing="$missing $option=n" ;;
  esac
done <"$fragment"
if [ -n "$missing" ]; then
  echo "kernel config: these lines of $fragment did not take effect (a dependency is missing, or this version has no such option):$missing" >&2
  exit 1
fi
if [ -n "${LAB_CONFIG_ONLY-}" ]; then exit 0; fi

make -j"$(nproc)" bzImage vmlinux
cp arch/x86/boot/bzImage vmlinux "$work/result/"
cp .config "$work/result/config"
mv -T "$work/result" "$destination"
