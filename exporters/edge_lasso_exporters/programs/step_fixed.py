"""What a row does of a fixed-point model: readings become integers, histories and sums are of integers.

Behind `step` and `average`, some of whose functions these replace (`edge_lasso_runtime.fixed_stream` says why).
"""


def counted(value, centre, scale, first, last):
    """A reading inside its range as an integer."""
    steps = (value - centre) * scale + 0.5
    steps = clip(steps, first, last)
    return floored(steps)


def counts(work):
    """All readings as integers."""
    for k, grid in rows(GRIDS):
        value = work.row[grid.place]
        if CATEGORICAL and grid.categories > 0:
            work.q[grid.place] = floored(value)
        elif value == value:
            work.q[grid.place] = counted(value, grid.centre, grid.scale, grid.first, grid.last)
        else:
            work.q[grid.place] = NONE


def delays(state, work):
    """Fill in the inputs that are computed from earlier integers, and remember this row's."""
    for k, lag in rows(LAGS):
        head = state.heads[lag.ring]
        work.q[lag.to] = back(state, head, lag.start, lag.size, lag.length)
    for k, past in rows(DIFFERENCES):
        head = state.heads[past.ring]
        old = back(state, head, past.start, past.size, past.length)
        value = NONE
        if work.q[past.at] != NONE and old != NONE:
            value = work.q[past.at] - old
            value = clip(value, past.low, past.high)
        work.q[past.to] = value
    for k, mean in rows(MEANS):
        total = 0
        count = 0
        head = state.heads[mean.ring]
        for n in range(mean.length):
            value = work.q[mean.at]
            if n > 0:
                value = back(state, head, mean.start, mean.size, n)
            if value != NONE:
                total += value
                count += 1
        value = NONE
        if count > 0:
            value = within((2 * total + count) // (2 * count), mean.low, mean.high, "mean")
        work.q[mean.to] = value
    for k, average in rows(AVERAGES):
        value = work.q[average.at]
        if value != NONE:
            value = value * SCALE
            if state.averages[k] != UNBEGUN:
                value = move(state.averages[k], value, average.rate, average.shift)
            state.averages[k] = value
        value = NONE
        if state.averages[k] != UNBEGUN:
            value = (state.averages[k] + HALF_SCALE) >> FRACTION
        work.q[average.to] = value
    for k, source in rows(SOURCES):
        head = state.heads[k]
        if head >= source.size:
            head = 0
        state.rings[source.start + head] = work.q[source.at]
        state.heads[k] = head + 1


def restore(work):
    """The numbers that integers stand for, for estimates."""
    for k, grid in rows(NUMERICS):
        work.row[grid.place] = missing()
        if work.q[grid.place] != NONE:
            work.row[grid.place] = work.q[grid.place] / grid.scale + grid.centre


def complete(work):
    """Put an integer for what is missing, and note which predictions read it, if any is."""
    gone = False
    if BLIND and not FRESH:
        for k in range(PREDICTED):
            work.blind[k] = 0
    for k, grid in rows(NUMERICS):
        if work.q[grid.place] == NONE:
            gone = True
    if gone:
        for k, reader in rows(READERS):
            if work.q[reader.place] == NONE:
                work.blind[reader.output] = 1
        for k, grid in rows(NUMERICS):
            if work.q[grid.place] == NONE:
                if ESTIMATES:
                    value = clip(work.row[grid.place], grid.low, grid.high)
                    work.q[grid.place] = counted(value, grid.centre, grid.scale, grid.first, grid.last)
                else:
                    work.q[grid.place] = grid.otherwise


def add_terms(work, out):
    """The sums of integers, and what they stand for."""
    sums(work.q, work.r)
    for k in range(PREDICTED):
        if LINK == "identity":
            out.values[k] = decoded(work.r[k], k)
        else:
            out.linear[k] = decoded(work.r[k], k)
    if LINK == "logistic":
        out.label = 1 if work.r[0] > 0 else 0
        out.values[0] = probability(work.r[0])
    if LINK == "softmax":
        top = 0
        for k in range(PREDICTED):
            if work.r[k] > work.r[top]:
                top = k
        out.label = top


def classify(out):
    """Probabilities of several classes; without a library of mathematics the linear predictor stands for them."""
    if LINK == "softmax":
        if EXPONENTIAL:
            soften(out)
        else:
            for k in range(PREDICTED):
                out.values[k] = out.linear[k]


def step(state, given, work, out):
    """Take in one row of readings."""
    status = look(state, given, work, out)
    counts(work)
    delays(state, work)
    if ESTIMATES:
        restore(work)
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
