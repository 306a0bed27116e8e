#!/usr/bin/env bash
# Fuzzes each parser that reads from outside for FUZZ_SECONDS (600); FUZZ_TARGETS="frames xml" names some of them alone.
# Then compares the rows that the decoder makes of all inputs worth keeping with Python's json, and what the parser of
# profile files finds with Python's configparser. What ends a program is kept in .build-fuzz/findings.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${FUZZ_SECONDS:-600}
folder=.build-fuzz
if ! [[ $seconds =~ ^[1-9][0-9]*$ ]]; then
  echo "FUZZ_SECONDS is '$seconds' but must be a whole number above 0" >&2
  exit 78
fi

# With the checks of bounds that an optimized build leaves out.
build=(--package-path Tests/Fuzz --scratch-path "$folder" -c release --sanitize fuzzer
  -Xswiftc "-sanitize=fuzzer,address" -Xswiftc -enable-testing -Xswiftc -assert-config -Xswiftc Debug)
"${SWIFT:-swift}" build "${build[@]}"
program=$folder/release/fuzz
export SWIFT_BACKTRACE=enable=no ASAN_OPTIONS=detect_leaks=0

mkdir -p "$folder/kinds"
number=0
grep -v '^#' Tests/Kinds/kinds.tsv | cut -f 7 | while IFS= read -r line; do
  number=$((number + 1))
  printf '%s' "$line" >"$folder/kinds/$number"
done

# The folders of a target's inputs: what it has found, and its seeds.
inputs() {
  echo "$folder/corpus/$1" "Tests/Fuzz/Corpus/$1"
  if [[ $1 == decoder ]]; then echo "$folder/kinds"; fi
}

# libFuzzer itself runs the program once for its list.
list=$(FUZZ_TARGET=list "$program" -runs=0 2>/dev/null)
for name in ${FUZZ_TARGETS:-$(cut -d ' ' -f 1 <<<"$list")}; do
  longest=$(grep "^$name " <<<"$list" | cut -d ' ' -f 2) || { echo "there is no target $name" >&2; exit 78; }
  mkdir -p "$folder/corpus/$name" "$folder/findings"
  options=(-max_total_time="$seconds" -max_len="$longest" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1)
  if [[ $name == decoder ]]; then options+=(-dict=Tests/Fuzz/json.dict); fi
  echo "fuzzing $name for $seconds s"
  # shellcheck disable=SC2046
  FUZZ_TARGET=$name "$program" "${options[@]}" -artifact_prefix="$folder/findings/$name-" $(inputs "$name") \
    >"$folder/$name.log" 2>&1 || { tail -30 "$folder/$name.log" >&2; exit 1; }
  grep -E 'number_of_executed_units|new_units_added|peak_rss' "$folder/$name.log"
done

judge() {
  if [[ -n ${FUZZ_TARGETS:-} && " $FUZZ_TARGETS " != *" $1 "* ]]; then return; fi
  # shellcheck disable=SC2046
  FUZZ_TARGET=$1 FUZZ_SAMPLE=$folder/sample "$program" -runs=0 $(inputs "$1") >"$folder/$1.log" 2>&1
  python3 "Tests/Fuzz/$2" "$folder/sample"
}
judge decoder check_rows.py
judge profile check_profiles.py
