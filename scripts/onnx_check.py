"""Compares what ONNX Runtime computes of exported models with what trm computes: see scripts/onnx-check."""
import argparse
import json
import pathlib
import statistics
import time

import numpy as np
import onnx
import onnxruntime as ort

STEPS = 16
CLOSE = 1e-4  # of larger values than 1 relative
GROWTH = 20  # of what a millionth in y and z becomes: sums in another order differ in the last bits of every layer


def arrays(path):
    """What a safetensors file holds."""
    data = path.read_bytes()
    end = 8 + int.from_bytes(data[:8], "little")
    kinds = {"F32": np.float32, "I64": np.int64}
    held = {}
    for name, told in json.loads(data[8:end]).items():
        first, last = told["data_offsets"]
        values = np.frombuffer(data[end + first : end + last], kinds[told["dtype"]])
        held[name] = values.reshape(told["shape"])
    return held


def session(path, threads=1):
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    return ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def difference(got, wanted):
    assert got.shape == wanted.shape, f"{got.shape} instead of {wanted.shape}"
    return float(np.max(np.abs(got - wanted) / np.maximum(1, np.abs(wanted)), initial=0))


def start(model, inputs):
    """The state that puzzles begin with, from the file alone."""
    shape = [len(inputs["tokens"])] + model.get_inputs()[-1].shape[1:]
    zeros = np.zeros(shape, np.float32)
    initial = model.run(["initial_y", "initial_z"], {**inputs, "y": zeros, "z": zeros})
    return [np.ascontiguousarray(np.broadcast_to(value, shape)) for value in initial]


def step(model, inputs, y, z):
    names = [output.name for output in model.get_outputs()]
    return dict(zip(names, model.run(None, {**inputs, "y": y, "z": z})))


def think(model, inputs):
    """The outputs of the last of 16 steps."""
    y, z = start(model, inputs)
    for _ in range(STEPS):
        told = step(model, inputs, y, z)
        y, z = told["next_y"], told["next_z"]
    return told


def recursive(path, wanted):
    model = session(path)
    inputs = {name: wanted[name] for name in ("tokens", "puzzle") if name in wanted}
    y, z = start(model, inputs)
    fine, worst, allowed, seconds = True, [], [], []
    for number in range(1, STEPS + 1):
        started = time.perf_counter()
        told = step(model, inputs, y, z)
        seconds.append(time.perf_counter() - started)
        worst.append(max(difference(told[name], wanted[f"{name}.{number}"]) for name in ("logits", "halt", "next_y", "next_z")))
        grown = difference(wanted[f"disturbed.{number}"], wanted[f"logits.{number}"])
        allowed.append(max(CLOSE, GROWTH * grown))
        fine &= worst[-1] <= allowed[-1]
        y, z = wanted[f"next_y.{number}"], wanted[f"next_z.{number}"]
    alone = {name: values[1:2] for name, values in inputs.items()}
    told = step(model, alone, *start(model, alone))
    fine &= difference(told["logits"], wanted["logits.1"][1:2]) <= allowed[0]
    # without our states rounding errors grow as the model makes them grow
    last = wanted[f"logits.{STEPS}"]
    free = difference(think(model, inputs)["logits"], last)
    grown = max(difference(wanted[f"free.{number}"], wanted[f"logits.{number}"]) for number in range(1, STEPS + 1))
    fine &= free <= max(CLOSE, GROWTH * grown)
    told = f"first step {worst[0]:.0e}, largest of each from our state {max(worst):.0e}; {STEPS} steps freely {free:.0e} (our own, each step disturbed by 1e-5, at most {grown:.0e})"
    ours, theirs = 1000 * float(wanted["seconds"]), 1000 * statistics.median(seconds)
    return fine, f"{told}; {theirs:.1f} ms a step, ours {ours:.1f} ms"


def autoregressive(path, wanted):
    model, tokens = session(path), wanted["tokens"]
    caches = model.get_inputs()[1:]
    state = {cache.name: np.zeros([len(tokens), cache.shape[1], 0, cache.shape[3]], np.float32) for cache in caches}
    worst = 0
    for place in range(tokens.shape[1]):
        logits, *new = model.run(None, {"token": tokens[:, place], **state})
        state = dict(zip(state, new))
        worst = max(worst, difference(logits, wanted["logits"][:, place]))
    return worst <= CLOSE, f"{tokens.shape[1]} tokens {worst:.0e}"


def int8(path, wanted):
    """How many tokens int8 weights choose as f32 weights do."""
    last = f"logits.{STEPS}"
    if last not in wanted:
        return f"int8 {path.stat().st_size // 1000} kB: {autoregressive(path, wanted)[1]}"
    inputs = {name: wanted[name] for name in ("tokens", "puzzle") if name in wanted}
    same = np.argmax(think(session(path), inputs)["logits"], -1) == np.argmax(wanted[last], -1)
    return f"int8 {path.stat().st_size // 1000} kB: {100 * same.mean():.1f} % of tokens alike"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=pathlib.Path, help="what the example onnx-cases has written")
    cases, failed = sorted(parser.parse_args().folder.glob("*.safetensors")), False
    for path in cases:
        wanted = arrays(path)
        files = [path.with_suffix(".onnx"), path.with_suffix(".int8.onnx")]
        for file in files:
            onnx.checker.check_model(str(file), full_check=True)
        compare = recursive if "logits.1" in wanted else autoregressive
        fine, told = compare(files[0], wanted)
        failed |= not fine
        size = files[0].stat().st_size // 1000
        print(f"{'ok  ' if fine else 'FAIL'} {path.stem}, {size} kB: {told}; {int8(files[1], wanted)}", flush=True)
    raise SystemExit(failed or not cases)


main()
