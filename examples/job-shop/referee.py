"""Judges schedules of a job shop: reads {"question": rows, "answer": rows} a line, writes a verdict a line.

A cell of the question is `place:duration` of a job (row) on a machine (column); a cell of the answer is the rank of
the job on the machine. A machine takes its jobs from the lowest rank to the highest; of equal ranks the job goes first
that has more work left, then the upper one. An answer is right unless a cell is no rank or operations wait for each
other in a circle. Its cost is the makespan when every operation begins as early as these orders allow.
"""

import json
import sys


def read_shop(rows):
    """Places and durations of the operations."""
    return [[tuple(map(int, cell.split(":"))) for cell in row] for row in rows]


def orders(shop, answer):
    """The jobs of every machine, first to last."""
    jobs = range(len(shop))
    left = [[sum(d for at, d in row if at >= place) for place, _ in row] for row in shop]
    return [sorted(jobs, key=lambda j: (int(answer[j][m]), -left[j][m])) for m in range(len(shop[0]))]


def followers(shop, orders):
    """The operations that wait for each operation: the next of its job, the next on its machine."""
    chains = [[(job, m) for m in sorted(range(len(row)), key=lambda m: row[m][0])] for job, row in enumerate(shop)]
    chains += [[(job, machine) for job in order] for machine, order in enumerate(orders)]
    after = {operation: [] for chain in chains for operation in chain}
    for chain in chains:
        for first, second in zip(chain, chain[1:]):
            after[first].append(second)
    return after


def peel(after):
    """Operations in an order in which none waits for a later one, as far as there is one, and the rest."""
    waits = dict.fromkeys(after, 0)
    for followers in after.values():
        for follower in followers:
            waits[follower] += 1
    order = [operation for operation, count in waits.items() if count == 0]
    for operation in order:
        for follower in after[operation]:
            waits[follower] -= 1
            if waits[follower] == 0:
                order.append(follower)
    return order, [operation for operation, count in waits.items() if count > 0]


def circle(after, rest):
    """Of operations that cannot begin, those that others of them wait for: what is left is in circles or between."""
    before = {operation: [] for operation in rest}
    for operation in rest:
        for follower in after[operation]:
            before[follower].append(operation)
    return peel(before)[1]


def start_times(shop, after, order):
    """The earliest start of every operation."""
    starts = dict.fromkeys(after, 0)
    for job, machine in order:
        end = starts[job, machine] + shop[job][machine][1]
        for follower in after[job, machine]:
            starts[follower] = max(starts[follower], end)
    return starts


def judge(question, answer):
    """The verdict."""
    shop = read_shop(question)
    broken = [[j, m] for j, row in enumerate(answer) for m, rank in enumerate(row) if not rank.isdecimal()]
    if broken:
        return {"verdict": "wrong", "broken": broken, "why": "no rank"}
    after = followers(shop, orders(shop, answer))
    order, rest = peel(after)
    if rest:
        return {"verdict": "wrong", "broken": circle(after, rest), "why": "operations wait for each other in a circle"}
    starts = start_times(shop, after, order)
    return {"verdict": "right", "cost": max(start + shop[j][m][1] for (j, m), start in starts.items())}


if __name__ == "__main__":
    for line in sys.stdin:
        case = json.loads(line)
        print(json.dumps(judge(case["question"], case["answer"])), flush=True)
