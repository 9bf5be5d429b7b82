"""Times `trm` and its PyTorch twin in turns, one process each, and prints a Markdown table of ratios."""
import argparse
import json
import os
import statistics
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Case:
    work: str
    precision: str
    preset: str
    batch: int
    bar: float  # times faster than PyTorch that we want to be

    def __str__(self):
        return f"{self.work} {self.preset}, batch {self.batch}, {self.precision}"


CASES = {
    "sudoku-1": Case("forward", "bf16", "sudoku", 1, 1.7),
    "sudoku-16": Case("forward", "bf16", "sudoku", 16, 1.5),
    "attention-16": Case("forward", "bf16", "attention", 16, 1.5),
    "long-1": Case("forward", "bf16", "long", 1, 1.6),
    "train-16": Case("train", "bf16", "sudoku", 16, 1.25),
    "f32-1": Case("forward", "f32", "sudoku", 1, 1.5),
    "f32-16": Case("forward", "f32", "sudoku", 16, 1.5),
    "f32-attention-1": Case("forward", "f32", "attention", 1, 1.5),
    "f32-attention-16": Case("forward", "f32", "attention", 16, 1.5),
    "f32-long-1": Case("forward", "f32", "long", 1, 1.5),
    "f32-train-16": Case("train", "f32", "sudoku", 16, 1.35),
}

# What caps the instructions of both sides: ours, and those of PyTorch, oneDNN and MKL.
CAPS = {
    "avx2": {
        "TRM_CPU": "avx2",
        "ATEN_CPU_CAPABILITY": "avx2",
        "ONEDNN_MAX_CPU_ISA": "AVX2",
        "MKL_ENABLE_INSTRUCTIONS": "AVX2",
    },
    "avx512": {
        "TRM_CPU": "avx512",
        "ATEN_CPU_CAPABILITY": "avx512",
        "ONEDNN_MAX_CPU_ISA": "AVX512_CORE",
        "MKL_ENABLE_INSTRUCTIONS": "AVX512",
    },
}


def arguments():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--cases", default=",".join(CASES), help="some of the default, separated by commas")
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--seconds", type=float, default=6, help="how long each process measures")
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--cpu", choices=CAPS, help="cap the instructions of both sides")
    p.add_argument("--no-compile", action="store_true", help="PyTorch eager only")
    p.add_argument("--trm", type=Path, default=HERE.parent.parent / "target/release/trm")
    p.add_argument("--json", type=Path, metavar="FILE",
                   help="keep every process's answer here, and go on where an interrupted comparison stopped")
    a = p.parse_args()
    a.cases = a.cases.split(",")
    unknown = [name for name in a.cases if name not in CASES]
    if unknown:
        p.error(f"unknown case {unknown[0]}: choose among {', '.join(CASES)}")
    if a.rounds < 1 or a.threads < 1 or not a.trm.is_file():
        p.error(f"needs a round, a thread and a program at {a.trm}: cargo build --release")
    return a


def sides(case, a):
    """Name and command of everything that is timed for a case."""
    options = ["--preset", case.preset, "--batch", case.batch, "--work", case.work,
               "--threads", a.threads, "--seconds", a.seconds, "--json"]
    yield "trm", [a.trm, "bench", "--precision", case.precision, *options]
    peer = [sys.executable, HERE / "bench.py", "--dtype", case.precision, *options]
    for mode in ["eager"] if a.no_compile else ["eager", "compile"]:
        if case.work == "train":
            for optimizer in ("adamw", "atan2"):
                yield f"{mode} {optimizer}", [*peer, "--mode", mode, "--optimizer", optimizer]
        else:
            yield mode, [*peer, "--mode", mode]


def measure(command, cpu):
    environment = {**os.environ, **CAPS.get(cpu, {})}
    command = [str(part) for part in command]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode:
        sys.exit(f"{' '.join(command)}\n{done.stderr}")
    answer = json.loads(done.stdout)
    return {**answer["cases"][0], "machine": answer["machine"]} if "cases" in answer else answer


class Records:
    """What every process answered, by case, side and round."""

    def __init__(self, a):
        self.path = a.json
        settings = {"seconds": a.seconds, "threads": a.threads, "cpu": a.cpu}
        self.data = {"settings": settings, "runs": []}
        if self.path and self.path.exists():
            self.data = json.loads(self.path.read_text())
            if self.data["settings"] != settings:
                sys.exit(f"{self.path}: measured with {self.data['settings']}; use the same or another file")

    def has(self, *key):
        return any((r["case"], r["side"], r["round"]) == key for r in self.data["runs"])

    def add(self, case, side, number, answer):
        self.data["runs"].append({"case": case, "side": side, "round": number, "answer": answer})
        if self.path:
            new = self.path.with_suffix(".tmp")
            new.write_text(json.dumps(self.data, indent=1))
            os.replace(new, self.path)

    def answers(self, case, side):
        found = sorted((r for r in self.data["runs"] if (r["case"], r["side"]) == (case, side)),
                       key=lambda r: r["round"])
        return [r["answer"] for r in found]

    def times(self, case, side):
        return [answer["median_ms"] for answer in self.answers(case, side)]


def run(a, records):
    for number in range(a.rounds):
        for name in a.cases:
            turns = list(sides(CASES[name], a))
            for side, command in turns if number % 2 == 0 else turns[::-1]:
                if not records.has(name, side, number):
                    print(f"round {number + 1} of {a.rounds}: {CASES[name]}: {side}", file=sys.stderr)
                    records.add(name, side, number, measure(command, a.cpu))


def row(name, a, records):
    case, median = CASES[name], statistics.median
    peers = [side for side, _ in sides(case, a) if side != "trm"]
    ours = records.times(name, "trm")
    theirs = {side: records.times(name, side) for side in peers}

    def best(mode):
        """The faster optimiser, where there are two."""
        found = [(median(times), side) for side, times in theirs.items() if side.split()[0] == mode]
        if not found:
            return "–"
        time, side = min(found)
        return f"{time:.1f}" + (f" ({side.split()[1]})" if " " in side else "")

    fastest = min(peers, key=lambda side: median(theirs[side]))
    ratio = median(theirs[fastest]) / median(ours)
    rounds = [t / o for t, o in zip(theirs[fastest], ours)]
    share = median([answer["share_of_ceiling"] for answer in records.answers(name, "trm")])
    verdict = "yes" if ratio >= case.bar else "no"
    return (f"| {case} | {median(ours):.1f} | {share:.0%} | {best('eager')} | {best('compile')} "
            f"| **{ratio:.2f}** ({min(rounds):.2f}–{max(rounds):.2f}) | {case.bar} | {verdict} |")


def main():
    a = arguments()
    records = Records(a)
    run(a, records)
    print("| ms per step | trm | of the ceiling | PyTorch eager | compiled | ratio (rounds) | bar | met |")
    print("|---|--:|--:|--:|--:|--:|--:|---|")
    for name in a.cases:
        print(row(name, a, records))


if __name__ == "__main__":
    main()
