// A result as a table.

import { el } from "./dom.js";
import { isNumeric, isTime, isWide } from "./series.js";

function text(value) {
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

function cell(value, column) {
  if (value === null) return el("td", { class: "null" }, "NULL");
  const kind = isNumeric(column) ? "number" : isTime(column) ? "time" : null;
  return el("td", { class: kind }, text(value));
}

/** The table of a result; column heads have the type, and the width where the type has one. */
export function tableOf({ columns, rows }) {
  const heads = columns.map((column) => {
    const type = isWide(column) ? `${column.type}(${column.length})` : column.type;
    return el("th", { scope: "col" }, column.name, el("span", { class: "type" }, type));
  });
  const lines = rows.map((row) =>
    el("tr", {}, ...row.map((value, at) => cell(value, columns[at]))),
  );
  const caption = el("caption", { class: "unseen" }, `Result with ${rows.length} rows`);
  return el("table", {}, caption, el("thead", {}, el("tr", {}, ...heads)), el("tbody", {}, ...lines));
}
