#!/usr/bin/env bash
# Runs tickwal for a while against a stand-in exchange on this machine, with local folders in place of AWS.
# Ends at Ctrl-C or after RUN_SECONDS (60), and says how to look at what it made.
set -euo pipefail
cd "$(dirname "$0")/.."

tickwal=${TICKWAL:-.build/release/tickwal}
seconds=${RUN_SECONDS:-60}
rate=${RATE:-200}
if ! [[ $seconds =~ ^[1-9][0-9]*$ ]]; then
  echo "RUN_SECONDS is '$seconds' but must be a whole number above 0" >&2
  exit 78
fi

folder=$(mktemp -d "${TMPDIR:-/tmp}/tickwal-demo.XXXXXX")
simulate=
run=
stopping=
shown=

trap 'stopping=1' INT TERM
trap 'end_children' EXIT

end_children() {
  for child in $run $simulate; do
    kill -TERM "$child" 2>/dev/null || continue
    wait "$child" || true
  done
  run='' simulate=''
}

ask() { # database, SQL: one line, or nothing while the file is not there yet
  sqlite3 -readonly -cmd '.timeout 1000' "$1" "$2" 2>/dev/null || true
}

fail() {
  echo "$1 It said:" >&2
  tail -n 20 "$2" >&2
  exit 1
}

# In a session of its own: Ctrl-C reaches this script alone, which then stops them in order. With an
# environment from nothing, so that variables of this shell neither help nor harm.
apart=(setsid env -i "PATH=$PATH" "HOME=${HOME:-/}")

symbols=(btc eth bnb sol xrp ada doge dot ltc link avax atom near uni etc xlm fil apt arb op)
streams=$(printf ',%susdt@miniTicker' "${symbols[@]}")

"${apart[@]}" "$tickwal" simulate --listen 127.0.0.1:0 --rate "$rate" \
  >"$folder/simulate.out" 2>"$folder/simulate.log" &
simulate=$!
url=
for _ in $(seq 100); do
  url=$(head -n 1 "$folder/simulate.out")
  [[ -n $url ]] && break
  kill -0 "$simulate" 2>/dev/null || fail "The stand-in exchange ended." "$folder/simulate.log"
  sleep 0.1
done
[[ -n $url ]] || fail "The stand-in exchange did not say its address within 10 s." "$folder/simulate.log"

"${apart[@]}" WAL_PATH="$folder/ticks.db" BINANCE_WS_URL="$url" STREAMS="${streams#,}" MAX_BATCH_TIMEOUT=5 \
  HTTP_LISTEN=127.0.0.1:0 \
  DRAIN_ON_STOP=1 "$tickwal" run --local "$folder" 2>"$folder/run.log" &
run=$!

echo "A stand-in exchange at $url sends $rate ticks a second; tickwal appends them to a log"
echo "and ships them to local folders in place of S3 and DynamoDB. Ctrl-C ends it, or $seconds s."
echo
began=$SECONDS
while [[ -z $stopping ]] && ((SECONDS - began < seconds)); do
  kill -0 "$run" 2>/dev/null || fail "tickwal ended by itself." "$folder/run.log"
  sleep 1 || true # Ctrl-C ends the sleep, too
  line=$(ask "$folder/ticks.db" \
    "select printf('%,d ticks in the log', max(head)) || group_concat(printf(', %,d not yet in %s', lag, consumer), '')
     from backlog")
  objects=$( (find "$folder/objects" -name '*.jsonl.gz' 2>/dev/null || true) | wc -l)
  items=$(ask "$folder/table.db" "select printf('%,d', count(*)) from items")
  shown=$(printf '%3d s  %s; %d objects, %s items' $((SECONDS - began)) "${line:-starting}" "$objects" "${items:-0}")
  if [[ -t 1 ]]; then
    printf '\r\033[K%s' "$shown"
  elif (((SECONDS - began) % 5 == 0)); then
    echo "$shown"
  fi
done
[[ -t 1 ]] && printf '\n'
echo "Stopping."
end_children
tail -n 3 "$folder/run.log"

first=$(find "$folder/objects" -name '*.jsonl.gz' 2>/dev/null | sort | head -n 1) || true
cat <<END

Everything is in $folder:
  objects  zcat ${first:-$folder/objects/….jsonl.gz} | head -n 3
  table    sqlite3 -readonly -box $folder/table.db 'select * from items limit 5'
  log      sqlite3 -readonly -box $folder/ticks.db 'select * from backlog'
           sqlite3 -readonly -box $folder/ticks.db 'select * from tick order by offset desc limit 5'
  messages less $folder/run.log
Remove it with: rm -r $folder
END
