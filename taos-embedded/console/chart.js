// A result as lines over time.

import { el, svg } from "./dom.js";
import { MOST_LINES, chartable, extent, linesOf, nearest, ticks, timeTicks } from "./series.js";

const HEIGHT = 352;
const EDGE = { left: 72, right: 16, top: 14, bottom: 30 };

function timeText(ms, zone, span) {
  const day = { year: "numeric", month: "2-digit", day: "2-digit" };
  const clock = { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" };
  let parts = clock;
  if (span > 4 * 86_400_000) parts = day;
  else if (span > 86_400_000) parts = { month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
  else if (span < 10_000) parts = { ...clock, fractionalSecondDigits: 3 };
  if (span === 0) parts = { ...day, ...clock, fractionalSecondDigits: 3 };
  // This locale writes dates as ISO 8601 does, but for the comma before the milliseconds.
  return new Intl.DateTimeFormat("sv-SE", { ...parts, timeZone: zone }).format(ms).replace(",", ".");
}

const numberText = (n) =>
  n !== 0 && (Math.abs(n) >= 1e7 || Math.abs(n) < 1e-3) ? n.toExponential(2) : String(Number(n.toPrecision(7)));

/** The path of a line; a gap where there is no value. Also the points that have none beside them. */
function pathOf(points, x, y) {
  let path = "";
  const alone = [];
  points.forEach(([at, value], place) => {
    if (value === null) return;
    const before = place > 0 && points[place - 1][1] !== null;
    const after = place + 1 < points.length && points[place + 1][1] !== null;
    path += `${before ? "L" : "M"}${x(at).toFixed(1)} ${y(value).toFixed(1)}`;
    if (!before && !after) alone.push([x(at), y(value)]);
  });
  return { path, alone };
}

export class Chart {
  /** Draws into `place`; times are told in `zone`. */
  constructor(place, result, zone) {
    this.zone = zone;
    this.result = result;
    this.hidden = new Set();
    this.can = chartable(result.columns);
    const [time] = this.can.times;
    if (time === undefined || this.can.values.length === 0) {
      const why = "A chart needs a column of type TIMESTAMP and a numeric one.";
      place.replaceChildren(el("p", { class: "hint" }, why));
      return;
    }
    this.time = time.at;
    this.split = null;
    this.plot = el("div", { class: "plot" });
    this.legend = el("ul", { class: "legend", "aria-label": "Lines" });
    this.note = el("p", { class: "hint" });
    place.replaceChildren(this.options(), this.plot, this.legend, this.note);
    this.load();
    new ResizeObserver(() => this.draw()).observe(this.plot);
  }

  options() {
    const choice = (columns, none) => [
      ...(none ? [el("option", { value: "" }, none)] : []),
      ...columns.map(({ name, at }) => el("option", { value: at }, name)),
    ];
    const chosen = (set) => (event) => {
      set(event.target.value === "" ? null : Number(event.target.value));
      this.hidden.clear();
      this.load();
    };
    const time = el("select", { onchange: chosen((at) => (this.time = at)) }, ...choice(this.can.times));
    const split = el(
      "select",
      { onchange: chosen((at) => (this.split = at)) },
      ...choice(this.can.texts, "nothing"),
    );
    return el(
      "div",
      { class: "bar options" },
      el("label", {}, "Time ", time),
      el("label", {}, "A line for each ", split),
    );
  }

  load() {
    const values = this.can.values.map(({ at }) => at);
    const { lines, missing } = linesOf(this.result, this.time, values, this.split);
    this.lines = lines;
    this.note.textContent = missing > 0 ? `${missing} further lines are left out; ${MOST_LINES} are drawn.` : "";
    const items = lines.map(({ name }, at) => {
      const toggle = (event) => {
        if (!this.hidden.delete(at)) this.hidden.add(at);
        event.currentTarget.setAttribute("aria-pressed", String(!this.hidden.has(at)));
        this.draw();
      };
      const key = el("span", { class: `key s${at}` });
      return el("li", {}, el("button", { type: "button", "aria-pressed": "true", onclick: toggle }, key, name));
    });
    this.legend.replaceChildren(...items);
    this.draw();
  }

  shown() {
    return this.lines.map((line, at) => ({ ...line, at })).filter(({ at }) => !this.hidden.has(at));
  }

  draw() {
    const width = Math.max(this.plot.clientWidth, 200);
    const shown = this.shown();
    const range = extent(shown);
    if (range === null) {
      this.plot.replaceChildren(el("p", { class: "hint" }, "No values to draw."));
      return;
    }
    const { x0, x1 } = range;
    const slack = range.y0 === range.y1 ? Math.abs(range.y0) * 0.1 || 1 : (range.y1 - range.y0) * 0.04;
    const [y0, y1] = [range.y0 - slack, range.y1 + slack];
    const [inner, tall] = [width - EDGE.left - EDGE.right, HEIGHT - EDGE.top - EDGE.bottom];
    const x = (at) => EDGE.left + (x1 === x0 ? inner / 2 : ((at - x0) / (x1 - x0)) * inner);
    const y = (value) => EDGE.top + (1 - (value - y0) / (y1 - y0)) * tall;
    const points = shown.reduce((sum, line) => sum + line.points.length, 0);
    const label = `Line chart of ${shown.map(({ name }) => name).join(", ")} over ${this.result.columns[this.time].name}, ${points} points; arrow keys move along it`;
    const picture = svg("svg", {
      viewBox: `0 0 ${width} ${HEIGHT}`, role: "img", tabindex: "0", "aria-label": label,
    });
    for (const value of ticks(y0, y1, 6)) {
      picture.append(
        svg("line", { class: "grid", x1: EDGE.left, x2: width - EDGE.right, y1: y(value), y2: y(value) }),
        svg("text", { x: EDGE.left - 8, y: y(value) + 4, "text-anchor": "end" }, numberText(value)),
      );
    }
    for (const at of timeTicks(x0, x1, Math.max(2, Math.floor(inner / 130)))) {
      picture.append(
        svg("line", { class: "grid", x1: x(at), x2: x(at), y1: EDGE.top, y2: EDGE.top + tall }),
        svg("text", { x: x(at), y: HEIGHT - 10, "text-anchor": "middle" }, timeText(at, this.zone, x1 - x0)),
      );
    }
    for (const line of shown) {
      const { path, alone } = pathOf(line.points, x, y);
      picture.append(svg("path", { class: `line s${line.at}`, d: path }));
      for (const [cx, cy] of alone) picture.append(svg("circle", { class: `s${line.at}`, cx, cy, r: 2.5 }));
    }
    const mark = svg("g");
    picture.append(mark);
    const readout = el("div", { class: "readout", "aria-live": "polite", hidden: true });
    this.plot.replaceChildren(picture, readout);
    this.follow(picture, readout, mark, { shown, x, y, width, x0, x1, inner, tall });
  }

  /** Shows the values nearest to the pointer, or to where the arrow keys went. */
  follow(picture, readout, mark, { shown, x, y, width, x0, x1, inner, tall }) {
    const times = [...new Set(shown.flatMap(({ points }) => points.map(([at]) => at)))].sort((a, b) => a - b);
    const stops = times.map((at) => [at]);
    let place = -1;
    const show = (next) => {
      place = next;
      const at = times[place];
      const lines = shown
        .map((line) => ({ ...line, point: line.points[nearest(line.points, at)] }))
        .filter(({ point }) => point !== undefined && point[0] === at);
      mark.replaceChildren(
        svg("line", { class: "cursor", x1: x(at), x2: x(at), y1: EDGE.top, y2: EDGE.top + tall }),
        ...lines
          .filter(({ point }) => point[1] !== null)
          .map((line) => svg("circle", { class: `s${line.at}`, cx: x(at), cy: y(line.point[1]), r: 3.5 })),
      );
      readout.replaceChildren(
        el("p", {}, timeText(at, this.zone, 0)),
        ...lines.map((line) => {
          const value = line.point[1] === null ? "NULL" : String(line.point[1]);
          return el("p", {}, el("span", { class: `key s${line.at}` }), `${line.name}: ${value}`);
        }),
      );
      readout.hidden = false;
      const left = x(at) > width / 2;
      readout.style.left = left ? "auto" : `${x(at) + 12}px`;
      readout.style.right = left ? `${width - x(at) + 12}px` : "auto";
    };
    const hide = () => {
      readout.hidden = true;
      mark.replaceChildren();
    };
    picture.addEventListener("pointermove", (event) => {
      const box = picture.getBoundingClientRect();
      const along = ((event.clientX - box.left) / box.width) * width;
      const at = x0 + ((along - EDGE.left) / inner) * (x1 - x0);
      show(nearest(stops, Math.min(Math.max(at, x0), x1)));
    });
    picture.addEventListener("pointerleave", hide);
    picture.addEventListener("blur", hide);
    picture.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (step === undefined) return;
      event.preventDefault();
      show(Math.min(Math.max(place + step, 0), times.length - 1));
    });
  }
}
