"""The detector of a Python artifact: residuals to evidence, evidence to a score, a score to alarms."""

from __future__ import annotations

from .stateful import Stateful

DETECT = '''

def _detect(state, raw, predicted, widths):
    """Score and parts of a row."""
    {locals}
    parts, total = [], 0.0
    for k, (place, centre, factor, slow, weight) in enumerate(WATCHED):
        r = (raw[place] - predicted[k] - centre) * factor
{width}        if r != r:
            parts.append(0.0)
            continue
{level}        r = {clip!r} if r > {clip!r} else {low!r} if r < {low!r} else r
{chart}        e = evidence[k] + (q - evidence[k]) * {smoothing!r}
        evidence[k] = e
        parts.append(e * weight)
        total = total + weight
    if not total > 0.0:  # nothing is known: the evidence that there is
        for k, watched in enumerate(WATCHED):
            parts[k] = evidence[k] * watched[4]
            total = total + watched[4]
{aggregate}

def _decide(state, score):
    """Whether a score is an alarm, and whether it begins one."""
    quiet = state["quiet"]
    hit = score > state["threshold"]
    onset = hit and quiet > {hold}
{adjust}    if hit:
        state["alarms"] += 1
        state["onsets"] += onset
        state["quiet"] = (quiet - 1 if quiet > -{most} else quiet) if quiet < 0 else -1
    else:
        state["quiet"] = 1 if quiet < 0 else quiet + 1 if quiet <= {most} else quiet
    return hit, onset


def shares(result):
    """Which sensors make up a score: (name, share), the largest first."""
    score, found = result["score"], []
    if score > 0.0:
        found = [(-part / score, k) for k, part in enumerate(result["parts"]) if part > 0.0]
    return [(WATCHED_NAMES[k], -share) for share, k in sorted(found)]
'''
LEVEL = '''

def _level(recent, r):
    """A residual without the median of those before it."""
    ordered, n, level = sorted(recent), len(recent), 0.0
    if n:
        level = ordered[n // 2] if n % 2 else (ordered[n // 2 - 1] + ordered[n // 2]) * 0.5
    recent.append(r)
    if n + 1 > {median}:
        del recent[0]
    return r - level
'''
CUSUM = """        u = up[k] + r - {allowance!r}
        d = down[k] - r - {allowance!r}
        u = 0.0 if u < 0.0 else {top!r} if u > {top!r} else u
        d = 0.0 if d < 0.0 else {top!r} if d > {top!r} else d
        up[k], down[k] = u, d
        z = (u if u > d else d) * slow
        q = z * z
"""
EWMA = """        z = up[k] + (r - up[k]) * {alpha!r}
        up[k] = z
        z = z * slow
        q = {q}
"""
LARGEST = """    if not total > 0.0:
        return 0.0, parts
    top = max(parts)
    at = parts.index(top)
    return top, [top if k == at else 0.0 for k in range(len(parts))]
"""
MEAN = """    score = 0.0
    if total > 0.0:
        for k, part in enumerate(parts):
            parts[k] = part / total
            score = score + parts[k]
    return score, parts
"""
ADJUST = """    if not (hit and quiet < 0 and -quiet >= {freeze}):
        moved = state["threshold"] * ({up!r} if hit else {down!r})
        state["threshold"] = {least!r} if moved < {least!r} else {most!r} if moved > {most!r} else moved
"""
ENDLESS = 1 << 30


def tables(plan: Stateful) -> list[str]:
    """The constants."""
    names = [plan.model.inputs[at].name for at, *_ in plan.watched]
    lines = [
        f"WATCHED_NAMES = ({', '.join(map(ascii, names))},)",
        "WATCHED = (  # place, centre, 1 / scale, 1 / slow, weight",
    ]
    for at, *numbers in plan.watched:
        lines.append(f"    ({plan.places[at]}, {', '.join(map(repr, numbers))}),")
    if plan.reads:
        readers: list[list[int]] = [[] for _ in plan.model.inputs]
        for i, k in plan.reads:
            readers[i].append(k)
        texts = [f"({', '.join(map(str, one))}{',' if len(one) == 1 else ''})" for one in readers]
        lines += [")", "READERS = (  # per input, the predictions that read it", f"    {', '.join(texts)},"]
    return [*lines, ")"]


def start_lines(plan: Stateful) -> list[str]:
    """What `start` returns for it."""
    section = plan.detector or {}
    count = len(plan.watched)
    lines = []
    if section["chart"] != "residual":
        lines.append(f'        "up": [0.0] * {count},')
    if section["chart"] == "cusum":
        lines.append(f'        "down": [0.0] * {count},')
    lines.append(f'        "evidence": [1.0] * {count},')
    if section["median"]:
        lines.append(f'        "recent": [[] for _ in range({count})],')
    lines.append(f'        "threshold": {float(section["threshold"]["score"])!r},')
    return [*lines, f'        "quiet": {ENDLESS}, "onsets": 0, "alarms": 0,']


def functions(plan: Stateful) -> str:
    """The functions."""
    section = plan.detector or {}
    chart, clip = section["chart"], float(section["clip"])
    kept = ["evidence", *(["up"] if chart != "residual" else []), *(["down"] if chart == "cusum" else [])]
    if chart == "cusum":
        text = CUSUM.format(allowance=float(section["allowance"]), top=clip * clip)
    elif chart == "residual":
        text = "        q = r * r\n"
    else:
        q = "z * z" if chart == "ewma" else "(r * r + z * z) * 0.5"
        text = EWMA.format(alpha=float(section["alpha"]), q=q)
    width = "        if widths is not None:\n            r = r / widths[k]\n"
    width = width if plan.estimate or plan.reads else ""
    level = '        r = _level(state["recent"][k], r)\n' if section["median"] else ""
    detect = DETECT.format(
        locals=f"{', '.join(kept)} = {', '.join(f'state[{one!r}]' for one in kept)}".replace("'", '"'),
        width=width,
        level=level,
        clip=clip,
        low=-clip,
        chart=text,
        smoothing=float(section["smoothing"]),
        aggregate=LARGEST if section["aggregate"] == "max" else MEAN,
        hold=section["threshold"]["hold"],
        adjust=ADJUST.format(**plan.adjust) if plan.adjust else "",
        most=ENDLESS,
    )
    return (LEVEL.format(median=section["median"]) if section["median"] else "") + detect
