"""Job shops and their best schedules, one JSON object a line: {"input": rows, "output": rows, "makespan": number}.

A cell of the input is `place:duration` of a job (row) on a machine (column); a cell of the output is the rank of the
job on that machine. The teacher is CP-SAT: least makespan first, then the least sum of start times, each weighted by
its place in the route, which leaves one best schedule in almost every case.

    python3 generate.py --count 1000 --seed 1 --out test5.jsonl
    python3 generate.py --count 69322 --seed 2 --exclude test5.jsonl --out train5.jsonl

Line i depends on seed and i alone, so an interrupted run goes on where it ended.
"""

import argparse
import json
import multiprocessing
import os
import random
import sys
import time

from ortools.sat.python import cp_model

EXCLUDED = set()


def draw(jobs, machines, seed, index):
    """Cells (place, duration): every job visits every machine once, in random order."""
    rng = random.Random(f"{seed}/{index}")
    while True:
        places = [rng.sample(range(1, machines + 1), machines) for _ in range(jobs)]
        shop = [[(place, rng.randint(1, 9)) for place in row] for row in places]
        if shop_class(shop) not in EXCLUDED:
            return shop


def shop_class(shop):
    """What stays the same when rows and columns change places; two classes may share it, which does no harm."""
    lines = lambda shop: sorted(tuple(sorted(line)) for line in shop)
    return repr((lines(shop), lines(zip(*shop))))


def model_of(shop):
    """The shop as a CP-SAT model, its start times and its makespan."""
    model = cp_model.CpModel()
    jobs, machines = range(len(shop)), range(len(shop[0]))
    horizon = sum(duration for row in shop for _, duration in row)
    starts = [[model.new_int_var(0, horizon, "") for _ in machines] for _ in jobs]
    makespan = model.new_int_var(0, horizon, "")
    for job in jobs:
        route = sorted(machines, key=lambda machine: shop[job][machine][0])
        ends = [starts[job][machine] + shop[job][machine][1] for machine in route]
        for machine, end in zip(route[1:], ends):
            model.add(starts[job][machine] >= end)
        model.add(makespan >= ends[-1])
    for machine in machines:
        operations = [(starts[job][machine], shop[job][machine][1]) for job in jobs]
        model.add_no_overlap([model.new_interval_var(s, d, s + d, "") for s, d in operations])
    return model, starts, makespan


def solve(shop):
    """Ranks and makespan of the best schedule, and the seconds that it took."""
    began = time.perf_counter()
    model, starts, makespan = model_of(shop)
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.random_seed = 1

    def least(expression):
        model.minimize(expression)
        if solver.solve(model) != cp_model.OPTIMAL:
            sys.exit("CP-SAT did not prove a schedule to be the best")
        return round(solver.objective_value)

    best = least(makespan)
    model.add(makespan == best)
    cells = [(place, starts[j][m]) for j, row in enumerate(shop) for m, (place, _) in enumerate(row)]
    least(sum(place * start for place, start in cells))
    columns = zip(*[[solver.value(start) for start in row] for row in starts])
    ranks = [[str(1 + sorted(column).index(start)) for start in column] for column in columns]
    return [list(row) for row in zip(*ranks)], best, time.perf_counter() - began


def example(task):
    """A line of the file, and the seconds that the teacher took."""
    shop = draw(*task)
    answer, makespan, seconds = solve(shop)
    question = [[f"{place}:{duration}" for place, duration in row] for row in shop]
    return json.dumps({"input": question, "output": answer, "makespan": makespan}), seconds


def read_classes(paths):
    """Classes of the shops in files that this program wrote."""
    classes = set()
    for path in paths:
        for line in open(path):
            rows = json.loads(line)["input"]
            classes.add(shop_class([[tuple(map(int, cell.split(":"))) for cell in row] for row in rows]))
    return classes


def whole_lines(file):
    """Their number; half a line at the end is cut off."""
    file.seek(0)
    text = file.read()
    file.truncate(len(text[: text.rfind("\n") + 1]))
    return text.count("\n")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=5)
    parser.add_argument("--machines", type=int, default=5)
    parser.add_argument("--count", type=int, required=True, help="shops to draw")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--exclude", nargs="*", default=[], help="files whose shops must not come up again")
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    parser.add_argument("--out", required=True)
    return parser.parse_args()


def main():
    global EXCLUDED
    options = arguments()
    EXCLUDED = read_classes(options.exclude)
    seconds, made = 0.0, 0
    with open(options.out, "a+") as out, multiprocessing.get_context("fork").Pool(options.workers) as pool:
        of_shop = options.jobs, options.machines, options.seed
        tasks = ((*of_shop, index) for index in range(whole_lines(out), options.count))
        for line, taken in pool.imap(example, tasks, chunksize=50):
            out.write(line + "\n")
            seconds, made = seconds + taken, made + 1
    print(f"{made} shops, {1e3 * seconds / max(made, 1):.1f} ms of CP-SAT each", file=sys.stderr)


if __name__ == "__main__":
    main()
