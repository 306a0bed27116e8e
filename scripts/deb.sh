#!/usr/bin/env bash
# Packs a program that is built as a Debian package, with its debug symbols in a package of their own.
# Usage: scripts/deb.sh PROGRAM FOLDER     puts tickwal_*.deb, tickwal-dbgsym_*.deb and *.changes into FOLDER
set -euo pipefail

program=$(realpath "$1")
mkdir -p "$2"
folder=$(realpath "$2")
cd "$(dirname "$0")/.."

packed=$(sed -n '1s/.*(\(.*\)).*/\1/p' deploy/debian/changelog)
built=$("$program" --version)
if [[ $packed != "$built" ]]; then
  echo "deb.sh: the program is version $built, deploy/debian/changelog says $packed: write an entry there" >&2
  exit 1
fi

staging=$(mktemp -d)
trap 'rm -rf "$staging"' EXIT
tree=$staging/tickwal-$packed
mkdir -p "$tree/bin"
cp -r README.md docs deploy scripts "$tree"
mv "$tree/deploy/debian" "$tree/debian"
cp deploy/systemd/tickwal.service "$tree/debian/tickwal.service"
for unit in service timer; do
  cp "deploy/columns/tickwal-columns.$unit" "$tree/debian/tickwal.tickwal-columns.$unit"
done
cp "$program" "$tree/bin/tickwal"

# A Swift runtime that the program is not linked with statically is in no package.
runtime=$(ldd "$program" | sed -n 's|.*libswiftCore.so => \(.*\)/libswiftCore.so .*|\1|p')
(cd "$tree" && DEB_SHLIBS=$runtime dpkg-buildpackage --build=binary --no-sign)
# Debian's tools call the folder's files by the package; another architecture's stay.
cp "$staging"/*.deb "$staging"/*.changes "$staging"/*.buildinfo "$folder"
