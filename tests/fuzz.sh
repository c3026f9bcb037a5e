#!/usr/bin/env bash
# Every parser of strangers' bytes under a fuzzer for a bounded time: FUZZ_SECONDS each (600), FUZZ_TARGETS by name (all).
# What is new goes to fuzz/found, what breaks to fuzz/artifacts: put such a file into fuzz/regressions/TARGET with the
# change that mends it, and tests/hostile.rs replays it from then on.
set -euo pipefail
cd "$(dirname "$0")/.."

# From a target's point of view no input may take longer (seconds) or more memory (MiB); see docs/hostile-input.md.
readonly TIMEOUT=10 MEMORY=256
seconds=${FUZZ_SECONDS:-600}
targets=${FUZZ_TARGETS:-$(cd fuzz/fuzz_targets && ls | sed 's/\.rs$//')}

if ! cargo +nightly --version >/dev/null 2>&1; then
  echo "make fuzz needs cargo with a nightly toolchain on this host: \`rustup toolchain install nightly\`" >&2
  exit 1
fi
cargo fuzz --version >/dev/null 2>&1 || cargo install --locked cargo-fuzz

# Its own folder: everything is built for the fuzzer. Freed memory is kept for a while by the address sanitizer: less of
# it, so that the limit is the lab's.
unset CARGO_TARGET_DIR RUSTFLAGS
export ASAN_OPTIONS=quarantine_size_mb=16:detect_leaks=0${ASAN_OPTIONS:+:$ASAN_OPTIONS}
broken=()
for target in $targets; do
  mkdir -p "fuzz/found/$target" "fuzz/regressions/$target" # git keeps no empty folder
  log=$(mktemp)
  if ! cargo +nightly fuzz run "$target" "fuzz/found/$target" "fuzz/corpus/$target" "fuzz/regressions/$target" -- \
      -max_total_time="$seconds" -timeout="$TIMEOUT" -rss_limit_mb="$MEMORY" -print_final_stats=1 >"$log" 2>&1; then
    broken+=("$target")
    tail -40 "$log" >&2
  fi
  awk -v name="$target" '/number_of_executed_units/ { runs = $2 } /peak_rss_mb/ { peak = $2 }
    END { printf "%-12s %s inputs, at most %s MiB\n", name, runs, peak }' "$log"
  rm -f "$log"
done
if [ ${#broken[@]} -gt 0 ]; then
  echo "broken: ${broken[*]} (the inputs are in fuzz/artifacts)" >&2
  exit 1
fi
