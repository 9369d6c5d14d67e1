#!/bin/sh
# Doxygen makes the manual without a warning, and the manual holds what it should.
set -eu
mkdir -p "$WORK"
rm -rf "$WORK/manual"
{
  cat Doxyfile
  echo "OUTPUT_DIRECTORY = $WORK/manual"
} | doxygen -
for text in vise_trainer_create vise_train_config VISE_LOSS_HUBER VISE_ERR_SHAPE; do
  grep -rqF "$text" "$WORK/manual/html" --include='*.html' || {
    echo "the manual does not hold $text"
    exit 1
  }
done
