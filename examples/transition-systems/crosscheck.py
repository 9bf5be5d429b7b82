"""Checks the teacher's answers with a SAT solver (pip install python-sat), which knows nothing of searches.

Unsafe: bounded model checking, one Boolean per state and time, each step one transition: no counterexample of fewer
steps than the answer marks, and one of just as many. Safe: no counterexample of fewer steps than there are states (a
shortest one visits none twice), and the marked set is an inductive invariant: a state that is initial and outside, or
inside and bad, or a transition that leaves it, is asked for and must not exist.
"""

import argparse
import json

from pysat.formula import IDPool
from pysat.card import CardEnc, EncType
from pysat.solvers import Solver


def cells(rows, symbol):
    return {(i, j) for i, row in enumerate(rows) for j, cell in enumerate(row) if cell == symbol}


def one_of(literals, pool):
    """Exactly one of them is true."""
    return CardEnc.equals(literals, 1, vpool=pool, encoding=EncType.seqcounter).clauses


def shortest(question):
    """The least number of steps from an initial to a bad state, None where fewer than n do not suffice."""
    n = len(question)
    edges, initial, bad = cells(question, "#"), cells(question, "I"), cells(question, "B")
    pool = IDPool()
    at = lambda state, time: pool.id((state, time))
    with Solver("cadical153") as solver:
        solver.append_formula(one_of([at(s, 0) for s in range(n)], pool))
        solver.add_clause([at(s, 0) for s, _ in initial])
        for time in range(n):
            arrived = pool.id(("arrived", time))
            solver.append_formula([[-arrived, *(at(s, time) for s, _ in bad)]])
            if solver.solve(assumptions=[arrived]):
                return time
            solver.append_formula(one_of([at(s, time + 1) for s in range(n)], pool))
            for i in range(n):
                solver.add_clause([-at(i, time), *(at(j, time + 1) for j in range(n) if (i, j) in edges)])
    return None


def is_invariant(question, inside):
    """Whether no state and no transition contradicts that the set is an inductive invariant."""
    n = len(question)
    edges, initial, bad = cells(question, "#"), cells(question, "I"), cells(question, "B")
    pool = IDPool()
    now, then = ([pool.id((state, time)) for state in range(n)] for time in (0, 1))
    here, there = pool.id("inside now"), pool.id("inside then")
    with Solver("cadical153") as solver:
        for states, member in (now, here), (then, there):
            solver.append_formula(one_of(states, pool))
            for state, literal in enumerate(states):
                solver.add_clause([-literal, member if state in inside else -member])
        begins, fails, moves = (pool.id(name) for name in ("begins", "fails", "moves"))
        solver.add_clause([-begins, *(now[s] for s, _ in initial)])
        solver.add_clause([-fails, *(now[s] for s, _ in bad)])
        for i in range(n):
            solver.add_clause([-moves, -now[i], *(then[j] for j in range(n) if (i, j) in edges)])
        return not any(solver.solve(assumptions=a) for a in ([begins, -here], [here, fails], [here, moves, -there]))


def agrees(question, answer):
    """Whether the solver says the same as the teacher."""
    length = shortest(question)
    states = {i for i, j in cells(answer, "+") if i == j}
    if states:
        return length is None and is_invariant(question, states)
    marked = cells(answer, "*")
    steps = {(i, j) for i, j in marked if i != j}
    known, count = {i for i, _ in cells(question, "I") & marked}, 0
    bad = {i for i, _ in cells(question, "B")}
    while known and not known & bad:
        known, count = {j for i, j in steps if i in known}, count + 1
    return bool(known) and length == count and steps <= cells(question, "#")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", help="files of generate.py")
    parser.add_argument("--limit", type=int, help="only the first systems of each file")
    options = parser.parse_args()
    for name in options.files:
        with open(name) as file:
            examples = [json.loads(line) for line in file][:options.limit]
        differ = [number for number, e in enumerate(examples) if not agrees(e["input"], e["output"])]
        print(f"{name}: {len(examples) - len(differ)} of {len(examples)} agree", *differ[:5], flush=True)
        if differ:
            raise SystemExit(1)


if __name__ == "__main__":
    main()
