// Databases, super tables, tables and columns, each asked for when it is opened.

import { quoteName, quoteText } from "./api.js";
import { el } from "./dom.js";

/** Tables of one kind that are listed; the rest is told by a line. */
const MOST = 200;

const SYSTEM = ["information_schema", "performance_schema"];

/** A branch whose children are made when it is first opened. */
function branch(summary, children, report) {
  const list = el("ul");
  const details = el("details", {}, el("summary", {}, ...summary), list);
  let asked = false;
  details.addEventListener("toggle", async () => {
    if (!details.open || asked) return;
    asked = true;
    list.replaceChildren(el("li", { class: "hint" }, "…"));
    try {
      list.replaceChildren(...(await children()));
    } catch (error) {
      asked = false;
      details.open = false;
      report(error);
    }
  });
  return el("li", {}, details);
}

export class Tree {
  /** `look(db, table)` shows rows; `report(error)` tells what failed. */
  constructor(client, look, report) {
    this.client = client;
    this.look = look;
    this.report = report;
  }

  async names(sql) {
    const { rows } = await this.client.query(sql, { rows: MOST + 1 });
    return rows.map((row) => row[0]);
  }

  /** Names of all databases, those of the system last. */
  async databases() {
    const names = await this.names("select name from information_schema.ins_databases");
    const own = names.filter((name) => !SYSTEM.includes(name));
    return [...own, ...names.filter((name) => SYSTEM.includes(name))];
  }

  show(names) {
    const none = el("p", { class: "hint" }, "There is no database yet.");
    const list = names.map((db) => branch([db], () => this.contents(db), this.report));
    return list.length > 0 ? el("ul", {}, ...list) : none;
  }

  async contents(db) {
    const of = `where db_name = ${quoteText(db)}`;
    const supers = await this.names(
      `select stable_name from information_schema.ins_stables ${of} limit ${MOST + 1}`,
    );
    const tables = await this.names(
      `select table_name from information_schema.ins_tables ${of} and stable_name is null limit ${MOST + 1}`,
    );
    const items = [
      ...this.listed(supers, (name) => this.superTable(db, name)),
      ...this.listed(tables, (name) => this.table(db, name, "table")),
    ];
    return items.length > 0 ? items : [el("li", { class: "hint" }, "no tables")];
  }

  listed(names, item) {
    const items = names.slice(0, MOST).map(item);
    if (names.length > MOST) {
      items.push(el("li", { class: "hint" }, `only the first ${MOST} are listed`));
    }
    return items;
  }

  summary(db, name, kind) {
    const look = el(
      "button",
      {
        type: "button",
        class: "look",
        "aria-label": `Show rows of ${name}`,
        onclick: (event) => {
          event.preventDefault();
          this.look(db, name);
        },
      },
      "rows",
    );
    return [name, el("span", { class: "kind" }, kind), look];
  }

  superTable(db, name) {
    const children = async () => {
      const columns = await this.columns(db, name);
      const of = `where db_name = ${quoteText(db)} and stable_name = ${quoteText(name)}`;
      const tables = async () => {
        const names = await this.names(
          `select table_name from information_schema.ins_tables ${of} limit ${MOST + 1}`,
        );
        return this.listed(names, (table) => this.table(db, table, ""));
      };
      return [...columns, branch(["tables of it"], tables, this.report)];
    };
    return branch(this.summary(db, name, "super table"), children, this.report);
  }

  table(db, name, kind) {
    return branch(this.summary(db, name, kind), () => this.columns(db, name), this.report);
  }

  async columns(db, name) {
    const { rows } = await this.client.query(`describe ${quoteName(db)}.${quoteName(name)}`);
    return rows.map(([column, type, length, note]) => {
      const sized = /CHAR|BINARY|GEOMETRY|BLOB/.test(type) ? `${type}(${length})` : type;
      const item = el("li", { class: "column" }, column, el("span", { class: "type" }, sized));
      if (note === "TAG") item.append(el("span", { class: "tag" }, "tag"));
      return item;
    });
  }
}
