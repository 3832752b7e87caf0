#!/bin/sh
# The table over the weight decay in reading-a-report.md: sh docs/gamma.sh (a minute or two; cargo build --release first).
set -eu
printf '| γ | γ/n | network | relaxation | bound | gap | solver_gap |\n|---|---|---|---|---|---|---|\n'
for gamma in 50 15 5 1.5 0.5; do
    json=$(target/release/relucert certify iris --gamma "$gamma" --standardize --bias --time-limit 120s --json --quiet) || true
    field() { printf '%s\n' "$json" | sed -n "s/^ *\"$1\": \([^,]*\),*$/\1/p"; }
    awk -v g="$gamma" -v u="$(field upper_bound)" -v r="$(field relaxation_value)" -v l="$(field lower_bound)" \
        -v a="$(field gap)" -v s="$(field solver_gap)" \
        'BEGIN { printf "| %s | %.4f | %.4f | %.4f | %.4f | %.3f %% | %.3f %% |\n", g, g / 150, u, r, l, 100 * a, 100 * s }'
done
