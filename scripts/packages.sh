#!/usr/bin/env bash
# Installs the Debian packages that a task needs and that are not there yet.
# Usage: scripts/packages.sh TASK...
# TASK: build, run, test, deb, package-test, terraform, bench, soak, lint
set -euo pipefail

# The server that takes what the benchmark ships; the tests run the benchmark, too.
sinks=(nginx-light libnginx-mod-http-echo libnginx-mod-http-headers-more-filter)
# What packs the program, and looks at the package and the unit.
packing=(debhelper dpkg-dev lintian python3 systemd)
wanted=()
for task in "$@"; do
  case $task in
    build) wanted+=(libsqlite3-dev libcurl4-openssl-dev zlib1g-dev libdeflate-dev libssl-dev pkg-config) ;;
    run) wanted+=(sqlite3) ;;
    test) wanted+=(sqlite3 python3-venv tinyproxy-bin openssl prometheus chromium man-db "${packing[@]}" "${sinks[@]}") ;;
    deb) wanted+=("${packing[@]}") ;;
    package-test) wanted+=(debootstrap iproute2 python3-venv "${packing[@]}") ;;
    bench) wanted+=(python3-venv "${sinks[@]}") ;;
    terraform) wanted+=(cloud-init e2fsprogs util-linux shellcheck) ;;
    soak) wanted+=(python3-venv e2fsprogs util-linux strace) ;;
    lint) wanted+=(shellcheck) ;;
    *)
      echo "packages.sh: unknown task '$task'" >&2
      exit 64
      ;;
  esac
done

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
  echo "This is not Debian or a relative of it. Please install what these packages hold: ${wanted[*]}" >&2
  echo "Then run the program with 'swift build' and 'swift test'." >&2
  exit 1
fi

missing=()
for package in "${wanted[@]}"; do
  status=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)
  [[ $status == installed ]] || missing+=("$package")
done
((${#missing[@]})) || exit 0

if [[ $(id -u) == 0 ]]; then
  as_root=(env)
elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
  as_root=(sudo -n env)
else
  echo "Packages are missing, and installing them needs root. Please run:" >&2
  echo "  sudo apt-get update && sudo apt-get install -y --no-install-recommends ${missing[*]}" >&2
  exit 1
fi

# Servers are started by the tests that need them: none is started because it is installed.
# Reference: https://people.debian.org/~hmh/invokerc.d-policyrc.d-specification.txt
policy=/usr/sbin/policy-rc.d
if [[ ! -e $policy ]] && printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null; then
  trap '"${as_root[@]}" rm -f "$policy"' EXIT
  "${as_root[@]}" chmod 755 "$policy"
fi

echo "Installing ${missing[*]}"
"${as_root[@]}" DEBIAN_FRONTEND=noninteractive apt-get -q update </dev/null
"${as_root[@]}" DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends \
  "${missing[@]}" </dev/null
