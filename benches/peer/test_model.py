"""Checks the twin against the recorded golden values: python test_model.py [GOLDEN_FOLDER]"""
import json
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file

from model import Config, Model
from training import AdamATan2, loss_sum, sign_update

LAST = {"mlp_t.gate_up_proj.weight": "mix_in", "mlp_t.down_proj.weight": "mix_out",
        "self_attn.qkv_proj.weight": "mix_in", "self_attn.o_proj.weight": "mix_out",
        "mlp.gate_up_proj.weight": "gate_up", "mlp.down_proj.weight": "down"}
TOP = {"H_init": "y_init", "L_init": "z_init", "embed_tokens.embedding_weight": "embedding", "lm_head.weight": "lm_head",
       "q_head.weight": "q_weight", "q_head.bias": "q_bias", "puzzle_emb.weights": "puzzle_embedding"}


# How many of the ten recorded training steps to follow. The mixer's run is chaotic in single precision: its
# rounding differences grow about fourfold a step (weights nudged by 1e-7 end 0.18 apart in the logits of
# step 10), so only its beginning can be compared.
FOLLOWED = {"mlp": 3, "attention": 10}


def ours(name):
    name = name.removeprefix("inner.")
    if name.startswith("L_level.layers."):
        index, _, rest = name.removeprefix("L_level.layers.").partition(".")
        return f"blocks.{index}.{LAST[rest]}"
    return TOP.get(name)


def part(tensors, prefix):
    names = (k.removeprefix(prefix) for k in tensors if k.startswith(prefix))
    return {ours(n): tensors[prefix + n] for n in names if ours(n)}


def close(what, got, want, tolerance):
    error = ((got - want).abs() / want.abs().clamp(min=1)).max().item()
    print(f"  {what:28} error {error:.1e} (allowed {tolerance:.0e})")
    assert error <= tolerance, what


def check(folder, name):
    print(name)
    t = load_file(folder / f"{name}.safetensors")
    told = json.loads((folder / f"{name}.json").read_text())
    g, train = told["config"], told["train"]
    batch = g["batch_size"]
    c = Config(vocab=g["vocab_size"], cells=g["seq_len"], attention=not g["mlp_t"], cycles=g["H_cycles"],
               recursions=g["L_cycles"], prefix=g["puzzle_emb_len"], hidden=g["hidden_size"], heads=g["num_heads"],
               expansion=g["expansion"], blocks=g["L_layers"], puzzle_dim=g["puzzle_emb_ndim"],
               puzzles=g["num_puzzle_identifiers"])
    model = Model(c)
    model.load_state_dict(part(t, "init."))
    optimizer = AdamATan2(model.parameters(), lr=0.0, betas=(train["beta1"], train["beta2"]),
                          weight_decay=train["weight_decay"])
    fresh = model.initial_state(batch, torch.float32)
    halted, steps, state, current = torch.ones(batch, dtype=torch.bool), torch.zeros(batch), fresh, None
    for k in range(1, FOLLOWED[name] + 1):
        # Rows that halted are replaced by fresh examples with a fresh state.
        offered = [t[f"step{k}.batch.{n}"].long() for n in ("inputs", "labels", "puzzle_identifiers")]
        pick = lambda new, old: torch.where(halted.view(-1, *[1] * (new.dim() - 1)), new, old)
        current = offered if current is None else [pick(*p) for p in zip(offered, current)]
        state, steps = [pick(*p) for p in zip(fresh, state)], torch.where(halted, 0, steps) + 1
        inputs, labels, ids = current
        rows = model.puzzle_embedding[ids].requires_grad_()
        state, logits, halt = model(state, inputs, rows, model.cast(torch.float32))
        halted = (steps >= g["halt_max_steps"]) | (halt > 0)
        loss, cells, halting = loss_sum(logits, halt, labels)
        (loss / train["global_batch_size"]).backward()
        tolerance = 1e-4 if k == 1 else 1e-3
        if k <= 3 or k == 10:
            close(f"step {k} logits", logits, t[f"step{k}.logits"], tolerance)
            close(f"step {k} halt logit", halt, t[f"step{k}.q_halt_logits"], tolerance)
            for what, value in (("lm_loss", cells), ("q_halt_loss", halting), ("loss", loss)):
                close(f"step {k} {what}", value, torch.tensor(told["metrics"][k - 1][what]), tolerance)
        if k <= 2:
            close(f"step {k} y", state[0], t[f"step{k}.z_H"], tolerance)
            close(f"step {k} z", state[1], t[f"step{k}.z_L"], tolerance)
            got = {n: p.grad for n, p in model.named_parameters()}
            want = part(t, f"step{k}.grad.")
            assert got.keys() == want.keys()
            for n in want:
                # Relative to each tensor's largest gradient.
                close(f"step {k} grad {n}", got[n] / want[n].abs().max(), want[n] / want[n].abs().max(), tolerance)
            local = t[f"step{k}.grad.inner.puzzle_emb.local_weights"]
            close(f"step {k} grad puzzle rows", rows.grad / local.abs().max(), local / local.abs().max(), tolerance)
        assert torch.equal(halted.int(), t[f"step{k}.halted"]) and torch.equal(steps.int(), t[f"step{k}.steps"])
        rate = min(k / train["lr_warmup_steps"], 1)
        optimizer.param_groups[0]["lr"] = train["lr"] * rate
        optimizer.step()
        optimizer.zero_grad()
        sign_update(model.puzzle_embedding, ids, rows.grad, train["puzzle_emb_lr"] * rate, train["puzzle_emb_weight_decay"])
    if FOLLOWED[name] == train["steps"]:
        for n, want in part(t, "final.").items():
            close(f"final {n}", model.state_dict()[n], want, 1e-3)

    model.load_state_dict(part(t, "final."))
    inputs, ids = (t[f"step{train['steps']}.batch.{n}"].long() for n in ("inputs", "puzzle_identifiers"))
    state = fresh
    with torch.inference_mode():
        for k in range(1, told["eval_steps"] + 1):
            state, logits, halt = model(state, inputs, model.puzzle_embedding[ids], model.cast(torch.float32))
            close(f"eval {k} logits", logits, t[f"eval{k}.logits"], 1e-4)
            close(f"eval {k} halt logit", halt, t[f"eval{k}.q_halt_logits"], 1e-4)


if __name__ == "__main__":
    default = Path(__file__).resolve().parents[3] / "shared/golden"
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else default
    for name in ("mlp", "attention"):
        check(folder, name)
    print("all agree")
