"""A table of results: answers of models beside dispatching rules, against the best makespans of CP-SAT.

    python3 evaluate.py test5.jsonl model=answers.jsonl search=found.jsonl control=control.jsonl

The first file is what generate.py wrote; the others are what `trm solve --json` printed for its questions. A gap is
the makespan over the least one, less 1. Brackets: 95 % intervals (Wilson for shares, normal for means).
"""

import json
import math
import random
import sys

import heuristics
import referee

LUCK = 64  # random schedules
SHOWN = 4  # rules


def share(count, total):
    """A share in % with Wilson's interval."""
    z, p = 1.96, count / total
    middle, width = p + z * z / (2 * total), z * math.sqrt(p * (1 - p) / total + (z / (2 * total)) ** 2)
    low, high = ((middle + side) / (1 + z * z / total) for side in (-width, width))
    return f"{100 * p:.1f} ({100 * low:.1f}–{100 * high:.1f})"


def mean(values, sign=""):
    """A mean in % with its interval."""
    if len(values) < 2:
        return "–"
    middle = sum(values) / len(values)
    spread = math.sqrt(sum((value - middle) ** 2 for value in values) / (len(values) - 1) / len(values))
    low, high = (100 * (middle + side * 1.96 * spread) for side in (-1, 1))
    return f"{100 * middle:{sign}.2f} ({low:.2f} to {high:.2f})"


def grid(text):
    """Rows of cells of an answer that `trm` printed."""
    return [row.split() if " " in row else list(row) for row in text.split("/")]


def costs_of(path, examples):
    """Makespans of answers, None where they are wrong, and how many answers rank every machine's jobs 1, 2, …"""
    answers = [grid(json.loads(line)["answer"]) for line in open(path)]
    if len(answers) != len(examples):
        sys.exit(f"`{path}` has {len(answers)} answers to {len(examples)} questions")
    costs = [referee.judge(e["input"], answer).get("cost") for e, answer in zip(examples, answers)]
    permutations = sum(all(len(set(column)) == len(answer) for column in zip(*answer)) for answer in answers)
    exact = sum(answer == e["output"] for e, answer in zip(examples, answers))
    return costs, f"{100 * permutations / len(answers):.1f} | {100 * exact / len(answers):.1f}"


def by_rules(shops):
    """Makespans by the rules that do best, by the best of all rules shop by shop, and by luck."""
    rows = []
    for active in (False, True):
        for name, rule in heuristics.RULES.items():
            rows.append((name + ", active" * active, [heuristics.dispatch(shop, rule, active) for shop in shops]))
    rows.sort(key=lambda row: sum(row[1]))
    every = list(map(min, *(costs for _, costs in rows)))
    rng = random.Random(1)
    luck = [heuristics.best_of(shop, LUCK, rng) for shop in shops]
    return [*rows[:SHOWN], (f"the best of {len(rows)} rules", every), (f"the best of {LUCK} random schedules", luck)]


def row_of(name, costs, first, best, others="– | –"):
    """A line of the table."""
    gaps, base = ([cost and cost / least - 1 for cost, least in zip(line, best)] for line in (costs, first))
    found = [gap for gap in gaps if gap is not None]
    less = [gap - other for gap, other in zip(gaps, base) if None not in (gap, other)]
    optimal = share(sum(gap == 0 for gap in found), len(best))
    beside = "–" if costs is first else mean(less, "+")
    return f"| {name} | {share(len(found), len(best))} | {mean(found)} | {beside} | {optimal} | {others} |"


def main():
    path, *files = sys.argv[1:]
    examples = [json.loads(line) for line in open(path)]
    best = [example["makespan"] for example in examples]
    rows = [(name, *costs_of(answers, examples)) for name, answers in (file.split("=", 1) for file in files)]
    rows += by_rules([referee.read_shop(example["input"]) for example in examples])
    print("| | feasible, % | mean gap, % | less the first row's | optimal, % | no equal ranks, % | as recorded, % |")
    print("|---|--:|--:|--:|--:|--:|--:|")
    for name, costs, *others in rows:
        print(row_of(name, costs, rows[0][1], best, *others))


if __name__ == "__main__":
    main()
