#!/bin/sh
# The commands of README.md, docs/data.md, docs/sweep.md and docs/reports.md (their blocks marked sh) work as they stand
# there, and what the pages say is printed (their first blocks marked text; README's second is the demo's) is printed,
# numbers apart.
set -eu

# blocks LANGUAGE PAGE [N]: the lines of the blocks marked so, or of the Nth alone.
blocks() {
  awk -v fence="^\`\`\`$1\$" -v only="${3:-0}" '$0 ~ fence { inside = 1; n++; next }
    /^```$/ { inside = 0 } inside && (!only || n == only)' "$2"
}

# shape FILE: with # for each number, so that times and losses may differ.
shape() {
  sed -E 's/[0-9]+([.:][0-9]+)*/#/g; s/ +/ /g' "$1"
}

# expect_printed PAGE N OUTPUT: lines in the middle of OUTPUT are those of the Nth block marked text.
expect_printed() {
  blocks text "$1" "$2" >"$WORK/documented"
  [ -s "$WORK/documented" ]
  shape "$WORK/documented" >"$WORK/documented_shape"
  shape "$3" | awk -v first="$(head -n 1 "$WORK/documented_shape")" '$0 == first { seen = 1 } seen' |
    head -n "$(wc -l <"$WORK/documented")" >"$WORK/printed_shape"
  diff "$WORK/documented_shape" "$WORK/printed_shape"
}

# run_page PAGE [FILE]: its commands, in the folder $WORK/commands_NAME with the FILE they take for granted; what they
# print goes to output there.
run_page() {
  name=$(basename "$1" .md)
  folder=$WORK/commands_$name
  rm -rf "$folder"
  mkdir -p "$folder"
  ln -s "$BUILD" "$folder/build"
  if [ $# -gt 1 ]; then cp "$2" "$folder"; fi
  blocks sh "$1" >"$folder/commands.sh"
  [ -s "$folder/commands.sh" ]
  (cd "$folder" && sh -eux commands.sh >output) || {
    cat "$folder/output"
    exit 1
  }
}

run_page README.md
expect_printed README.md 1 "$WORK/commands_README/output"
# Nine in ten of the points are put on the right side of the circle.
paste -d, "$WORK/commands_README/circle.csv" "$WORK/commands_README/answers.csv" |
  awk -F, 'NR > 1 { rows++; right += $3 == $NF } END { exit !(rows == 1000 && right > 900) }'

run_page docs/data.md
expect_printed docs/data.md 1 "$WORK/commands_data/output"
# The bearing that is hot, shakes and is old will fail, the other one will not.
awk -F, 'NR > 1 { rows++; if (($2 > 0.5) != (NR == 2)) bad++ } END { exit !(rows == 2 && bad == 0) }' \
  "$WORK/commands_data/answers.csv"

run_page docs/sweep.md "$WORK/commands_README/circle.csv"
expect_printed docs/sweep.md 1 "$WORK/commands_sweep/output"
# The fit that is trained alone has the score that it has in the sweep.
(cd "$WORK/commands_sweep" && python3 - <<'END'
import json
fits = [json.loads(line) for line in open("strengths/fits.jsonl")]
[score] = [fit["score"] for fit in fits if fit["params"] == {"l2": "1e-3", "clamp": "1"} and fit["fold"] == 3]
alone = [json.loads(line) for line in open("fit/metrics.jsonl")][-1]["val_loss"]
assert score == alone, (score, alone)
END
)

run_page docs/reports.md "$WORK/commands_README/circle.csv"
for page in strengths.html strengths/report.html strengths/best/report.html; do
  grep -q '</html>' "$WORK/commands_reports/$page"
done

# ./dev demo with what is built already: cmake and apt-get are stand-ins.
rm -rf "$WORK/demo"
mkdir -p "$WORK/demo/bin"
cp dev "$WORK/demo/dev"
ln -s "$PWD/bench" "$WORK/demo/bench"
ln -s "$BUILD" "$WORK/demo/build"
printf '#!/bin/sh\nexit 0\n' | tee "$WORK/demo/bin/sudo" "$WORK/demo/bin/apt-get" >"$WORK/demo/bin/cmake"
chmod +x "$WORK/demo/bin/"*
(cd "$WORK/demo" && PATH="$PWD/bin:$PATH" ./dev demo >output)
expect_printed README.md 2 "$WORK/demo/output"
