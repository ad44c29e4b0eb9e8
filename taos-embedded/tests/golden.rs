//! Replays what clients sent to the original server, and compares what comes back with what came
//! back then, byte for byte but for times, version texts and the build line.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "golden/places.rs"]
mod places;
mod support;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use places::{Place, Places};
use regex::Regex;
use serde_json::{Value, json};
use support::{Ws, memory};
use tokio_tungstenite::tungstenite::Message;

/// `scenario frame # reason`, a line each. A frame that is listed but agrees is a failure too.
const SKIPS: &str = include_str!("golden_skips.txt");

/// Longer than any reply here takes.
const PATIENCE: Duration = Duration::from_secs(3);

const SCENARIOS: [&str; 17] = [
    "01-version-conn",
    "02-conn-errors",
    "03-types-ms",
    "04-types-us",
    "05-types-ns",
    "06-query-json",
    "07-json-tag",
    "08-multi-block",
    "09-query-errors",
    "10-stmt-json",
    "11-stmt-binary",
    "12-stmt2",
    "13-schemaless",
    "17-options-misc",
    "18-raw-block-write",
    "22-stmt2-decimal-blob",
    "23-frame-errors",
];

/// Replayed each against a server of its own.
const CONSUMERS: [&str; 5] = [
    "14-tmq-data",
    "15-tmq-errors",
    "16-tmq-db-meta",
    "20-tmq-stable-topic",
    "21-tmq-types",
];

fn folder(scenario: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../tests/golden")
        .join(scenario)
}

fn index(scenario: &str) -> Value {
    serde_json::from_slice(&fs::read(folder(scenario).join("index.json")).unwrap()).unwrap()
}

/// What existed in the original before the recordings began.
fn set_up(addr: SocketAddr) {
    let mut ws = Ws::login(addr);
    for scenario in [
        "03-types-ms",
        "04-types-us",
        "05-types-ns",
        "07-json-tag",
        "13-schemaless",
        "10-stmt-json",
        "18-raw-block-write",
        "22-stmt2-decimal-blob",
    ] {
        for sql in index(scenario)["setup_sql"].as_array().unwrap() {
            let reply = ws.sql(sql.as_str().unwrap());
            assert_eq!(reply["code"], 0, "{scenario}: {sql}: {reply}");
        }
    }
    // The recording tells the rows of this one in words.
    ws.run("create database golden_big vgroups 1");
    ws.run("create table golden_big.t (ts timestamp, v int, s varchar(16))");
    for part in 0..10_i64 {
        let rows: String = (part * 1000..(part + 1) * 1000)
            .map(|i| {
                let v = if i % 97 == 0 {
                    "null".to_owned()
                } else {
                    i.to_string()
                };
                let s = if i % 5 == 0 {
                    String::new()
                } else {
                    format!("r{i}")
                };
                format!("({},{v},'{s}')", 1_700_000_000_000 + i)
            })
            .collect();
        ws.run(&format!("insert into golden_big.t values {rows}"));
    }
}

/// What a message is paired by, and its form without what differs from run to run.
#[derive(Debug, Clone)]
struct Comparable {
    key: u64,
    text: String,
    places: Vec<Place>,
}

struct Normalizer {
    timing: Regex,
    version: Regex,
    info: Regex,
    id: Regex,
    payload: Regex,
    place: Regex,
    vgroups: Vgroups,
}

/// Numbers of vgroups, as recorded and as they are here.
#[derive(Default)]
struct Vgroups(Vec<(u64, u64)>);

impl Vgroups {
    /// Pairs the numbers in a recording's replies with those of the databases that it reads.
    fn of(addr: SocketAddr, scenario: &str) -> Self {
        let number = Regex::new(r#""vgroup_id": ?([1-9]\d*)"#).unwrap();
        let database = Regex::new(r#""database":"(\w+)""#).unwrap();
        let mut recorded = BTreeSet::new();
        let mut databases = BTreeSet::new();
        for frame in index(scenario)["frames"].as_array().unwrap() {
            if frame["direction"] == "s2c" && frame["kind"] == "text" {
                let path = folder(scenario).join(frame["file"].as_str().unwrap());
                let text = fs::read_to_string(path).unwrap();
                let numbers = number.captures_iter(&text);
                recorded.extend(numbers.map(|found| found[1].parse::<u64>().unwrap()));
                databases.extend(database.captures(&text).map(|found| found[1].to_owned()));
            }
        }
        let mut here = Vec::new();
        for database in databases {
            let sql = format!(
                "select vgroup_id from information_schema.ins_vgroups where db_name = '{database}' \
                 order by vgroup_id"
            );
            let (_, body) = support::rest(addr, "/rest/sql", &sql);
            let body: Value = serde_json::from_str(&body).unwrap();
            let rows = body["data"].as_array().unwrap();
            here.extend(rows.iter().map(|row| row[0].as_u64().unwrap()));
        }
        Self(recorded.into_iter().zip(here).collect())
    }

    /// A request with the numbers that are valid here.
    fn as_here(&self, text: &str) -> String {
        let number = Regex::new(r#""vgroup_id": (\d+)"#).unwrap();
        let pairs: HashMap<u64, u64> = self.0.iter().copied().collect();
        let each = |found: &regex::Captures<'_>| {
            let old = found[1].parse().unwrap();
            format!("\"vgroup_id\": {}", pairs.get(&old).unwrap_or(&old))
        };
        number.replace_all(text, each).into_owned()
    }
}

impl Normalizer {
    fn new(vgroups: Vgroups) -> Self {
        Self {
            vgroups,
            place: Regex::new(
                r#""(offset|begin|end|vgroup_id)":\d+|"(committed|position)":\[\d+\]"#,
            )
            .unwrap(),
            timing: Regex::new(r#""timing":\d+"#).unwrap(),
            version: Regex::new(r#""version":"[^"]*""#).unwrap(),
            info: Regex::new(r#""info":"ver:[^"\\]*\\nbuild:[^"\\]*\\ngitinfo:[^"\\]*""#).unwrap(),
            id: Regex::new(r#""id":[1-9]\d*"#).unwrap(),
            payload: Regex::new(r"SML:0x[0-9a-f]+").unwrap(),
        }
    }

    fn text(&self, text: &str) -> Comparable {
        let value: Value = serde_json::from_str(text).unwrap();
        let text = self.timing.replace(text, r#""timing":0"#);
        let text = self.version.replace(&text, r#""version":"""#);
        let text = self.info.replace(&text, r#""info":"""#);
        // Which of several statements in flight is first is a matter of luck.
        let text = self.id.replace(&text, r#""id":1"#);
        // Which vgroup a table is in, and how many entries of its log a statement makes, is the server's
        // choice; how the places stand to each other is compared.
        let text = self.place.replace_all(&text, r#""$1$2":0"#);
        // The number of a payload since the start.
        let text = self.payload.replace(&text, "SML:0x0");
        Comparable {
            key: value["req_id"].as_u64().unwrap(),
            text: text.into_owned(),
            places: places::of_text(&value),
        }
    }

    fn binary(frame: &[u8]) -> Comparable {
        let u64_at = |at: usize| u64::from_le_bytes(frame[at..at + 8].try_into().unwrap());
        let mut frame = frame.to_vec();
        let (key, timing) = if u64_at(0) == u64::MAX {
            (u64_at(26), 18)
        } else {
            (u64_at(8), 0)
        };
        frame[timing..timing + 8].fill(0);
        // The two places at the head of a data message, in either frame.
        const HEAD: [u8; 6] = [100, 18, 0, 0, 0, 0x11];
        let mut places = Vec::new();
        for at in [38, 56].map(|raw| raw + HEAD.len()) {
            if frame.get(at - HEAD.len()..at) == Some(&HEAD) {
                for at in [at, at + 9] {
                    let place = frame[at..at + 8].try_into().unwrap();
                    places.push((None, i64::from_le_bytes(place)));
                    frame[at..at + 8].fill(0);
                }
            }
        }
        let text = frame.iter().map(|byte| format!("{byte:02x}")).collect();
        Comparable { key, text, places }
    }

    fn message(&self, message: &Message) -> Comparable {
        match message {
            Message::Text(text) => self.text(text),
            Message::Binary(frame) => Self::binary(frame),
            other => panic!("not a reply: {other:?}"),
        }
    }

    fn recorded(&self, path: &Path, kind: &str) -> Comparable {
        let bytes = fs::read(path).unwrap();
        if kind == "binary" {
            Self::binary(&bytes)
        } else {
            self.text(std::str::from_utf8(&bytes).unwrap())
        }
    }
}

struct Connection {
    ws: Ws,
    /// Replies that came before the recording expects them.
    early: VecDeque<Comparable>,
}

impl Connection {
    /// The reply with this key. If it does not come, what came in its place is what differs.
    fn reply(&mut self, key: u64, normalizer: &Normalizer) -> Comparable {
        if let Some(at) = self.early.iter().position(|reply| reply.key == key) {
            return self.early.remove(at).unwrap();
        }
        let patience = Instant::now() + PATIENCE;
        loop {
            // Pings come however long a reply does not.
            if Instant::now() > patience {
                return self.instead(key, "no answer".to_owned());
            }
            let reply = match self.ws.socket.read() {
                Ok(message @ (Message::Text(_) | Message::Binary(_))) => {
                    normalizer.message(&message)
                }
                Ok(_) => continue,
                Err(error) => {
                    return self.instead(key, error.to_string());
                }
            };
            if reply.key == key {
                return reply;
            }
            self.early.push_back(reply);
        }
    }

    fn instead(&mut self, key: u64, text: String) -> Comparable {
        let places = Vec::new();
        let other = self.early.pop_front();
        other.unwrap_or(Comparable { key, text, places })
    }

    /// Replies that the original did not give, once everything that was asked has been answered; the
    /// answers of a statement that waits for another come after this only if they come at all.
    fn surplus(&mut self, normalizer: &Normalizer) -> Vec<String> {
        const LAST: u64 = u64::MAX - 1;
        let barrier = json!({"action": "version", "args": {"req_id": LAST}});
        self.ws.send_text(barrier.to_string());
        let answer = self.reply(LAST, normalizer);
        let mut surplus: Vec<String> = self.early.drain(..).map(|reply| reply.text).collect();
        if !answer.text.contains("\"action\":\"version\"") {
            surplus.push(answer.text);
        }
        surplus
    }
}

/// Frames whose replies differ, with both forms.
fn replay(addr: SocketAddr, scenario: &str, vgroups: Vgroups) -> BTreeMap<u64, String> {
    let normalizer = Normalizer::new(vgroups);
    let is_consumer = CONSUMERS.contains(&scenario);
    let path = if is_consumer { "/rest/tmq" } else { "/ws" };
    let mut side = Ws::login(addr);
    let waits = Regex::new(r#""blocking_time": \d+"#).unwrap();
    let mut connections: HashMap<u64, Connection> = HashMap::new();
    let mut differences = BTreeMap::new();
    let mut places = Places::default();
    for frame in index(scenario)["frames"].as_array().unwrap() {
        let field = |name: &str| frame[name].as_str().unwrap_or_default();
        if field("direction") == "side" && is_consumer {
            side.run(field("sql"));
        }
        if field("action") == "handshake" || field("direction") == "side" {
            continue;
        }
        let number = frame["connection"].as_u64().unwrap();
        let connection = connections.entry(number).or_insert_with(|| {
            let ws = Ws::open_at(addr, path);
            let socket = ws.socket.get_ref();
            socket.set_read_timeout(Some(PATIENCE)).unwrap();
            Connection {
                ws,
                early: VecDeque::new(),
            }
        });
        let path = folder(scenario).join(field("file"));
        let text = || fs::read_to_string(&path).unwrap();
        match (field("direction"), field("kind")) {
            ("c2s", "binary") => connection.ws.send_binary(fs::read(&path).unwrap()),
            ("c2s", _) if is_consumer => {
                let text = normalizer.vgroups.as_here(&text());
                // As long as it takes to be sure that there is nothing.
                connection
                    .ws
                    .send_text(waits.replace(&text, r#""blocking_time": 100"#));
            }
            ("c2s", _) => connection.ws.send_text(text()),
            ("s2c", kind) => {
                let expected = normalizer.recorded(&path, kind);
                let got = connection.reply(expected.key, &normalizer);
                let difference = if (got.key, &got.text) == (expected.key, &expected.text) {
                    places.pair(number, &expected.places, &got.places)
                } else {
                    let (want, got) = (&expected.text, &got.text);
                    Some(format!("\n  want {want}\n  got  {got}"))
                };
                if let Some(difference) = difference {
                    differences.insert(frame["seq"].as_u64().unwrap(), difference);
                }
            }
            (direction, _) => panic!("{scenario}: unknown direction {direction}"),
        }
    }
    for connection in connections.values_mut() {
        let surplus = connection.surplus(&normalizer);
        assert!(surplus.is_empty(), "{scenario}: not asked for: {surplus:?}");
    }
    differences
}

fn skips() -> HashSet<(String, u64)> {
    SKIPS
        .lines()
        .filter(|line| !line.trim().is_empty() && !line.starts_with('#'))
        .map(|line| {
            let (place, reason) = line.split_once('#').unwrap();
            assert!(!reason.trim().is_empty(), "a skip without a reason: {line}");
            let (scenario, seq) = place.trim().split_once(' ').unwrap();
            (scenario.to_owned(), seq.trim().parse().unwrap())
        })
        .collect()
}

#[test]
fn replies_are_those_of_the_original_server() {
    let server = memory();
    set_up(server.addr());
    let mut skips = skips();
    let mut failures = String::new();
    for scenario in SCENARIOS {
        let differences = replay(server.addr(), scenario, Vgroups::default());
        failures.push_str(&unexpected(scenario, &differences, &mut skips));
    }
    assert!(failures.is_empty(), "{failures}");
    skips.retain(|(scenario, _)| SCENARIOS.contains(&scenario.as_str()));
    assert!(
        skips.is_empty(),
        "listed as skipped, but they agree: {skips:?}"
    );
}

/// The differences that no skip is for.
fn unexpected(
    scenario: &str,
    differences: &BTreeMap<u64, String>,
    skips: &mut HashSet<(String, u64)>,
) -> String {
    let mut failures = String::new();
    for (seq, difference) in differences {
        if !skips.remove(&(scenario.to_owned(), *seq)) {
            failures.push_str(&format!("{scenario} frame {seq}:{difference}\n"));
        }
    }
    failures
}

fn consumers_agree(scenario: &str) {
    let server = memory();
    let mut ws = Ws::login(server.addr());
    if scenario == "21-tmq-types" {
        for sql in index("05-types-ns")["setup_sql"].as_array().unwrap() {
            ws.run(sql.as_str().unwrap());
        }
        drop(replay(server.addr(), "05-types-ns", Vgroups::default()));
    }
    for sql in index(scenario)["setup_sql"].as_array().unwrap() {
        let sql = sql.as_str().unwrap();
        if scenario == "16-tmq-db-meta" && sql.starts_with("delete") {
            // The recording has its message, though its list of statements lacks it.
            ws.run("drop table golden_tmqdb.n1");
        }
        ws.run(sql);
    }
    let vgroups = Vgroups::of(server.addr(), scenario);
    let differences = replay(server.addr(), scenario, vgroups);
    let mut skips = skips();
    skips.retain(|(of, _)| of == scenario);
    let failures = unexpected(scenario, &differences, &mut skips);
    assert!(failures.is_empty(), "{failures}");
    assert!(
        skips.is_empty(),
        "listed as skipped, but they agree: {skips:?}"
    );
}

#[test]
fn consumers_of_a_select_topic_get_what_the_original_gave() {
    consumers_agree("14-tmq-data");
}

#[test]
fn subscriptions_are_refused_in_the_words_of_the_original() {
    consumers_agree("15-tmq-errors");
}

#[test]
fn consumers_of_a_database_with_meta_get_what_the_original_gave() {
    consumers_agree("16-tmq-db-meta");
}

#[test]
fn consumers_of_super_tables_get_what_the_original_gave() {
    consumers_agree("20-tmq-stable-topic");
}

#[test]
fn consumers_of_every_type_get_what_the_original_gave() {
    consumers_agree("21-tmq-types");
}

#[test]
fn rest_replies_are_those_of_the_original_server() {
    let server = memory();
    set_up(server.addr());
    let mut ws = Ws::login(server.addr());
    // What recording 06 left behind.
    ws.run("create table golden_ms.upd (ts timestamp, v int)");
    let rows = "(1700000000000, 1)(1700000000001, 2)(1700000000002, 3)(1700000000003, 4)(1700000000004, 5)";
    ws.run(&format!("insert into golden_ms.upd values {rows}"));
    let timing = Regex::new(r#""timing":\d+"#).unwrap();
    let index = index("19-rest-sql");
    let frames = index["frames"].as_array().unwrap();
    for pair in frames.chunks(2) {
        let read = |frame: &Value| {
            fs::read_to_string(folder("19-rest-sql").join(frame["file"].as_str().unwrap())).unwrap()
        };
        let request: Value = serde_json::from_str(&read(&pair[0])).unwrap();
        let text = |name: &str| request[name].as_str().unwrap_or_default();
        let mut head = format!("POST {} HTTP/1.1", text("path"));
        if let Some(login) = request["authorization"].as_str() {
            head.push_str(&format!("\r\nAuthorization: {login}"));
        }
        let (status, body) = support::http(server.addr(), &head, text("body").as_bytes());
        assert_eq!(
            u64::from(status),
            pair[1]["http_status"].as_u64().unwrap(),
            "{request}"
        );
        let comparable = |body: &str| {
            let body = body.replace("\"VARCHAR\",13]],\"data\":[[\"3.3.7.5.alpha\"]]", "VERSION");
            let body = body.replace("\"VARCHAR\",7]],\"data\":[[\"3.3.7.5\"]]", "VERSION");
            timing.replace(&body, "\"timing\":0").into_owned()
        };
        assert_eq!(comparable(&body), comparable(&read(&pair[1])), "{request}");
    }
}
