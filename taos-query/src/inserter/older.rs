//! The same rows for servers that know no column `tbname`: statements of the first generation name the
//! table by a `?` of its own (taosadapter-ws §8).

use super::plan::TABLE_NAME;
use crate::error::{ErrorKind, RawError};
use crate::stmt::{BindType, Stmt2BindParam, Stmt2Field};

/// True if the server took the column that names the table for one that it does not have.
pub(super) fn is_needed(sql: &str, fields: Option<&[Stmt2Field]>) -> bool {
    let told = |fields: &[Stmt2Field]| fields.iter().any(|f| f.bind_type == BindType::TableName);
    parts(sql).is_some() && fields.is_some_and(|fields| !told(fields))
}

/// True if the server does not know the column that names the table: no such syntax, no such column.
pub(super) fn is_meant(error: &RawError) -> bool {
    error.kind() == ErrorKind::Server && matches!(i32::from(error.code()), 0x2600 | 0x2602)
}

/// `INSERT INTO st(tbname,tags,columns) VALUES(…)` with a mark for the table.
pub(super) fn statement(sql: &str, tags: usize) -> Option<String> {
    let (table, names) = parts(sql)?;
    let (tags, columns) = names.split_at_checked(tags)?;
    let marks = |names: &[&str]| vec!["?"; names.len()].join(",");
    let using = match tags {
        [] => String::new(),
        _ => format!("USING {table} ({}) TAGS({}) ", tags.join(","), marks(tags)),
    };
    let names = columns.join(",");
    Some(format!(
        "INSERT INTO ? {using}({names}) VALUES({})",
        marks(columns)
    ))
}

/// Tables are sought in the database of their super table, also if another is in use.
pub(super) fn params(sql: &str, params: &[Stmt2BindParam]) -> Option<Vec<Stmt2BindParam>> {
    let (table, _) = parts(sql)?;
    let (database, _) = table.split_once("`.`")?;
    let qualified = params.iter().map(|param| {
        let mut param = param.clone();
        if let Some(name) = param.table_name() {
            let name = format!("{database}`.`{name}`");
            param.with_table_name(name);
        }
        param
    });
    Some(qualified.collect())
}

/// The super table as it is quoted, and the quoted names after `tbname`.
fn parts(sql: &str) -> Option<(&str, Vec<&str>)> {
    let rest = sql.strip_prefix("INSERT INTO ")?;
    let (table, rest) = rest.split_once("`(")?;
    let table = sql.get("INSERT INTO ".len()..="INSERT INTO ".len() + table.len())?;
    let (mut names, _) = rest.strip_prefix(TABLE_NAME)?.rsplit_once(") VALUES(")?;
    let mut found = Vec::new();
    while let Some(name) = names.strip_prefix(",`") {
        let end = name.find('`')?;
        found.push(names.get(1..end + 3)?);
        names = name.get(end + 1..)?;
    }
    names.is_empty().then_some((table, found))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SQL: &str = "INSERT INTO `db`.`st (1)`(tbname,`a,b`,`g`,`ts`,`v`) VALUES(?,?,?,?,?)";

    #[test]
    fn a_mark_takes_the_place_of_the_column_that_names_the_table() {
        assert_eq!(
            statement(SQL, 2).as_deref(),
            Some("INSERT INTO ? USING `db`.`st (1)` (`a,b`,`g`) TAGS(?,?) (`ts`,`v`) VALUES(?,?)")
        );
        let plain = "INSERT INTO `st`(tbname,`ts`) VALUES(?,?)";
        let expected = "INSERT INTO ? (`ts`) VALUES(?)";
        assert_eq!(statement(plain, 0).as_deref(), Some(expected));
        assert_eq!(statement("INSERT INTO `t`(`ts`) VALUES(?)", 0), None);
    }

    #[test]
    fn tables_are_named_with_the_database_of_a_qualified_super_table() {
        let param = Stmt2BindParam::new(Some("d1".to_owned()), None, None);
        let qualified = params(SQL, std::slice::from_ref(&param));
        let names = qualified.map(|params| params[0].table_name().map(str::to_owned));
        assert_eq!(names.flatten().as_deref(), Some("`db`.`d1`"));
        let plain = "INSERT INTO `st`(tbname,`ts`) VALUES(?,?)";
        assert_eq!(params(plain, &[param]), None);
    }

    #[test]
    fn it_is_needed_where_no_field_is_the_table() {
        let field = |kind| Stmt2Field::new("x", 4, 0, 0, 4, kind);
        assert!(is_needed(SQL, Some(&[field(BindType::Column)])));
        assert!(!is_needed(SQL, Some(&[field(BindType::TableName)])));
        assert!(!is_needed(SQL, None));
        assert!(!is_needed("INSERT INTO `t`(`ts`) VALUES(?)", Some(&[])));
    }
}
