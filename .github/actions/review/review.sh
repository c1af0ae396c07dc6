#!/usr/bin/env bash
# Writes $OUT/review.json, annotations, and the summary of the job; ends as `ddspec diff` does.
# Reads BASE, SPECS (paths separated by spaces), GPU and OUT.
set -euo pipefail

: "${BASE:?the revision to compare with}" "${OUT:?a folder to write to}"
mkdir -p "$OUT"
read -r -a specs <<< "${SPECS:-}"
options=(--base "$BASE" --format json)
if [ -n "${GPU:-}" ]; then options+=(--gpu "$GPU"); fi
# a branch is judged by the rules that were there before it, not by those it brings along
if rules="$(git rev-parse --verify --quiet --end-of-options "$BASE:ddspec-policy.yaml")"; then
    git cat-file blob "$rules" > "$OUT/ddspec-policy.yaml"
    options+=(--policy "$OUT/ddspec-policy.yaml")
fi

# What is said meanwhile may quote the pull request, and nothing of it is a command to the runner.
token=$(head -c 16 /dev/urandom | od -An -tx1 | tr -d ' \n')
echo "::stop-commands::$token"
code=0
ddspec diff "${options[@]}" -- ${specs[@]+"${specs[@]}"} > "$OUT/review.json" || code=$?
echo "::$token::"
# 3: a spec cannot be compiled, 5: the policy denies; the review says so
case "$code" in 0 | 3 | 5) ;; *) exit "$code" ;; esac
if [ ! -s "$OUT/review.json" ]; then exit "$code"; fi
if [ -n "${GITHUB_OUTPUT:-}" ]; then echo "written=true" >> "$GITHUB_OUTPUT"; fi

ddspec comment "$OUT/review.json" --format github
if [ -n "${GITHUB_STEP_SUMMARY:-}" ]; then
    ddspec comment "$OUT/review.json" >> "$GITHUB_STEP_SUMMARY"
fi
exit "$code"
