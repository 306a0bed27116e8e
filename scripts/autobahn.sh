#!/usr/bin/env bash
# Makes .build-autobahn with the WebSocket conformance suite, where there is a Python 2.7 for it (PYTHON2, or one
# in the path or of pyenv); does nothing if it is up to date. Without it, the conformance test is skipped.
set -euo pipefail
cd "$(dirname "$0")/.."

folder=.build-autobahn
requirements=Tests/EndToEnd/autobahn/requirements.txt

# The copy is written last, so an installation that was interrupted is made anew.
cmp -s "$requirements" "$folder/installed.txt" && exit 0

python=
for candidate in "${PYTHON2:-}" python2.7 "${PYENV_ROOT:-$HOME/.pyenv}"/versions/2.7*/bin/python; do
  [[ -n $candidate ]] || continue
  # The real place: a shim of pyenv does not work under another name.
  python=$("$candidate" -c 'import sys, pip; print(sys.executable if sys.version_info[:2] == (2, 7) else "")' \
    2>/dev/null) || true
  [[ -z $python ]] || break
done
if [[ -z $python ]]; then
  echo "There is no Python 2.7 with pip on this machine, so the WebSocket conformance suite cannot run." >&2
  exit 0
fi

rm -rf "$folder"
mkdir "$folder"
"$python" -m pip --disable-pip-version-check install --quiet --target "$folder/packages" \
  --requirement "$requirements" </dev/null
# pip leaves this out in a folder of one's own; without it `zope.interface` is not found.
touch "$folder/packages/zope/__init__.py"
ln -s "$python" "$folder/python"
cp "$requirements" "$folder/installed.txt"
