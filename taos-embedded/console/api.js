// The one request that the console makes, and how names and texts stand in SQL.

/** What the server refused, with its code; code 0 if it was not reached. */
export class Failure extends Error {
  constructor(code, text) {
    super(text);
    this.code = code;
  }

  toString() {
    if (this.code === 0) return this.message;
    return `[0x${this.code.toString(16).toUpperCase().padStart(4, "0")}] ${this.message}`;
  }
}

function basic(user, password) {
  const bytes = new TextEncoder().encode(`${user}:${password}`);
  return "Basic " + btoa(String.fromCharCode(...bytes));
}

/** A login. It lives in this object only: not in a cookie, not in the browser's storage. */
export class Client {
  #authorization;

  constructor(user, password) {
    this.user = user;
    this.#authorization = basic(user, password);
  }

  /** Runs a statement that reads; gives columns, rows, why rows are missing, and the time taken. */
  async query(sql, { db = "", zone = "UTC", rows = 1000, signal = null } = {}) {
    const parameters = new URLSearchParams({ db, rows, conn_tz: zone });
    let answer;
    try {
      const response = await fetch(`/console/query?${parameters}`, {
        method: "POST",
        headers: { authorization: this.#authorization, "content-type": "text/plain; charset=utf-8" },
        body: sql,
        signal,
        credentials: "omit",
      });
      answer = await response.json();
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new Failure(0, `The server gave no answer: ${error.message}`);
    }
    if (answer.code !== 0) throw new Failure(answer.code, answer.desc);
    return {
      columns: answer.column_meta.map(([name, type, length]) => ({ name, type, length })),
      rows: answer.data,
      cut: answer.cut,
      milliseconds: answer.timing / 1e6,
    };
  }
}

/** A name as SQL takes it in any case and with any characters; it cannot hold a backquote itself. */
export const quoteName = (name) => "`" + name + "`";

/** A text as a literal. */
export const quoteText = (text) => "'" + text.replaceAll("\\", "\\\\").replaceAll("'", "\\'") + "'";
