#!/bin/sh
# Judges puzzles of one row: the answer is the question, sorted.
while IFS='"' read -r _ _ _ question _ _ _ answer _; do
  sorted=$(printf %s "$question" | fold -w1 | LC_ALL=C sort | tr -d '\n')
  if [ "$answer" = "$sorted" ]; then
    echo '{"verdict":"right"}'
  else
    echo '{"verdict":"wrong","why":"not sorted"}'
  fi
done
