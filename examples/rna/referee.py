"""Judges answers of RNA puzzles: `right` is a structure, its cost the energy by ViennaRNA in kcal/mol."""

import json
import sys

import RNA

from canvas import dot_bracket, faults, pairs_of, sequence_of


def judge(question, answer):
    sequence, pairs = sequence_of(question), pairs_of(answer)
    found = list(faults(sequence, pairs))
    if found:
        cells = [list(cell) for _, cells in found for cell in cells]
        return {"verdict": "wrong", "broken": cells, "why": found[0][0]}
    structure = dot_bracket(pairs, len(sequence))
    energy = RNA.fold_compound(sequence).eval_structure(structure)
    return {"verdict": "right", "cost": round(energy, 2), "why": structure}


if __name__ == "__main__":
    for line in sys.stdin:
        asked = json.loads(line)
        print(json.dumps(judge(asked["question"], asked["answer"])), flush=True)
