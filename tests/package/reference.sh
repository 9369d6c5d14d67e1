#!/bin/sh
# docs/options.md is what the table of options gives, the manual pages are sound, and so are the completions' shells'
# syntax. What has no program here to check it is said to be skipped.
set -eu
reference=$BUILD/reference
faults=0

if ! diff -u docs/options.md "$reference/options.md"; then
  echo "docs/options.md is not what the table of options gives: ./dev docs writes it anew"
  faults=1
fi

# groff says what man would, without a terminal.
for page in "$reference"/vise*.1; do
  if command -v groff >/dev/null 2>&1; then
    said=$(groff -man -ww -Tutf8 -rLL=80n "$page" 2>&1 >/dev/null)
  elif command -v mandoc >/dev/null 2>&1; then
    said=$(mandoc -T lint -W warning "$page" 2>&1 || true)
  else
    echo "skipped: manual pages (neither groff nor mandoc)"
    break
  fi
  if [ -n "$said" ]; then
    echo "$page: $said"
    faults=1
  fi
done

# syntax SHELL FILE
syntax() {
  if ! command -v "$1" >/dev/null 2>&1; then
    echo "skipped: $2 (there is no $1)"
  elif ! "$1" -n "$reference/$2"; then
    faults=1
  fi
}
syntax bash vise.bash
syntax zsh _vise
syntax fish vise.fish
exit $faults
