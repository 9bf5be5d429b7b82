"""Times single supervision steps of the PyTorch twin, on the CPU or on a GPU of NVIDIA."""
import argparse
import json
import statistics
import time

import torch

from model import PRESETS, Model
from training import AdamATan2, loss_sum, sign_update

LR, PUZZLE_LR, WEIGHT_DECAY = 1e-4, 1e-4, 1.0


def arguments():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--preset", choices=PRESETS, default="sudoku")
    p.add_argument("--batch", type=int, default=1)
    p.add_argument("--work", choices=("forward", "train"), default="forward")
    p.add_argument("--dtype", choices=("bf16", "f32"), default="bf16")
    p.add_argument("--mode", choices=("eager", "compile"), default="eager")
    p.add_argument("--scope", choices=("net", "cycle", "step"), default="net",
                   help="what torch.compile gets: one network call, one cycle, or the whole step (slow to compile)")
    p.add_argument("--optimizer", choices=("adamw", "atan2"), default="adamw",
                   help="torch's fused AdamW (one pass) or the recipe's AdamATan2")
    p.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--seconds", type=float, default=6, help="how long to measure, after the warm-up")
    p.add_argument("--json", action="store_true", help="print JSON only")
    return p.parse_args()


def forward_work(model, dtype, batch, inputs, ids):
    weights = model.cast(dtype)  # the weights stay as they are, so the cast is not timed
    state = model.initial_state(batch, dtype)

    def step():
        nonlocal state
        with torch.inference_mode():
            state, logits, halt = model(state, inputs, model.puzzle_embedding[ids], weights)
            return logits.argmax(-1), halt
    return step


def train_work(model, dtype, batch, inputs, ids, labels, optimizer):
    if optimizer == "adamw":
        optimizer = torch.optim.AdamW(model.parameters(), lr=LR, betas=(0.9, 0.95), weight_decay=WEIGHT_DECAY, fused=True)
    else:
        optimizer = AdamATan2(model.parameters(), lr=LR, weight_decay=WEIGHT_DECAY)
    state = model.initial_state(batch, dtype)

    def step():
        nonlocal state
        rows = model.puzzle_embedding[ids].requires_grad_()
        state, logits, halt = model(state, inputs, rows, model.cast(dtype))
        (loss_sum(logits, halt, labels)[0] / batch).backward()
        optimizer.step()
        optimizer.zero_grad()
        sign_update(model.puzzle_embedding, ids, rows.grad, PUZZLE_LR, WEIGHT_DECAY)
    return step


def main():
    a = arguments()
    torch.set_num_threads(a.threads)
    torch.set_num_interop_threads(1)
    torch.manual_seed(1)
    dtype = {"bf16": torch.bfloat16, "f32": torch.float32}[a.dtype]
    c = PRESETS[a.preset]
    model = Model(c).to(a.device)
    torch.set_default_device(a.device)
    if a.mode == "compile":
        name = "forward" if a.scope == "step" else a.scope
        setattr(model, name, torch.compile(getattr(model, name), dynamic=False))
    inputs = torch.randint(1, c.vocab, (a.batch, c.cells))
    labels = torch.randint(1, c.vocab, (a.batch, c.cells))
    ids = torch.ones(a.batch, dtype=torch.long)
    if a.work == "forward":
        model.requires_grad_(False)
        step = forward_work(model.eval(), dtype, a.batch, inputs, ids)
    else:
        step = train_work(model, dtype, a.batch, inputs, ids, labels, a.optimizer)

    def done():
        if a.device == "cuda":
            torch.cuda.synchronize()

    start = time.perf_counter()
    for _ in range(2):  # compilation, oneDNN's kernels, the allocator
        step()
    done()
    warm_up = time.perf_counter() - start
    times, start = [], time.perf_counter()
    while len(times) < 3 or time.perf_counter() - start < a.seconds:
        before = time.perf_counter()
        step()
        done()
        times.append((time.perf_counter() - before) * 1e3)

    result = {
        "preset": a.preset, "batch": a.batch, "work": a.work, "dtype": a.dtype, "mode": a.mode,
        "median_ms": round(statistics.median(times), 3), "min_ms": round(min(times), 3), "runs": len(times),
        "device": torch.cuda.get_device_name() if a.device == "cuda" else "cpu", "threads": a.threads, "warm_up_s": round(warm_up, 2), "torch": torch.__version__,
        **({"scope": a.scope} if a.mode == "compile" else {}),
        **({"optimizer": a.optimizer} if a.work == "train" else {}),
    }
    if a.json:
        print(json.dumps(result))
    else:
        print(f"{a.preset} batch {a.batch} {a.work} {a.dtype} {a.mode}: median {result['median_ms']} ms, "
              f"{result['median_ms'] / a.batch:.3f} ms per puzzle, least {result['min_ms']} ms, "
              f"{len(times)} runs, torch {torch.__version__}")


if __name__ == "__main__":
    main()
