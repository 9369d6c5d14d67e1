#!/bin/sh
# An evaluation of positions, as chess programs have it: inputs are 0 or 1, few of them 1, weights have 8 bits and sums 16.
#
# board.sh VISE FOLDER: VISE is the tool; all files go into FOLDER, which is new.
set -eu
vise=$1
mkdir "$2"
cd "$2"

# Positions of a made-up game on 6 x 6 squares: two sides, a king and up to four men each; input 36 (3 side + piece) + square
# is 1 where such a piece stands. libsvm files list what is not 0. The value is what a strong player might say: men count
# 1, captains 3, more in the middle, and a king is better off at the edge.
awk 'function middle(s) { return 2.5 - (abs(s % 6 - 2.5) + abs(int(s / 6) - 2.5)) / 2 }
  function abs(v) { return v < 0 ? -v : v }
  BEGIN {
    srand(5)
    for (i = 0; i < 6000; i++) {
      split("", used); split("", input); value = 0
      for (side = 0; side < 2; side++) {
        n = 1 + int(5 * rand())
        for (p = 0; p < n; p++) {
          do { square = int(36 * rand()) } while (square in used)
          used[square] = 1
          piece = p == 0 ? 0 : 1 + int(2 * rand())
          input[36 * (3 * side + piece) + square] = 1
          worth = piece == 0 ? -0.5 * middle(square) : (piece == 1 ? 1 : 3) * (1 + 0.2 * middle(square))
          value += side == 0 ? worth : -worth
        }
      }
      e = exp(-value / 2)
      printf "%.4f", (1 - e) / (1 + e)
      for (k = 0; k < 216; k++) if (k in input) printf " %d:1", k + 1
      printf "\n"
    }
  }' >positions.svm
head -n 5000 positions.svm >train.svm
tail -n 1000 positions.svm >test.svm

# Inputs of 0 and 1 need no scaling. A square that never had a piece would be left out as constant; here all had one.
"$vise" train --train train.svm --test test.svm --scale none --layers auto-32-16-auto --loss mse --epochs 40 \
  --quantize int8,acc16 --out run --quiet >train.txt
grep '^test' train.txt
"$vise" eval --model run --data test.svm --as int8,acc16 | sed -n '1,2p'

"$vise" export --model run --format c --name board --out c --vectors 200 >/dev/null
cc -std=c99 -pedantic -Wall -Wextra -Wconversion -Werror -DBOARD_CHECK_SUMS c/board.c c/board_test.c -o check
grep -E 'operations|memory' c/board.h
./check
