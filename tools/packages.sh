#!/usr/bin/env bash
# Bring the Debian packages that the demo and the tests use, where that is possible; say what is missing where not.
set -euo pipefail

# command -> package that brings it, and what is left out without it
needs=(
  "sslsplit sslsplit the interceptor of the demo and its tests"
  "nginx nginx-light the tests against nginx"
  "openssl openssl the tests against openssl s_server"
  "tinyproxy tinyproxy the tests through an HTTP proxy"
  "microsocks microsocks the tests through a SOCKS proxy"
)
PATH="$PATH:/usr/sbin:/sbin"
missing=() words=()
for need in "${needs[@]}"; do
  read -r command package what <<<"$need"
  if ! command -v "$command" >/dev/null; then
    missing+=("$package") words+=("$package ($what)")
  fi
done
# Debian ships venv apart from python3.
python3 -c 'import venv, ensurepip' 2>/dev/null || { missing+=(python3-venv); words+=("python3-venv (needed)"); }
[ ${#missing[@]} -eq 0 ] && exit 0

if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
  export DEBIAN_FRONTEND=noninteractive
  # A server that a package would start at once must not start: the tests run their own.
  if [ ! -e /usr/sbin/policy-rc.d ]; then
    printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
    chmod +x /usr/sbin/policy-rc.d
    trap 'rm -f /usr/sbin/policy-rc.d' EXIT
  fi
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends -o DPkg::Lock::Timeout=300 "${missing[@]}" >/dev/null
else
  echo "missing, so left out: ${words[*]}" >&2
  echo "to have all: sudo apt-get install ${missing[*]}" >&2
fi
