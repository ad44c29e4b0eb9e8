// The page: login, the tree, a statement and its result.

import { Client, Failure, quoteName } from "./api.js";
import { Chart } from "./chart.js";
import { byId, el } from "./dom.js";
import { tableOf } from "./table.js";
import { Tree } from "./tree.js";

let client = null;
let running = null;
let result = null;

const zone = () => byId("zone").value;

const tell = (place) => (error) => {
  byId(place).textContent = error === null ? "" : String(error);
};

// --- login -----------------------------------------------------------------------------------

async function logIn(event) {
  event.preventDefault();
  const fail = tell("login-error");
  fail(null);
  const next = new Client(byId("user").value, byId("password").value);
  try {
    await next.query("select server_version()");
  } catch (error) {
    return fail(error);
  }
  client = next;
  byId("password").value = "";
  byId("who").textContent = `${client.user} at ${location.host}`;
  byId("door").hidden = true;
  byId("bench").hidden = false;
  byId("leave").hidden = false;
  await refresh();
  byId("sql").focus();
}

// --- databases and tables ----------------------------------------------------------------------

async function refresh() {
  const fail = tell("tree-error");
  fail(null);
  const tree = new Tree(client, look, fail);
  try {
    const names = await tree.databases();
    byId("tree").replaceChildren(tree.show(names));
    const chosen = byId("database").value;
    const options = names.map((name) => el("option", { value: name, selected: name === chosen }, name));
    byId("database").replaceChildren(el("option", { value: "" }, "none"), ...options);
  } catch (error) {
    fail(error);
  }
}

function look(db, table) {
  byId("sql").value = `select * from ${quoteName(db)}.${quoteName(table)} limit 1000`;
  run();
}

// --- one statement -----------------------------------------------------------------------------

function summary({ rows, cut, milliseconds }) {
  const count = `${rows.length} ${rows.length === 1 ? "row" : "rows"} in ${milliseconds.toFixed(1)} ms`;
  const why = {
    rows: "; there are more, which the bound of rows leaves out",
    bytes: "; there are more, but these make up the 4 MiB that are shown",
  };
  return count + (why[cut] ?? "");
}

async function run() {
  const sql = byId("sql").value.trim();
  if (sql === "") return;
  running?.abort();
  const mine = new AbortController();
  running = mine;
  byId("cancel").disabled = false;
  tell("error")(null);
  byId("status").textContent = "running …";
  try {
    const found = await client.query(sql, {
      db: byId("database").value,
      zone: zone(),
      rows: Number(byId("rows").value),
      signal: mine.signal,
    });
    if (running !== mine) return;
    result = found;
    byId("status").textContent = summary(found);
    byId("results").hidden = false;
    byId("table").replaceChildren(tableOf(found));
    byId("chart").replaceChildren();
    choose(byId("tab-chart").ariaSelected === "true" ? "chart" : "table");
  } catch (error) {
    if (running !== mine) return;
    const stopped = !(error instanceof Failure) && error.name === "AbortError";
    byId("status").textContent = stopped ? "cancelled" : "";
    byId("results").hidden = true;
    if (!stopped) tell("error")(error);
  } finally {
    if (running === mine) {
      running = null;
      byId("cancel").disabled = true;
    }
  }
}

// --- views of the result -----------------------------------------------------------------------

const VIEWS = ["table", "chart"];

function choose(view) {
  for (const name of VIEWS) {
    const tab = byId(`tab-${name}`);
    tab.setAttribute("aria-selected", String(name === view));
    tab.tabIndex = name === view ? 0 : -1;
    byId(name).hidden = name !== view;
  }
  if (view === "chart" && result !== null && byId("chart").childElementCount === 0) {
    new Chart(byId("chart"), result, zone());
  }
}

function moveTab(event) {
  if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
  const other = event.target.id === "tab-table" ? "chart" : "table";
  choose(other);
  byId(`tab-${other}`).focus();
}

// --- looks -------------------------------------------------------------------------------------

const THEMES = ["system", "light", "dark"];

function theme(name) {
  if (name === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = name;
  byId("theme").textContent = `Theme: ${name}`;
}

function nextTheme() {
  const now = document.documentElement.dataset.theme ?? "system";
  theme(THEMES[(THEMES.indexOf(now) + 1) % THEMES.length]);
}

function start() {
  const here = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const zones = [...new Set(["UTC", here])];
  byId("zone").append(...zones.map((name) => el("option", { value: name }, name)));
  byId("login").addEventListener("submit", logIn);
  byId("leave").addEventListener("click", () => location.reload());
  byId("refresh").addEventListener("click", refresh);
  byId("theme").addEventListener("click", nextTheme);
  byId("cancel").addEventListener("click", () => running?.abort());
  byId("query").addEventListener("submit", (event) => {
    event.preventDefault();
    run();
  });
  byId("sql").addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      run();
    }
  });
  for (const name of VIEWS) {
    byId(`tab-${name}`).addEventListener("click", () => choose(name));
    byId(`tab-${name}`).addEventListener("keydown", moveTab);
  }
}

start();
