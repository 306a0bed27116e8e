#!/bin/bash
# The steps of scripts/package-test.sh that are done in the other Debian. Usage: bash -s STEP
set -euo pipefail
cd /

state=/var/lib/tickwal
settings=/etc/default/tickwal

check() {
  local what=$1
  shift
  if "$@" >/tmp/now 2>&1; then
    echo "ok: $what"
    mv /tmp/now /tmp/said
  else
    echo "FAILED: $what" >&2
    cat /tmp/now >&2
    systemctl status tickwal --no-pager >&2 || true
    journalctl -u tickwal --no-pager -n 30 >&2 || true
    exit 1
  fi
}
until_so() {
  for _ in $(seq 180); do
    "$@" && return
    sleep 0.5
  done
  return 1
}
shows() { [[ $(systemctl show -p "$1" --value tickwal) == "$2" ]]; }
pid() { systemctl show -p MainPID --value tickwal; }
is_another() { [[ $(pid) != 0 && $(pid) != "$1" ]] && systemctl is-active -q tickwal; }
says() { journalctl -u tickwal --no-pager -g "$1" -q | grep -q .; }
is_well() { tickwal status --wal-path $state/ticks.db >/dev/null; }

case $1 in
  install)
    check "it is installed" dpkg --install /root/tickwal.deb
    check "it has a user" id tickwal
    check "its folder is its own" test "$(stat -c '%U %a' $state)" = "tickwal 750"
    check "its settings are for root alone" test "$(stat -c '%U %a' $settings)" = "root 640"
    check "it is enabled" systemctl is-enabled tickwal
    check "it does not run" shows ActiveState inactive
    check "a start without settings is no failure" systemctl start tickwal
    check "and starts nothing" shows Result exec-condition
    ;;
  configure)
    cat >>$settings <<'END'
STREAMS=btcusdt@miniTicker,ethusdt@aggTrade
BINANCE_WS_URL=ws://127.0.0.1:9443
S3_BUCKET=package-test
DYNAMO_TABLE_NAME=package-test
AWS_ENDPOINT_URL=http://127.0.0.1:14566
AWS_ACCESS_KEY_ID=test
AWS_SECRET_ACCESS_KEY=test
END
    check "it starts" systemctl start tickwal
    ;;
  run)
    check "it is healthy" until_so is_well
    check "systemd shows its words" until_so bash -c 'systemctl show -p StatusText tickwal | grep -q "=healthy: "'
    eval "$(grep '^tw() ' /usr/share/doc/tickwal/runbook.md)"
    check "the runbook's tw reads the service's log" tw status
    check "with its settings" tw config
    check "all of them" grep -q package-test /tmp/said
    before=$(pid)
    check "a reload replaces connections" systemctl reload tickwal
    check "and says so" until_so says "the new connection has taken over"
    check "in the same process" test "$(pid)" = "$before"
    kill -STOP "$before"
    check "one that does not turn is ended by the watchdog and started again" until_so is_another "$before"
    before=$(pid)
    kill -KILL "$before"
    check "one that was killed is started again" until_so is_another "$before"
    check "and goes on" until_so is_well

    echo MAX_BATCH_SIZE=x >>$settings
    systemctl restart tickwal 2>/dev/null || true
    check "a bad setting fails" until_so shows ActiveState failed
    sleep 8
    check "and is not tried again" shows NRestarts 0
    sed -i '$d' $settings
    check "corrected, it starts" systemctl start tickwal

    dpkg-deb --raw-extract /root/tickwal.deb /root/newer
    sed -i 's/^Version: .*/Version: 99/' /root/newer/DEBIAN/control
    dpkg-deb -Znone --build /root/newer /root/newer.deb >/dev/null
    touch $state/foreign && chown 1234 $state/foreign
    before=$(pid)
    check "it is upgraded" dpkg --install /root/newer.deb
    check "which restarts it" until_so is_another "$before"
    check "keeps the settings" grep -q '^S3_BUCKET=package-test$' $settings
    check "and every owner" test "$(stat -c %u $state/foreign)" = 1234
    rm $state/foreign
    check "it goes on" until_so is_well
    check "it stops" systemctl stop tickwal
    check "in order" shows Result success
    check "one that is stopped is downgraded" dpkg --install /root/tickwal.deb
    check "and stays stopped" shows ActiveState inactive

    check "it is removed" dpkg --remove tickwal
    check "and its log stays" test -s $state/ticks.db
    check "a purge" dpkg --purge tickwal
    check "says that the log stays" grep -q STAYS /tmp/said
    check "which it does" test -s $state/ticks.db
    check "nothing is left running" bash -c '! pgrep -u tickwal'
    check "installed again, it ships what is left" dpkg --install /root/tickwal.deb
    cd $state
    check "as its own user" setpriv --reuid tickwal --regid tickwal --clear-groups env WAL_PATH=$state/ticks.db \
      S3_BUCKET=package-test DYNAMO_TABLE_NAME=package-test AWS_ENDPOINT_URL=http://127.0.0.1:14566 \
      AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test tickwal ship
    cd /
    check "with all shipped, a purge" dpkg --purge tickwal
    check "deletes the log, and says so" grep -q "is removed" /tmp/said
    check "and its folder" test ! -e $state
    ;;
esac
