"""Makes random transition systems and says whether each is safe, with a proof: JSON lines of input and output.

A system of n states is an n×n matrix: `#` at (i, j) is a transition i → j, the diagonal tells what state i is: `I`
initial, `B` bad, `o` neither. The answer has the same shape, `.` where nothing is said:
- safe: `+` on the diagonal at every state that can be reached, the least inductive invariant;
- unsafe: `*` at every transition, and on the diagonal at every state, that lies on a shortest counterexample.
"""

import argparse
import collections
import json
import pathlib
import random

ALPHABET = ".#oIB+*"


def bits(mask):
    """Places of the ones of a mask, from the lowest."""
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low


class System:
    """A transition system: successors of every state, initial states and bad states, all as masks of bits."""

    def __init__(self, after, initial, bad):
        self.after, self.initial, self.bad = after, initial, bad

    @staticmethod
    def read(rows):
        """The system that a matrix tells of."""
        def mask(line, symbol):
            return sum(1 << place for place, cell in enumerate(line) if cell == symbol)
        kinds = [row[state] for state, row in enumerate(rows)]
        return System([mask(row, "#") for row in rows], mask(kinds, "I"), mask(kinds, "B"))

    def rows(self):
        """The matrix of this system."""
        n = len(self.after)
        rows = [["#" if self.after[i] >> j & 1 else "." for j in range(n)] for i in range(n)]
        for state in range(n):
            one = 1 << state
            rows[state][state] = "I" if self.initial & one else "B" if self.bad & one else "o"
        return ["".join(row) for row in rows]

    def layers(self):
        """Breadth-first search: states first reached after 0, 1, … steps, to the first bad ones or to the end."""
        layers, seen = [self.initial], self.initial
        while not layers[-1] & self.bad:
            fresh = 0
            for state in bits(layers[-1]):
                fresh |= self.after[state]
            fresh &= ~seen
            if not fresh:
                break
            seen |= fresh
            layers.append(fresh)
        return layers

    def answer(self, layers):
        """The answer, as rows."""
        n = len(self.after)
        rows = [["."] * n for _ in range(n)]
        aim = layers[-1] & self.bad
        if not aim:
            for state in bits(sum(layers)):
                rows[state][state] = "+"
            return ["".join(row) for row in rows]
        for state in bits(aim):
            rows[state][state] = "*"
        for layer in layers[-2::-1]:
            on = [state for state in bits(layer) if self.after[state] & aim]
            for state in on:
                for place in [state, *bits(self.after[state] & aim)]:
                    rows[state][place] = "*"
            aim = sum(1 << state for state in on)
        return ["".join(row) for row in rows]

    def fingerprint(self):
        """Equal for systems that differ by the order of their states only (and, hardly ever, for others)."""
        n = len(self.after)
        after = [list(bits(mask)) for mask in self.after]
        before = [[i for i in range(n) if self.after[i] >> j & 1] for j in range(n)]
        colours = [(self.initial >> i & 1) + 2 * (self.bad >> i & 1) for i in range(n)]
        for _ in range(4):
            colours = [hash((colours[i], tuple(sorted(colours[j] for j in after[i])),
                             tuple(sorted(colours[j] for j in before[i])))) for i in range(n)]
        return hash(tuple(sorted(colours)))


def draw(n, rng):
    """A random sparse system. In a hidden order of the states transitions lead no further than `reach`."""
    reach, degree = rng.choice((n, n // 4, n // 8)), rng.uniform(1.0, 2.4)
    order = list(range(n))
    rng.shuffle(order)
    after = [0] * n
    for place, state in enumerate(order):
        near = order[max(0, place - reach):place] + order[place + 1:place + reach + 1]
        for other in near:
            if rng.random() * len(near) < degree:
                after[state] |= 1 << other
    initial = sum(1 << state for state in rng.sample(range(n), rng.choice((1, 1, 2))))
    reached = sum(System(after, initial, 0).layers())
    safe = rng.random() < 0.5
    choice = [state for state in range(n) if not initial >> state & 1 and not (safe and reached >> state & 1)]
    bad = rng.sample(choice, min(len(choice), rng.randint(1, 3)))
    return System(after, initial, sum(1 << state for state in bad))


def kind(system, layers):
    """Verdict and number of steps: the length of a shortest counterexample, or the steps to reach all that can be.
    None for what is too easy: nothing ever happens, or no other state leads to a bad one."""
    n, unsafe = len(system.after), bool(layers[-1] & system.bad)
    threatened = any(system.after[i] & system.bad for i in range(n) if not system.bad >> i & 1)
    return (unsafe, len(layers) - 1) if threatened and len(layers) > 1 else None


def make(n, count, rng, known):
    """`count` examples, half of them safe, in which 1, 2, … n/4 + 4 steps (the last: or more) are equally frequent;
    none is another one, nor one of `known`, in another order of states."""
    longest = n // 4 + 4
    full = -(-count // (2 * longest))
    examples, made = [], collections.Counter()
    while len(examples) < count:
        system = draw(n, rng)
        layers = system.layers()
        sort = kind(system, layers)
        if sort is None:
            continue
        sort = sort[0], min(sort[1], longest)
        if made[sort] == full:
            continue
        fingerprint = system.fingerprint()
        if fingerprint in known:
            continue
        known.add(fingerprint)
        made[sort] += 1
        examples.append({"input": system.rows(), "output": system.answer(layers)})
    rng.shuffle(examples)
    return examples


def histogram(examples):
    """Numbers of safe and unsafe systems by steps, as text."""
    made = collections.Counter()
    for example in examples:
        system = System.read(example["input"])
        made[kind(system, system.layers())] += 1
    steps = range(1, max(steps for _, steps in made) + 1)
    lines = [" ".join(["steps ", *(f"{k:5}" for k in steps)])]
    for unsafe, name in (False, "safe  "), (True, "unsafe"):
        lines.append(" ".join([name, *(f"{made[unsafe, k]:5}" for k in steps)]))
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=pathlib.Path, help="folder to write train.jsonl and test-N.jsonl to")
    parser.add_argument("--train", type=int, default=20000, help="systems to train on")
    parser.add_argument("--states", type=int, default=16, help="states of the systems to train on")
    parser.add_argument("--test", type=int, default=1000, help="unseen systems of the same size")
    parser.add_argument("--sizes", type=int, nargs="*", default=[20, 24, 32, 48], help="larger sizes to test on")
    parser.add_argument("--larger", type=int, default=300, help="systems of each larger size")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()

    options.out.mkdir(parents=True, exist_ok=True)
    known = set()
    sets = [(f"test-{options.states}", options.states, options.test), ("train", options.states, options.train)]
    sets += [(f"test-{size}", size, options.larger) for size in options.sizes]
    for name, size, count in sets:
        examples = make(size, count, random.Random(f"{options.seed} {name}"), known)
        with open(options.out / f"{name}.jsonl", "w") as file:
            file.writelines(json.dumps(example) + "\n" for example in examples)
        print(f"{name}: {count} systems of {size} states", histogram(examples), sep="\n", flush=True)


if __name__ == "__main__":
    main()
