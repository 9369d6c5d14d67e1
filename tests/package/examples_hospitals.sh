#!/bin/sh
# The story of examples/four-hospitals: the net that four processes made, each of its own table, is better for new patients than
# that of any of them alone, and about as good as one of all rows.
set -eu
if ! command -v mpirun >/dev/null || [ ! -e "$BUILD/lib/vise-mpi.so" ]; then
  echo "no MPI: skipped"
  exit 77
fi
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
rm -rf "${WORK:?}/hospitals"
sh examples/four-hospitals/train.sh "$VISE" "$WORK/hospitals" | tee "$WORK/hospitals.said"

grep -q '^data  *4 tables: 1360 rows, .*2 classes$' "$WORK/hospitals/together.txt"
grep -q 'ward (4 values)' "$WORK/hospitals/together.txt"
grep -q '^validation .*(340 rows)$' "$WORK/hospitals/together.txt"
awk '{ score[$1] = $2; rare[$1] = $8 } END {
  for (h = 0; h < 4; h++) if (!(score["together"] > score["alone-" h])) exit 1
  exit !(score["together"] > score["pooled"] - 1.5 && rare["together"] > rare["alone-0"])
}' "$WORK/hospitals.said"
