"""What stands around the printed programs in JavaScript: templates, filled with `str.format`."""

from __future__ import annotations

HEAD = """// {spdx}
// A model made by {generator}: predict(x), predictRow(object), selftest().

"""
COMMON = """
/** A reading as a number; NaN where it is none. */
function number(value) {{
  return typeof value === "number" ? value : typeof value === "string" && value.trim() !== "" ? Number(value) : NaN;
}}

/** A row as numbers. */
function numbers(x, width) {{
  if (x.length !== width) {{
    throw new RangeError(`a row has ${{width}} values, got ${{x.length}}`);
  }}
  return Array.from(x, number);
}}
{category}
/** Predict from an object of readings by name: the value, and what is wrong ("ok" or a text). */
export function predictRow(row) {{
  return predictWhole(FEATURES.map((name) => {reading}));
}}
"""
PREDICT = """
/** Everything about one row of readings, in the order of FEATURES; what is not a number is missing. */
function dense(x) {{
  const row = numbers(x, FEATURES.length);
  const out = {out};
  stepDenseRow({{}}, PLACES.map((place) => row[place]), out);
  return out;
}}

/** The linear predictor of one row. */
export function linear(x) {{
  return dense(x).{linear}{one};
}}

/** The prediction for one row. */
export function predict(x) {{
  return dense(x).values{one};
}}
{label}
function predictWhole(x) {{
  const out = dense(x);
  const faults = PLACES.filter((place, k) => out.faults[k] > 0).map((place) => FEATURES[place]);
  return {{ value: out.values{one}, status: faults.length > 0 ? `degraded: ${{faults.join(", ")}}` : "ok" }};
}}
"""
SELFTEST = """
const SELF_TEST = {rows};
const SELF_TEST_VALUES = {wanted};
const SELF_TEST_SIZES = {sizes};

/** Whether this engine gives what the model must. */
export function selftest() {{
  const close = SELF_TEST.every((row, i) => [linear(row)].flat().every(
    (value, m) => Math.abs(value - SELF_TEST_VALUES[i][m]) <= Number.EPSILON * SELF_TEST_SIZES[m]));
  return close && @REPLAY@;
}}
"""
FIXED = """
/** A quotient by 2^bits, rounded to the nearest, halves upwards. */
function shifted(value, bits) {{
  return (value + ((1 << bits) >> 1)) >> bits;
}}

/** Readings, in the order of FEATURES, as the integers that `predict` takes: {{q, status}}. */
export function encode(x) {{
  const row = numbers(x, {width});
  const q = new Array({width}).fill(0);
  const faults = [];
  for (const grid of GRID) {{
    let value = row[grid.place];
    let known = -LIMIT <= value && value <= LIMIT;
    if (grid.categories >= 0) {{
      known = known && 0 <= value && value < grid.categories && value === Math.trunc(value);
      q[grid.place] = known ? value : -1;
    }} else if (known) {{
      if (value < grid.low || value > grid.high) {{
        faults.push(`${{FEATURES[grid.place]}} out of range`);
        value = value < grid.low ? grid.low : grid.high;
      }}
      const steps = Math.floor((value - grid.centre) * grid.scale + 0.5);
      q[grid.place] = Math.min(Math.max(steps, grid.qlow), grid.qhigh);
    }} else {{
      q[grid.place] = grid.qdefault;
    }}
    if (!known) {{
      faults.push(`${{FEATURES[grid.place]}} missing`);
    }}
  }}
  return {{ q, status: faults.length > 0 ? `degraded: ${{faults.join(", ")}}` : "ok" }};
}}

/** The integer linear predictor of each output, into r. */
function sums(q, r) {{
  SUM.forEach((output, m) => {{
    let total = output.bias;
    for (const [coef, factors, bits, when, over = [0, -32769], plus = 0] of output.terms) {{
      if (q[over[0]] > over[1] && when.every(([place, category]) => q[place] === category)) {{
        let product = 1;
        if (factors.length === 1) {{
          product = q[factors[0]];
        }} else if (factors.length === 2) {{
          product = shifted(q[factors[0]] * q[factors[1]], bits);
        }}
        total += coef * product + plus;
      }}
    }}
    r[m] = shifted(total, output.shift);
  }});
  return r;
}}

/** The integer results for integers as `encode` gives them. */
export function predict(q) {{
  return sums(numbers(q, {width}), []){one};
}}

/** The linear predictor that an integer result stands for. */
export function decode(r, output = 0) {{
  return r * SUM[output].unit + SUM[output].offset;
}}

function predictWhole(x) {{
  const {{ q, status }} = encode(x);
  const r = sums(q, []);
  return {{ value: link(r.map((value, m) => decode(value, m)), r){one}, status }};
}}
"""
PROBABILITY = """
const KNOTS = {knots};

/** The probability of CLASSES[1], times 65536, from the integer that `predict` returns. */
export function probability(r) {{
  const size = Math.abs(r);
  let p = KNOTS[KNOTS.length - 1];
  if (size < {limit}) {{
    const v = shifted((size >> {first}) * {multiplier}, {second});
    const i = v >> 9;
    if (i < KNOTS.length - 1) {{
      p = KNOTS[i] + (((KNOTS[i + 1] - KNOTS[i]) * (v & 511) + 256) >> 9);
    }}
  }}
  return r < 0 ? 65536 - p : p;
}}
"""
SELFTEST_FIXED = """
const SELF_TEST = {rows};
const SELF_TEST_VALUES = {wanted};

/** Whether this engine computes the integers that the model must. */
export function selftest() {{
  const equal = SELF_TEST.every((q, i) => sums(q, []).every((value, m) => value === SELF_TEST_VALUES[i][m]));
  return equal && @REPLAY@;
}}
"""
STEP = """
/** What `step` remembers, before the first row: numbers and arrays, the caller's to keep. */
export function start() {{
  return {state};
}}

/**
 * Take in one row, an array in the order of READINGS or an object, and change `state`.
 * Gives value, status ("ok", "warming up" or "degraded") and faults by name{more}.
 */
export function step(state, row) {{
  const given = Array.isArray(row) ? row : READINGS.map((name) => {reading});
  const out = {out};
  const wrong = stepRow(state, numbers(given, READINGS.length), out);
  const faults = {{}};
  out.faults.forEach((fault, k) => {{
    if (fault > 0) {{
      faults[READINGS[k]] = FAULTS[fault];
    }}
  }});
  return {{
{pairs}
  }};
}}
"""
STEP_Q = """
/** What `stepQ` remembers, before the first row: numbers and arrays, the caller's to keep. */
export function startQ() {{
  return {state};
}}

/** Readings, in the order of READINGS or by name, as the integers of `stepQ`; a missing one is {none}. */
export function readingsQ(row) {{
  const given = Array.isArray(row) ? row : READINGS.map((name) => row[name]);
  return numbers(given, READINGS.length).map((value, k) => {{
    const grid = GRID[INPUTS_Q[k]];
    const steps = Math.floor((value - grid.centre) * grid.scale + 0.5);
    return -LIMIT <= value && value <= LIMIT ? Math.min(Math.max(steps, -32767), 32767) : {none};
  }});
}}

/**
 * Take in one row of integers, one per reading ({none}: missing), and change `state`; no floating point.
 * Gives score (over total, times SCORE_UNIT: as `step` has it), parts, alarm, onset, status and faults by name.
 */
export function stepQ(state, q) {{
  const out = {out};
  const wrong = stepQRow(state, numbers(q, READINGS.length), out);
  const faults = {{}};
  out.faults.forEach((fault, k) => {{
    if (fault > 0) {{
      faults[READINGS[k]] = FAULTS[fault];
    }}
  }});
  return {{
    score: out.score, total: out.total, parts: out.parts, alarm: out.alarm === 1, onset: out.onset === 1,
    status: wrong !== 0 ? "degraded" : out.warmingUp === 1 ? "warming up" : "ok", faults,
  }};
}}
"""
REPLAY = """
const SEQUENCE = {rows};
const SEQUENCE_END = {end};
const SEQUENCE_SIZES = {sizes};

/** Whether a short sequence ends as it must. */
function replay() {{
  const state = start();
  const result = SEQUENCE.map((row) => step(state, row)).pop();
  const got = [result.{key}].flat();
  return got.every((value, m) => Math.abs(value - SEQUENCE_END[m]) <= Number.EPSILON * SEQUENCE_SIZES[m]){score};
}}
"""
REPLAY_Q = """
/** Whether a short sequence of integers ends as it must. */
function replayQ() {{
  const state = startQ();
  const result = {rows}.map((q) => stepQ(state, q)).pop();
  return result.score === {score} && result.total === {total};
}}
"""
