#!/usr/bin/env bash
# The table of link_table.rs for netem, alone and against nfqueue: on this kernel where it has netem, else in the
# emulated machine that INGEST_LAB_SHARED brings (netem-vm), else not at all, and loudly. Needs root.
set -euo pipefail
cd "$(dirname "$0")/.."

runs_here() {
  unshare --net sh -c 'ip link set lo up && tc qdisc add dev lo root netem delay 1ms' 2>/dev/null
}

vm=${INGEST_LAB_SHARED:-}/netem-vm/netem-vm
if runs_here; then
  exec cargo test --locked --test link_table -- --ignored --nocapture --test-threads=1 netem
fi
if [ ! -x "$vm" ]; then
  echo "SKIPPED: this kernel has no netem (or this is not root), and INGEST_LAB_SHARED has no netem-vm/netem-vm" >&2
  exit 0
fi

# Stripped copies at the paths that were compiled in: the machine is small, and slow to read.
table=$(cargo test --locked --test link_table --no-run 2>&1 | tee /dev/stderr | sed -n 's/.*(\(.*link_table.*\))$/\1/p')
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
strip -o "$work/link_table" "$table"
strip -o "$work/link" target/debug/link
add=(--add "$work/link_table:/usr/local/bin/link_table" --add "$work/link:$PWD/target/debug/link")
# Its system has iptables only; nft comes along with the libraries it needs, into /usr/lib: /lib is a link there.
if nft=$(command -v nft); then
  add+=(--add "$(readlink -f "$nft"):/usr/sbin/nft")
  for library in $(ldd "$nft" | sed -n 's/.*=> \(\/[^ ]*\).*/\1/p' | grep -v -e '/libc\.so' -e '/ld-'); do
    add+=(--add "$library:/usr${library#/usr}")
  done
fi
"$vm" --timeout "${NETEM_VM_TIMEOUT:-1500}" "${add[@]}" -- \
  env INGEST_LAB_EMULATED=1 /usr/local/bin/link_table --ignored --nocapture --test-threads=1 netem
