"""Data sets that are made: Sudoku, mazes, ARC, puzzles of your own."""

from ._trm import arc, grid, maze, sudoku

__all__ = ["arc", "grid", "maze", "sudoku"]


_TEXTS = {"alphabet", "permute"}  # also where they are digits


def _make(words, out):
    """Makes what a study asks for: the words of `trm data`, such as sudoku --size 4 --train 100."""
    kinds = {"arc": arc, "grid": grid, "maze": maze, "sudoku": sudoku}
    if not words or words[0] not in kinds:
        raise ValueError(f"make_data: unknown kind of data `{' '.join(words[:1])}`")
    options, key = {}, None
    for word in words[1:]:
        if word.startswith("--"):
            key, given, value = word[2:].replace("-", "_").partition("=")
            options[key] = _value(key, value) if given else True
        elif key is None:
            raise ValueError(f"make_data: unexpected `{word}`")
        elif options[key] is True:
            options[key] = _value(key, word)
        else:
            earlier = options[key] if isinstance(options[key], list) else [options[key]]
            options[key] = [*earlier, _value(key, word)]
    return kinds[words[0]](out=out, **options)


def _value(key, text):
    for number in () if key in _TEXTS else (int, float):
        try:
            return number(text)
        except ValueError:
            pass
    return text
