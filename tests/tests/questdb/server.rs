//! The servers themselves, without the code under test.

use taos_tests::questdb::{Servers, exec};

#[test]
#[ignore = "needs QuestDB: cargo xtask test"]
fn a_server_that_was_killed_has_its_rows_when_it_is_back() -> anyhow::Result<()> {
    let Some(servers) = Servers::of_this_run() else {
        return Ok(());
    };
    let (_root, mut server) = servers.another()?;
    let http = server.endpoints().http;
    exec(http, "create table t (n long)")?;
    exec(http, "insert into t values (7)")?;
    server.kill()?;
    assert!(exec(http, "select n from t").is_err());
    server.restart()?;
    assert_eq!(
        exec(http, "select n from t")?.rows()?,
        [[serde_json::json!(7)]]
    );
    Ok(())
}

#[test]
#[ignore = "needs QuestDB: cargo xtask test"]
fn the_guarded_server_knows_its_user_and_the_plain_one_everybody() -> anyhow::Result<()> {
    let Some(servers) = Servers::of_this_run() else {
        return Ok(());
    };
    for endpoints in [servers.plain, servers.guarded] {
        let answer = exec(endpoints.http, "select 1 + 1")?;
        assert_eq!(
            (answer.status, answer.rows()?),
            (200, vec![vec![serde_json::json!(2)]])
        );
    }
    Ok(())
}
