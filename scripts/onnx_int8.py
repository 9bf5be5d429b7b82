"""How many Sudokus exported models solve in 16 steps: scripts/onnx_int8.py PUZZLES.csv N MODEL.onnx …

The CSV file has the columns question and answer, as Sudoku-Extreme's.
"""
import csv
import sys

import numpy as np
import onnxruntime as ort

BATCH, STEPS = 16, 16


def session(path):
    options = ort.SessionOptions()
    options.add_session_config_entry("session.disable_quant_qdq", "1")  # int8 weights become f32 once
    return ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def answers(model, tokens):
    zeros = np.zeros([len(tokens)] + model.get_inputs()[-1].shape[1:], np.float32)
    initial = model.run(["initial_y", "initial_z"], {"tokens": tokens, "y": zeros, "z": zeros})
    y, z = (zeros + vector for vector in initial)
    for _ in range(STEPS):
        logits, y, z = model.run(["logits", "next_y", "next_z"], {"tokens": tokens, "y": y, "z": z})
    return logits.argmax(-1)


file, many, *models = sys.argv[1:]
rows = list(csv.DictReader(open(file)))[: int(many)]
questions, right = (
    np.array([[1 if cell == "." else int(cell) + 1 for cell in row[column]] for row in rows])
    for column in ("question", "answer")
)
for path in models:
    model = session(path)
    parts = [answers(model, questions[first : first + BATCH]) for first in range(0, len(rows), BATCH)]
    same = np.concatenate(parts) == right
    print(f"{path}: {same.all(-1).sum()} of {len(rows)} solved, {100 * same.mean():.1f} % of cells", flush=True)
