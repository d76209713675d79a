"""What a row does, in the artifact's floating point: health, histories, predictions, detector.

A program: the subset, its words and how artifacts are printed from it are told in `specialize`. Names in capitals are
numbers and tables of the model (`layout`). Every operation is one operation of the machine, in the order of
`edge_lasso_runtime.step`, which stays written by hand: in binary64 both agree to the bit.
"""


def look(state, given, work, out):
    """Note what is wrong with readings; those that are stuck become missing."""
    status = 0
    for k, sensor in rows(SENSORS):
        value = given.x[k]
        fault = OK
        if not sensor.low <= value <= sensor.high:
            fault = RANGE if -LIMIT <= value <= LIMIT else MISSING
        if CATEGORICAL and sensor.categories > 0:
            if fault != OK or value != whole(value):
                value = -1.0
                fault = MISSING
            work.row[sensor.place] = value
        elif fault == MISSING:
            work.row[sensor.place] = missing()
        else:
            work.row[sensor.place] = clip(value, sensor.low, sensor.high) if CLAMP and STREAMS else value
            if REMEMBERS:
                before = state.last[k]
                if value != before:
                    change = value - before
                    if not -sensor.jump <= change <= sensor.jump and fault == OK and before == before:
                        fault = JUMP
                    state.last[k] = value
                    if STUCKS:
                        state.run[k] = 1
                elif STUCKS and sensor.stuck > 0:
                    if state.run[k] <= sensor.stuck:
                        state.run[k] += 1
                    if state.run[k] > sensor.stuck:
                        fault = STUCK
                        work.row[sensor.place] = missing()
        out.faults[k] = fault
        if fault != OK:
            status = status | bit(LAST_BIT if MANY and k > LAST_BIT else k)
    return status


def back(state, head, start, size, length):
    """The reading of `length` rows ago, from a ring whose next place is `head`."""
    return state.rings[start + (head - length if head >= length else head + (size - length))]


def delays(state, work):
    """Fill in the inputs that are computed from earlier readings, and remember this row's."""
    for k, lag in rows(LAGS):
        head = state.heads[lag.ring]
        work.row[lag.to] = back(state, head, lag.start, lag.size, lag.length)
    for k, past in rows(DIFFERENCES):
        head = state.heads[past.ring]
        change = work.row[past.at] - back(state, head, past.start, past.size, past.length)
        work.row[past.to] = change if -LIMIT <= change <= LIMIT else missing()
    for k, mean in rows(MEANS):
        # Oldest first, this row's last; those that are missing do not count.
        total = 0.0
        count = 0.0
        head = state.heads[mean.ring]
        for n in down(mean.length):
            value = work.row[mean.at]
            if n > 0:
                value = back(state, head, mean.start, mean.size, n)
            if value == value:
                total = total + value
                count = count + 1.0
        work.row[mean.to] = total / count if count > 0.0 else missing()
    for k, average in rows(AVERAGES):
        value = work.row[average.at]
        if value == value:
            if state.averages[k] == state.averages[k]:
                value = state.averages[k] + (value - state.averages[k]) * average.rate
            state.averages[k] = value
        work.row[average.to] = state.averages[k]
    for k, source in rows(SOURCES):
        head = state.heads[k]
        if head >= source.size:
            head = 0
        state.rings[source.start + head] = work.row[source.at]
        state.heads[k] = head + 1


def symmetric(i, j):
    """Where an element of a symmetric matrix lies, whose lower triangle is stored row by row."""
    return i * (i + 1) // 2 + j if i >= j else j * (j + 1) // 2 + i


def solve(state, n):
    """Solve the equations that `eliminate` has prepared, for `right`; row i of a triangle begins at i (i + 1) / 2."""
    for j in range(n):
        pivot = state.factor[j * (j + 3) // 2]
        for i in span(j + 1, n):
            ratio = state.factor[i * (i + 1) // 2 + j] / pivot
            state.right[i] = state.right[i] - ratio * state.right[j]
    for j in down(n):
        value = state.right[j]
        for i in span(j + 1, n):
            value = value - state.factor[i * (i + 1) // 2 + j] * state.right[i]
        state.right[j] = value / state.factor[j * (j + 3) // 2]


def root(value):
    """The square root of a number from 1 on: Heron's rule from above, until it no longer falls."""
    # far above the root a step halves it: 512 for the exponent and some more are enough for any number
    result = (value + 1.0) * 0.5
    for n in range(530):
        lower = (result + value / result) * 0.5
        if not lower < result:
            break
        result = lower
    return result


def eliminate(state, n):
    """The part of the covariance's inverse that belongs to the `n` missing inputs, as a triangle to solve with."""
    for i in range(n):
        for j in range(i + 1):
            element = at(INVERSE, symmetric(state.gone[i], state.gone[j]))
            state.factor[i * (i + 1) // 2 + j] = element.value
    for j in range(n):
        for i in span(j + 1, n):
            ratio = state.factor[i * (i + 1) // 2 + j] / state.factor[j * (j + 3) // 2]
            for m in span(j + 1, i + 1):
                row = i * (i + 1) // 2 + m
                state.factor[row] = state.factor[row] - ratio * state.factor[m * (m + 1) // 2 + j]


def estimate(state, work, out):
    """Replace missing inputs by their best linear estimates; how much wider each prediction's error becomes."""
    n = 0
    for j, number in rows(NUMBERS):
        if work.row[number.place] != work.row[number.place]:
            state.gone[n] = j
            n += 1
    for k in range(PREDICTED):
        out.widths[k] = 1.0
    if n == 0:
        return
    eliminate(state, n)
    for i in range(n):
        total = 0.0
        for j, number in rows(NUMBERS):
            value = work.row[number.place]
            if value == value:
                element = at(INVERSE, symmetric(state.gone[i], j))
                total = total + element.value * (value - number.mean)
        state.right[i] = total
    solve(state, n)
    for i in range(n):
        number = at(NUMBERS, state.gone[i])
        value = number.mean - state.right[i]
        work.row[number.place] = value if -LIMIT <= value <= LIMIT else number.otherwise
    for k, residual in rows(RESIDUALS):
        for i in range(n):
            slope = at(SLOPES, k * NUMERIC + state.gone[i])
            state.right[i] = slope.value
        solve(state, n)
        extra = 0.0
        for i in range(n):
            slope = at(SLOPES, k * NUMERIC + state.gone[i])
            extra = extra + slope.value * state.right[i]
        if residual.variance > 0.0 and extra > 0.0:
            out.widths[k] = root(1.0 + extra / residual.variance)


def complete(work):
    """Put the default for what is missing and note which predictions read it, if any is; cut where asked."""
    gone = False
    if BLIND and not FRESH:
        for k in range(PREDICTED):
            work.blind[k] = 0
    for k, number in rows(DEFAULTS):
        value = work.row[number.place]
        if value != value:
            gone = True
        if CLAMP:
            work.row[number.place] = clip(work.row[number.place], number.low, number.high)
    if gone and not ESTIMATES:
        for k, reader in rows(READERS):
            if work.row[reader.place] != work.row[reader.place]:
                work.blind[reader.output] = 1
        for k, number in rows(DEFAULTS):
            if work.row[number.place] != work.row[number.place]:
                work.row[number.place] = number.otherwise
                if CLAMP:
                    work.row[number.place] = clip(number.otherwise, number.low, number.high)


def add_terms(work, out):
    """The linear predictor of each output, terms added one after another."""
    if DENSE:  # the artifact has a faster way
        dense(work.row, out.values if LINK == "identity" else out.linear)
    else:
        for k, output in rows(SUMS):
            y = output.intercept
            for n, term in rows(output.terms):
                if PRODUCTS:
                    value = term.scale
                    for m, factor in rows(term.factors):
                        x = work.row[factor.place]
                        if CATEGORICAL and factor.category >= 0.0:
                            x = 1.0 if x == factor.category else 0.0
                        if BENT and factor.bend > 0:
                            x = 0.0 if x <= factor.knot else 1.0 if factor.bend == STEP else x - factor.knot
                        value = value * x
                else:
                    value = work.row[term.place]
                y = y + term.coef * (value - term.offset)
            if LINK == "identity":
                out.values[k] = y
            else:
                out.linear[k] = y


def soften(out):
    """Probabilities of several classes, from the largest down."""
    top = 0
    for k in range(PREDICTED):
        if out.linear[k] > out.linear[top]:
            top = k
    out.label = top
    total = 0.0
    for k in range(PREDICTED):
        out.values[k] = exponential(out.linear[k] - out.linear[top])
        total = total + out.values[k]
    for k in range(PREDICTED):
        out.values[k] = out.values[k] / total


def classify(out):
    """Probabilities and the class: the sign of the linear predictor, or the first largest."""
    if LINK == "logistic":
        z = out.linear[0]
        out.label = 1 if z > 0.0 else 0
        if z >= 0.0:
            out.values[0] = 1.0 / (1.0 + exponential(-z))
        else:
            z = exponential(z)
            out.values[0] = z / (1.0 + z)
    if LINK == "softmax":
        soften(out)
    for k in range(PREDICTED):
        if LINK == "exp":
            out.values[k] = exponential(clip(out.linear[k], -EXP_ROOM, EXP_ROOM))


def tracked(state, out, k, r):
    """A residual without the level that it had so far."""
    level = state.level[k]
    r = r - level
    state.level[k] = level + clip(r, -STRAY, STRAY) * (SETTLING if out.warming_up != 0 else TRACK)
    return r


def detect(state, given, work, out):
    """The score of a row, and what each sensor contributes."""
    total = 0.0
    for k, watch in rows(WATCHED):
        out.parts[k] = 0.0
        if QUICK:
            work.quick[k] = 0.0
        if out.faults[watch.reading] == MISSING:
            continue
        if BLIND and work.blind[k] != 0:
            continue
        r = (given.x[watch.reading] - out.values[k] - watch.centre) * watch.factor
        if ESTIMATES:
            r = r / out.widths[k]
        if TRACKS:
            r = tracked(state, out, k, r)
        r = clip(r, -CLIP, CLIP)
        q = r * r
        if QUICK:
            work.quick[k] = q * watch.weight
        if SMOOTH:
            z = state.slow[k] + (r - state.slow[k]) * SMOOTHING
            state.slow[k] = z
            z = z * watch.slow
            q = (q + z * z) * 0.5
        e = state.evidence[k] + (q - state.evidence[k]) * SMOOTHING
        state.evidence[k] = e
        out.parts[k] = e * watch.weight
        total = total + watch.weight
    if not total > 0.0:  # nothing is known: the evidence that there is
        for k, watch in rows(WATCHED):
            out.parts[k] = state.evidence[k] * watch.weight
            total = total + watch.weight
    score = 0.0
    for k in range(PREDICTED):
        out.parts[k] = out.parts[k] / total
        score = score + out.parts[k]
    if QUICK:
        sudden = 0.0
        for k in range(PREDICTED):
            work.quick[k] = work.quick[k] / total * FAST
            sudden = sudden + work.quick[k]
        if sudden > score:
            score = sudden
            for k in range(PREDICTED):
                out.parts[k] = work.quick[k]
    out.score = score


def decide(state, out):
    """Whether a score is an alarm, and whether it begins one; the threshold moves where that is asked for."""
    hit = out.score > state.threshold
    quiet = state.quiet
    out.alarm = 1 if hit else 0
    out.onset = 1 if hit and quiet > HOLD else 0
    if ADJUSTS:
        if not (hit and -quiet >= FREEZE and -quiet < THAW):
            moved = state.threshold * (UP if hit else DOWN)
            state.threshold = clip(moved, LEAST, MOST)
    if hit:
        state.alarms += 1
        state.onsets += out.onset
        quiet = clip(quiet, -ENDLESS, 0) - 1
    else:
        quiet = clip(quiet, 0, ENDLESS) + 1
    state.quiet = quiet


def step(state, given, work, out):
    """Take in one row."""
    status = look(state, given, work, out)
    delays(state, work)
    if ESTIMATES:
        estimate(state, work, out)
    complete(work)
    add_terms(work, out)
    classify(out)
    out.warming_up = 0
    if WARM_UP > 0:
        if state.rows < WARM_UP:
            state.rows += 1
            out.warming_up = 1
    if DETECTOR:
        detect(state, given, work, out)
        out.alarm = 0
        out.onset = 0
        if out.warming_up == 0:
            decide(state, out)
    return status
