#!/usr/bin/env bash
# Resolve every environment again into its lock file: hashes, no index addresses.
set -euo pipefail
cd "$(dirname "$0")/.."
compile() { .venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header "$@"; }
extras=(--extra fast --extra hives --extra lab --extra quic --extra report --extra seal --extra ssh --extra stamp)
compile pyproject.toml "${extras[@]}" --group build --output-file requirements/run.txt
compile pyproject.toml "${extras[@]}" --group dev --output-file requirements/dev.txt
compile pyproject.toml requirements/fuzz.in "${extras[@]}" --group dev --output-file requirements/fuzz.txt
# Only the script of axe-core is wanted of it, and not the browsers that it would bring.
compile --no-deps requirements/axe.in --output-file requirements/axe.txt
for name in archive-bench bench mitmproxy; do
  compile "requirements/$name.in" --output-file "requirements/$name.txt"
done
# oonidata asks for an lxml that has no wheel for Python 3.13.
compile requirements/oonidata.in --override <(echo 'lxml>=6') --output-file requirements/oonidata.txt
