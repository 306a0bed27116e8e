#!/usr/bin/env bash
# Installs, configures, upgrades, removes and purges the packages of a folder in a Debian of its own, with systemd as its
# first process and stand-ins for the exchange and AWS. Needs root; changes nothing outside .build.
# Usage: scripts/package-test.sh FOLDER
set -euo pipefail

packages=$(realpath "$1")
cd "$(dirname "$0")/.."
work=$PWD/.build/package-test
python=$PWD/.build-venv/bin/python
name=tickwal-package-test-$$
mkdir -p "$work"

included=systemd,systemd-sysv,dbus,procps,ca-certificates,libcurl4,libdeflate0,libsqlite3-0,libssl3
if [[ $(cat "$work/debian/made" 2>/dev/null) != "$included" ]]; then
  rm -rf "$work/debian"
  debootstrap --variant=minbase --include="$included" bookworm "$work/debian" \
    "${DEBIAN_MIRROR:-http://deb.debian.org/debian}"
  echo "$included" >"$work/debian/made"
fi

# In namespaces of its own: what it mounts and starts ends with it. Each run begins with what debootstrap has made.
boot=$(
  cat <<'END'
set -euo pipefail
work=$1 packages=$2
mount --make-rprivate /
mount -t tmpfs tmpfs "$work/run"
mkdir "$work/run/upper" "$work/run/work" "$work/run/root"
root=$work/run/root
mount -t overlay -o "lowerdir=$work/debian,upperdir=$work/run/upper,workdir=$work/run/work" overlay "$root"
cp "$packages"/tickwal_*.deb "$root/root/tickwal.deb"
mount -t proc proc "$root/proc"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t tmpfs -o mode=755 tmpfs "$root/sys/fs/cgroup"
if [[ -e /sys/fs/cgroup/cgroup.controllers ]]; then
  mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
else
  mkdir "$root"/sys/fs/cgroup/{unified,systemd}
  mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup/unified"
  mount -t cgroup -o none,name=systemd cgroup "$root/sys/fs/cgroup/systemd"
fi
mount -t tmpfs -o mode=755 tmpfs "$root/run"
mount -t tmpfs tmpfs "$root/tmp"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
for device in null zero full random urandom tty; do
  touch "$root/dev/$device"
  mount --bind "/dev/$device" "$root/dev/$device"
done
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"
mount -t tmpfs tmpfs "$root/dev/shm"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
ip link set lo up
cd "$root"
mkdir old
pivot_root . old
umount -l /old
exec env -i container=lxc PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --log-target=console
END
)
mkdir -p "$work/run"
groups=()
for tree in /sys/fs/cgroup/systemd /sys/fs/cgroup/unified /sys/fs/cgroup; do
  [[ -e $tree/cgroup.procs ]] && mkdir "$tree/$name" && groups+=("$tree/$name")
done
(
  for group in "${groups[@]}"; do echo "$BASHPID" >"$group/cgroup.procs"; done
  exec setsid unshare -m -p -u -i -C -n --fork --kill-child bash -c "$boot" boot "$work" "$packages"
) >"$work/systemd.log" 2>&1 </dev/null &
outer=$!

services=("$outer")
leave() {
  kill -KILL "${services[@]}" 2>/dev/null || true
  wait 2>/dev/null || true
  # What is in them ends with its first process, a moment later.
  for _ in $(seq 20); do
    find "${groups[@]}" -depth -type d -exec rmdir {} + 2>/dev/null && break
    sleep 0.5
  done
}
trap leave EXIT

for _ in $(seq 120); do
  first=$(pgrep -P "$outer" || true)
  [[ -n $first ]] && [[ $(cat "/proc/$first/comm") == systemd ]] && break
  kill -0 "$outer" 2>/dev/null || break
  sleep 0.5
done
if ! kill -0 "$outer" 2>/dev/null || [[ -z $first ]]; then
  echo "package-test.sh: systemd could not be started in namespaces here:" >&2
  tail -n 20 "$work/systemd.log" >&2
  exit 1
fi

inside() {
  (cd / && exec nsenter -t "$first" -m -p -u -i -C -n --root --wdns=/ env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root \
    LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive "$@")
}
# With this machine's programs and the other one's network.
beside() { nsenter -t "$first" -n env -i PATH=/usr/bin:/bin HOME="$work" AWS_EC2_METADATA_DISABLED=true "$@"; }

for _ in $(seq 120); do
  inside systemctl is-system-running --quiet 2>/dev/null && break
  sleep 0.5
done
(cd "$work" && exec nsenter -t "$first" -n env -i PATH=/usr/bin:/bin HOME="$work" GATEWAY_PORT=14566 \
  BIND_HOST=127.0.0.1 "$python" -m ministack) >"$work/ministack.log" 2>&1 </dev/null &
services+=($!)
beside "$python" scripts/package_place.py make

inside bash -s <scripts/package-test-inside.sh install
inside tickwal simulate --listen 127.0.0.1:9443 --rate 200 >"$work/simulate.log" 2>&1 </dev/null &
configured=$(date +%s)
inside bash -s <scripts/package-test-inside.sh configure
beside "$python" scripts/package_place.py wait
echo "ok: objects and items are there $(($(date +%s) - configured)) s after the configuration"
inside bash -s <scripts/package-test-inside.sh run
echo "the package is installed, runs under its restrictions, is upgraded, removed and purged as it should be"
