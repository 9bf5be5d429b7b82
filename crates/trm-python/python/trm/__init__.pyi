import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, SupportsIndex, overload

import numpy as np
import numpy.typing as npt

from . import data as data

_Path = str | os.PathLike[str]
_Floats = npt.NDArray[np.float32]
_Tokens = npt.NDArray[np.uint8]
_Rows = list[Any]
_Referee = Callable[[_Rows, _Rows], bool | str | dict[str, Any] | None] | str | Sequence[str]

__version__: str

class Puzzle:
    """A puzzle of a data set, with its recorded answer."""

    @property
    def question(self) -> str: ...
    @property
    def answer(self) -> str: ...
    @property
    def tokens(self) -> _Tokens: ...
    def _repr_svg_(self) -> str: ...

class Dataset:
    """One split of a data set."""

    @property
    def inputs(self) -> _Tokens:
        """The questions, `[N, S]`."""
    @property
    def labels(self) -> _Tokens:
        """The answers, `[N, S]`."""
    @property
    def identifiers(self) -> npt.NDArray[np.uint32]: ...
    @property
    def domain(self) -> str: ...
    @property
    def vocab_size(self) -> int: ...
    @property
    def ignore_label(self) -> int: ...
    @property
    def digest(self) -> str: ...
    def __len__(self) -> int: ...
    @overload
    def __getitem__(self, place: SupportsIndex) -> Puzzle: ...
    @overload
    def __getitem__(self, place: slice) -> list[Puzzle]: ...

class Data:
    """The two splits of a data set."""

    @property
    def train(self) -> Dataset: ...
    @property
    def test(self) -> Dataset: ...
    @property
    def duplicates(self) -> int: ...
    @property
    def folder(self) -> os.PathLike[str] | None: ...

class Draft:
    """One draft of an answer."""

    @property
    def answer(self) -> str: ...
    @property
    def tokens(self) -> _Tokens: ...
    @property
    def step(self) -> int: ...
    @property
    def chain(self) -> int: ...
    @property
    def halt_probability(self) -> float: ...
    @property
    def sureness(self) -> _Floats | None: ...
    @property
    def changed(self) -> list[int]: ...
    @property
    def verdict(self) -> str: ...
    @property
    def solved(self) -> bool | None: ...
    def _repr_svg_(self) -> str: ...

class Result:
    """The answer to a puzzle, and how it came about."""

    @property
    def question(self) -> str: ...
    @property
    def answer(self) -> str: ...
    @property
    def tokens(self) -> _Tokens: ...
    @property
    def verdict(self) -> str | None: ...
    @property
    def solved(self) -> bool | None: ...
    @property
    def cost(self) -> float | None: ...
    @property
    def steps(self) -> int: ...
    @property
    def chains(self) -> int: ...
    @property
    def probability(self) -> float | None: ...
    @property
    def drafts(self) -> list[Draft]: ...
    def _repr_svg_(self) -> str: ...

class Thinking(Iterator[Draft]):
    """A model that thinks about a puzzle: iterate to get its drafts."""

    def __iter__(self) -> Thinking: ...
    def __next__(self) -> Draft: ...
    def _repr_svg_(self) -> str: ...

_Puzzle = str | Puzzle | npt.ArrayLike
_State = tuple[npt.ArrayLike, npt.ArrayLike]

class Model:
    """A model."""

    @overload
    def solve(
        self,
        puzzles: str | Puzzle,
        *,
        steps: int | None = None,
        halt: float | None = None,
        search: bool | Mapping[str, Any] | None = None,
        referee: _Referee | None = None,
        batch: int = 16,
        identifiers: int | Sequence[int] | None = None,
        samples: int = 1,
        temperature: float = 0.7,
        seed: int = 1,
    ) -> Result: ...
    @overload
    def solve(
        self,
        puzzles: Iterable[_Puzzle],
        *,
        steps: int | None = None,
        halt: float | None = None,
        search: bool | Mapping[str, Any] | None = None,
        referee: _Referee | None = None,
        batch: int = 16,
        identifiers: int | Sequence[int] | None = None,
        samples: int = 1,
        temperature: float = 0.7,
        seed: int = 1,
    ) -> list[Result]: ...
    def think(
        self,
        puzzle: _Puzzle,
        *,
        steps: int | None = None,
        halt: float | None = None,
        search: bool | Mapping[str, Any] | None = None,
        referee: _Referee | None = None,
        batch: int = 16,
        identifiers: int = 0,
    ) -> Thinking:
        """Thinks about one puzzle, and gives every draft as soon as it is there."""
    def step(
        self,
        tokens: _Puzzle | Sequence[_Puzzle],
        state: _State | None = None,
        *,
        identifiers: int | Sequence[int] = 0,
    ) -> tuple[_Floats, _Floats, tuple[_Floats, _Floats]]:
        """Takes one supervision step: logits `[B, S, V]`, halting logits `[B]`, and the state (y, z)."""
    @property
    def config(self) -> dict[str, Any]: ...
    @property
    def domain(self) -> str: ...
    @property
    def precision(self) -> str: ...
    @property
    def parameters(self) -> int: ...
    @property
    def weight_digest(self) -> str: ...
    def state_dict(self) -> dict[str, _Floats]: ...
    def save(self, folder: _Path) -> None: ...

class Run:
    """A run that has ended."""

    @property
    def folder(self) -> os.PathLike[str]: ...
    @property
    def ending(self) -> str: ...
    @property
    def step(self) -> int: ...
    @property
    def seconds(self) -> float: ...
    @property
    def best_exact(self) -> float | None: ...
    @property
    def best_step(self) -> int: ...
    def model(self) -> Model: ...
    def history(self) -> list[dict[str, Any]]: ...
    def _repr_svg_(self) -> str | None: ...

def load(path: _Path | None = None, *, threads: int = 0, precision: str = "auto") -> Model:
    """Reads a model folder, or the best model of a run folder; without a path, the model of the package."""

def load_data(folder: _Path) -> Data:
    """Reads a data set."""

def from_state_dict(
    state_dict: Mapping[str, Any],
    config: Mapping[str, Any],
    *,
    threads: int = 0,
    precision: str = "auto",
) -> Model:
    """A model from its weights, under the public PyTorch code's names or trm's own."""

def train(
    recipe: _Path | Mapping[str, Any] | None = None,
    *,
    data: _Path | Data | None = None,
    out: _Path | None = None,
    resume: _Path | None = None,
    from_step: int | None = None,
    set: Mapping[str, Any] | Sequence[str] | None = None,
    seed: int | None = None,
    precision: str | None = None,
    threads: int = 0,
    referee: _Referee | None = None,
    on_step: Callable[[dict[str, Any]], object] | None = None,
    on_validation: Callable[[dict[str, Any]], object] | None = None,
    report: bool = True,
) -> Run:
    """Trains a model by a recipe, or goes on with a run."""

def evaluate(
    model: Model,
    data: _Path | Data | Dataset,
    *,
    split: str = "test",
    steps: int | None = None,
    limit: int | None = None,
    halt: float | None = None,
    batch: int = 64,
    search: bool | Mapping[str, Any] | None = None,
    referee: _Referee | None = None,
    outputs: bool = False,
    samples: int = 1,
    temperature: float = 0.7,
    seed: int = 1,
) -> Any:
    """Measures a model on a data set, as `trm eval --json` does it."""

def compare(
    study: _Path,
    *,
    out: _Path | None = None,
    threads: int = 0,
    on_news: Callable[[str], object] | None = None,
) -> dict[str, Any]:
    """Compares several ways of thinking by a study, a TOML file."""
