"""Measures the model, its search, the control and heuristics on unseen systems, with 95 % intervals (Wilson).

`right proof`: referee.py holds verdict and certificate to be right. `as recorded`: the answer is the teacher's, cell by
cell. `false`: the certificate was held to be right although the verdict is not the teacher's. Times are those of one
answer after the other, with the start of the program. What the search verified is written to verified-N.jsonl, for
crosscheck.py.
"""

import argparse
import functools
import json
import math
import pathlib
import random
import shlex
import subprocess
import sys
import tempfile
import time

from generate import System, bits, kind
from referee import judge

HERE = pathlib.Path(__file__).parent


def interval(hits, count):
    """Wilson's interval of 95 %."""
    z, share = 1.96, hits / count
    middle, half = share + z * z / (2 * count), z * math.sqrt(share * (1 - share) / count + z * z / (4 * count**2))
    return (middle - half) / (1 + z * z / count), (middle + half) / (1 + z * z / count)


def says(rows):
    """The verdict of an answer; none where it has marks of both kinds, or of neither."""
    marks = {cell for row in rows for cell in row} & {"+", "*"}
    return "".join(marks) if len(marks) == 1 else ""


class Table:
    """Rows of results, printed as they come."""

    def __init__(self):
        print("| systems | method | right verdict | right proof (95 % interval) | as recorded | false | ms a system |")
        print("|---|---|--:|--:|--:|--:|--:|")

    def add(self, examples, method, answers, seconds):
        """Judges answers, prints a row and returns which are right."""
        count = len(examples)
        verdicts = [says(a) == says(e["output"]) for e, a in zip(examples, answers)]
        right = [judge(e["input"], a)["verdict"] == "right" for e, a in zip(examples, answers)]
        same = sum(a == e["output"] for e, a in zip(examples, answers))
        false = sum(r and not v for r, v in zip(right, verdicts))
        low, high = interval(sum(right), count)
        print(f"| {count} of {len(examples[0]['input'])} states | {method} | {sum(verdicts) / count:.1%} "
              f"| {sum(right) / count:.1%} ({low:.1%} to {high:.1%}) | {same / count:.1%} | {false} "
              f"| {1000 * seconds / count:.2f} |", flush=True)
        return right


def solve(trm, model, examples, arguments):
    """Answers of `trm solve` to systems of one size, what it says of each, and the seconds taken, start included."""
    with tempfile.TemporaryDirectory() as folder:
        questions = pathlib.Path(folder) / "questions.txt"
        questions.write_text("".join("/".join(e["input"]) + "\n" for e in examples))
        command = [*shlex.split(trm), "solve", str(model), "--file", str(questions), "--json", "--batch", "1"]
        command += arguments
        start = time.perf_counter()
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
        seconds = time.perf_counter() - start
    said = [json.loads(line) for line in done.stdout.splitlines()]
    if done.returncode > 1 or len(said) != len(examples):
        raise SystemExit(f"{' '.join(command)} ended with {done.returncode} after {len(said)} answers")
    return [one["answer"].split("/") for one in said], said, seconds


def look_ahead(system, rng, steps=3):
    """A counterexample of at most so many steps, or else the states met so far as an invariant."""
    return system.answer(system.layers()[:steps + 1])


def walk_at_random(system, rng, walks=8, steps=16):
    """The shortest counterexample of some random walks, or else the states that they met as an invariant."""
    n, met, best = len(system.after), system.initial, None
    for _ in range(walks):
        path = [rng.choice(list(bits(system.initial)))]
        while not system.bad >> path[-1] & 1 and len(path) <= steps and system.after[path[-1]]:
            path.append(rng.choice(list(bits(system.after[path[-1]]))))
        met |= sum(1 << state for state in set(path))
        if system.bad >> path[-1] & 1 and (best is None or len(path) < len(best)):
            best = path
    rows = [["."] * n for _ in range(n)]
    if best is None:
        for state in bits(met):
            rows[state][state] = "+"
    else:
        for one, other in zip(best, [*best[1:], best[-1]]):
            rows[one][one] = rows[one][other] = "*"
    return ["".join(row) for row in rows]


def by_steps(examples, right):
    """Prints how many answers are right by the steps that they need."""
    tally = {}
    for example, hit in zip(examples, right):
        system = System.read(example["input"])
        unsafe, steps = kind(system, system.layers())
        tally.setdefault((unsafe, min(steps, 9)), []).append(hit)
    print("\nright proofs in one pass, by the steps that a system takes to its end:\n")
    print("| steps |", " | ".join(map(str, range(1, 9))), "| 9 and more |\n|---|" + 9 * "--:|")
    for unsafe, name in (False, "safe"), (True, "unsafe"):
        hits = [tally.get((unsafe, steps), []) for steps in range(1, 10)]
        print(f"| {name} | " + " | ".join(f"{sum(h)} of {len(h)}" for h in hits) + " |")
    print()


def read(path, limit):
    with open(path) as file:
        return [json.loads(line) for line in file][:limit]


def keep(path, answers):
    """Writes answers for crosscheck.py."""
    with open(path, "w") as file:
        file.writelines(json.dumps({"input": question, "output": answer}) + "\n" for question, answer in answers)


def heuristics(table, examples):
    systems = [System.read(example["input"]) for example in examples]
    searches = [("looking 3 steps ahead", look_ahead), ("8 random walks of 16 steps", walk_at_random),
                ("64 random walks of 16 steps", functools.partial(walk_at_random, walks=64)),
                ("512 random walks of 16 steps", functools.partial(walk_at_random, walks=512)),
                ("breadth-first search, exact", lambda system, rng: system.answer(system.layers()))]
    for name, heuristic in searches:
        rng, start = random.Random(1), time.perf_counter()
        answers = [heuristic(system, rng) for system in systems]
        table.add(examples, name, answers, time.perf_counter() - start)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=pathlib.Path, help="folder that generate.py wrote")
    parser.add_argument("--model", type=pathlib.Path, default=HERE / "model")
    parser.add_argument("--control", type=pathlib.Path, help="the model without recursion")
    parser.add_argument("--trm", default="trm", help="the program")
    parser.add_argument("--limit", type=int, help="only the first systems of each size")
    parser.add_argument("--sizes", type=int, nargs="+", default=[16, 20, 24, 32, 48])
    parser.add_argument("--no-search", action="store_true", help="leave the search out")
    options = parser.parse_args()

    referee = f"{shlex.quote(sys.executable)} {shlex.quote(str(HERE / 'referee.py'))}"
    table = Table()
    for size in options.sizes:
        examples = read(options.data / f"test-{size}.jsonl", options.limit)
        heuristics(table, examples)
        if options.control:
            answers, _, seconds = solve(options.trm, options.control, examples, ["--one-pass"])
            table.add(examples, "control, no recursion", answers, seconds)
        passes = {"first step only": ["--steps", "1"], "one pass, all 16 steps": ["--halt", "1"],
                  "one pass, ended by its belief": []}
        for name, arguments in passes.items():
            answers, _, seconds = solve(options.trm, options.model, examples, ["--one-pass", *arguments])
            right = table.add(examples, name, answers, seconds)
        if not options.no_search:
            answers, said, seconds = solve(options.trm, options.model, examples, ["--referee", referee, "--steps", "32"])
            table.add(examples, "search with the referee", answers, seconds)
            verified = [i for i, one in enumerate(said) if one["verified"]]
            keep(options.data / f"verified-{size}.jsonl", [(examples[i]["input"], answers[i]) for i in verified])
            print(f"\nverified: {len(verified)} of {len(examples)}")
        by_steps(examples, right)


if __name__ == "__main__":
    main()
