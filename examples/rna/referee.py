"""Judges answers of RNA puzzles: the energy of the structure that they say, by ViennaRNA in kcal/mol, is their cost."""

import json
import sys

import RNA

from canvas import dot_bracket, faults, pairs_of, sequence_of, structure_of


def judge(question, answer):
    sequence, marked = sequence_of(question), pairs_of(answer)
    structure = dot_bracket(structure_of(sequence, marked), len(sequence))
    energy = RNA.fold_compound(sequence).eval_structure(structure)
    cells = [list(cell) for _, cells in faults(sequence, marked) for cell in cells]
    return {"verdict": "right", "cost": round(energy, 2), "why": structure, "broken": cells}


if __name__ == "__main__":
    for line in sys.stdin:
        asked = json.loads(line)
        print(json.dumps(judge(asked["question"], asked["answer"])), flush=True)
