// SPDX-License-Identifier: 0BSD
// A model made by edge-lasso 0.1.0: predict(x), predictRow(object), selftest().

export const MODEL_HASH = "8a7e26303cc8d90b2a29e3636af6dc9cf429e126298e88ddeaccdecfa0e33506";
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

const GRID = [
  {"place": 0, "categories": -1, "low": 0.0, "high": 2.2, "centre": 1.099609375, "scale": 16384.0, "qlow": -18016, "qhigh": 18029, "qdefault": -1632},
  {"place": 1, "categories": -1, "low": -4.4, "high": 0.0, "centre": -2.19921875, "scale": 8192.0, "qlow": -18029, "qhigh": 18016, "qdefault": 9824},
  {"place": 2, "categories": -1, "low": 0.0, "high": 2.2, "centre": 1.099609375, "scale": 16384.0, "qlow": -18016, "qhigh": 18029, "qdefault": -1632},
];
const SUM = [
  {"bias": -583925760, "shift": 0, "unit": 1.862645149230957e-09, "offset": 0.0, "terms": [[8192, [0], 0, []], [4096, [2], 0, []]]},
  {"bias": 348913664, "shift": 0, "unit": 3.725290298461914e-09, "offset": 0.0, "terms": [[-8192, [1], 0, []]]},
]; // terms: coefficient, factors, shift, when, over, plus

/** A quotient by 2^bits, rounded to the nearest, halves upwards. */
function shifted(value, bits) {
  return (value + ((1 << bits) >> 1)) >> bits;
}

/** Readings, in the order of FEATURES, as the integers that `predict` takes: {q, status}. */
export function encode(x) {
  const row = numbers(x, 3);
  const q = new Array(3).fill(0);
  const faults = [];
  for (const grid of GRID) {
    let value = row[grid.place];
    let known = -LIMIT <= value && value <= LIMIT;
    if (grid.categories >= 0) {
      known = known && 0 <= value && value < grid.categories && value === Math.trunc(value);
      q[grid.place] = known ? value : -1;
    } else if (known) {
      if (value < grid.low || value > grid.high) {
        faults.push(`${FEATURES[grid.place]} out of range`);
        value = value < grid.low ? grid.low : grid.high;
      }
      const steps = Math.floor((value - grid.centre) * grid.scale + 0.5);
      q[grid.place] = Math.min(Math.max(steps, grid.qlow), grid.qhigh);
    } else {
      q[grid.place] = grid.qdefault;
    }
    if (!known) {
      faults.push(`${FEATURES[grid.place]} missing`);
    }
  }
  return { q, status: faults.length > 0 ? `degraded: ${faults.join(", ")}` : "ok" };
}

/** The integer linear predictor of each output, into r. */
function sums(q, r) {
  SUM.forEach((output, m) => {
    let total = output.bias;
    for (const [coef, factors, bits, when, over = [0, -32769], plus = 0] of output.terms) {
      if (q[over[0]] > over[1] && when.every(([place, category]) => q[place] === category)) {
        let product = 1;
        if (factors.length === 1) {
          product = q[factors[0]];
        } else if (factors.length === 2) {
          product = shifted(q[factors[0]] * q[factors[1]], bits);
        }
        total += coef * product + plus;
      }
    }
    r[m] = shifted(total, output.shift);
  });
  return r;
}

/** The integer results for integers as `encode` gives them. */
export function predict(q) {
  return sums(numbers(q, 3), []);
}

/** The linear predictor that an integer result stands for. */
export function decode(r, output = 0) {
  return r * SUM[output].unit + SUM[output].offset;
}

function predictWhole(x) {
  const { q, status } = encode(x);
  const r = sums(q, []);
  return { value: link(r.map((value, m) => decode(value, m)), r), status };
}

const link = (z) => z;

const SELF_TEST = [
  [-1632, 9824, -1632],
  [-18016, -18029, -18016],
  [18029, 18016, 18029],
  [-9005, -6, 9018],
  [-18016, 4499, -9005],
  [-1632, 9005, -1632],
];
const SELF_TEST_VALUES = [
  [-603979776, 268435456],
  [-805306368, 496607232],
  [-362385408, 201326592],
  [-620756992, 348962816],
  [-768397312, 312057856],
  [-603979776, 275144704],
];

/** Whether this engine computes the integers that the model must. */
export function selftest() {
  const equal = SELF_TEST.every((q, i) => sums(q, []).every((value, m) => value === SELF_TEST_VALUES[i][m]));
  return equal && replay() && replayQ();
}

export const READINGS = ["a", "b"]; // what `step` takes
const FAULTS = ["", "missing", "stuck", "jump", "out of range"];
export const WATCHED_NAMES = ["b", "a"];

const OK = 0;
const RANGE = 4;
const MISSING = 1;
const JUMP = 3;
const STUCK = 2;
const NONE = -32768;
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
  {low: 0.0, high: 2.2, jump: 1.0, stuck: 5},
  {low: -4.4, high: 0.0, jump: 5.070602400912918e+30, stuck: 0},
];
const READERS = [
  {output: 0},
  {output: 1},
  {output: 0},
];
const WATCHED = [
  {reading: 1},
  {reading: 0},
];
const GRIDS = [
  {centre: 1.099609375, scale: 16384.0, first: -18016.0, last: 18029.0},
  {centre: -2.19921875, scale: 8192.0, first: -18029.0, last: 18016.0},
];
const NUMERICS = [
  {otherwise: -1632},
  {otherwise: 9824},
  {otherwise: -1632},
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
      row[k] = value < sensor.low ? sensor.low : value > sensor.high ? sensor.high : value;
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

/** A reading inside its range as an integer. */
function counted(value, centre, scale, first, last) {
  let steps = (value - centre) * scale + 0.5;
  steps = steps < first ? first : steps > last ? last : steps;
  return Math.floor(steps);
}

/** All readings as integers. */
function counts(q, row) {
  for (let k = 0; k < GRIDS.length; k++) {
    const grid = GRIDS[k];
    const value = row[k];
    if (value === value) {
      q[k] = counted(value, grid.centre, grid.scale, grid.first, grid.last);
    } else {
      q[k] = NONE;
    }
  }
}

/** Fill in the inputs that are computed from earlier integers, and remember this row's. */
function delays(state, q) {
  let head = state.heads[0];
  q[2] = state.rings[head >= 2 ? head - 2 : head];
  head = state.heads[0];
  if (head >= 2) {
    head = 0;
  }
  state.rings[head] = q[0];
  state.heads[0] = head + 1;
}

/** Put an integer for what is missing, and note which predictions read it, if any is. */
function complete(blind, q) {
  let gone = false;
  for (let k = 0; k < PREDICTED; k++) {
    blind[k] = 0;
  }
  for (let k = 0; k < NUMERICS.length; k++) {
    if (q[k] === NONE) {
      gone = true;
    }
  }
  if (gone) {
    for (let k = 0; k < READERS.length; k++) {
      const reader = READERS[k];
      if (q[k] === NONE) {
        blind[reader.output] = 1;
      }
    }
    for (let k = 0; k < NUMERICS.length; k++) {
      const grid = NUMERICS[k];
      if (q[k] === NONE) {
        q[k] = grid.otherwise;
      }
    }
  }
}

/** The sums of integers, and what they stand for. */
function addTerms(q, r, out) {
  sums(q, r);
  for (let k = 0; k < PREDICTED; k++) {
    out.values[k] = decode(r[k], k);
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

/** Take in one row of readings. */
function stepRow(state, x, out) {
  const row = new Array(3).fill(NaN);
  const blind = new Array(2).fill(0);
  const quick = new Array(2).fill(0.0);
  const q = new Array(3).fill(0);
  const r = new Array(2).fill(0);
  const status = look(state, x, row, out);
  counts(q, row);
  delays(state, q);
  complete(blind, q);
  addTerms(q, r, out);
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
    rings: new Array(2).fill(-32768),
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

export const SCORE_UNIT = 7.62939453125e-06;
const INPUTS_Q = [0, 1];

const NONE_Q = -32768;
const OK_Q = 0;
const MISSING_Q = 1;
const RANGE_Q = 4;
const JUMP_Q = 3;
const STUCK_Q = 2;
const WIDE_Q = 262136;
const TRACK_Q = 5;
const STRAY_Q = 12288;
const SETTLING_Q = 4;
const HIGHEST_Q = 8388352;
const SMOOTHING_Q = 8192;
const MOST_Q = 524287;
const HALF_Q = 1024;
const BITS_Q = 11;
const CLIP_Q = 32767;
const SCALE_Q = 8192;
const FIRST_Q = 11;
const HALF_SECOND_Q = 16384;
const SECOND_Q = 15;
const ALIGN_Q = 7;
const HALF_CUT_Q = 1;
const CUT_Q = 1;
const QUICK_SHIFT_Q = 15;
const WARM_UP_Q = 10;
const THRESHOLD_Q = 524288;
const HOLD_Q = 3;
const SENSORS_Q = [
  {low: -18016, high: 18029, jump: 16384, stuck: 5, now: 0},
  {low: -18029, high: 18016, jump: 65535, stuck: 0, now: 3},
];
const WATCHED_Q = [
  {bias: -108102336, reading: 1, own: 11872, factor: 1413, shift: 13, terms: [{coef: -1484, place: 0}, {coef: -742, place: 2}]},
  {bias: -39076288, reading: 0, own: 11916, factor: 1408, shift: 14, terms: [{coef: 5958, place: 3}]},
];

/** Note what is wrong with the integers; take over what others may read of them. Histories move on by a row. */
function lookQ(state, q, out) {
  let status = 0;
  state.memory.copyWithin(1, 0, 3);
  for (let k = 0; k < SENSORS_Q.length; k++) {
    const sensor = SENSORS_Q[k];
    const value = q[k];
    let cut = NONE_Q;
    let fault = OK_Q;
    if (value === NONE_Q) {
      fault = MISSING_Q;
    } else {
      cut = value < sensor.low ? sensor.low : value > sensor.high ? sensor.high : value;
      if (cut !== value) {
        fault = RANGE_Q;
      }
      const before = state.last[k];
      if (value !== before) {
        let change = value - before;
        change = Math.abs(change);
        if (change > sensor.jump && fault === OK_Q && before !== NONE_Q) {
          fault = JUMP_Q;
        }
        state.last[k] = value;
        state.run[k] = 1;
      } else if (sensor.stuck > 0) {
        if (state.run[k] <= sensor.stuck) {
          state.run[k] += 1;
        }
        if (state.run[k] > sensor.stuck) {
          fault = STUCK_Q;
          cut = NONE_Q;
        }
      }
    }
    state.memory[sensor.now] = cut;
    out.faults[k] = fault;
    if (fault !== OK_Q) {
      status = status | (1 << k);
    }
  }
  return status;
}

/** A residual without the level that it had so far, which is remembered times 2^TRACK. */
function trackedQ(state, out, k, r) {
  r = (r < -WIDE_Q ? -WIDE_Q : r > WIDE_Q ? WIDE_Q : r) - (state.level[k] >> TRACK_Q);
  let d = r < -STRAY_Q ? -STRAY_Q : r > STRAY_Q ? STRAY_Q : r;
  if (out.warmingUp !== 0) {
    d *= SETTLING_Q;
  }
  state.level[k] = state.level[k] + d < -HIGHEST_Q ? -HIGHEST_Q : state.level[k] + d > HIGHEST_Q ? HIGHEST_Q : state.level[k] + d;
  return r;
}

/** An average moved towards a value by rate / 2^(15 + shift) of the way, rounded; between the two in any case. */
function moveQ(average, value) {
  const d = value - average;
  const moved = SMOOTHING_Q * (d >> 15) + ((SMOOTHING_Q * (d & 32767) + 16384) >> 15);
  return average + moved;
}

/** The score of a row over the weights of the sensors that had a say, and what each contributes. */
function detectQ(state, q, out) {
  let r;
  let score = 0;
  let total = 0;
  let sudden = 0;
  for (let k = 0; k < WATCHED_Q.length; k++) {
    const watch = WATCHED_Q[k];
    r = q[watch.reading];
    let known = r !== NONE_Q;
    r = watch.bias + watch.own * r;
    for (const term of watch.terms) {
      const x = state.memory[term.place];
      if (x === NONE_Q) {
        known = false;
      } else {
        r += term.coef * x;
      }
    }
    out.parts[k] = 0;
    state.quick[k] = 0;
    if (!known) { // its evidence stays as it was
      continue;
    }
    r = r >> watch.shift;
    r = r < -MOST_Q ? -MOST_Q : r > MOST_Q ? MOST_Q : r;
    r = (r * watch.factor + HALF_Q) >> BITS_Q;
    r = trackedQ(state, out, k, r);
    r = r < -CLIP_Q ? -CLIP_Q : r > CLIP_Q ? CLIP_Q : r;
    // What a residual says: of itself, and of its moving average in units of its own.
    let y = moveQ(state.slow[k], r * SCALE_Q);
    state.slow[k] = y;
    y = ((y >> FIRST_Q) * 4096 + HALF_SECOND_Q) >> SECOND_Q;
    let e = ((y * y) >> 1) + ((r * r) >> ALIGN_Q);
    e = moveQ(state.evidence[k], e);
    state.evidence[k] = e;
    e = (e + HALF_CUT_Q) >> CUT_Q;
    out.parts[k] = e;
    score += e;
    total += 1;
    state.quick[k] = r;
    sudden += ((r * r) >> QUICK_SHIFT_Q) * 179;
  }
  if (sudden > score) {
    score = sudden;
    for (let k = 0; k < WATCHED_Q.length; k++) {
      r = state.quick[k];
      out.parts[k] = ((r * r) >> QUICK_SHIFT_Q) * 179;
    }
  }
  out.score = score;
  out.total = total;
}

/** Take in one row of integers. */
function stepQRow(state, q, out) {
  const status = lookQ(state, q, out);
  out.warmingUp = 0;
  if (state.rows < WARM_UP_Q) {
    state.rows += 1;
    out.warmingUp = 1;
  }
  detectQ(state, q, out);
  out.alarm = 0;
  out.onset = 0;
  if (out.warmingUp !== 0) {
    return status;
  }
  // While no sensor has a say, an alarm neither ends nor begins.
  let hit = state.quiet === 0;
  if (out.total !== 0) {
    const limit = THRESHOLD_Q;
    hit = out.score > limit * out.total;
  }
  if (hit) {
    out.alarm = 1;
    out.onset = state.quiet > HOLD_Q ? 1 : 0;
    state.alarms += 1;
    state.onsets += out.onset;
    state.quiet = 0;
  } else if (state.quiet <= HOLD_Q) {
    state.quiet += 1;
  }
  return status;
}

/** What `stepQ` remembers, before the first row: numbers and arrays, the caller's to keep. */
export function startQ() {
  return {
    evidence: new Array(2).fill(262144),
    slow: new Array(2).fill(0),
    level: new Array(2).fill(0),
    quick: new Array(2).fill(0),
    onsets: 0,
    alarms: 0,
    quiet: 4,
    rows: 0,
    last: new Array(2).fill(-32768),
    memory: new Array(4).fill(-32768),
    run: new Array(2).fill(0),
  };
}

/** Readings, in the order of READINGS or by name, as the integers of `stepQ`; a missing one is -32768. */
export function readingsQ(row) {
  const given = Array.isArray(row) ? row : READINGS.map((name) => row[name]);
  return numbers(given, READINGS.length).map((value, k) => {
    const grid = GRID[INPUTS_Q[k]];
    const steps = Math.floor((value - grid.centre) * grid.scale + 0.5);
    return -LIMIT <= value && value <= LIMIT ? Math.min(Math.max(steps, -32767), 32767) : -32768;
  });
}

/**
 * Take in one row of integers, one per reading (-32768: missing), and change `state`; no floating point.
 * Gives score (over total, times SCORE_UNIT: as `step` has it), parts, alarm, onset, status and faults by name.
 */
export function stepQ(state, q) {
  const out = {
    score: 0,
    total: 0,
    parts: new Array(2).fill(0),
    alarm: 0,
    onset: 0,
    warmingUp: 0,
    faults: new Array(2).fill(0),
  };
  const wrong = stepQRow(state, numbers(q, READINGS.length), out);
  const faults = {};
  out.faults.forEach((fault, k) => {
    if (fault > 0) {
      faults[READINGS[k]] = FAULTS[fault];
    }
  });
  return {
    score: out.score, total: out.total, parts: out.parts, alarm: out.alarm === 1, onset: out.onset === 1,
    status: wrong !== 0 ? "degraded" : out.warmingUp === 1 ? "warming up" : "ok", faults,
  };
}

/** Whether a short sequence of integers ends as it must. */
function replayQ() {
  const state = startQ();
  const result = [[-14412, -3611], [3611, -14424], [-7203, 3598], [-32768, -7215], [6, 10807], [-10807, -6]].map((q) => stepQ(state, q)).pop();
  return result.score === 319331 && result.total === 1;
}

const SEQUENCE = [[0.22000000000000003, -2.64], [1.32, -3.9600000000000004], [0.66, -1.7600000000000002], [null, -3.08], [1.1, -0.8799999999999999], [0.44000000000000006, -2.2]];
const SEQUENCE_END = [-1.2649993896484375, 1.29998779296875];
const SEQUENCE_SIZES = [1487.9999999999998, 947.2];

/** Whether a short sequence ends as it must. */
function replay() {
  const state = start();
  const result = SEQUENCE.map((row) => step(state, row)).pop();
  const got = [result.value].flat();
  return got.every((value, m) => Math.abs(value - SEQUENCE_END[m]) <= Number.EPSILON * SEQUENCE_SIZES[m])
    && Math.abs(result.score - 2.4365630823031785) <= Number.EPSILON * 2554921.5705891377;
}
