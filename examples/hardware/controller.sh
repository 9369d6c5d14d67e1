#!/bin/sh
# A controller with a proof: for whatever the sensors say within their ranges, how far the output can go, how fast it can move,
# and that it opens where level and inflow rise.
#
# controller.sh VISE FOLDER: VISE is the tool; all files go into FOLDER, which is new.
set -eu
vise=$1
mkdir "$2"
cd "$2"

# What a tank's level, its rate and the inflow called for, by an expert who was a little noisy: the opening of a valve, 0 to 1.
awk 'BEGIN {
  srand(3)
  print "level,rate,inflow,opening"
  for (i = 0; i < 4000; i++) {
    level = 2 * rand(); rate = 0.4 * rand() - 0.2; inflow = rand()
    u = 0.5 * inflow + 0.6 * (level - 1) + 1.2 * rate
    printf "%.4f,%.4f,%.4f,%.4f\n", level, rate, inflow, (u < 0 ? 0 : u > 0.9 ? 0.9 : u) + 0.02 * (rand() - 0.5)
  }
}' >tank.csv

# What is known of the valve goes into the net: more level or inflow never closes it, for that is how --monotone trains. Sums of
# rows are bounded, since they are what the proof multiplies.
"$vise" train --train tank.csv --layers auto-12-12-auto --activation tanh --monotone level=+,inflow=+ --row-l1 3 \
  --row-l1-layer 2=1.5 --epochs 60 --out run --quiet >train.txt
grep '^validation .*RMSE' train.txt

"$vise" certify --model run --inputs level=0:2 --inputs rate=-0.2:0.2 --inputs inflow=0:1 --json >certificate.json
"$vise" certify --model run --inputs level=0:2 --inputs rate=-0.2:0.2 --inputs inflow=0:1 | grep -A1 -E '^outputs|^Lipschitz|^monotone'

# float32 C for a processor with an FPU, with test vectors.
"$vise" export --model run --format h --name valve --out c >/dev/null
cc -std=c99 -pedantic -Wall -Wextra -Wconversion -Werror c/valve_test.c -o check -lm
./check
