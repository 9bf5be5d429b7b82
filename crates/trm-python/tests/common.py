"""What the tests share: the checkout, the command line, tiny recipes."""

import json
import os
import pathlib
import shutil
import struct
import subprocess
import tempfile
import unittest

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[3]
HARD = "..8.2...3.6....2..1.....64....9.3.....7....3.6..5..8.2.4...8..7..6.473.....6....."
SMALL = "1.....3..4.....2"

RECIPE = {
    "seed": 1,
    "model": {"mix": "mixer", "hidden": 32, "blocks": 1, "recursions": 2, "cycles": 2,
              "supervision_steps": 4, "prefix_len": 0, "puzzle_embedding": 0},
    "train": {"steps": 12, "batch": 16, "validation": 20, "validate_every": 6, "checkpoint_every": 6},
}


def program():
    """The command line, or a reason to skip."""
    built = os.environ.get("CARGO_TARGET_DIR", ROOT / "target")
    places = [os.environ.get("TRM"), f"{built}/release/trm", f"{built}/debug/trm", shutil.which("trm")]
    found = [place for place in places if place and pathlib.Path(place).is_file()]
    if not found:
        raise unittest.SkipTest("no command line to compare with: cargo build -p trm-cli, or set TRM")
    return found[0]


def trm(*words, cwd=None, code=0):
    """What the command line prints."""
    done = subprocess.run([program(), *map(str, words)], capture_output=True, text=True, cwd=cwd)
    assert done.returncode == code, done.stderr
    return done.stdout


def safetensors(path):
    """The arrays of a file."""
    raw = pathlib.Path(path).read_bytes()
    (size,) = struct.unpack("<Q", raw[:8])
    kinds = {"F32": np.float32, "U8": np.uint8}
    body, arrays = raw[8 + size:], {}
    for name, about in json.loads(raw[8:8 + size]).items():
        begin, end = about["data_offsets"]
        arrays[name] = np.frombuffer(body[begin:end], kinds[about["dtype"]]).reshape(about["shape"])
    return arrays


class InFolder(unittest.TestCase):
    """A test in a folder of its own."""

    def setUp(self):
        self.before = os.getcwd()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="trm-python-"))
        os.chdir(self.folder)

    def tearDown(self):
        os.chdir(self.before)
        shutil.rmtree(self.folder, ignore_errors=True)
