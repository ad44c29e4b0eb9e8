// From a result to the lines of a chart: no drawing, no document.

/** Lines that are drawn; as many as there are colours. */
export const MOST_LINES = 8;

const NUMBERS = /^(TINYINT|SMALLINT|INT|BIGINT|FLOAT|DOUBLE|DECIMAL)/;

export const isNumeric = ({ type }) => NUMBERS.test(type);
export const isTime = ({ type }) => type === "TIMESTAMP";
export const isWide = ({ type }) => /CHAR|BINARY|GEOMETRY/.test(type);
export const isText = ({ type }) => /CHAR/.test(type);

/** Milliseconds of a time as the server writes it; digits behind the milliseconds stay as a fraction. */
export function millis(text) {
  const whole = Date.parse(text.replace(/(\.\d{3})\d+/, "$1"));
  const digits = /\.\d{3}(\d+)/.exec(text);
  return digits ? whole + Number(`0.${digits[1]}`) : whole;
}

/** Places of the columns that can stand in a chart. */
export function chartable(columns) {
  const places = columns.map((column, at) => ({ ...column, at }));
  return {
    times: places.filter(isTime),
    values: places.filter(isNumeric),
    texts: places.filter(isText),
  };
}

/**
 * Lines of the columns in `values` over the column `time`; with `split`, one for each value of that
 * column. Points are in the order of time; a NULL is a gap. `missing` counts lines beyond the bound.
 */
export function linesOf({ columns, rows }, time, values, split = null) {
  const lines = new Map();
  const beyond = new Set();
  for (const row of rows) {
    if (row[time] === null) continue;
    const x = millis(row[time]);
    for (const at of values) {
      const of = split === null ? "" : String(row[split]);
      const key = JSON.stringify([at, of]);
      let line = lines.get(key);
      if (line === undefined) {
        if (lines.size >= MOST_LINES) {
          beyond.add(key);
          continue;
        }
        const column = columns[at].name;
        const name = split === null ? column : values.length > 1 ? `${of}: ${column}` : of;
        line = { name, points: [] };
        lines.set(key, line);
      }
      const y = row[at] === null ? null : Number(row[at]);
      line.points.push([x, Number.isFinite(y) ? y : null]);
    }
  }
  for (const line of lines.values()) line.points.sort((a, b) => a[0] - b[0]);
  return { lines: [...lines.values()], missing: beyond.size };
}

/** The smallest and largest of x and y, or `null` if no point has a value. */
export function extent(lines) {
  let [x0, x1, y0, y1] = [Infinity, -Infinity, Infinity, -Infinity];
  for (const { points } of lines) {
    for (const [x, y] of points) {
      if (y === null) continue;
      x0 = Math.min(x0, x);
      x1 = Math.max(x1, x);
      y0 = Math.min(y0, y);
      y1 = Math.max(y1, y);
    }
  }
  return x0 <= x1 ? { x0, x1, y0, y1 } : null;
}

/** Round numbers from `low` to `high`, about so many. */
export function ticks(low, high, count) {
  const raw = (high - low) / Math.max(count, 1);
  if (!(raw > 0)) return [low];
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((n) => n * power).find((n) => n >= raw);
  const found = [];
  for (let n = Math.ceil(low / step); n * step <= high && found.length < 50; n += 1) {
    found.push(n * step);
  }
  return found;
}

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const STEPS = [
  ...[1, 2, 5, 10, 20, 50, 100, 200, 500],
  ...[1, 2, 5, 10, 15, 30].map((n) => n * SECOND),
  ...[1, 2, 5, 10, 15, 30].map((n) => n * MINUTE),
  ...[1, 2, 3, 6, 12].map((n) => n * HOUR),
  ...[1, 2, 7, 14, 30, 91, 182, 365, 730, 1826, 3652].map((n) => n * DAY),
];

/** Round times from `low` to `high`, about so many; in UTC. */
export function timeTicks(low, high, count) {
  const raw = (high - low) / Math.max(count, 1);
  const step = STEPS.find((n) => n >= raw);
  if (step === undefined || raw < 1) return ticks(low, high, count);
  const found = [];
  for (let at = Math.ceil(low / step) * step; at <= high; at += step) found.push(at);
  return found;
}

/** The place of the point nearest to `x` among points in the order of x. */
export function nearest(points, x) {
  let [low, high] = [0, points.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (points[middle][0] < x) low = middle + 1;
    else high = middle;
  }
  const before = low > 0 && x - points[low - 1][0] <= points[low][0] - x;
  return before ? low - 1 : low;
}
