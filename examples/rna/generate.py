"""Writes RNA with its structure of least energy, found by ViennaRNA, as puzzles for `trm data grid`.

python3 generate.py --train 60000 --test 1000 --out data/rna
"""

import argparse
import json
import multiprocessing
import random
from pathlib import Path

import numpy
import RNA

from canvas import alphabet, answer, pairs_in, question

INNER_LOOPS = [(0, 1), (1, 0), (1, 1), (0, 2), (2, 0), (1, 2), (2, 1), (2, 2), (3, 3), (0, 3), (3, 0)]
PLANTED = {"GC": 4, "CG": 4, "AU": 3, "UA": 3, "GU": 1, "UG": 1}
LEAST_BRANCH = 11


def helix(rng, bases):
    """3 to 9 pairs and what they close; None if that is impossible in so many bases."""
    most = min(9, (bases - 3) // 2)
    if most < 3:
        return None
    pairs = rng.randint(3, most)
    closed = loop(rng, bases - 2 * pairs)
    return closed and "(" * pairs + closed + ")" * pairs


def loop(rng, bases):
    """A hairpin of 3 to 14 bases, an inner loop, or a branching into two helices."""
    kinds = ["hairpin"] * (3 if bases <= 8 else 1 if bases <= 14 else 0)
    kinds += ["inner"] * (2 if bases >= 12 else 0) + ["branch"] * (3 if bases >= 24 else 0)
    match rng.choice(kinds) if bases >= 3 and kinds else None:
        case "hairpin":
            return "." * bases
        case "inner":
            left, right = rng.choice(INNER_LOOPS)
            inside = helix(rng, bases - left - right)
            return inside and "." * left + inside + "." * right
        case "branch":
            return beside(rng, bases, rng.randint(0, 3), rng.randint(0, 2), rng.randint(0, 3))
    return None


def beside(rng, bases, before, between, after):
    """Two helices side by side."""
    left = bases - before - between - after - LEAST_BRANCH
    if left < LEAST_BRANCH:
        return None
    left = rng.randint(LEAST_BRANCH, left)
    helices = helix(rng, left), helix(rng, bases - before - between - after - left)
    return all(helices) and "." * before + ("." * between).join(helices) + "." * after


def plan(rng, bases):
    """A random structure, as dots and brackets."""
    while True:
        before, after = rng.randint(0, 5), rng.randint(0, 5)
        if bases - before - after >= 24 and rng.random() < 0.4:
            structure = beside(rng, bases, before, rng.randint(0, 4), after)
        else:
            inside = helix(rng, bases - before - after)
            structure = inside and "." * before + inside + "." * after
        if structure:
            return structure


def planted(rng, bases, mutations):
    """Bases that could fold into a random structure, some of them changed."""
    sequence = rng.choices("ACGU", k=bases)
    for i, j in pairs_in(plan(rng, bases)):
        sequence[i], sequence[j] = rng.choices(list(PLANTED), PLANTED.values())[0]
    return "".join(rng.choice("ACGU") if rng.random() < mutations else base for base in sequence)


def examples(task):
    """Some examples from a seed: sequences that fold, the best structure `apart` kcal/mol from the second best."""
    seed, count, kind, apart = task
    rng, found = random.Random(seed), []
    while len(found) < count:
        bases = rng.randint(24, 48)
        sequence = "".join(rng.choices("ACGU", k=bases)) if kind == "uniform" else planted(rng, bases, 0.05)
        fold = RNA.fold_compound(sequence)
        structure, energy = fold.mfe()
        if energy <= -0.5 and (apart == 0 or len(fold.subopt(round(100 * apart) - 1)) == 1):
            found.append((sequence, structure, round(energy, 2)))
    return found


def distances(sequence, others):
    """Edit distances to sequences of one length, a matrix of bytes: Myers' bit vectors, Hyyrö's form."""
    one = numpy.uint64(1)
    bits = numpy.array([sum(1 << i for i, base in enumerate(sequence) if base == b) for b in "ACGU"], numpy.uint64)
    last, count = numpy.uint64(len(sequence) - 1), len(others)
    up, down = numpy.full(count, ~numpy.uint64(0)), numpy.zeros(count, numpy.uint64)
    distance = numpy.full(count, len(sequence))
    for column in others.T:
        equal = bits[column]
        vertical = equal | down
        across = (((equal & up) + up) ^ up) | equal
        right, left = down | ~(across | up), up & across
        distance += ((right >> last) & one).astype(int) - ((left >> last) & one).astype(int)
        right = (right << one) | one
        up, down = (left << one) | ~(vertical | right), right & vertical
    return distance


def similar(train, tests, identity):
    """Which training sequences are within `identity` of a test sequence: 1 - edits / the longer one's bases."""
    near = set()
    for bases in {len(sequence) for sequence, *_ in train}:
        places = [k for k, (sequence, *_) in enumerate(train) if len(sequence) == bases]
        matrix = numpy.array([["ACGU".index(base) for base in train[k][0]] for k in places])
        for sequence, *_ in tests:
            if min(bases, len(sequence)) >= identity * max(bases, len(sequence)):
                edits = distances(sequence, matrix)
                close = 1 - edits / max(bases, len(sequence)) >= identity - 1e-9
                near.update(places[k] for k in numpy.flatnonzero(close))
    return near


def write(path, rows):
    with open(path, "w") as file:
        for sequence, structure, energy in rows:
            puzzle = {"input": question(sequence), "output": answer(pairs_in(structure), len(sequence))}
            puzzle |= {"sequence": sequence, "structure": structure, "energy": energy}
            file.write(json.dumps(puzzle, separators=(",", ":")) + "\n")
    print(f"{path}: {len(rows)}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--train", type=int, default=60000)
    parser.add_argument("--test", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--apart", type=float, default=0.5, help="kcal/mol to the second best structure")
    parser.add_argument("--identity", type=float, default=0.8, help="no training sequence so near to a test sequence")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    seeds = (arguments.seed * 10**6 + k for k in range(10**6))
    with multiprocessing.Pool() as pool:
        make = lambda count, kind, apart: sum(
            pool.map(examples, [(next(seeds), min(250, count - k), kind, apart) for k in range(0, count, 250)]), []
        )
        tests = {
            "test": make(arguments.test, "planted", arguments.apart),
            "test-unfiltered": make(arguments.test, "planted", 0),
            "test-uniform": make(arguments.test, "uniform", 0),
        }
        train = make(arguments.train, "planted", arguments.apart)
    near = similar(train, sum(tests.values(), []), arguments.identity)
    train = [row for k, row in enumerate(train) if k not in near]
    print(f"{len(near)} training sequences left out: an identity of {arguments.identity} with a test sequence")
    for name, rows in tests.items():
        write(arguments.out / f"{name}.jsonl", rows)
    write(arguments.out / "train.jsonl", train)
    write(arguments.out / "train-short.jsonl", [row for row in train if len(row[0]) <= 32])
    (arguments.out / "alphabet").write_text(",".join(alphabet()) + ", ")


if __name__ == "__main__":
    main()
