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
cargo deny check licenses bans sources

# Holes are in a database of their own, which has to be fetched.
said=$(mktemp)
trap 'rm -f "$said"' EXIT
if cargo deny check advisories 2>"$said"; then
  cat "$said" >&2
elif grep -q 'failed to fetch advisory database' "$said"; then
  echo "SKIPPED: the database of advisories cannot be fetched from here, so known holes in dependencies are not looked for: run \`make lint\` where github.com can be reached" >&2
else
  cat "$said" >&2
  exit 1
fi
