"""Judges puzzles whose answer is the question with the symbols of every row sorted, and marks cells that are not."""

import json
import sys

for line in sys.stdin:
    asked = json.loads(line)
    broken = [
        [y, x]
        for y, (question, answer) in enumerate(zip(asked["question"], asked["answer"]))
        for x, (wanted, found) in enumerate(zip(sorted(question), answer))
        if wanted != found
    ]
    verdict = {"verdict": "wrong" if broken else "right", "broken": broken}
    if broken:
        verdict["why"] = f"{len(broken)} cells are not where they belong"
    print(json.dumps(verdict), flush=True)  # flush: trm waits for the line
