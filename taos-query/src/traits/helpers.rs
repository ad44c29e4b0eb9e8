/// Where tables live, for tools that know it without asking over a connection.
///
/// Connections have the methods of these names in [`AsyncQueryable`](crate::AsyncQueryable) and
/// [`Queryable`](crate::Queryable).
pub trait Helpers {
    /// The virtual group that a table lives in, if known.
    fn table_vgroup_id(&self, db: &str, table: &str) -> Option<i32> {
        let _ = (db, table);
        None
    }

    /// The virtual groups that tables live in, if known.
    fn tables_vgroup_ids<T: AsRef<str>>(&self, db: &str, tables: &[T]) -> Option<Vec<i32>> {
        let _ = (db, tables);
        None
    }
}
