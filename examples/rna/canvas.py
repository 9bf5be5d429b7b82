"""RNA and its pairs as a canvas: bases are taken in twos, cell (a, b) is the a-th two against the b-th."""

PAIRS = {"GC", "CG", "AU", "UA", "GU", "UG"}
OUTSIDE = "-"  # below the diagonal
LEAST_LOOP = 3


def twos(sequence):
    """`GACUA` -> `GA`, `CU`, `A-`."""
    whole = sequence + "-" * (len(sequence) % 2)
    return [whole[i : i + 2] for i in range(0, len(whole), 2)]


def block(x, y):
    """The two bases x against y: those that pair with none of the others are dots, unless all are."""
    paired = lambda one, others: one if any(one + other in PAIRS for other in others) else "."
    name = "".join([paired(base, y) for base in x] + [paired(base, x) for base in y])
    return x + y if name == "...." else name


def question(sequence):
    """Rows of cells: the bases on the diagonal, above it what pairs they could make."""
    parts = twos(sequence)
    cell = lambda a, b: OUTSIDE if a > b else parts[a] if a == b else block(parts[a], parts[b])
    return [[cell(a, b) for b in range(len(parts))] for a in range(len(parts))]


def answer(pairs, bases):
    """Rows of cells: pairs, and the way from each to its two bases on the diagonal.

    `1+2` pairs the first base of the row's two with the second of the column's, `=` is `1+2` and `2+1`;
    `>1`, `>2`, `>12`: a base of the row is paired further right; `^1`, `^2`, `^12`: one of the column further up.
    """
    side = (bases + 1) // 2
    marks = [[[set(), set(), set()] for _ in range(side)] for _ in range(side)]
    for i, j in pairs:
        (a, first), (b, second) = divmod(i, 2), divmod(j, 2)
        marks[a][b][0].add(f"{first + 1}+{second + 1}")
        for between in range(a, b):
            marks[a][between][1].add(str(first + 1))
        for between in range(a + 1, b + 1):
            marks[between][b][2].add(str(second + 1))
    return [[OUTSIDE if a > b else name(*marks[a][b]) for b in range(side)] for a in range(side)]


def name(pairs, right, up):
    """The symbol of a cell of the answer."""
    text = "=" if len(pairs) == 2 else "".join(pairs)
    text += ">" + "".join(sorted(right)) if right else ""
    text += "^" + "".join(sorted(up)) if up else ""
    return text or "."


def sequence_of(rows):
    """The bases on the diagonal of a question."""
    return "".join(row[a] for a, row in enumerate(rows) if len(row) > a).replace("-", "").strip()


def pairs_of(rows):
    """The pairs that an answer marks, each with the place of its cell (row, column)."""
    found = []
    for a, row in enumerate(rows):
        for b, cell in enumerate(row):
            marked = cell.split(">")[0].split("^")[0]
            for pair in ("1+2", "2+1") if marked == "=" else (marked,) if "+" in marked else ():
                found.append((2 * a + int(pair[0]) - 1, 2 * b + int(pair[2]) - 1, (a, b)))
    return found


def runs(pairs):
    """Helices: pairs that lie on each other, the longest first."""
    left, found = set(pairs), []
    for i, j in sorted(pairs):
        helix = []
        while (i, j) in left:
            left.remove((i, j))
            helix.append((i, j))
            i, j = i + 1, j - 1
        found += [helix] if helix else []
    return sorted(found, key=len, reverse=True)


def structure_of(sequence, marked):
    """The marked pairs that count, each with its cell: every answer says a structure.

    Of pairs that exclude each other those of longer helices count, then the first. Bases that do not pair, loops of fewer
    than three bases and pairs that lie on no other never count.
    """
    cells = {(i, j): cell for i, j, cell in marked}
    can = lambda i, j: j < len(sequence) and j - i > LEAST_LOOP and sequence[i] + sequence[j] in PAIRS
    kept = []
    for i, j in [pair for helix in runs([p for p in cells if can(*p)]) for pair in helix]:
        excludes = lambda k, l: i in (k, l) or j in (k, l) or (k < i < l) != (k < j < l)
        if not any(excludes(*pair) for pair in kept):
            kept.append((i, j))
    return [(*pair, cells[pair]) for helix in runs(kept) if len(helix) > 1 for pair in helix]


def dot_bracket(pairs, bases):
    """`((...))`."""
    text = ["."] * bases
    for i, j, *_ in pairs:
        text[i], text[j] = "(", ")"
    return "".join(text)


def pairs_in(structure):
    """The pairs of a dot-bracket text."""
    found, waiting = [], []
    for place, mark in enumerate(structure):
        if mark == "(":
            waiting.append(place)
        elif mark == ")":
            found.append((waiting.pop(), place))
    return found


def faults(sequence, pairs):
    """What makes pairs no structure, as (why, cells); none if they are one."""
    partner = {}
    for i, j, cell in pairs:
        if max(i, j) >= len(sequence) or sequence[i] + sequence[j] not in PAIRS:
            yield "these bases do not pair", [cell]
        elif j - i <= LEAST_LOOP:
            yield f"a loop of fewer than {LEAST_LOOP} bases", [cell]
        for base in (i, j):
            if base in partner:
                yield f"base {base + 1} is paired twice", [partner[base], cell]
            partner[base] = cell
    for i, j, cell in pairs:
        for k, l, other in pairs:
            if i < k < j < l:
                yield "these pairs cross", [cell, other]


def alphabet():
    """All symbols of questions and answers, sorted."""
    bases = "ACGU"
    two = [a + b for a in bases for b in bases]
    open_two = two + [a + "-" for a in bases]
    pairs = ["1+1", "1+2", "2+1", "2+2", "="]
    passing = ["", ">1", ">2", ">12", "^1", "^2", "^12", ">2^1"]
    seldom = ["1+1^2", "2+1>1", "2+1^2", "2+1>1^2", "2+2>1"]
    symbols = {block(x, y) for x in two for y in open_two}
    return sorted(symbols | set(open_two) | set(pairs + seldom) | {OUTSIDE, "."} | set(passing[1:]))
