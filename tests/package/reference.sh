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

there_is() {
  command -v "$1" >/dev/null 2>&1
}

# What the programs that are here say of a manual page: groff what man would, without a terminal; mandoc what other
# systems would, the missing date apart, since a page has that of no release; lexgrog what whatis will find.
said_of() {
  ! there_is groff || { groff -man -ww -Tutf8 -rLL=80n "$1" >/dev/null; } 2>&1
  ! there_is mandoc || mandoc -T lint -W warning "$1" 2>&1 | grep -v 'missing date' || true
  name=$(basename "$1" .1)
  ! there_is lexgrog || LC_ALL=C lexgrog "$1" 2>&1 | grep -vE "^$1: \"$name - [a-z].*[^.]\"\$" || true
}
for program in groff mandoc lexgrog; do
  there_is "$program" || echo "skipped: what $program says of the manual pages"
done
for page in "$reference"/vise*.1; do
  said=$(said_of "$page")
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
