//! Pools, binding and schemaless lines together, by the calls that users of the published crate know:
//! awaited, and blocking on a thread and inside both kinds of runtime.

use taos::{ColumnView, SchemalessPrecision, SchemalessProtocol, SmlData, SmlDataBuilder};
use taos_tests::{Target, for_targets, needs, targets_with};

/// Not so old that the default KEEP refuses it.
const TS: i64 = 1_760_000_000_000;

fn lines() -> Result<SmlData, taos::Error> {
    SmlDataBuilder::default()
        .protocol(SchemalessProtocol::Line)
        .precision(SchemalessPrecision::Millisecond)
        .data([
            format!("lines,place=oslo v=1i {TS}"),
            format!("lines,place=bergen v=2i {TS}"),
        ])
        .build()
}

fn columns(first: i64) -> [ColumnView; 2] {
    [
        ColumnView::from_millis_timestamp(vec![first, first + 1]),
        ColumnView::from_ints(vec![Some(7), None]),
    ]
}

/// What the tables hold after a run.
type Held = Vec<(String, i64, Option<i32>)>;

fn expected() -> Held {
    [("a", 0), ("b", 10), ("c", 20)]
        .into_iter()
        .flat_map(|(place, later)| {
            [
                (place.to_owned(), TS + later, Some(7)),
                (place.to_owned(), TS + later + 1, None),
            ]
        })
        .collect()
}

/// Writes one flavour of the program; `$wait` is `await` or nothing.
macro_rules! program {
    ($taos:ident, $database:ident $(, $wait:ident)?) => {{
        $taos.exec_many([
            format!("create database `{}`", $database),
            format!("use `{}`", $database),
            "create table m (ts timestamp, v int) tags (place varchar(16))".to_owned(),
        ])$(.$wait)??;

        let mut stmt = Stmt::init(&$taos)$(.$wait)??;
        stmt.prepare("insert into ? using m tags(?) values(?, ?)")$(.$wait)??;
        stmt.set_tbname("t1")$(.$wait)??;
        stmt.set_tags(&[Value::VarChar("a".into())])$(.$wait)??;
        let rows = stmt
            .bind(&columns(TS))$(.$wait)??
            .add_batch()$(.$wait)??
            .execute()$(.$wait)??;
        assert_eq!(rows, 2);
        stmt.set_tbname_tags("t2", &[Value::VarChar("b".into())])$(.$wait)??;
        stmt.bind(&columns(TS + 10))$(.$wait)??.add_batch()$(.$wait)??.execute()$(.$wait)??;
        assert_eq!(stmt.affected_rows()$(.$wait)?, 4);

        let mut stmt2 = Stmt2::init(&$taos)$(.$wait)??;
        stmt2.prepare("insert into ? using m tags(?) values(?, ?)")$(.$wait)??;
        let tags = vec![Value::VarChar("c".into())];
        let columns = columns(TS + 20).to_vec();
        let param = Stmt2BindParam::new(Some("t3".into()), Some(tags), Some(columns));
        assert_eq!(stmt2.bind(&[param])$(.$wait)??.exec()$(.$wait)??, 2);

        $taos.put(&lines()?)$(.$wait)??;
        let lines: Option<(i64, i64)> =
            $taos.query_one("select count(*), sum(v) from lines")$(.$wait)??;
        assert_eq!(lines, Some((2, 3)));
        $taos.query("select place, ts, v from m order by place, ts")$(.$wait)??
    }};
}

#[test]
fn an_awaited_program_over_a_pool_binds_and_writes_lines() {
    async fn run(target: Target) -> anyhow::Result<()> {
        use taos::*;
        let pool: Pool<TaosBuilder> = Pool::builder(Manager::from_dsn(target.dsn())?.0)
            .max_size(2)
            .build()?;
        let taos = pool.get().await?;
        let database = target.unique("programs");
        let held: Held = program!(taos, database, await)
            .deserialize()
            .try_collect()
            .await?;
        assert_eq!(held, expected());
        Ok(())
    }
    for_targets(&[needs::TAGS], run);
}

mod blocking {
    use taos::sync::*;

    use super::*;

    fn run(target: &Target) -> anyhow::Result<()> {
        let pool: Pool<TaosBuilder> = TaosBuilder::from_dsn(target.dsn())?
            .with_pool_builder(PoolBuilder::new().max_size(2).min_idle(Some(1)))?;
        let taos = pool.get()?;
        let database = target.unique("programs_sync");
        let held: Held = program!(taos, database)
            .deserialize()
            .collect::<Result<_, _>>()?;
        assert_eq!(held, expected());
        Ok(())
    }

    #[test]
    fn the_program_runs_on_a_plain_thread() -> anyhow::Result<()> {
        targets_with(&[needs::TAGS]).iter().try_for_each(run)
    }

    #[test]
    fn the_program_runs_inside_a_current_thread_runtime() -> anyhow::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        runtime.block_on(async { targets_with(&[needs::TAGS]).iter().try_for_each(run) })
    }

    #[test]
    fn the_program_runs_inside_a_multi_thread_runtime() -> anyhow::Result<()> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .build()?;
        runtime.block_on(async {
            tokio::spawn(async { targets_with(&[needs::TAGS]).iter().try_for_each(run) }).await
        })?
    }
}
