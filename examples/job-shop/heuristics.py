"""Dispatching rules, what a factory does without a solver: whenever a machine is free, a rule says who is next."""


def remaining(shop, job, place):
    """Durations of a job from a place of its route to the end."""
    return [duration for at, duration in shop[job] if at >= place]


# The operation with the least value goes first.
RULES = {
    "shortest operation first (SPT)": lambda shop, job, place, duration, ready: duration,
    "longest operation first (LPT)": lambda shop, job, place, duration, ready: -duration,
    "most work remaining (MWKR)": lambda shop, job, place, duration, ready: -sum(remaining(shop, job, place)),
    "least work remaining (LWKR)": lambda shop, job, place, duration, ready: sum(remaining(shop, job, place)),
    "most operations remaining (MOPNR)": lambda shop, job, place, duration, ready: place,
    "first come, first served (FCFS)": lambda shop, job, place, duration, ready: ready,
    "smallest share of the work left (SPT/TWKR)": lambda shop, job, place, duration, ready: duration
    / sum(remaining(shop, job, 1)),
}


def dispatch(shop, rule, active):
    """Makespan by a rule. Active: a machine may wait for a job that comes before another could be done (Giffler and
    Thompson 1960); else no machine stands idle while a job waits for it."""
    jobs = range(len(shop))
    routes = [sorted(range(len(row)), key=lambda machine: row[machine][0]) for row in shop]
    free, ready, done = [0] * len(shop[0]), [0] * len(shop), [0] * len(shop)
    for _ in range(sum(map(len, shop))):
        offers = []
        for job in jobs:
            if done[job] < len(routes[job]):
                machine = routes[job][done[job]]
                start = max(free[machine], ready[job])
                offers.append((start + shop[job][machine][1] if active else start, start, machine, job))
        limit, _, chosen, _ = min(offers)
        rivals = [o for o in offers if o[2] == chosen and (o[1] < limit if active else o[1] == limit)]
        value = lambda o: rule(shop, o[3], done[o[3]] + 1, shop[o[3]][chosen][1], ready[o[3]])
        _, start, machine, job = min(rivals, key=lambda o: (value(o), o[3]))
        free[machine] = ready[job] = start + shop[job][machine][1]
        done[job] += 1
    return max(ready)


def best_of(shop, tries, rng):
    """The least makespan of random choices without idle machines: what luck finds with as many tries as a search."""
    return min(dispatch(shop, lambda *_: rng.random(), False) for _ in range(tries))
