// SPDX-License-Identifier: 0BSD
// A model made by edge-lasso 0.1.0: predict(x), predictRow(object), selftest().

export const MODEL_HASH = "508b07e8e0d56f5e37e7b90c9643ea15fbad6fdef211c8f95411cc2ac34af7e3";
export const VERSION = "1.0.0";
export const FEATURES = ["a", "b", "a.lag2"];
export const UNITS = ["K", "", ""];
export const OUTPUTS = ["b", "a"];
export const OUTPUT_UNITS = ["", ""];
const PLACES = [0, 1, 2]; // of the model's inputs in a row
const LIMIT = 1.2676506002282294e+30;

/** A reading as a number; NaN where it is none. */
function number(value) {
  return typeof value === "number" ? value : typeof value === "string" && value.trim() !== "" ? Number(value) : NaN;
}

/** A row as numbers. */
function numbers(x, width) {
  if (x.length !== width) {
    throw new RangeError(`a row has ${width} values, got ${x.length}`);
  }
  return Array.from(x, number);
}

/** Predict from an object of readings by name: the value, and what is wrong ("ok" or a text). */
export function predictRow(row) {
  return predictWhole(FEATURES.map((name) => row[name]));
}

const OK_DENSE = 0;
const RANGE_DENSE = 4;
const MISSING_DENSE = 1;
const SENSORS_DENSE = [
  {low: 0.0, high: 2.0},
  {low: -4.0, high: 0.0},
  {low: 0.0, high: 2.0},
];
const DEFAULTS_DENSE = [
  {otherwise: 1.0},
  {otherwise: -1.0},
  {otherwise: 1.0},
];
const SUMS_DENSE = [
  {intercept: -1.5, terms: [{coef: 0.25, place: 0}, {coef: 0.125, place: 2}]},
  {intercept: 0.75, terms: [{coef: -0.25, place: 1}]},
];

/** Note what is wrong with readings; those that are stuck become missing. */
function lookDense(x, row, out) {
  let status = 0;
  for (let k = 0; k < SENSORS_DENSE.length; k++) {
    const sensor = SENSORS_DENSE[k];
    const value = x[k];
    let fault = OK_DENSE;
    if (!(sensor.low <= value && value <= sensor.high)) {
      fault = -LIMIT <= value && value <= LIMIT ? RANGE_DENSE : MISSING_DENSE;
    }
    if (fault === MISSING_DENSE) {
      row[k] = NaN;
    } else {
      row[k] = value;
    }
    out.faults[k] = fault;
    if (fault !== OK_DENSE) {
      status = status | (1 << k);
    }
  }
  return status;
}

/** Put the default for what is missing and note which predictions read it, if any is; cut where asked. */
function completeDense(row) {
  let gone = false;
  for (let k = 0; k < DEFAULTS_DENSE.length; k++) {
    const value = row[k];
    if (value !== value) {
      gone = true;
    }
  }
  if (gone) {
    for (let k = 0; k < DEFAULTS_DENSE.length; k++) {
      const number = DEFAULTS_DENSE[k];
      if (row[k] !== row[k]) {
        row[k] = number.otherwise;
      }
    }
  }
}

/** The linear predictor of each output, terms added one after another. */
function addTermsDense(row, out) {
  for (let k = 0; k < SUMS_DENSE.length; k++) {
    const output = SUMS_DENSE[k];
    let y = output.intercept;
    for (const term of output.terms) {
      const value = row[term.place];
      y += term.coef * value;
    }
    out.values[k] = y;
  }
}

/** Take in one row. */
function stepDenseRow(state, x, out) {
  const row = new Array(3).fill(NaN);
  const status = lookDense(x, row, out);
  completeDense(row);
  addTermsDense(row, out);
  out.warmingUp = 0;
  return status;
}

/** Everything about one row of readings, in the order of FEATURES; what is not a number is missing. */
function dense(x) {
  const row = numbers(x, FEATURES.length);
  const out = {
    values: new Array(2).fill(0.0),
    warmingUp: 0,
    faults: new Array(3).fill(0),
  };
  stepDenseRow({}, PLACES.map((place) => row[place]), out);
  return out;
}

/** The linear predictor of one row. */
export function linear(x) {
  return dense(x).values;
}

/** The prediction for one row. */
export function predict(x) {
  return dense(x).values;
}

function predictWhole(x) {
  const out = dense(x);
  const faults = PLACES.filter((place, k) => out.faults[k] > 0).map((place) => FEATURES[place]);
  return { value: out.values, status: faults.length > 0 ? `degraded: ${faults.join(", ")}` : "ok" };
}

const SELF_TEST = [
  [1.0, -1.0, 1.0],
  [0.0, -4.0, 0.0],
  [2.0, 0.0, 2.0],
  [0.5, -2.0, 1.5],
  [0.0, -1.5, 0.5],
  [null, -1.0, null],
];
const SELF_TEST_VALUES = [
  [-1.125, 1.0],
  [-1.5, 1.75],
  [-0.75, 0.75],
  [-1.1875, 1.25],
  [-1.4375, 1.125],
  [-1.125, 1.0],
];
const SELF_TEST_SIZES = [22.5, 14.0];

/** Whether this engine gives what the model must. */
export function selftest() {
  const close = SELF_TEST.every((row, i) => [linear(row)].flat().every(
    (value, m) => Math.abs(value - SELF_TEST_VALUES[i][m]) <= Number.EPSILON * SELF_TEST_SIZES[m]));
  return close && replay();
}

export const READINGS = ["a", "b"]; // what `step` takes
const FAULTS = ["", "missing", "stuck", "jump", "out of range"];
export const WATCHED_NAMES = ["b", "a"];

const OK = 0;
const RANGE = 4;
const MISSING = 1;
const JUMP = 3;
const STUCK = 2;
const PREDICTED = 2;
const STRAY = 3.0;
const SETTLING = 0.125;
const TRACK = 0.03125;
const CLIP = 8.0;
const SMOOTHING = 0.25;
const FAST = 0.7;
const HOLD = 3;
const ENDLESS = 1073741824;
const WARM_UP = 10;
const SENSORS = [
  {low: 0.0, high: 2.0, jump: 1.0, stuck: 5},
  {low: -4.0, high: 0.0, jump: 5.070602400912918e+30, stuck: 0},
];
const DEFAULTS = [
  {otherwise: 1.0},
  {otherwise: -1.0},
  {otherwise: 1.0},
];
const READERS = [
  {output: 0},
  {output: 1},
  {output: 0},
];
const SUMS = [
  {intercept: -1.5, terms: [{coef: 0.25, place: 0}, {coef: 0.125, place: 2}]},
  {intercept: 0.75, terms: [{coef: -0.25, place: 1}]},
];
const WATCHED = [
  {reading: 1},
  {reading: 0},
];

/** Note what is wrong with readings; those that are stuck become missing. */
function look(state, x, row, out) {
  let status = 0;
  for (let k = 0; k < SENSORS.length; k++) {
    const sensor = SENSORS[k];
    const value = x[k];
    let fault = OK;
    if (!(sensor.low <= value && value <= sensor.high)) {
      fault = -LIMIT <= value && value <= LIMIT ? RANGE : MISSING;
    }
    if (fault === MISSING) {
      row[k] = NaN;
    } else {
      row[k] = value;
      const before = state.last[k];
      if (value !== before) {
        const change = value - before;
        if (!(-sensor.jump <= change && change <= sensor.jump) && fault === OK && before === before) {
          fault = JUMP;
        }
        state.last[k] = value;
        state.run[k] = 1;
      } else if (sensor.stuck > 0) {
        if (state.run[k] <= sensor.stuck) {
          state.run[k] += 1;
        }
        if (state.run[k] > sensor.stuck) {
          fault = STUCK;
          row[k] = NaN;
        }
      }
    }
    out.faults[k] = fault;
    if (fault !== OK) {
      status = status | (1 << k);
    }
  }
  return status;
}

/** Fill in the inputs that are computed from earlier readings, and remember this row's. */
function delays(state, row) {
  let head = state.heads[0];
  row[2] = state.rings[head >= 2 ? head - 2 : head];
  head = state.heads[0];
  if (head >= 2) {
    head = 0;
  }
  state.rings[head] = row[0];
  state.heads[0] = head + 1;
}

/** Put the default for what is missing and note which predictions read it, if any is; cut where asked. */
function complete(blind, row) {
  let gone = false;
  for (let k = 0; k < PREDICTED; k++) {
    blind[k] = 0;
  }
  for (let k = 0; k < DEFAULTS.length; k++) {
    const value = row[k];
    if (value !== value) {
      gone = true;
    }
  }
  if (gone) {
    for (let k = 0; k < READERS.length; k++) {
      const reader = READERS[k];
      if (row[k] !== row[k]) {
        blind[reader.output] = 1;
      }
    }
    for (let k = 0; k < DEFAULTS.length; k++) {
      const number = DEFAULTS[k];
      if (row[k] !== row[k]) {
        row[k] = number.otherwise;
      }
    }
  }
}

/** The linear predictor of each output, terms added one after another. */
function addTerms(row, out) {
  for (let k = 0; k < SUMS.length; k++) {
    const output = SUMS[k];
    let y = output.intercept;
    for (const term of output.terms) {
      const value = row[term.place];
      y += term.coef * value;
    }
    out.values[k] = y;
  }
}

/** A residual without the level that it had so far. */
function tracked(state, out, k, r) {
  const level = state.level[k];
  r -= level;
  state.level[k] = level + (r < -STRAY ? -STRAY : r > STRAY ? STRAY : r) * (out.warmingUp !== 0 ? SETTLING : TRACK);
  return r;
}

/** The score of a row, and what each sensor contributes. */
function detect(state, x, blind, quick, out) {
  let total = 0.0;
  for (let k = 0; k < WATCHED.length; k++) {
    const watch = WATCHED[k];
    out.parts[k] = 0.0;
    quick[k] = 0.0;
    if (out.faults[watch.reading] === MISSING) {
      continue;
    }
    if (blind[k] !== 0) {
      continue;
    }
    let r = (x[watch.reading] - out.values[k]) * 2.0;
    r = tracked(state, out, k, r);
    r = r < -CLIP ? -CLIP : r > CLIP ? CLIP : r;
    let q = r * r;
    quick[k] = q;
    let z = state.slow[k] + (r - state.slow[k]) * SMOOTHING;
    state.slow[k] = z;
    z *= 4.0;
    q = (q + z * z) * 0.5;
    const e = state.evidence[k] + (q - state.evidence[k]) * SMOOTHING;
    state.evidence[k] = e;
    out.parts[k] = e;
    total += 1.0;
  }
  if (!(total > 0.0)) { // nothing is known: the evidence that there is
    for (let k = 0; k < WATCHED.length; k++) {
      out.parts[k] = state.evidence[k];
      total += 1.0;
    }
  }
  let score = 0.0;
  for (let k = 0; k < PREDICTED; k++) {
    out.parts[k] = out.parts[k] / total;
    score += out.parts[k];
  }
  let sudden = 0.0;
  for (let k = 0; k < PREDICTED; k++) {
    quick[k] = quick[k] / total * FAST;
    sudden += quick[k];
  }
  if (sudden > score) {
    score = sudden;
    for (let k = 0; k < PREDICTED; k++) {
      out.parts[k] = quick[k];
    }
  }
  out.score = score;
}

/** Whether a score is an alarm, and whether it begins one; the threshold moves where that is asked for. */
function decide(state, out) {
  const hit = out.score > state.threshold;
  let quiet = state.quiet;
  out.alarm = hit ? 1 : 0;
  out.onset = hit && quiet > HOLD ? 1 : 0;
  if (hit) {
    state.alarms += 1;
    state.onsets += out.onset;
    quiet = (quiet < -ENDLESS ? -ENDLESS : quiet > 0 ? 0 : quiet) - 1;
  } else {
    quiet = (quiet < 0 ? 0 : quiet > ENDLESS ? ENDLESS : quiet) + 1;
  }
  state.quiet = quiet;
}

/** Take in one row. */
function stepRow(state, x, out) {
  const row = new Array(3).fill(NaN);
  const blind = new Array(2).fill(0);
  const quick = new Array(2).fill(0.0);
  const status = look(state, x, row, out);
  delays(state, row);
  complete(blind, row);
  addTerms(row, out);
  out.warmingUp = 0;
  if (state.rows < WARM_UP) {
    state.rows += 1;
    out.warmingUp = 1;
  }
  detect(state, x, blind, quick, out);
  out.alarm = 0;
  out.onset = 0;
  if (out.warmingUp === 0) {
    decide(state, out);
  }
  return status;
}

/** What `step` remembers, before the first row: numbers and arrays, the caller's to keep. */
export function start() {
  return {
    last: new Array(2).fill(NaN),
    rings: new Array(2).fill(NaN),
    slow: new Array(2).fill(0.0),
    level: new Array(2).fill(0.0),
    evidence: new Array(2).fill(1.0),
    threshold: 4.0,
    quiet: 1073741824,
    onsets: 0,
    alarms: 0,
    rows: 0,
    run: new Array(2).fill(0),
    heads: new Array(1).fill(0),
  };
}

/**
 * Take in one row, an array in the order of READINGS or an object, and change `state`.
 * Gives value, status ("ok", "warming up" or "degraded") and faults by name, score, alarm, onset (an alarm begins), parts.
 */
export function step(state, row) {
  const given = Array.isArray(row) ? row : READINGS.map((name) => row[name]);
  const out = {
    values: new Array(2).fill(0.0),
    score: 0.0,
    parts: new Array(2).fill(0.0),
    alarm: 0,
    onset: 0,
    warmingUp: 0,
    faults: new Array(2).fill(0),
  };
  const wrong = stepRow(state, numbers(given, READINGS.length), out);
  const faults = {};
  out.faults.forEach((fault, k) => {
    if (fault > 0) {
      faults[READINGS[k]] = FAULTS[fault];
    }
  });
  return {
    value: out.values,
    status: wrong !== 0 ? "degraded" : out.warmingUp === 1 ? "warming up" : "ok",
    faults,
    score: out.score,
    alarm: out.alarm === 1,
    onset: out.onset === 1,
    parts: out.parts,
  };
}

const SEQUENCE = [[0.2, -2.4], [1.2, -3.6], [0.6, -1.6], [null, -2.8], [1.0, -0.7999999999999998], [0.4, -2.0]];
const SEQUENCE_END = [-1.275, 1.25];
const SEQUENCE_SIZES = [1440.0, 896.0];

/** Whether a short sequence ends as it must. */
function replay() {
  const state = start();
  const result = SEQUENCE.map((row) => step(state, row)).pop();
  const got = [result.value].flat();
  return got.every((value, m) => Math.abs(value - SEQUENCE_END[m]) <= Number.EPSILON * SEQUENCE_SIZES[m])
    && Math.abs(result.score - 2.5023116911947723) <= Number.EPSILON * 2623863.9839062495;
}
