"""Structures without a network and without energies: what the model must beat."""

from canvas import LEAST_LOOP, PAIRS, dot_bracket

BONDS = {"GC": 3, "CG": 3, "AU": 2, "UA": 2, "GU": 1, "UG": 1}
LEAST_HELIX = 3


def most_pairs(sequence):
    """Nussinov's recursion: as many pairs as possible."""
    bases = len(sequence)
    most = [[0] * (bases + 1) for _ in range(bases + 1)]

    def with_pair(k, i, j):
        before = most[i][k - 1] if k > i else 0
        return before + 1 + most[k + 1][j - 1] if sequence[k] + sequence[j] in PAIRS else -1

    for gap in range(LEAST_LOOP + 1, bases):
        for i in range(bases - gap):
            j = i + gap
            most[i][j] = max(most[i][j - 1], *(with_pair(k, i, j) for k in range(i, j - LEAST_LOOP)))
    pairs, waiting = [], [(0, bases - 1)]
    while waiting:
        i, j = waiting.pop()
        if j - i <= LEAST_LOOP or most[i][j] == 0:
            continue
        if most[i][j] == most[i][j - 1]:
            waiting.append((i, j - 1))
            continue
        k = next(k for k in range(i, j - LEAST_LOOP) if with_pair(k, i, j) == most[i][j])
        pairs.append((k, j))
        waiting += [(i, k - 1), (k + 1, j - 1)]
    return dot_bracket(pairs, bases)


def helices(sequence):
    """All runs of stacked pairs that cannot be made longer."""
    bases, found = len(sequence), []
    can = lambda i, j: 0 <= i and j < bases and j - i > LEAST_LOOP and sequence[i] + sequence[j] in PAIRS
    for i in range(bases):
        for j in range(i + LEAST_LOOP + 1, bases):
            if can(i, j) and not can(i - 1, j + 1):
                helix = [(i, j)]
                while can(i + len(helix), j - len(helix)):
                    helix.append((i + len(helix), j - len(helix)))
                found.append(helix)
    return found


def longest_run(helix, pairs):
    """The longest part of a helix that fits pairs."""
    taken = {base for pair in pairs for base in pair}
    best, run = [], []
    for i, j in helix:
        crosses = any((a < i < b) != (a < j < b) for a, b in pairs)
        run = [] if crosses or i in taken or j in taken else run + [(i, j)]
        best = max(best, run, key=len)
    return best


def greedy(sequence, worth):
    """The best helix first, then the best of what is left of the others."""
    pairs, left = [], helices(sequence)
    while left := [run for helix in left if len(run := longest_run(helix, pairs)) >= LEAST_HELIX]:
        pairs += max(left, key=worth)
    return dot_bracket(pairs, len(sequence))


def longest_first(sequence):
    """Greedy by pairs."""
    return greedy(sequence, len)


def strongest_first(sequence):
    """Greedy by hydrogen bonds."""
    return greedy(sequence, lambda helix: sum(BONDS[sequence[i] + sequence[j]] for i, j in helix))
