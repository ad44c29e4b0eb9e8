//! The table of symbols. A symbol that some supported versions lack is optional, and knows which version
//! brought it.

use std::ffi::{c_char, c_int, c_void};

use libloading::Library;
use taos_query::abi::{
    SqlLen, TaosField, TaosFieldAll, TaosFieldE, TaosMultiBind, TaosStmt2Bindv, TaosStmt2Option,
    TmqRawData, TmqTopicAssignment,
};
use taos_query::{ErrorKind, RawError, RawResult};

use super::types::{Taos, TaosRes, TaosStmt, TaosStmt2, Tmq, TmqConf, TmqList};

/// The end of an asynchronous call: what was given, the result, a code or a number of rows.
pub(crate) type Callback = unsafe extern "C" fn(param: *mut c_void, res: *mut TaosRes, code: c_int);

/// A symbol that not every version has.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Optional<F> {
    symbol: Option<F>,
    name: &'static str,
    since: &'static str,
    loaded: &'static str,
}

impl<F: Copy> Optional<F> {
    /// The symbol, if this library has it.
    pub(crate) const fn found(&self) -> Option<F> {
        self.symbol
    }

    /// The symbol.
    ///
    /// # Errors
    /// `Unsupported`, naming the version that has it and the one that is loaded.
    pub(crate) fn get(&self) -> RawResult<F> {
        self.symbol.ok_or_else(|| {
            RawError::of(
                ErrorKind::Unsupported,
                format!(
                    "the client library (libtaos {}) has no `{}`: it needs libtaos {} or newer",
                    self.loaded, self.name, self.since
                ),
            )
        })
    }
}

/// Declares the table, and how it is filled.
macro_rules! api {
    (
        required { $($name:ident: fn($($arg:ty),* $(,)?) $(-> $ret:ty)?;)* }
        $(since $since:literal { $($newer:ident: fn($($newer_arg:ty),* $(,)?) $(-> $newer_ret:ty)?;)* })*
    ) => {
        /// The functions of one loaded library, which stays loaded for ever.
        #[allow(non_snake_case, reason = "functions have their names in C")]
        pub(crate) struct Api {
            /// Variadic in C.
            pub(crate) taos_options: unsafe extern "C" fn(c_int, *const c_void, ...) -> c_int,
            /// Variadic in C.
            pub(crate) taos_options_connection:
                Optional<unsafe extern "C" fn(*mut Taos, c_int, *const c_void, ...) -> c_int>,
            $(pub(crate) $name: unsafe extern "C" fn($($arg),*) $(-> $ret)?,)*
            $($(pub(crate) $newer: Optional<unsafe extern "C" fn($($newer_arg),*) $(-> $newer_ret)?>,)*)*
        }

        impl Api {
            /// The symbols without which a library is refused.
            pub(crate) const REQUIRED: &[&str] = &["taos_options", $(stringify!($name)),*];

            /// The symbols that a library may lack, each with the version that brought it.
            #[cfg(test)]
            pub(crate) const OPTIONAL: &[(&str, &str)] = &[
                ("taos_options_connection", "3.3.5.0"),
                $($((stringify!($newer), $since),)*)*
            ];

            /// What a use of each optional symbol gives, in the order of the above.
            #[cfg(test)]
            pub(crate) fn uses(&self) -> Vec<RawResult<()>> {
                vec![
                    self.taos_options_connection.get().map(drop),
                    $($(self.$newer.get().map(drop),)*)*
                ]
            }

            /// The required symbols that a library lacks.
            pub(crate) fn missing(library: &Library) -> Vec<&'static str> {
                let lacks = |name: &&'static str| {
                    // SAFETY: the address is only asked for.
                    unsafe { library.get::<*const c_void>(*name) }.is_err()
                };
                Self::REQUIRED.iter().copied().filter(lacks).collect()
            }

            /// Looks all symbols up, those of a library that says it is of `version`.
            ///
            /// # Errors
            /// The name of a required one that is not there.
            ///
            /// # Safety
            /// The library is TDengine's client library, or has its functions under these names with
            /// these signatures, and is never closed.
            pub(crate) unsafe fn of(
                library: &Library,
                version: &'static str,
            ) -> Result<Self, &'static str> {
                let lost = |name: &'static str| move |_| name;
                // SAFETY: the caller vouches for the signatures of all symbols.
                unsafe {
                    Ok(Self {
                        taos_options: *library.get("taos_options").map_err(lost("taos_options"))?,
                        taos_options_connection: Optional {
                            symbol: library.get("taos_options_connection").ok().map(|found| *found),
                            name: "taos_options_connection",
                            since: "3.3.5.0",
                            loaded: version,
                        },
                        $($name: *library.get(stringify!($name)).map_err(lost(stringify!($name)))?,)*
                        $($($newer: Optional {
                            symbol: library.get(stringify!($newer)).ok().map(|found| *found),
                            name: stringify!($newer),
                            since: $since,
                            loaded: version,
                        },)*)*
                    })
                }
            }
        }
    };
}

api! {
    required {
        taos_get_client_info: fn() -> *const c_char;
        taos_connect: fn(*const c_char, *const c_char, *const c_char, *const c_char, u16) -> *mut Taos;
        taos_close: fn(*mut Taos);
        taos_errno: fn(*mut TaosRes) -> c_int;
        taos_errstr: fn(*mut TaosRes) -> *const c_char;
        taos_query_a: fn(*mut Taos, *const c_char, Callback, *mut c_void);
        taos_free_result: fn(*mut TaosRes);
        taos_result_precision: fn(*mut TaosRes) -> c_int;
        taos_field_count: fn(*mut TaosRes) -> c_int;
        taos_affected_rows: fn(*mut TaosRes) -> c_int;
        taos_fetch_fields: fn(*mut TaosRes) -> *const TaosField;
        taos_fetch_raw_block: fn(*mut TaosRes, *mut c_int, *mut *mut c_void) -> c_int;
        taos_fetch_raw_block_a: fn(*mut TaosRes, Callback, *mut c_void);
        taos_get_raw_block: fn(*mut TaosRes) -> *const c_void;
        taos_stmt_init: fn(*mut Taos) -> *mut TaosStmt;
        taos_stmt_prepare: fn(*mut TaosStmt, *const c_char, SqlLen) -> c_int;
        taos_stmt_is_insert: fn(*mut TaosStmt, *mut c_int) -> c_int;
        taos_stmt_num_params: fn(*mut TaosStmt, *mut c_int) -> c_int;
        taos_stmt_set_tbname: fn(*mut TaosStmt, *const c_char) -> c_int;
        taos_stmt_set_tags: fn(*mut TaosStmt, *mut TaosMultiBind) -> c_int;
        taos_stmt_bind_param: fn(*mut TaosStmt, *mut TaosMultiBind) -> c_int;
        taos_stmt_bind_param_batch: fn(*mut TaosStmt, *mut TaosMultiBind) -> c_int;
        taos_stmt_add_batch: fn(*mut TaosStmt) -> c_int;
        taos_stmt_execute: fn(*mut TaosStmt) -> c_int;
        taos_stmt_use_result: fn(*mut TaosStmt) -> *mut TaosRes;
        taos_stmt_affected_rows_once: fn(*mut TaosStmt) -> c_int;
        taos_stmt_errstr: fn(*mut TaosStmt) -> *const c_char;
        taos_stmt_close: fn(*mut TaosStmt) -> c_int;
        taos_stmt_get_tag_fields: fn(*mut TaosStmt, *mut c_int, *mut *mut TaosFieldE) -> c_int;
        taos_stmt_get_col_fields: fn(*mut TaosStmt, *mut c_int, *mut *mut TaosFieldE) -> c_int;
        taos_write_raw_block: fn(*mut Taos, c_int, *mut c_char, *const c_char) -> c_int;
        tmq_conf_new: fn() -> *mut TmqConf;
        tmq_conf_destroy: fn(*mut TmqConf);
        tmq_conf_set: fn(*mut TmqConf, *const c_char, *const c_char) -> c_int;
        tmq_list_new: fn() -> *mut TmqList;
        tmq_list_append: fn(*mut TmqList, *const c_char) -> c_int;
        tmq_list_destroy: fn(*mut TmqList);
        tmq_list_get_size: fn(*const TmqList) -> c_int;
        tmq_list_to_c_array: fn(*const TmqList) -> *mut *mut c_char;
        tmq_consumer_new: fn(*mut TmqConf, *mut c_char, i32) -> *mut Tmq;
        tmq_subscribe: fn(*mut Tmq, *const TmqList) -> i32;
        tmq_unsubscribe: fn(*mut Tmq) -> i32;
        tmq_subscription: fn(*mut Tmq, *mut *mut TmqList) -> i32;
        tmq_consumer_poll: fn(*mut Tmq, i64) -> *mut TaosRes;
        tmq_consumer_close: fn(*mut Tmq) -> i32;
        tmq_commit_sync: fn(*mut Tmq, *const TaosRes) -> i32;
        tmq_get_res_type: fn(*mut TaosRes) -> c_int;
        tmq_get_topic_name: fn(*mut TaosRes) -> *const c_char;
        tmq_get_db_name: fn(*mut TaosRes) -> *const c_char;
        tmq_get_table_name: fn(*mut TaosRes) -> *const c_char;
        tmq_get_vgroup_id: fn(*mut TaosRes) -> i32;
        tmq_get_raw: fn(*mut TaosRes, *mut TmqRawData) -> i32;
        tmq_free_raw: fn(TmqRawData);
        tmq_write_raw: fn(*mut Taos, TmqRawData) -> i32;
        tmq_get_json_meta: fn(*mut TaosRes) -> *mut c_char;
        tmq_free_json_meta: fn(*mut c_char);
        tmq_err2str: fn(i32) -> *const c_char;
    }
    since "3.0.0.0" {
        taos_get_server_info: fn(*mut Taos) -> *const c_char;
        taos_validate_sql: fn(*mut Taos, *const c_char) -> c_int;
    }
    since "3.0.1.6" {
        taos_get_table_vgId: fn(*mut Taos, *const c_char, *const c_char, *mut c_int) -> c_int;
        taos_schemaless_insert_raw:
            fn(*mut Taos, *mut c_char, c_int, *mut i32, c_int, c_int) -> *mut TaosRes;
    }
    since "3.0.5.0" {
        taos_query_a_with_reqid: fn(*mut Taos, *const c_char, Callback, *mut c_void, i64);
        taos_stmt_init_with_reqid: fn(*mut Taos, i64) -> *mut TaosStmt;
        taos_stmt_reclaim_fields: fn(*mut TaosStmt, *mut TaosFieldE);
        taos_affected_rows64: fn(*mut TaosRes) -> i64;
        taos_get_current_db: fn(*mut Taos, *mut c_char, c_int, *mut c_int) -> c_int;
        taos_get_tables_vgId:
            fn(*mut Taos, *const c_char, *const *const c_char, c_int, *mut c_int) -> c_int;
        taos_schemaless_insert_raw_with_reqid:
            fn(*mut Taos, *mut c_char, c_int, *mut i32, c_int, c_int, i64) -> *mut TaosRes;
        taos_schemaless_insert_raw_ttl:
            fn(*mut Taos, *mut c_char, c_int, *mut i32, c_int, c_int, i32) -> *mut TaosRes;
        taos_schemaless_insert_raw_ttl_with_reqid:
            fn(*mut Taos, *mut c_char, c_int, *mut i32, c_int, c_int, i32, i64) -> *mut TaosRes;
        taos_write_raw_block_with_fields:
            fn(*mut Taos, c_int, *mut c_char, *const c_char, *mut TaosField, c_int) -> c_int;
        tmq_get_topic_assignment:
            fn(*mut Tmq, *const c_char, *mut *mut TmqTopicAssignment, *mut i32) -> i32;
        tmq_offset_seek: fn(*mut Tmq, *const c_char, i32, i64) -> i32;
        tmq_get_vgroup_offset: fn(*mut TaosRes) -> i64;
    }
    since "3.1.0.0" {
        tmq_commit_offset_sync: fn(*mut Tmq, *const c_char, i32, i64) -> i32;
        tmq_position: fn(*mut Tmq, *const c_char, i32) -> i64;
        tmq_committed: fn(*mut Tmq, *const c_char, i32) -> i64;
        tmq_free_assignment: fn(*mut TmqTopicAssignment);
    }
    since "3.2.3.0" {
        taos_set_conn_mode: fn(*mut Taos, c_int, c_int) -> c_int;
        taos_write_raw_block_with_reqid:
            fn(*mut Taos, c_int, *mut c_char, *const c_char, i64) -> c_int;
        taos_write_raw_block_with_fields_with_reqid:
            fn(*mut Taos, c_int, *mut c_char, *const c_char, *mut TaosField, c_int, i64) -> c_int;
    }
    since "3.3.5.0" {
        taos_stmt2_init: fn(*mut Taos, *mut TaosStmt2Option) -> *mut TaosStmt2;
        taos_stmt2_prepare: fn(*mut TaosStmt2, *const c_char, SqlLen) -> c_int;
        taos_stmt2_bind_param: fn(*mut TaosStmt2, *mut TaosStmt2Bindv, i32) -> c_int;
        taos_stmt2_exec: fn(*mut TaosStmt2, *mut c_int) -> c_int;
        taos_stmt2_close: fn(*mut TaosStmt2) -> c_int;
        taos_stmt2_is_insert: fn(*mut TaosStmt2, *mut c_int) -> c_int;
        taos_stmt2_get_fields: fn(*mut TaosStmt2, *mut c_int, *mut *mut TaosFieldAll) -> c_int;
        taos_stmt2_free_fields: fn(*mut TaosStmt2, *mut TaosFieldAll);
        taos_stmt2_result: fn(*mut TaosStmt2) -> *mut TaosRes;
        taos_stmt2_error: fn(*mut TaosStmt2) -> *const c_char;
        taos_schemaless_insert_raw_ttl_with_reqid_tbname_key:
            fn(*mut Taos, *mut c_char, c_int, *mut i32, c_int, c_int, i32, i64, *mut c_char)
                -> *mut TaosRes;
    }
    since "3.3.6.0" {
        taos_fetch_fields_e: fn(*mut TaosRes) -> *const TaosFieldE;
    }
    since "3.4.0.0" {
        taos_connect_totp:
            fn(*const c_char, *const c_char, *const c_char, *const c_char, *const c_char, u16)
                -> *mut Taos;
        taos_connect_token: fn(*const c_char, *const c_char, *const c_char, u16) -> *mut Taos;
    }
}
