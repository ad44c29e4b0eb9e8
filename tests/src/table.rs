use std::time::{Duration, Instant};

use taos::{sync, *};
use taos_query::Dialect;

use crate::Target;

/// A table of one test, in the dialect of its server. Its first column is `ts`, which counts microseconds.
#[derive(Debug)]
pub struct Table {
    taos: Taos,
    name: String,
    dialect: Dialect,
    rows: i64,
}

/// Rows that are not visible by then will not be.
const LIMIT: Duration = Duration::from_secs(20);

impl Table {
    pub(crate) async fn create(
        target: &Target,
        stem: &str,
        columns: &[(&str, Ty)],
    ) -> RawResult<Self> {
        let dialect = target.capabilities().dialect;
        let listed: String = columns
            .iter()
            .map(|(name, ty)| format!(", {name} {}", type_name(dialect, *ty)))
            .collect();
        let (taos, name) = match dialect {
            Dialect::QuestDb => (target.connect().await, target.unique(stem)),
            _ => {
                let (taos, database) = target.fresh(stem, "precision 'us'").await;
                (taos, format!("{database}.t"))
            }
        };
        let end = match dialect {
            Dialect::QuestDb => " timestamp(ts) partition by day wal",
            _ => "",
        };
        taos.exec(format!("create table {name} (ts timestamp{listed}){end}"))
            .await?;
        Ok(Self {
            taos,
            name,
            dialect,
            rows: 0,
        })
    }

    /// The connection that it was made with.
    #[must_use]
    pub const fn taos(&self) -> &Taos {
        &self.taos
    }

    /// What statements on any connection call it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The statement that writes rows, each given as the literals of its columns.
    #[must_use]
    pub fn insertion<R: AsRef<str>>(&self, rows: &[R]) -> String {
        insertion(self.dialect, &self.name, rows)
    }

    /// Writes new rows and waits until they can be read.
    ///
    /// # Errors
    /// If the server refuses them, or does not show them in time.
    pub async fn insert<R: AsRef<str>>(&mut self, rows: &[R]) -> anyhow::Result<()> {
        self.taos.exec(self.insertion(rows)).await?;
        self.until(self.rows + i64::try_from(rows.len())?).await
    }

    /// Fills an empty table of one more column, a number: it and `ts` count from 0.
    ///
    /// # Errors
    /// As [`insert`](Self::insert).
    pub async fn count_up(&mut self, rows: i64) -> anyhow::Result<()> {
        if self.dialect == Dialect::QuestDb {
            // Its statements are part of a URL and must stay short.
            let counted = "select cast(x - 1 as timestamp), cast(x - 1 as int) from";
            let name = &self.name;
            self.taos
                .exec(format!(
                    "insert into {name} {counted} long_sequence({rows})"
                ))
                .await?;
        } else {
            for chunk in (0..rows).collect::<Vec<_>>().chunks(10_000) {
                let chunk: Vec<String> = chunk.iter().map(|n| format!("{n}, {n}")).collect();
                self.taos.exec(self.insertion(&chunk)).await?;
            }
        }
        self.until(rows).await
    }

    /// Waits until it has as many rows.
    ///
    /// # Errors
    /// If it has others when the time is over.
    pub async fn until(&mut self, rows: i64) -> anyhow::Result<()> {
        until_rows(&self.taos, &self.name, rows).await?;
        self.rows = rows;
        Ok(())
    }
}

pub(crate) fn insertion<R: AsRef<str>>(dialect: Dialect, table: &str, rows: &[R]) -> String {
    let rows: Vec<String> = rows
        .iter()
        .map(|row| format!("({})", row.as_ref()))
        .collect();
    let separator = match dialect {
        Dialect::QuestDb => ", ",
        _ => " ",
    };
    format!("insert into {table} values {}", rows.join(separator))
}

/// Waits until a table has as many rows; not being there yet counts as none.
///
/// # Errors
/// If it has others when the time is over.
pub async fn until_rows(taos: &Taos, table: &str, rows: i64) -> anyhow::Result<()> {
    let mut seen = None;
    let counted = async {
        loop {
            let count = format!("select count(*) from {table}");
            seen = taos.query_one::<_, i64>(count).await.ok().flatten();
            if seen == Some(rows) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let counted = tokio::time::timeout(LIMIT, counted).await;
    anyhow::ensure!(counted.is_ok(), "{table} has {seen:?} rows, not {rows}");
    Ok(())
}

/// [`until_rows`] without async.
///
/// # Errors
/// As that.
pub fn until_rows_blocking(taos: &Taos, table: &str, rows: i64) -> anyhow::Result<()> {
    let deadline = Instant::now() + LIMIT;
    loop {
        let count = format!("select count(*) from {table}");
        let seen = sync::Queryable::query_one::<_, i64>(taos, count);
        if seen.as_ref().is_ok_and(|seen| *seen == Some(rows)) {
            return Ok(());
        }
        anyhow::ensure!(
            Instant::now() < deadline,
            "{table} has {seen:?} rows, not {rows}"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// What a column of this type is declared as.
fn type_name(dialect: Dialect, ty: Ty) -> &'static str {
    let quest = dialect == Dialect::QuestDb;
    let names = match ty {
        Ty::Bool => ["bool", "boolean"],
        Ty::TinyInt => ["tinyint", "byte"],
        Ty::SmallInt => ["smallint", "short"],
        Ty::Int => ["int", "int"],
        Ty::BigInt => ["bigint", "long"],
        Ty::Float => ["float", "float"],
        Ty::Double => ["double", "double"],
        Ty::Timestamp => ["timestamp", "timestamp"],
        Ty::Decimal => ["decimal(38,10)", "decimal(38,10)"],
        Ty::VarChar => ["varchar(64)", "varchar"],
        other => panic!("no type of every server: {other}"),
    };
    names[usize::from(quest)]
}
