"""A detector in integers alone: what a row does (see `edge_lasso_runtime.fixed_detector` for why).

A program: the subset, its words and how artifacts are printed from it are told in `specialize`. Names in capitals are
numbers and tables of the model (`layout_q`). ``x >> n`` is floor(x / 2^n).
"""


def look(state, given, out):
    """Note what is wrong with the integers; take over what others may read of them. Histories move on by a row."""
    status = 0
    push(state.memory, HELD)
    for k, sensor in rows(SENSORS):
        value = given.q[k]
        cut = NONE
        fault = OK
        if value == NONE:
            fault = MISSING
        else:
            cut = clip(value, sensor.low, sensor.high)
            if cut != value:
                fault = RANGE
            if REMEMBERS:
                before = state.last[k]
                if value != before:
                    if JUMPS:
                        change = size(value - before)
                        if change > sensor.jump and fault == OK and before != NONE:
                            fault = JUMP
                    state.last[k] = value
                    if STUCKS:
                        state.run[k] = 1
                elif STUCKS and sensor.stuck > 0:
                    if state.run[k] <= sensor.stuck:
                        state.run[k] += 1
                    if state.run[k] > sensor.stuck:
                        fault = STUCK
                        cut = NONE
        state.memory[sensor.now] = cut
        out.faults[k] = fault
        if fault != OK:
            status = status | bit(LAST_BIT if MANY and k > LAST_BIT else k)
    return status


def derive(state):
    """Inputs that are computed from histories; a lag is a place in the memory."""
    for k, change in rows(DIFFERENCES):
        value = NONE
        if state.memory[change.now] != NONE and state.memory[change.now + change.length] != NONE:
            value = state.memory[change.now] - state.memory[change.now + change.length]
            value = clip(value, change.low, change.high)
        state.memory[change.to] = value
    for k, mean in rows(MEANS):
        total = 0
        count = 0
        for n in range(mean.length):
            if state.memory[mean.now + n] != NONE:
                total += state.memory[mean.now + n]
                count += 1
        value = NONE
        if count > 0:
            value = within((2 * total + count) // (2 * count), mean.low, mean.high, "mean")
        state.memory[mean.to] = value
    for k, average in rows(AVERAGES):
        value = state.memory[average.now]
        if value != NONE:
            value = value * SCALE
            if state.averages[k] != UNBEGUN:
                value = move(state.averages[k], value, average.rate, average.shift)
            state.averages[k] = value
        value = NONE
        if state.averages[k] != UNBEGUN:
            value = (state.averages[k] + HALF_SCALE) >> FRACTION
        state.memory[average.to] = value


def tracked(state, out, k, r):
    """A residual without the level that it had so far, which is remembered times 2^TRACK."""
    r = clip(r, -WIDE, WIDE) - (state.level[k] >> TRACK)
    d = clip(r, -STRAY, STRAY)
    if WARM_UP > 0:
        if out.warming_up != 0:
            d = d * SETTLING
    state.level[k] = clip(state.level[k] + d, -HIGHEST, HIGHEST)
    return r


def evidence(state, k, r, slow):
    """What a residual says: of itself, and of its moving average in units of its own."""
    if not SMOOTH:
        return r * r
    y = move(state.slow[k], r * SCALE, SMOOTHING, SMOOTHING_SHIFT)
    state.slow[k] = y
    y = ((y >> FIRST) * slow + HALF_SECOND) >> SECOND
    if SLOW_CUT:
        y = clip(y, -32767, 32767)
    return ((y * y) >> 1) + ((r * r) >> ALIGN)


def detect(state, given, out):
    """The score of a row over the weights of the sensors that had a say, and what each contributes."""
    score = 0
    total = 0
    sudden = 0
    for k, watch in rows(WATCHED):
        r = given.q[watch.reading]
        known = r != NONE
        r = watch.bias + watch.own * r
        for n, term in rows(watch.terms):
            x = state.memory[term.place]
            if x == NONE:
                known = False
            else:
                r += term.coef * x
        out.parts[k] = 0
        if QUICK:
            state.quick[k] = 0
        if not known:  # its evidence stays as it was
            continue
        r = clip(r >> watch.shift, -MOST, MOST)
        r = (r * watch.factor + HALF) >> BITS
        if TRACKS:
            r = tracked(state, out, k, r)
        r = clip(r, -CLIP, CLIP)
        e = evidence(state, k, r, watch.slow)
        e = move(state.evidence[k], e, SMOOTHING, SMOOTHING_SHIFT)
        state.evidence[k] = e
        e = ((e + HALF_CUT) >> CUT) * watch.weight
        out.parts[k] = e
        score += e
        total += watch.weight
        if QUICK:
            state.quick[k] = r
            sudden += ((r * r) >> QUICK_SHIFT) * watch.fast
    if QUICK:
        if sudden > score:
            score = sudden
            for k, watch in rows(WATCHED):
                r = state.quick[k]
                out.parts[k] = ((r * r) >> QUICK_SHIFT) * watch.fast
    out.score = score
    out.total = total


def follow(state, hit):
    """The threshold moves, but for some rows of an alarm."""
    if not (hit and state.lasted >= FREEZE and state.lasted < THAW):
        if hit:
            state.limit = clip(move(state.limit, state.limit * 2, UP, UP_SHIFT), LEAST, HIGHEST_LIMIT)
        else:
            state.limit = clip(move(state.limit, 0, DOWN, DOWN_SHIFT), LEAST, HIGHEST_LIMIT)
    if hit:
        state.lasted = clip(state.lasted + 1, 0, THAW)
    else:
        state.lasted = 0


def step(state, given, out):
    """Take in one row of integers."""
    status = look(state, given, out)
    derive(state)
    out.warming_up = 0
    if WARM_UP > 0:
        if state.rows < WARM_UP:
            state.rows += 1
            out.warming_up = 1
    detect(state, given, out)
    out.alarm = 0
    out.onset = 0
    if WARM_UP > 0:
        if out.warming_up != 0:
            return status
    # While no sensor has a say, an alarm neither ends nor begins.
    hit = state.quiet == 0
    if out.total != 0:
        limit = THRESHOLD
        if FOLLOWS:
            limit = state.limit >> LIMIT_BITS
        hit = out.score > limit * out.total
        if FOLLOWS:
            follow(state, hit)
    if hit:
        out.alarm = 1
        out.onset = 1 if state.quiet > HOLD else 0
        state.alarms += 1
        state.onsets += out.onset
        state.quiet = 0
    elif state.quiet <= HOLD:
        state.quiet += 1
    return status
