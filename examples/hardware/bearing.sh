#!/bin/sh
# A bearing monitor for a microcontroller without floating point: from a table of vibration to C in integers.
#
# bearing.sh VISE FOLDER: VISE is the tool; all files go into FOLDER, which is new.
set -eu
vise=$1
mkdir "$2"
cd "$2"

# The table: a row for each second of vibration, made up here. What wears shows in the peaks, and in how spiky they are.
awk 'function normal() { return sqrt(-2 * log(1 - rand())) * cos(6.2831853 * rand()) }
  BEGIN {
    srand(7)
    print "rms,peak,kurtosis,band_2k,band_5k,celsius,state"
    split("healthy,inner_ring,outer_ring", state, ",")
    for (i = 0; i < 3000; i++) {
      k = 1 + int(3 * rand())
      load = 0.6 + 0.8 * rand()
      rms = load * (1 + 0.3 * (k > 1)) + 0.05 * normal()
      kurtosis = 3 + 3 * (k == 2) + 2 * (k == 3) + 0.9 * normal()
      printf "%.4f,%.4f,%.3f,%.4f,%.4f,%.1f,%s\n", rms, rms * (3 + kurtosis / 4) + 0.3 * normal(), kurtosis,
        load * (0.2 + 0.5 * (k == 2)) + 0.1 * normal(), load * (0.2 + 0.5 * (k == 3)) + 0.1 * normal(),
        40 + 20 * load + 2 * normal(), state[k]
    }
  }' >bearing.csv
head -n 2401 bearing.csv >train.csv
{ head -n 1 bearing.csv; tail -n 600 bearing.csv; } >test.csv

# A small net for 8-bit weights and 16-bit sums: after every step no sum can leave 16 bits, whatever the inputs.
"$vise" train --train train.csv --test test.csv --layers auto-16-auto --quantize int8,acc16 --out run --quiet >train.txt
"$vise" eval --model run --data test.csv --as int8,acc16 | sed -n '1,2p'

# C without heap, libm or floating point; what the compiler cannot prove it does not compile.
"$vise" export --model run --format c --name bearing --out c >/dev/null
cc -std=c99 -pedantic -Wall -Wextra -Wconversion -Werror -c c/bearing.c -o bearing.o
grep -E 'operations|memory' c/bearing.h

# The program of the device, here with a file in the place of the sensor.
cat >monitor.c <<'END'
#include <stdio.h>

#include "c/bearing.h"

int main(void) {
  char line[256];
  float v[BEARING_INPUTS];
  while (fgets(line, sizeof line, stdin) != NULL) {
    uint8_t x[BEARING_INPUTS];
    int32_t y[BEARING_OUTPUTS];
    if (sscanf(line, "%f,%f,%f,%f,%f,%f", &v[0], &v[1], &v[2], &v[3], &v[4], &v[5]) != BEARING_INPUTS) continue;
    for (int i = 0; i < BEARING_INPUTS; i++) x[i] = bearing_quantize(i, v[i]);
    bearing_run(x, y);
    puts(bearing_class_name(bearing_class(y)));
  }
  return 0;
}
END
cc -std=c99 -Wall -Wextra -Werror monitor.c bearing.o -o monitor
./monitor <test.csv >said.txt
awk -F, 'NR > 1 { print $7 }' test.csv >true.txt
paste -d, said.txt true.txt | awk -F, '{ n += $1 == $2 } END { printf "the program in C is right in %.1f %% of %d rows\n", 100 * n / NR, NR }'

# It says what the tool says in integers.
"$vise" predict --model run --data test.csv --as int8,acc16 --output class --out tool.csv
tail -n +2 tool.csv | cut -d, -f1 | cmp - said.txt && echo "and says what the tool says, row by row"
