#!/usr/bin/env bash
# Dependencies held to deny.toml: licences, versions, sources, and holes that are known. `tests/deny.sh install` installs
# cargo-deny where it is missing, which compiles for minutes; without that word it is left out, loudly.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! command -v cargo >/dev/null; then
  echo "SKIPPED: there is no cargo on this host, so licences, sources and advisories of dependencies are not checked" >&2
  exit 0
fi
if ! cargo deny --version >/dev/null 2>&1; then
  if [ "${1:-}" != install ]; then
    echo "SKIPPED: cargo-deny is not installed, so licences, sources and advisories of dependencies are not checked: \`make lint\` installs it" >&2
    exit 0
  fi
  cargo install --locked cargo-deny
fi
said=$(mktemp)
trap 'rm -f "$said"' EXIT

# check WORD WHAT-IS-LEFT-OUT WORDS…: one call of cargo-deny, left out where what it needs cannot be fetched.
check() {
  local unreachable=$1 left_out=$2
  shift 2
  if cargo deny check "$@" 2>"$said"; then
    return
  elif grep -q "$unreachable" "$said"; then
    echo "SKIPPED: $left_out: run \`make lint\` where they can be reached" >&2
  else
    cat "$said" >&2
    exit 1
  fi
}
# Crates for other systems than this one may not be here yet; known holes are in a database of their own.
check 'failed to fetch crates' 'crates.io cannot be reached, so licences and sources of dependencies are not checked' \
  licenses bans sources
check 'failed to fetch advisory database' \
  'the database of advisories (github.com) cannot be fetched, so known holes in dependencies are not looked for' advisories
