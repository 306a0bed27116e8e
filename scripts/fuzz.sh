#!/usr/bin/env bash
# Fuzzes the decoder for FUZZ_SECONDS (60) with SQLite's json_valid as the judge, then compares the rows of all
# inputs worth keeping with Python's json. What ends the program is kept in .build-fuzz/findings.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${FUZZ_SECONDS:-60}
folder=.build-fuzz
if ! [[ $seconds =~ ^[1-9][0-9]*$ ]]; then
  echo "FUZZ_SECONDS is '$seconds' but must be a whole number above 0" >&2
  exit 78
fi

# With the checks of bounds that an optimized build leaves out.
build=(--package-path Tests/Fuzz --scratch-path "$folder" -c release --sanitize fuzzer
  -Xswiftc "-sanitize=fuzzer,address" -Xswiftc -assert-config -Xswiftc Debug)
"${SWIFT:-swift}" build "${build[@]}"
program=$folder/release/decoder-fuzz
export SWIFT_BACKTRACE=enable=no ASAN_OPTIONS=detect_leaks=0

mkdir -p "$folder/corpus" "$folder/seeds" "$folder/findings"
number=0
{ cat Tests/Fuzz/seeds.jsonl; grep -v '^#' Tests/Kinds/kinds.tsv | cut -f 7; } | while IFS= read -r line; do
  number=$((number + 1))
  printf '%s' "$line" >"$folder/seeds/$number"
done

"$program" -max_total_time="$seconds" -max_len=4096 -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
  -dict=Tests/Fuzz/json.dict -artifact_prefix="$folder/findings/" "$folder/corpus" "$folder/seeds"
FUZZ_SAMPLE=$folder/rows "$program" -runs=0 "$folder/corpus" "$folder/seeds"
python3 Tests/Fuzz/check_rows.py "$folder/rows"
