#!/usr/bin/env bash
# Instructions of the fixed workloads of benches/instructions.rs, counted by callgrind (Debian package: valgrind).
# Repeatable for one binary on one kind of processor; callgrind sees AVX2, not AVX-512.
set -euo pipefail
cd "$(dirname "$0")/.."
binary=$(cargo bench --bench instructions --no-run 2>&1 | sed -n 's/.*(\(.*\)).*/\1/p' | tail -n 1)
for case in lorenz pleiades robertson train; do
    count=$(valgrind --tool=callgrind --callgrind-out-file=/dev/null "$binary" "$case" 2>&1 |
        sed -n 's/.*Collected : \([0-9]*\).*/\1/p')
    printf '%-10s %s\n' "$case" "$count"
done
