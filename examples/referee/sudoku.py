"""Judges 9×9 Sudoku by its rules: to compare a referee with the rules that trm has itself (scripts/referee-speed)."""

import json
import sys

DIGITS = set("123456789")
ROWS = [[9 * y + x for x in range(9)] for y in range(9)]
COLUMNS = [[9 * y + x for y in range(9)] for x in range(9)]
BOXES = [[27 * (b // 3) + 3 * (b % 3) + 9 * y + x for y in range(3) for x in range(3)] for b in range(9)]
UNITS = ROWS + COLUMNS + BOXES

for line in sys.stdin:
    asked = json.loads(line)
    question, answer = "".join(asked["question"]), "".join(asked["answer"])
    kept = all(given in (".", found) for given, found in zip(question, answer))
    wrong = sum({answer[cell] for cell in unit} != DIGITS for unit in UNITS)
    if kept and not wrong:
        print('{"verdict":"right"}', flush=True)
    else:
        print(json.dumps({"verdict": "wrong", "why": f"{wrong} of 27 rows, columns and boxes wrong"}), flush=True)
