"""Draws a schedule as SVG: `python3 gantt.py ANSWERS NUMBER > schedule.svg`, ANSWERS printed by `trm solve --json`."""

import json
import sys

import referee
from evaluate import grid

COLOURS = ["#4e79a7", "#f28e2b", "#59a14f", "#e15759", "#b07aa1", "#9c755f"]
UNIT, LINE, LEFT = 14, 34, 84


def bars(shop, answer):
    """(job, machine, start, duration) of every operation."""
    after = referee.followers(shop, referee.orders(shop, answer))
    starts = referee.start_times(shop, after, referee.peel(after)[0])
    return [(job, machine, start, shop[job][machine][1]) for (job, machine), start in starts.items()]


def draw(shop, answer):
    operations = bars(shop, answer)
    makespan = max(start + duration for _, _, start, duration in operations)
    machines = len(shop[0])
    width, height = LEFT + UNIT * makespan + 20, LINE * machines + 44
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        'font-family="sans-serif" font-size="12">',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
    ]
    for time in range(0, makespan + 1, 5):
        x = LEFT + UNIT * time
        out.append(f'<path d="M{x} 6V{LINE * machines + 8}" stroke="#dddddd"/>')
        out.append(f'<text x="{x}" y="{LINE * machines + 24}" text-anchor="middle" fill="#555555">{time}</text>')
    for machine in range(machines):
        out.append(f'<text x="8" y="{LINE * machine + 29}" fill="#222222">machine {machine + 1}</text>')
    for job, machine, start, duration in operations:
        x, y = LEFT + UNIT * start, LINE * machine + 10
        out.append(
            f'<rect x="{x}" y="{y}" width="{UNIT * duration - 1}" height="{LINE - 6}" rx="3" fill="{COLOURS[job % 6]}">'
            f"<title>job {job + 1}, {start} to {start + duration}</title></rect>"
        )
        out.append(f'<text x="{x + UNIT * duration / 2}" y="{y + 18}" text-anchor="middle" fill="#ffffff">{job + 1}</text>')
    end = LEFT + UNIT * makespan
    out.append(f'<path d="M{end} 6V{LINE * machines + 8}" stroke="#222222" stroke-width="2"/>')
    out.append(f'<text x="{end}" y="{LINE * machines + 40}" text-anchor="end" fill="#222222">all done at {makespan}</text>')
    return "\n".join([*out, "</svg>"])


if __name__ == "__main__":
    case = json.loads(open(sys.argv[1]).readlines()[int(sys.argv[2])])
    print(draw(referee.read_shop(grid(case["question"])), grid(case["answer"])))
