import os
from collections.abc import Sequence

from . import Data

_Path = str | os.PathLike[str]

def sudoku(
    *,
    out: _Path | None = None,
    size: int = 9,
    train: int = 10000,
    test: int = 1000,
    givens: str | int = "minimal",
    hard: bool = False,
    parents: _Path | None = None,
    csv: _Path | None = None,
    test_csv: _Path | None = None,
    seed: int = 0,
) -> Data:
    """Sudoku puzzles: generated, or read from CSV files with the columns question and answer.

    givens: `minimal`, a number, or a range as in `4-10`. hard: bred for the ratings of Sudoku-Extreme.
    """

def maze(
    *,
    out: _Path | None = None,
    size: int = 30,
    height: int | None = None,
    train: int = 1000,
    test: int = 1000,
    walls: tuple[float, float] = (0.27, 0.46),
    path: int | None = None,
    pieces_of: _Path | None = None,
    csv: _Path | None = None,
    test_csv: _Path | None = None,
    seed: int = 0,
) -> Data:
    """Mazes: generated, cut out of those of a CSV file, or read from CSV files with the columns question and answer.

    pieces_of: windows of that size, with the stretch of the recorded path in them that has at least `path` cells.
    """

def arc(
    *,
    out: _Path | None = None,
    train: _Path | Sequence[_Path] = (),
    test: _Path | Sequence[_Path],
    augmentations: int = 1000,
    leaks: str = "refuse",
    limit: int | None = None,
    seed: int = 0,
) -> Data:
    """ARC-AGI tasks, from the JSON files of the competition or of the original repository."""

def grid(
    *,
    out: _Path | None = None,
    train: _Path,
    test: _Path | None = None,
    split: int | None = None,
    width: int | None = None,
    height: int | None = None,
    alphabet: str | None = None,
    apart: bool = False,
    dihedral: bool = False,
    permute_rows: bool = False,
    permute_columns: bool = False,
    reversal: bool = False,
    permute: str = "",
    augment: str | None = None,
    augmentations: int = 10,
    two_answers: bool = False,
    referee: str | Sequence[str] | None = None,
    seed: int = 0,
) -> Data:
    """Puzzles of your own: pairs of grids of symbols, from CSV or JSONL files with input and output."""
