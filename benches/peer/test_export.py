"""Checks that PyTorch loads what `trm export --to pt-names` writes: python test_export.py [GOLDEN_FOLDER [TRM]]

A recorded checkpoint is imported and exported again; PyTorch must read the same names and values from the
result, with its loader that executes nothing.
"""
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import torch

root = Path(__file__).resolve().parents[2]
folder = Path(sys.argv[1]) if len(sys.argv) > 1 else root.parent / "shared" / "golden"
trm = sys.argv[2] if len(sys.argv) > 2 else str(root / "target" / "release" / "trm")

for name in ("mlp", "attention"):
    with tempfile.TemporaryDirectory() as place:
        config = Path(place) / "config.json"
        config.write_text(json.dumps({"arch": json.loads((folder / f"{name}.json").read_text())["config"]}))
        model, exported = f"{place}/model", f"{place}/again.pt"
        recorded = folder / f"{name}-checkpoint.pt"
        subprocess.run([trm, "import", recorded, "--config", config, "--out", model], check=True, stdout=subprocess.DEVNULL)
        subprocess.run([trm, "export", model, "--to", "pt-names", "--out", exported], check=True, stdout=subprocess.DEVNULL)
        want, got = (torch.load(path, weights_only=True) for path in (recorded, exported))
        bare = lambda tensors: {key.removeprefix("_orig_mod."): value for key, value in tensors.items()}
        want, got = bare(want), bare(got)
        assert want.keys() == got.keys(), want.keys() ^ got.keys()
        for key, value in want.items():
            assert got[key].dtype == value.dtype and torch.equal(got[key], value), key
        print(f"{name}: {len(got)} tensors, the same names, types and values")
