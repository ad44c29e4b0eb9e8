//! What has no meaning over WebSocket, or no description. These functions are there, so that programs that name them can be loaded, and
//! answer 0x80000100 "operation not supported": as their result where that is a code, else as `taos_errno(NULL)`.

use std::ffi::{c_char, c_int, c_void};
use std::ptr::null_mut;

use taos_query::abi::TaosDbRouteInfo;

use crate::error::{Failure, NOT_SUPPORTED, native, remember};
use crate::guard::guard;
use crate::types::{Taos, TaosStmt2};

/// What other functions refuse by a value that they are given, and why.
pub const BY_VALUE: &[(&str, &str)] = &[
    (
        "taos_options",
        "a locale or charset that is not UTF-8: texts are sent as they are",
    ),
    (
        "taos_options",
        "a driver that is not `websocket`: there is no other",
    ),
    ("taos_options_connection", "a charset that is not UTF-8"),
    (
        "taos_stmt2_bind_param",
        "`is_null` 2, a column left out of single rows: the server takes whole columns",
    ),
    (
        "taos_stmt_bind_param",
        "a decimal as a parameter of a query: it is bound as an integer, and nobody tells its digits",
    ),
];

/// All of them.
pub const EXPORTS: &[&str] = &[
    // The login message has a password or a token, and no field for a digest (taosadapter-ws §5.2).
    "taos_connect_auth",
    "taos_fetch_whitelist_a",
    "taos_fetch_whitelist_dual_stack_a",
    "taos_free_instances",
    "taos_get_db_route_info",
    "taos_list_instances",
    "taos_load_table_info",
    "taos_register_instance",
    "taos_set_notify_cb",
    "taos_stmt2_bind_param_column",
    "taos_write_crashinfo",
];

fn refuse(name: &str, why: &str) -> c_int {
    remember(Failure::new(
        NOT_SUPPORTED,
        format!("{name} is not supported over WebSocket: {why}"),
    ))
}

/// taosAdapter takes a password or a token, and no digest of a password.
///
/// # Safety
/// None of the arguments is used.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_connect_auth(
    _ip: *const c_char,
    _user: *const c_char,
    _auth: *const c_char,
    _db: *const c_char,
    _port: u16,
) -> *mut Taos {
    guard("taos_connect_auth", null_mut(), || {
        refuse(
            "taos_connect_auth",
            "the server takes the password itself, not its MD5 digest; use taos_connect",
        );
        null_mut()
    })
}

/// There is no cache of tables on this side that could be filled.
///
/// # Safety
/// None of the arguments is used.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_load_table_info(
    _taos: *mut Taos,
    _table_name_list: *const c_char,
) -> c_int {
    guard("taos_load_table_info", native(NOT_SUPPORTED), || {
        refuse(
            "taos_load_table_info",
            "this side has no cache of tables; the call can be left out",
        )
    })
}

/// Called when something about a user has changed: what the program gave, what changed, and its kind.
pub type NotifyCallback = unsafe extern "C" fn(param: *mut c_void, ext: *mut c_void, r#type: c_int);

/// The server does not tell of changed passwords, allow-lists and dropped users here.
///
/// # Safety
/// None of the arguments is used.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_set_notify_cb(
    _taos: *mut Taos,
    _fp: Option<NotifyCallback>,
    _param: *mut c_void,
    _type: c_int,
) -> c_int {
    guard("taos_set_notify_cb", native(NOT_SUPPORTED), || {
        refuse(
            "taos_set_notify_cb",
            "the server does not tell of changes of users",
        )
    })
}

/// Takes an allow-list: what the program gave, a code, the connection, and the list.
pub type WhitelistCallback = unsafe extern "C" fn(
    param: *mut c_void,
    code: c_int,
    taos: *mut Taos,
    count: c_int,
    list: *mut u64,
);

/// The same with addresses of both kinds, as text.
pub type DualStackWhitelistCallback = unsafe extern "C" fn(
    param: *mut c_void,
    code: c_int,
    taos: *mut Taos,
    count: c_int,
    list: *mut *mut c_char,
);

/// The server lends allow-lists to nobody here; `fp` is told so, before the call returns.
///
/// # Safety
/// `fp` may be called with `param`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_fetch_whitelist_a(
    taos: *mut Taos,
    fp: Option<WhitelistCallback>,
    param: *mut c_void,
) {
    guard("taos_fetch_whitelist_a", (), || {
        let code = refuse("taos_fetch_whitelist_a", "ask `show users full` instead");
        if let Some(fp) = fp {
            // SAFETY: the program's function of this very type, with what it gave.
            unsafe { fp(param, code, taos, 0, null_mut()) };
        }
    });
}

/// As `taos_fetch_whitelist_a`.
///
/// # Safety
/// As `taos_fetch_whitelist_a`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_fetch_whitelist_dual_stack_a(
    taos: *mut Taos,
    fp: Option<DualStackWhitelistCallback>,
    param: *mut c_void,
) {
    guard("taos_fetch_whitelist_dual_stack_a", (), || {
        let name = "taos_fetch_whitelist_dual_stack_a";
        let code = refuse(name, "ask `show users full` instead");
        if let Some(fp) = fp {
            // SAFETY: the program's function of this very type, with what it gave.
            unsafe { fp(param, code, taos, 0, null_mut()) };
        }
    });
}

/// The vgroups of a database cannot be reached from here, so how tables are divided among them is not told.
///
/// # Safety
/// None of the arguments is used.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_get_db_route_info(
    _taos: *mut Taos,
    _db: *const c_char,
    _db_info: *mut TaosDbRouteInfo,
) -> c_int {
    guard("taos_get_db_route_info", native(NOT_SUPPORTED), || {
        refuse(
            "taos_get_db_route_info",
            "vgroups are reached through the server only; taos_get_table_vgId tells a table's",
        )
    })
}

/// Libraries after 3.4.1.12 have it. What `bindv` looks like stands in no description that this library was written
/// from, and reading it by guess would bind what happens to lie there; `taos_stmt2_bind_param` binds the same, also
/// column by column.
///
/// # Safety
/// None of the arguments is used.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_stmt2_bind_param_column(
    _stmt: *mut TaosStmt2,
    _bindv: *mut c_void,
) -> c_int {
    guard(
        "taos_stmt2_bind_param_column",
        native(NOT_SUPPORTED),
        || {
            refuse(
                "taos_stmt2_bind_param_column",
                "use taos_stmt2_bind_param, which takes columns one by one, too",
            )
        },
    )
}

/// There are no reports of crashes.
///
/// # Safety
/// None of the arguments is used.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_write_crashinfo(
    _signum: c_int,
    _sig_info: *mut c_void,
    _context: *mut c_void,
) {
    guard("taos_write_crashinfo", (), || {
        refuse("taos_write_crashinfo", "crashes are not reported");
    });
}

/// The list of instances is kept by clients that talk to the engine itself.
///
/// # Safety
/// None of the arguments is used.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_register_instance(
    _id: *const c_char,
    _type: *const c_char,
    _desc: *const c_char,
    _expire: i32,
) -> i32 {
    guard("taos_register_instance", native(NOT_SUPPORTED), || {
        refuse("taos_register_instance", "servers register themselves")
    })
}

/// As `taos_register_instance`.
///
/// # Safety
/// None of the arguments is used.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_list_instances(
    _filter_type: *const c_char,
    _list: *mut *mut *mut c_char,
    _count: *mut i32,
) -> i32 {
    guard("taos_list_instances", native(NOT_SUPPORTED), || {
        refuse("taos_list_instances", "ask `show instances` instead")
    })
}

/// As `taos_list_instances`, which gives nothing that could be freed.
///
/// # Safety
/// None of the arguments is used.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_free_instances(_list: *mut *mut *mut c_char, _count: i32) {
    guard("taos_free_instances", (), || {
        refuse("taos_free_instances", "there are none");
    });
}
