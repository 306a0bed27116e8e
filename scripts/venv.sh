#!/usr/bin/env bash
# Makes .build-venv with the Python packages of the end-to-end tests; does nothing if it is up to date.
set -euo pipefail
cd "$(dirname "$0")/.."

venv=.build-venv
requirements=Tests/EndToEnd/requirements.txt

# The copy is written last, so an installation that was interrupted is made anew.
if cmp -s "$requirements" "$venv/installed.txt" && "$venv/bin/python" -c 'import pytest' 2>/dev/null; then
  exit 0
fi
rm -rf "$venv"
python3 -m venv "$venv"
"$venv/bin/python" -m pip --disable-pip-version-check install --quiet --requirement "$requirements" </dev/null
cp "$requirements" "$venv/installed.txt"
