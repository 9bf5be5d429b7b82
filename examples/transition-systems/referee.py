"""Judges answers about transition systems: reads {"question": rows, "answer": rows} a line, writes a verdict a line.

What the cells mean is written in generate.py. Right is
- `+` on the diagonal alone, at a set of states that holds the initial ones, that no transition leaves and that has no
  bad state: an inductive invariant, whichever;
- `*` at the states and transitions of one shortest counterexample, of some, or of all: every marked transition exists,
  and whoever walks along them from a marked initial state comes to a bad one, in as few steps as there are.
Each cell is looked at a fixed number of times. Broken are the cells [row, column] that contradict the answer. There is
no cost: with one, a search would go on after the first right answer.
"""

import json
import sys


def masks(rows, symbols):
    """For every row the places that hold one of the symbols, as bits."""
    table = {code: "0" for code in range(128)} | {ord(symbol): "1" for symbol in symbols}
    return [int("".join(row)[::-1].translate(table), 2) for row in rows]


def bits(mask):
    """Places of the ones of a mask."""
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low


def cells(rows):
    """The cells of the ones of such masks."""
    return [(i, j) for i, mask in enumerate(rows) for j in bits(mask)]


def distances(after, initial):
    """Steps from the initial states to every state that can be reached."""
    steps, layer, seen, count = {}, initial, initial, 0
    while layer:
        fresh = 0
        for state in bits(layer):
            steps[state] = count
            fresh |= after[state]
        layer, count = fresh & ~seen, count + 1
        seen |= layer
    return steps


def judge_invariant(after, initial, bad, marked):
    """Cells that contradict `marked` being an inductive invariant."""
    broken = [(state, state) for state in bits(initial & ~marked | bad & marked)]
    for state in bits(marked):
        broken += [(state, other) for other in bits(after[state] & ~marked)]
    return broken


def judge_counterexample(after, initial, bad, marked, walks):
    """Cells that contradict `marked` and the transitions `walks` being shortest counterexamples."""
    steps = distances(after, initial)
    length = min((steps[state] for state in bits(bad) if state in steps), default=None)
    broken, entered = [], 0
    for state, walk in enumerate(walks):
        entered |= walk
        ahead = sum(1 << other for other in bits(walk & after[state] & marked)
                    if state in steps and steps[other] == steps[state] + 1)
        lost = walk if not marked >> state & 1 else walk & ~ahead
        broken += [(state, other) for other in bits(lost)]
    for state in bits(marked):
        ends = bad >> state & 1
        if ends and steps.get(state) != length or not ends and not walks[state]:
            broken.append((state, state))
        elif not (initial | entered) >> state & 1:
            broken.append((state, state))
    if not marked & initial:
        broken += [(state, state) for state in bits(initial)]
    return broken


def judge(question, answer):
    """The verdict on an answer."""
    n = len(question)
    if [len(row) for row in answer] != [n] * n:
        return {"verdict": "wrong", "why": "the answer has another size"}
    diagonal = [1 << state for state in range(n)]
    kinds = [row[state] for state, row in enumerate(question)]
    initial, bad = (sum(one for one, kind in zip(diagonal, kinds) if kind == symbol) for symbol in "IB")
    after, plus, star = masks(question, "#"), masks(answer, "+"), masks(answer, "*")
    if any(plus) and any(star):
        broken, why = cells(plus) + cells(star), "both safe and unsafe"
    elif any(star):
        marked = sum(mask & one for mask, one in zip(star, diagonal))
        walks = [mask & ~one for mask, one in zip(star, diagonal)]
        broken, why = judge_counterexample(after, initial, bad, marked, walks), "no shortest counterexample"
    else:
        marked = sum(mask & one for mask, one in zip(plus, diagonal))
        broken = cells(mask & ~one for mask, one in zip(plus, diagonal))
        broken, why = broken + judge_invariant(after, initial, bad, marked), "no inductive invariant"
    if broken:
        return {"verdict": "wrong", "broken": broken, "why": why}
    return {"verdict": "right"}


def main():
    for line in sys.stdin:
        case = json.loads(line)
        print(json.dumps(judge(case["question"], case["answer"])), flush=True)


if __name__ == "__main__":
    main()
