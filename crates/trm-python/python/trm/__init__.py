"""Tiny recursive models: draft a whole answer, think, revise."""

from . import data
from ._trm import (
    Data,
    Dataset,
    Draft,
    Model,
    Puzzle,
    Result,
    Run,
    Thinking,
    __version__,
    compare,
    evaluate,
    from_state_dict,
    load,
    load_data,
    train,
)

__all__ = [
    "Data",
    "Dataset",
    "Draft",
    "Model",
    "Puzzle",
    "Result",
    "Run",
    "Thinking",
    "__version__",
    "compare",
    "data",
    "evaluate",
    "from_state_dict",
    "load",
    "load_data",
    "train",
]
