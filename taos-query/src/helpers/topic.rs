use chrono::{DateTime, Local};
use serde::{Deserialize, Serialize};

/// A topic as the server lists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Topic {
    topic_name: String,
    db_name: String,
    create_time: DateTime<Local>,
    sql: String,
}

impl Topic {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.topic_name
    }

    /// The database it reads.
    pub fn db_name(&self) -> &str {
        &self.db_name
    }

    /// When it was created.
    pub const fn create_time(&self) -> &DateTime<Local> {
        &self.create_time
    }

    /// The statement that created it.
    pub fn sql(&self) -> &str {
        &self.sql
    }

    /// True if it carries a whole database.
    pub fn is_db_topic(&self) -> bool {
        self.is_of("database")
    }

    /// True if it carries a super table.
    pub fn is_stable_topic(&self) -> bool {
        self.is_of("stable")
    }

    /// The word behind `as` tells; the statement may be spelt in any case.
    fn is_of(&self, kind: &str) -> bool {
        let words: Vec<&str> = self.sql.split_ascii_whitespace().collect();
        words.windows(2).any(|pair| {
            matches!(pair, [before, word]
                if before.eq_ignore_ascii_case("as") && word.eq_ignore_ascii_case(kind))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Topic;

    fn topic(sql: &str) -> Topic {
        let row = serde_json::json!({
            "topic_name": "t", "db_name": "d", "create_time": "2026-01-02T03:04:05+00:00", "sql": sql,
            "schema": "NULL", "meta": "yes", "type": "db",
        });
        serde_json::from_value(row).unwrap()
    }

    #[test]
    fn the_statement_tells_what_a_topic_carries() {
        let whole = topic("create topic if not exists `t` with meta as database `d`");
        assert!(whole.is_db_topic() && !whole.is_stable_topic());
        let table = topic("CREATE TOPIC t AS  STABLE d.meters");
        assert!(table.is_stable_topic() && !table.is_db_topic());
        let query = topic("create topic t as select `database` from d.meters");
        assert!(!query.is_stable_topic() && !query.is_db_topic());
        assert_eq!((query.name(), query.db_name()), ("t", "d"));
        assert!(query.sql().ends_with("meters"));
        assert_eq!(query.create_time().timestamp(), 1_767_323_045);
    }
}
