//! The layouts of the file, from the first to the present one.

use rusqlite::Connection;

use super::Options;

/// The version of the file's layout. A release reads what is not newer than its own.
pub(crate) const FORMAT: i64 = 3;

/// What a file of the first layout was made with.
const FIRST: &str = "
CREATE TABLE meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE db (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, created INTEGER NOT NULL,
    options TEXT NOT NULL);
CREATE TABLE tbl (id INTEGER PRIMARY KEY, db INTEGER NOT NULL, name TEXT NOT NULL,
    created INTEGER NOT NULL, definition TEXT NOT NULL, UNIQUE (db, name));
CREATE TABLE usr (name TEXT PRIMARY KEY, salt BLOB NOT NULL, hash BLOB NOT NULL,
    administrator INTEGER NOT NULL, created INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE topic (name TEXT PRIMARY KEY, db TEXT NOT NULL, sql TEXT NOT NULL,
    created INTEGER NOT NULL, kind TEXT NOT NULL, with_meta INTEGER NOT NULL) WITHOUT ROWID;
";

/// What the second layout adds: vgroups, the logs of changes, and what topics are made on.
const SECOND: &str = "
ALTER TABLE db ADD COLUMN vgroup INTEGER NOT NULL DEFAULT 0;
ALTER TABLE topic ADD COLUMN id INTEGER NOT NULL DEFAULT 0;
ALTER TABLE topic ADD COLUMN tbl INTEGER NOT NULL DEFAULT 0;
ALTER TABLE topic ADD COLUMN def INTEGER NOT NULL DEFAULT 0;
ALTER TABLE topic ADD COLUMN columns TEXT;
CREATE TABLE log (id INTEGER PRIMARY KEY, at INTEGER NOT NULL, body BLOB NOT NULL);
CREATE TABLE log_begin (vgroup INTEGER PRIMARY KEY, begin INTEGER NOT NULL);
CREATE TABLE grp_offset (grp TEXT NOT NULL, topic TEXT NOT NULL, vgroup INTEGER NOT NULL,
    committed INTEGER, start INTEGER, PRIMARY KEY (grp, topic, vgroup)) WITHOUT ROWID;
INSERT INTO meta VALUES ('next_vgroup', 2);
";

/// What the third layout adds: rights of users. Administrators may make databases, as before.
const THIRD: &str = "
ALTER TABLE usr ADD COLUMN rights TEXT NOT NULL DEFAULT '{}';
UPDATE usr SET rights = '{\"createdb\":true}' WHERE administrator;
";

/// What a fresh file is made with.
pub(crate) fn schema_sql() -> String {
    format!("{FIRST}{SECOND}{THIRD}")
}

/// Brings a file of an older layout up to the present one, all or nothing.
pub(crate) fn upgrade(connection: &Connection, format: i64) -> rusqlite::Result<()> {
    if format >= FORMAT {
        return Ok(());
    }
    connection.execute_batch("BEGIN IMMEDIATE")?;
    let outcome = steps(connection, format).and_then(|()| connection.execute_batch("COMMIT"));
    if outcome.is_err() && !connection.is_autocommit() {
        connection.execute_batch("ROLLBACK")?;
    }
    outcome
}

fn steps(connection: &Connection, format: i64) -> rusqlite::Result<()> {
    if format < 2 {
        second(connection)?;
    }
    connection.execute_batch(THIRD)?;
    connection
        .execute("UPDATE meta SET value = ?1 WHERE key = 'format'", [FORMAT])
        .map(drop)
}

/// The databases get vgroups in the order of their names, as they were shown before; their topics, which
/// nothing could be read from, get numbers.
fn second(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(SECOND)?;
    let mut databases = connection.prepare("SELECT id, options FROM db ORDER BY name")?;
    let found = databases.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let found: Vec<(i64, String)> = found.collect::<rusqlite::Result<_>>()?;
    let mut next = 2;
    for (id, options) in found {
        // what cannot be read is told when the catalog is loaded
        let options = serde_json::from_str::<Options>(&options).unwrap_or_default();
        connection.execute("UPDATE db SET vgroup = ?2 WHERE id = ?1", (id, next))?;
        next += options.number("vgroups").max(1);
    }
    connection.execute(
        "UPDATE meta SET value = ?1 WHERE key = 'next_vgroup'",
        [next],
    )?;
    let mut topics = connection.prepare("SELECT name FROM topic ORDER BY created, name")?;
    let names = topics.query_map([], |row| row.get(0))?;
    let names: Vec<String> = names.collect::<rusqlite::Result<_>>()?;
    for name in names {
        connection.execute(
            "UPDATE topic SET id = (SELECT value FROM meta WHERE key = 'next_id') WHERE name = ?1",
            [name],
        )?;
        connection.execute(
            "UPDATE meta SET value = value + 1 WHERE key = 'next_id'",
            [],
        )?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Engine, Storage};
    use crate::tmq::{ReadOptions, TopicReader};

    /// A file as the first release left it, with two databases, a table in each, and a topic.
    fn first_format(path: &std::path::Path) {
        let connection = Connection::open(path).unwrap();
        let options = |vgroups: i64| {
            let mut options = serde_json::to_value(Options::default()).unwrap();
            options["numbers"][11] = vgroups.into();
            options.to_string()
        };
        let definition = serde_json::json!({
            "columns": [
                {"name": "ts", "id": 0, "ty": 9, "length": 8, "precision": 0, "scale": 0, "key": false},
                {"name": "v", "id": 1, "ty": 4, "length": 4, "precision": 0, "scale": 0, "key": false},
            ],
            "tags": [], "version": 0, "next_column": 2,
        });
        connection
            .execute_batch(&format!(
                "PRAGMA application_id = 1952542579; {FIRST}
                 INSERT INTO meta VALUES ('format', 1), ('next_id', 5);
                 INSERT INTO db VALUES (1, 'b', 0, '{}'), (2, 'a', 0, '{}');
                 INSERT INTO tbl VALUES (3, 1, 'n', 0, '{definition}'), (4, 2, 'n', 0, '{definition}');
                 CREATE TABLE d3 (tbl INTEGER NOT NULL, ts INTEGER NOT NULL, c1 INTEGER,
                     PRIMARY KEY (tbl, ts)) WITHOUT ROWID;
                 CREATE TABLE d4 (tbl INTEGER NOT NULL, ts INTEGER NOT NULL, c1 INTEGER,
                     PRIMARY KEY (tbl, ts)) WITHOUT ROWID;
                 INSERT INTO d3 VALUES (3, 1700000000000, 7);
                 INSERT INTO topic VALUES ('t', 'b', 'create topic t as database b', 0, 'db', 0),
                     ('q', 'b', 'create topic q as select ts, v from n where v > 0', 1, 'column', 0),
                     ('lost', 'b', 'create topic lost as select ts, v from gone', 2, 'column', 0);",
                options(3),
                options(4),
            ))
            .unwrap();
    }

    #[test]
    fn topics_of_the_first_format_know_their_tables_again_or_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        first_format(&dir.path().join("taos.db"));
        for _ in 0..2 {
            let engine = Engine::open(Storage::Dir(dir.path().to_owned())).unwrap();
            let session = engine.session("root");
            let store = engine.store();
            let topic = &store.catalog().topics["q"];
            assert_eq!((topic.table, topic.def, topic.columns.len()), (3, 3, 2));
            let code = |sql| session.execute(sql).unwrap_err().code;
            assert_eq!(code("drop table b.n"), 0x03ED);
            assert_eq!(code("alter table b.n rename column v w"), 0x03C4);
            session
                .execute("insert into b.n values (1700000000001, 8)")
                .unwrap();
            let reader = TopicReader::open(store, "q").unwrap();
            let vgroup = store.catalog().database("b").unwrap().vgroup_of(3);
            let page = reader.read(vgroup, 0, &ReadOptions::default()).unwrap();
            assert!(page.message.is_some());
            let lost = TopicReader::open(store, "lost").unwrap_err();
            assert_eq!(lost.code, 0x2603);
            assert!(lost.message.contains("lost"), "{lost}");
            engine.close();
        }
    }

    #[test]
    fn users_of_the_second_format_log_in_as_before_and_the_administrator_may_make_databases() {
        let dir = tempfile::tempdir().unwrap();
        let connection = Connection::open(dir.path().join("taos.db")).unwrap();
        connection
            .execute_batch(&format!(
                "PRAGMA application_id = 1952542579; {FIRST} {SECOND}
                 INSERT INTO meta VALUES ('format', 2), ('next_id', 5);"
            ))
            .unwrap();
        let salt = b"0123456789abcdef";
        for (name, password, administrator) in [("boss", "Boss_1234", 1), ("user", "User_1234", 0)]
        {
            let hash = crate::exec::old_hash(salt, password);
            connection
                .execute(
                    "INSERT INTO usr VALUES (?1, ?2, ?3, ?4, 7)",
                    (name, salt, hash, administrator),
                )
                .unwrap();
        }
        drop(connection);
        for _ in 0..2 {
            let engine = Engine::open(Storage::Dir(dir.path().to_owned())).unwrap();
            // a start that asks for nothing leaves a password alone that is not the default one
            let login = engine.administrator(None, None).unwrap();
            assert_eq!(login, ("boss".to_owned(), None));
            engine.login("boss", "Boss_1234").unwrap();
            engine.login("user", "User_1234").unwrap();
            assert_eq!(engine.login("user", "Boss_1234").unwrap_err().code, 0x0357);
            let users = &engine.store().catalog().users;
            let of = |name: &str| {
                let user = &users[name];
                let rights = user.rights;
                (user.administrator, rights.createdb, rights.enable)
            };
            assert_eq!(users.len(), 2);
            assert_eq!(of("boss"), (true, true, true));
            assert_eq!(of("user"), (false, false, true));
            assert!(users.values().all(|user| user.created == 7));
            assert!(users.values().all(|user| user.salt.is_empty()));
            engine.close();
        }
    }

    #[test]
    fn a_file_of_the_first_format_opens_with_vgroups_and_empty_logs_and_goes_on() {
        let dir = tempfile::tempdir().unwrap();
        first_format(&dir.path().join("taos.db"));
        for restart in 0..2 {
            let engine = Engine::open(Storage::Dir(dir.path().to_owned())).unwrap();
            let session = engine.session("root");
            let store = engine.store();
            let catalog = store.catalog();
            let vgroups = |name: &str| catalog.database(name).unwrap().vgroups();
            assert_eq!((vgroups("a"), vgroups("b")), (2..6, 6..9));
            assert_eq!(catalog.topics["t"].id, 5);
            let vgroup = catalog.database("b").unwrap().vgroup_of(3);
            assert_eq!(store.log_bounds(vgroup), (0, 2 + restart));
            session
                .execute("insert into b.n values (1700000000001, 8)")
                .unwrap();
            let log = store.log_read(vgroup, 0, 9, usize::MAX).unwrap();
            assert_eq!(log.len(), usize::try_from(restart).unwrap() + 1);
            session
                .execute(&format!("create database new{restart} vgroups 1"))
                .unwrap();
            let new = store
                .catalog()
                .database(&format!("new{restart}"))
                .unwrap()
                .vgroups();
            assert_eq!(i64::from(new.start), 9 + restart);
            engine.close();
        }
    }
}
