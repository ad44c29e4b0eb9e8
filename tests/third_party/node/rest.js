// The published Node client @tdengine/rest against the server at TAOS_ADDRESS.
const { connect } = require("@tdengine/rest");
const { check, equal, main } = require("./checks");

const [host, port] = (process.env.TAOS_ADDRESS ?? "127.0.0.1:6041").split(":");
const DATABASE = "judge_node";
const MANY = 10_000;

const COLUMNS = {
  b: "bool", i8: "tinyint", i16: "smallint", i32: "int", i64: "bigint",
  u8: "tinyint unsigned", u16: "smallint unsigned", u32: "int unsigned", u64: "bigint unsigned",
  f32: "float", f64: "double", vc: "varchar(32)", nc: "nchar(32)", vb: "varbinary(16)",
  geo: "geometry(64)", d64: "decimal(10,2)", d128: "decimal(38,6)",
};

function cursor({ database = "", passwd = "taosdata" } = {}) {
  const path = database ? `/rest/sql/${database}` : "/rest/sql/";
  return connect({ scheme: "http", host, port, path, user: "root", passwd }).cursor();
}

async function query(sql, where) {
  const result = await cursor(where).query(sql);
  if (result.getErrCode() !== 0) {
    throw new Error(`${sql}: ${result.getErrCode()} ${result.getErrStr()}`);
  }
  return result;
}

check("connects, and asks for the version", async () => {
  const result = await query("select server_version()");
  equal(result.getData()[0][0].split(".")[0], "3");
});

check("creates a super table of every type and inserts into it", async () => {
  const columns = Object.entries(COLUMNS).map(([name, type]) => `${name} ${type}`);
  const values = `true, -128, -32768, -2147483648, -9007199254740991, 255, 65535, 4294967295, 9007199254740991,
    1.5, 2.25, 'plain "text"', 'żółw 🐢', '\\x00ff10', 'POINT(1 2)', 123.45, 12345678901234567890.123456`;
  const affected = [];
  for (const sql of [
    `create database ${DATABASE} precision 'us'`,
    `create table ${DATABASE}.kinds (ts timestamp, ${columns}) tags (place varchar(24), floor int)`,
    `create table ${DATABASE}.d1 using ${DATABASE}.kinds tags ('Gdańsk', 3)`,
    `insert into ${DATABASE}.d1 values (1700000000000001, ${values})`,
    `insert into ${DATABASE}.d1 values (1700000001000000, ${Object.keys(COLUMNS).map(() => "null")})`,
    `insert into ${DATABASE}.d2 using ${DATABASE}.kinds tags (null, null)
       values (1700000002000000, ${values}) (1700000003000000, ${values})`,
  ]) {
    affected.push((await query(sql)).getAffectRows());
  }
  equal(affected, [0, 0, 0, 1, 1, 2]);
});

check("reads every type and NULLs of every type", async () => {
  const result = await query(`select * from ${DATABASE}.d1 order by ts`);
  equal(result.getData(), [
    [
      "2023-11-14T22:13:20.000001Z", true, -128, -32768, -2147483648, -9007199254740991,
      255, 65535, 4294967295, 9007199254740991, 1.5, 2.25, 'plain "text"', "żółw 🐢", "00ff10",
      "0101000000000000000000f03f0000000000000040", "123.45", "12345678901234567890.123456",
    ],
    ["2023-11-14T22:13:21.000000Z", ...Object.keys(COLUMNS).map(() => null)],
  ]);
});

check("learns the columns' names, types and sizes", async () => {
  const result = await query(`select * from ${DATABASE}.kinds limit 1`);
  equal(
    result.getMeta().map(({ columnName, typeName, size }) => [columnName, typeName, size]),
    [
      ["ts", "TIMESTAMP", 8], ["b", "BOOL", 1], ["i8", "TINYINT", 1], ["i16", "SMALLINT", 2], ["i32", "INT", 4],
      ["i64", "BIGINT", 8], ["u8", "TINYINT UNSIGNED", 1], ["u16", "SMALLINT UNSIGNED", 2],
      ["u32", "INT UNSIGNED", 4], ["u64", "BIGINT UNSIGNED", 8], ["f32", "FLOAT", 4], ["f64", "DOUBLE", 8],
      ["vc", "VARCHAR", 32], ["nc", "NCHAR", 32], ["vb", "VARBINARY", 16], ["geo", "GEOMETRY", 64],
      ["d64", "DECIMAL(10,2)", 8], ["d128", "DECIMAL(38,6)", 16], ["place", "VARCHAR", 24], ["floor", "INT", 4],
    ],
  );
});

check("reads 64-bit integers beyond what a number holds as text", async () => {
  await query("create table wide (ts timestamp, i64 bigint, u64 bigint unsigned)", { database: DATABASE });
  await query("insert into wide values (1700000000000000, -9223372036854775807, 18446744073709551615)", { database: DATABASE });
  const text = "select cast(i64 as varchar(20)), cast(u64 as varchar(20)) from wide";
  const result = await query(text, { database: DATABASE });
  equal(result.getData(), [["-9223372036854775807", "18446744073709551615"]]);
});

check("reads tags and table names in the database it named", async () => {
  const text = "select tbname, place, floor from kinds where i32 is not null order by ts";
  const result = await query(text, { database: DATABASE });
  equal(result.getData(), [["d1", "Gdańsk", 3], ["d2", null, null], ["d2", null, null]]);
});

check("reads JSON tags", async () => {
  await query("create table places (ts timestamp, n int) tags (info json)", { database: DATABASE });
  await query(`insert into p1 using places tags ('{"city":"Łódź","zip":90001}') values (1700000000000000, 1)`, { database: DATABASE });
  const result = await query("select info, info->'city' from places", { database: DATABASE });
  equal(result.getData(), [[{ city: "Łódź", zip: 90001 }, "Łódź"]]);
});

check("reads BLOBs", async () => {
  await query("create table blobs (ts timestamp, b blob)", { database: DATABASE });
  const values = "(1700000000000000, '\\x00ff10') (1700000000000001, '') (1700000000000002, null)";
  await query(`insert into blobs values ${values}`, { database: DATABASE });
  const result = await query("select b from blobs order by ts", { database: DATABASE });
  equal(result.getData(), [["00ff10"], [""], [null]]);
});

check("reads ten thousand rows in order", async () => {
  await query("create table many (ts timestamp, n int)", { database: DATABASE });
  for (let start = 0; start < MANY; start += 1000) {
    const rows = Array.from({ length: 1000 }, (_, n) => `(${1_700_000_000_000_000 + start + n}, ${start + n})`);
    const result = await query(`insert into many values ${rows.join(" ")}`, { database: DATABASE });
    equal(result.getAffectRows(), 1000);
  }
  const result = await query("select n from many order by ts", { database: DATABASE });
  equal(result.getData().map(([n]) => n), Array.from({ length: MANY }, (_, n) => n));
});

check("gets the server's codes and texts for what is wrong", async () => {
  const refused = async (sql, where) => {
    const result = await cursor(where).query(sql);
    return [result.getErrCode(), result.getErrStr()];
  };
  equal(await refused("select * from nowhere", { database: DATABASE }), [9731, "Table does not exist"]);
  equal(await refused("selec 1"), [9728, `syntax error near "selec 1"`]);
  equal(await refused("show tables", { database: "no_such_database" }), [904, "Database not exist"]);
});

check("is refused with a wrong password", async () => {
  const result = await cursor({ passwd: "wrong" }).query("select 1");
  equal([result.getErrCode(), result.getErrStr()], [855, "Authentication failure"]);
});

main("@tdengine/rest");
