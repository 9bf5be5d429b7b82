"""Draws answers as arcs, the teacher's above the bases, the model's below, as an SVG.

python3 figure.py --data data/rna --model runs/rna --puzzles 0 1 2 > answers.svg
"""

import argparse
from pathlib import Path

import numpy
import RNA

from canvas import dot_bracket, pairs_in, sequence_of, structure_of
from evaluate import grids, one_pass, symbols

STEP, MARGIN, HEIGHT = 15, 20, 270
COLOURS = {"A": "#2a7f3f", "C": "#2b5fb3", "G": "#b36b00", "U": "#b3262b"}


def arcs(pairs, others, middle, side):
    """Half circles; those that the other side lacks are red."""
    for i, j, *_ in pairs:
        left, right = MARGIN + STEP * i, MARGIN + STEP * j
        radius = (right - left) / 2
        colour = "#777" if (i, j) in others else "#d1242f"
        yield (
            f'<path d="M{left} {middle} A{radius} {0.34 * radius} 0 0 {side} {right} {middle}" '
            f'fill="none" stroke="{colour}" stroke-width="1.6"/>'
        )


def drawing(sequence, found, top):
    fold = RNA.fold_compound(sequence)
    structure, least = fold.mfe()
    wanted = pairs_in(structure)
    middle = top + HEIGHT / 2
    yield from arcs(wanted, {pair[:2] for pair in found}, middle - 9, 1)
    yield from arcs(found, set(wanted), middle + 9, 0)
    for place, base in enumerate(sequence):
        yield f'<text x="{MARGIN + STEP * place}" y="{middle + 4}" fill="{COLOURS[base]}" text-anchor="middle">{base}</text>'
    energy = f"{fold.eval_structure(dot_bracket(found, len(sequence))):.1f} kcal/mol"
    yield f'<text x="{MARGIN}" y="{top + 14}" fill="#555">ViennaRNA: {least:.1f} kcal/mol</text>'
    yield f'<text x="{MARGIN}" y="{top + HEIGHT - 6}" fill="#555">model: {energy}</text>'


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--puzzles", type=int, nargs="+", required=True)
    parser.add_argument("--trm", default="trm")
    arguments = parser.parse_args()
    names, side = symbols(arguments.data)
    inputs = grids(numpy.load(arguments.data / "test/all__inputs.npy"), names, side)
    answers = one_pass(arguments.trm, arguments.model, arguments.data, max(arguments.puzzles) + 1, None)
    width, height = 2 * MARGIN + STEP * 47, HEIGHT * len(arguments.puzzles)
    print(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="monospace" font-size="13">')
    print(f'<rect width="{width}" height="{height}" fill="white"/>')
    for place, puzzle in enumerate(arguments.puzzles):
        sequence = sequence_of(inputs[puzzle])
        print("\n".join(drawing(sequence, structure_of(sequence, answers[puzzle]), HEIGHT * place)))
    print("</svg>")


if __name__ == "__main__":
    main()
