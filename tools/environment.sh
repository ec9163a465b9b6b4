#!/usr/bin/env bash
# Make or renew one virtual environment from one lock file: environment.sh FOLDER LOCK PYTHON
set -euo pipefail
folder=$1 lock=$2 python=$3

"$python" - <<'PY' || { echo "kzmitm needs Python 3.11 or newer; name one with: make PYTHON=python3.12" >&2; exit 2; }
import sys
sys.exit(sys.version_info < (3, 11))
PY

if [ ! -x "$folder/bin/python" ]; then
  "$python" -m venv "$folder" || {
    rm -rf "$folder"
    echo "python3 has no venv module; install it with: apt-get install python3-venv" >&2
    exit 2
  }
fi
# The lock is whole, so nothing is left to resolve (and an override in tools/locks.sh is not refused).
"$folder/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r "$lock"
