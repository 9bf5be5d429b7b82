"""Draws answers of `trm solve --json`, read from standard input, as one SVG: the states in columns by their distance
from the initial ones (last, grey: those that cannot be reached), and what the answer marks."""

import json
import sys

from generate import System, bits

COLUMN, ROW, RADIUS, MARGIN = 88, 52, 15, 40
STYLE = """svg { background: #fff; font: 13px sans-serif } line, path { fill: none; stroke: #b8c0c8; stroke-width: 1.3 }
circle { fill: #fff; stroke: #67717b; stroke-width: 1.5 } text { fill: #222; text-anchor: middle }
.far circle { stroke: #ccd2d8 } .far text { fill: #99a1a9 } .safe circle { fill: #d7efdc; stroke: #2c8a4b }
.unsafe circle { fill: #fbdcd8; stroke: #c8372d } path.unsafe { stroke: #c8372d; stroke-width: 2.8 }
.bad circle { stroke-width: 4 } text.title { text-anchor: start; font-weight: bold }
#plain path { fill: #b8c0c8; stroke: none } #marked path { fill: #c8372d; stroke: none }"""


def columns(system):
    """States by distance, each column in the order of those that lead there; then, four a column, the rest."""
    layers = [list(bits(layer)) for layer in System(system.after, system.initial, 0).layers()]
    rest = [state for state in range(len(system.after)) if not any(state in layer for layer in layers)]
    for before, layer in zip(layers, layers[1:]):
        def height(state):
            places = [k / len(before) for k, other in enumerate(before) if system.after[other] >> state & 1]
            return sum(places) / len(places)
        layer.sort(key=height)
    return layers, [rest[k:k + 4] for k in range(0, len(rest), 4)]


def arrow(start, end, marked):
    """A bent arrow between two circles."""
    (x, y), (u, v) = start, end
    length = max(((u - x) ** 2 + (v - y) ** 2) ** 0.5, 1)
    across = ((y - v) / length, (u - x) / length)
    bend = 8 + 0.1 * length
    middle = ((x + u) / 2 + bend * across[0], (y + v) / 2 + bend * across[1])

    def towards(point):
        size = max(((middle[0] - point[0]) ** 2 + (middle[1] - point[1]) ** 2) ** 0.5, 1)
        return [a + (b - a) * (RADIUS + 3) / size for a, b in zip(point, middle)]
    (x, y), (u, v) = towards(start), towards(end)
    kind = ' class="unsafe" marker-end="url(#marked)"' if marked else ' marker-end="url(#plain)"'
    return f'<path{kind} d="M{x:.1f} {y:.1f}Q{middle[0]:.1f} {middle[1]:.1f} {u:.1f} {v:.1f}"/>'


def picture(question, answer, top):
    """The drawing of one answer, its width and its height."""
    system = System.read(question)
    near, far = columns(system)
    all_columns = near + far
    height = ROW * max(map(len, all_columns)) + MARGIN
    place = {state: (MARGIN + COLUMN * x, top + MARGIN + (height - MARGIN) * (y + 0.5) / len(column))
             for x, column in enumerate(all_columns) for y, state in enumerate(column)}
    edges = [(i, j) for i, mask in enumerate(system.after) for j in bits(mask)]
    edges.sort(key=lambda edge: answer[edge[0]][edge[1]] == "*")
    parts = [arrow(place[i], place[j], answer[i][j] == "*") for i, j in edges]
    for state, (x, y) in place.items():
        classes = [{"+": "safe", "*": "unsafe"}.get(answer[state][state], "")]
        classes += ["far"] * any(state in column for column in far) + ["bad"] * (system.bad >> state & 1)
        name = f"{state}{'I' if system.initial >> state & 1 else 'B' if system.bad >> state & 1 else ''}"
        parts.append(f'<g class="{" ".join(filter(None, classes))}"><circle cx="{x:.1f}" cy="{y:.1f}" r="{RADIUS}"/>'
                     f'<text x="{x:.1f}" y="{y + 4.5:.1f}">{name}</text></g>')
    marks = {cell for row in answer for cell in row}
    title = "unsafe: shortest counterexamples (red)" if "*" in marks else "safe: an inductive invariant (green)"
    parts.append(f'<text class="title" x="{MARGIN - RADIUS}" y="{top + 22}">{title}</text>')
    return parts, 2 * MARGIN + COLUMN * (len(all_columns) - 1), height


def main():
    parts, width, top = [], 0, 0
    for line in sys.stdin:
        one = json.loads(line)
        drawn, wide, high = picture(one["question"].split("/"), one["answer"].split("/"), top)
        parts, width, top = parts + drawn, max(width, wide), top + high + 10
    heads = "".join(
        f'<marker id="{name}" viewBox="0 0 8 8" refX="6" refY="4" markerWidth="{size}" markerHeight="{size}" '
        f'orient="auto"><path d="M0 0L8 4L0 8z"/></marker>' for name, size in (("plain", 6), ("marked", 4)))
    print(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {top}" width="{width}"><style>{STYLE}</style>'
          f"<defs>{heads}</defs>", *parts, "</svg>", sep="\n")


if __name__ == "__main__":
    main()
