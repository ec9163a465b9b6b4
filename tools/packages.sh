#!/usr/bin/env bash
# Bring the Debian packages that the demo and the tests use, where that is possible; say what is missing where not.
set -euo pipefail

# command or file -> package that brings it, and what is left out without it
needs=(
  "ip iproute2 the laboratory's network"
  "nft nftables the laboratory's network"
  "nginx nginx-light the laboratory's network, and the tests against nginx"
  "dnsmasq dnsmasq-base the laboratory's network"
  "iptables iptables some profiles of the laboratory"
  "sslsplit sslsplit some profiles of the laboratory"
  "/usr/lib/squid/security_file_certgen squid-openssl a profile of the laboratory"
  "/usr/lib/*/faketime/libfaketime.so.1 libfaketime a profile of the laboratory"
  "chromium chromium the pictures of the demo"
  "certutil libnss3-tools the pictures of the demo, and the tests against NSS"
  "/usr/share/fonts/truetype/*/*.ttf fonts-dejavu-core the pictures of the demo"
  "curl curl some tests of the laboratory"
  "pgrep procps some tests of the laboratory"
  "openssl openssl the tests against openssl s_server"
  "tinyproxy tinyproxy the tests through an HTTP proxy"
  "microsocks microsocks the tests through a SOCKS proxy"
  "age age some tests of sealing"
  "ssh-keygen openssh-client the tests against ssh-keygen"
  "sshd openssh-server the tests through an ssh server, which they start themselves on loopback"
  "ssh-agent openssh-client the tests through an ssh server"
  "trust p11-kit the tests against p11-kit"
  "update-ca-certificates ca-certificates the tests against the roots of Debian"
  "keytool default-jre-headless the tests against keytool"
  "/etc/ssl/certs/java/cacerts ca-certificates-java the tests against keytool"
  "nats-server nats-server the tests of workers, against a real server"
  "zip zip the tests of results that were packed again"
  "unzip unzip the tests of checking a result by hand"
  "7z p7zip-full the tests of results that were packed again"
  "nmap nmap the tests against Nmap"
  "testssl testssl.sh the tests against testssl.sh"
  "bsdtar libarchive-tools the tests of results that were packed again"
  "/usr/lib/*/libpangoft2-1.0.so.0 libpangoft2-1.0-0 reports as PDF"
  "/usr/lib/*/libharfbuzz-subset.so.0 libharfbuzz-subset0 reports as PDF"
  "pdftotext poppler-utils the tests of reports as PDF"
  "igzip isal the bench of archives"
)
PATH="$PATH:/usr/sbin:/sbin"
there() { case $1 in /*) compgen -G "$1" >/dev/null ;; *) command -v "$1" >/dev/null ;; esac; }
missing=() words=()
for need in "${needs[@]}"; do
  read -r command package what <<<"$need"
  if ! there "$command"; then
    missing+=("$package") words+=("$package ($what)")
  fi
done
# Debian ships venv apart from python3.
python3 -c 'import venv, ensurepip' 2>/dev/null || { missing+=(python3-venv); words+=("python3-venv (needed)"); }
[ ${#missing[@]} -eq 0 ] && exit 0

if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
  export DEBIAN_FRONTEND=noninteractive
  # A server that a package would start at once must not start: the laboratory and the tests run their own.
  if [ ! -e /usr/sbin/policy-rc.d ]; then
    printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
    chmod +x /usr/sbin/policy-rc.d
    trap 'rm -f /usr/sbin/policy-rc.d' EXIT
  fi
  apt-get update -qq
  known=()
  for package in "${missing[@]}"; do
    # One that this distribution does not have (Ubuntu has Chromium as a snap only) must not keep out the others.
    if apt-cache show "$package" >/dev/null 2>&1; then known+=("$package"); else
      echo "this system has no package $package, so it is left out" >&2
    fi
  done
  [ ${#known[@]} -eq 0 ] ||
    apt-get install -y -qq --no-install-recommends -o DPkg::Lock::Timeout=300 "${known[@]}" >/dev/null
else
  echo "missing, so left out: ${words[*]}" >&2
  echo "to have all: sudo apt-get install ${missing[*]}" >&2
fi
