use std::time::Duration;

use taos::*;
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
        let rows: Vec<String> = rows
            .iter()
            .map(|row| format!("({})", row.as_ref()))
            .collect();
        let separator = match self.dialect {
            Dialect::QuestDb => ", ",
            _ => " ",
        };
        format!("insert into {} values {}", self.name, rows.join(separator))
    }

    /// Writes new rows and waits until they can be read.
    ///
    /// # Errors
    /// If the server refuses them, or does not show them in time.
    pub async fn insert<R: AsRef<str>>(&mut self, rows: &[R]) -> anyhow::Result<()> {
        self.taos.exec(self.insertion(rows)).await?;
        self.until(self.rows + i64::try_from(rows.len())?).await
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
