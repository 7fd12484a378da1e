#!/usr/bin/env bash
# Builds what a release consists of, from the last commit: out/release/ gets the Debian packages, the npm package, the bill
# of materials (CycloneDX) and their SHA-256 sums. Everything is built twice, in two directories, and must be the same.
set -euo pipefail
cd "$(dirname "$0")/.."
. test/setup.sh

[[ -z $(git status --porcelain) ]] || die "not everything is committed: see git status"
provide_node
version=$(node -p 'require("./package.json").version')
[[ $(sed -n '1s/^subflowd (\(.*\)-[0-9.]*) .*/\1/p' packaging/debian/changelog) == "$version" ]] ||
  die "packaging/debian/changelog has another version at its top than package.json, which has $version"
grep -q "^## \(\[$version\]\|$version\|Unreleased\)" CHANGELOG.md || die "CHANGELOG.md has no section for $version"

# Advisories about what is bundled and what builds it. Not every registry answers this question.
echo "asking the registry for advisories"
if advisories=$(npm audit --json 2>/dev/null); then
  echo "no advisory about a package of the lockfile"
elif [[ $(node -p 'typeof JSON.parse(process.argv[1] || "{}").metadata' "$advisories") == object ]]; then
  npm audit || :
  die "to fix it: docs/releasing.md, Dependencies; nothing was built"
else
  echo "NOT CHECKED: this registry does not answer npm audit; run it with another one before you publish" >&2
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for directory in one another; do
  echo "building in a new directory: $directory"
  git clone --quiet . "$work/$directory/subflowd"
  (
    cd "$work/$directory/subflowd"
    bash packaging/package.sh >"$work/$directory/log" 2>&1 || { tail -n 50 "$work/$directory/log" >&2; exit 1; }
    node dist/packaging/sbom.js >"out/packages/subflowd-$version.cdx.json"
  )
done
diff --recursive "$work/one/subflowd/out/packages" "$work/another/subflowd/out/packages" ||
  die "two builds of the same commit differ: see above"

rm -rf out/release
mkdir -p out
cp -r "$work/one/subflowd/out/packages" out/release
(cd out/release && sha256sum -- * | tee SHA256SUMS)
echo "out/release has subflowd $version, commit $(git rev-parse HEAD), built twice with the same result"
