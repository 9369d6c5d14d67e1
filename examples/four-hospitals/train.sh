#!/bin/sh
# One net for four hospitals whose tables stay where they are, beside what each could learn alone and what all rows together
# would teach.
#
# train.sh VISE FOLDER: VISE is the tool; all files go into FOLDER, which is new.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
vise=$1
mkdir "$2"
cd "$2"
mkdir hospital-0 hospital-1 hospital-2 hospital-3
awk -v folder=. -f "$here/tables.awk"

# What every net here is: small, its weights in a box, on columns in the same units.
options="--target complication --layers auto-16-auto --clamp 3 --recipe none --scale standard --optimizer adam --lr 0.01
  --batch 32 --seed 1"

# Each process stands in the folder of its hospital, as it would on a machine there, and reads the one table in it. Every ten
# steps all take the mean of their weights. The first writes the net.
# shellcheck disable=SC2016,SC2086
mpirun --oversubscribe -n 4 sh -c 'cd "hospital-$OMPI_COMM_WORLD_RANK" && exec "$@"' train \
  "$vise" train --train patients.csv --own-data --sync-every 10 --val-fraction 0.2 --assert-projection --epochs 40 \
  --out ../together $options --quiet >together.txt

# For comparison, what nobody may do: all rows in one table. And each hospital by itself.
cat hospital-0/patients.csv >pooled.csv
for h in 1 2 3; do tail -n +2 "hospital-$h/patients.csv"; done >>pooled.csv
# shellcheck disable=SC2086
"$vise" train --train pooled.csv --epochs 40 --out pooled $options --quiet >pooled.txt
for h in 0 1 2 3; do
  # shellcheck disable=SC2086
  "$vise" train --train "hospital-$h/patients.csv" --epochs 40 --out "alone-$h" $options --quiet >"alone-$h.txt"
done

# New patients of all four judge. A ward that a hospital never saw is a row of zeros to its net.
for net in alone-0 alone-1 alone-2 alone-3 together pooled; do
  "$vise" eval --model "$net" --data new-patients.csv >"$net.eval" 2>"$net.notes"
  "$vise" predict --model "$net" --data new-patients.csv --output class --out "$net.csv" 2>>"$net.notes"
  accuracy=$(sed -n 's/.*accuracy *\([0-9.]*\).*/\1/p' "$net.eval")
  rare=$(paste -d, new-patients.csv "$net.csv" | tr -d '\r' | awk -F, '
    $4 == "storage disease" { n++; if ($5 == $6) right++ } END { print right + 0 " of " n }')
  printf '%-10s %s %% of all new patients, %s with the rare disease\n' "$net" "$accuracy" "$rare"
done
