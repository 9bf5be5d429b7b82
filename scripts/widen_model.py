"""Doubles the features of a trained model without changing what it computes: a beginning for a wider one.

usage: scripts/widen_model.py MODEL OUT        (python3 with numpy; OUT is a folder for `init = "OUT"`)

Every feature stands twice, side by side. What reads a feature reads both copies with random shares that sum to the old
weight, so the copies have different gradients and part (Net2Net, arXiv 1511.05641). The RMS norm of the doubled vector is
the old one. For models whose mixing is units or neighbours (both tried), without prefix and positions.
"""
import json
import os
import sys

import numpy as np


def read(path):
    raw = open(path, "rb").read()
    size = int.from_bytes(raw[:8], "little")
    tensors = {}
    for name, about in json.loads(raw[8 : 8 + size]).items():
        if name == "__metadata__":
            continue
        start, end = (8 + size + at for at in about["data_offsets"])
        if about["dtype"] == "BF16":
            values = (np.frombuffer(raw[start:end], "<u2").astype("<u4") << 16).view("<f4")
        elif about["dtype"] == "F32":
            values = np.frombuffer(raw[start:end], "<f4")
        else:
            sys.exit(f"{path}: {name} is {about['dtype']}; only F32 and BF16 are read")
        tensors[name] = values.reshape(about["shape"])
    return tensors


def write(path, tensors):
    header, body = {}, b""
    for name, values in tensors.items():
        data = values.astype("<f4").tobytes()
        header[name] = {"dtype": "F32", "shape": list(values.shape), "data_offsets": [len(body), len(body) + len(data)]}
        body += data
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    open(path, "wb").write(len(text).to_bytes(8, "little") + text + body)


def rows_twice(values):
    return np.repeat(values, 2, axis=0)


def columns_shared(values, rng):
    share = 0.5 + 0.3 * rng.standard_normal(values.shape)
    return np.stack([values * share, values * (1 - share)], axis=-1).reshape(values.shape[0], -1)


def widened(name, values, rng):
    if name in ("initial_y", "initial_z"):
        return rows_twice(values)
    if name == "q_head.bias":
        return values
    if name == "token_embedding":
        return np.repeat(values, 2, axis=1) / np.sqrt(2)  # they are multiplied by the root of the features
    values = columns_shared(values, rng)
    return values if name in ("lm_head", "q_head.weight") else rows_twice(values)


def inner(hidden, config):
    """The inner width of SwiGLU: two thirds of expansion times features, rounded to the next multiple."""
    wanted, multiple = round(config["expansion"] * hidden * 2 / 3), config["inner_multiple"]
    return -(-wanted // multiple) * multiple


def refused(config):
    """Why a model of this configuration cannot be widened here, if so."""
    mix = config.get("mix", "mixer")
    if mix not in ("units", "neighbours"):
        return f'mix = "{mix}": only units and neighbours can be widened'
    if config.get("prefix_len") or config.get("puzzle_embedding") or config.get("positions", "none") != "none":
        return "a model with prefix, puzzle embedding or positions cannot be widened"
    if inner(2 * config["hidden"], config) != 2 * inner(config["hidden"], config):
        return "the inner width of twice the features is not twice the inner width: another inner_multiple is needed"
    return None


def main(model, out):
    rng = np.random.default_rng(0)
    config = json.load(open(f"{model}/config.json"))
    if reason := refused(config):
        sys.exit(f"{model}: {reason}")
    if os.path.exists(out):
        sys.exit(f"{out}: is there already; name a new folder")
    config["hidden"] *= 2
    tensors = {name: widened(name, values, rng) for name, values in read(f"{model}/model.safetensors").items()}
    os.makedirs(out)
    json.dump(config, open(f"{out}/config.json", "w"), indent=2)
    write(f"{out}/model.safetensors", tensors)


if len(sys.argv) != 3:
    sys.exit("usage: scripts/widen_model.py MODEL OUT")
main(*sys.argv[1:])
