"""Prints how good structures are: of models, of models that search, of simple rules. Intervals: 95 %.

python3 evaluate.py --data data/rna --model runs/rna --control runs/rna-control
"""

import argparse
import json
import math
import random
import struct
import subprocess
import tempfile
import time
from pathlib import Path

import numpy
import RNA

import heuristics
from canvas import dot_bracket, faults, pairs_in, pairs_of, sequence_of, structure_of

REFEREE = f"python3 {Path(__file__).parent / 'referee.py'}"


def symbols(data):
    """The symbols of a data set by token, from 1; columns of its canvas."""
    metadata = json.loads((data / "test/dataset.json").read_text())
    name = metadata["domain"].split("symbols=")[1].split(":")[0]
    return ["", *(s.replace("%20", " ") for s in name.split(","))], math.isqrt(metadata["seq_len"])


def grids(tokens, names, side):
    """Rows of symbols of each puzzle."""
    canvases = tokens.reshape(-1, side, side)
    return [[[names[token] if token < len(names) else "" for token in row] for row in canvas] for canvas in canvases]


def predictions(file):
    """`preds` of a file that `trm eval --save-outputs` wrote."""
    content = Path(file).read_bytes()
    (size,) = struct.unpack("<Q", content[:8])
    entry = json.loads(content[8 : 8 + size])["preds"]
    start, end = entry["data_offsets"]
    kind = {"U8": numpy.uint8, "I32": numpy.int32, "U32": numpy.uint32, "I64": numpy.int64}[entry["dtype"]]
    return numpy.frombuffer(content[8 + size + start : 8 + size + end], kind)


def one_pass(trm, model, data, limit, steps):
    """The pairs that a model marks in its last draft."""
    names, side = symbols(data)
    with tempfile.TemporaryDirectory() as folder:
        file = f"{folder}/outputs.safetensors"
        command = [trm, "eval", model, "--data", data, "--limit", limit, "--save-outputs", file]
        command += ["--steps", steps] if steps else []
        subprocess.run([str(part) for part in command], check=True, capture_output=True)
        return [pairs_of(grid) for grid in grids(predictions(file), names, side)]


def search(trm, model, questions, chains):
    """The pairs of the cheapest answer that a search has found."""
    lines = ["/".join(" ".join(row) for row in question) for question in questions]
    command = [trm, "solve", model, "-", "--json", "--rollouts", str(chains), "--referee", REFEREE]
    command += ["--steps", "12"]  # of a chain: twice the model's; all are taken, for a cheaper draft
    told = subprocess.run(command, input="\n".join(lines), stdout=subprocess.PIPE, text=True).stdout
    answers = [json.loads(line)["answer"] for line in told.splitlines()]
    if len(answers) != len(questions):
        raise SystemExit(f"{len(answers)} answers to {len(questions)} questions")
    return [pairs_of([row.split() for row in answer.split("/")]) for answer in answers]


def judge(sequence, pairs):
    """What a table needs of an answer: whether all marks count, exact, gap in kcal/mol, the energy, pairs right, said, wanted."""
    fold = RNA.fold_compound(sequence)
    structure, energy = fold.mfe()
    counted = structure_of(sequence, pairs)
    said, wanted = {pair[:2] for pair in counted}, set(pairs_in(structure))
    found = dot_bracket(counted, len(sequence))
    gap = max(0.0, fold.eval_structure(found) - energy)
    return [not any(faults(sequence, pairs)), found == structure, gap, -energy, len(said & wanted), len(said), len(wanted)]


MEASURES = {
    "without a fault": lambda t: 100 * t[0],
    "exact": lambda t: 100 * t[1],
    "gap": lambda t: 100 * t[2] / t[3],
    "pair F1": lambda t: 2 * t[4] / (t[5] + t[6]),
}


def row(name, sequences, answers, seconds=None):
    """A line of the table; intervals by drawing sequences anew, 2000 times."""
    rows = numpy.array([judge(*each) for each in zip(sequences, answers)], float)
    rng = numpy.random.default_rng(0)
    drawn = [rows[rng.integers(0, len(rows), len(rows))].mean(0) for _ in range(2000)]
    cells = [name]
    for title, measure in MEASURES.items():
        value, (low, high) = measure(rows.mean(0)), numpy.percentile([measure(t) for t in drawn], [2.5, 97.5])
        cells.append(f"{value:.3f} ({low:.3f}–{high:.3f})" if title == "pair F1" else f"{value:.1f} % ({low:.1f}–{high:.1f})")
    cells.append(f"{1000 * seconds / len(sequences):.1f} ms" if seconds else "–")
    print("| " + " | ".join(cells) + " |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--control")
    parser.add_argument("--limit", type=int, default=10**6)
    parser.add_argument("--steps", type=int, nargs="*", default=[])
    parser.add_argument("--chains", type=int, nargs="*", default=[])
    parser.add_argument("--trm", default="trm")
    arguments = parser.parse_args()
    names, side = symbols(arguments.data)
    inputs = numpy.load(arguments.data / "test/all__inputs.npy")[: arguments.limit]
    questions = [[[cell for cell in line if cell.strip()] for line in grid if line[0].strip()] for grid in grids(inputs, names, side)]
    sequences = [sequence_of(question) for question in questions]

    def timed(name, answers):
        start = time.monotonic()
        found = answers()
        row(name, sequences, found, time.monotonic() - start)

    print("| | without a fault | exact | gap | pair F1 | time |\n|---|---|---|---|---|---|")
    of_rule = lambda rule: lambda: [[(i, j, (0, 0)) for i, j in pairs_in(rule(s))] for s in sequences]
    timed("most pairs (Nussinov)", of_rule(heuristics.most_pairs))
    timed("longest helix first", of_rule(heuristics.longest_first))
    timed("strongest helix first", of_rule(heuristics.strongest_first))
    pass_of = lambda model, steps: lambda: one_pass(arguments.trm, model, arguments.data, arguments.limit, steps)
    if arguments.control:
        timed("control, no recursion", pass_of(arguments.control, None))
    for steps in arguments.steps or [None]:
        timed(f"one pass, {steps} steps" if steps else "one pass", pass_of(arguments.model, steps))
    for chains in arguments.chains:
        timed(f"search, {chains} chains", lambda: search(arguments.trm, arguments.model, questions, chains))


if __name__ == "__main__":
    main()
