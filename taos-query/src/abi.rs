//! The structs of the C client library's interface (native-ffi §8), for the crates on either side of it.
//!
//! They are declared once, so that caller and callee cannot drift apart; sizes and offsets are checked while
//! this is compiled. Nothing here reads a pointer.

use std::ffi::{c_char, c_int, c_ulong, c_void};
use std::mem::{align_of, offset_of, size_of};

/// Room for a name and the NUL behind it.
pub const NAME_LEN: usize = 65;

/// A column of a result: `TAOS_FIELD`. `bytes` is the user's length (characters of NCHAR, bytes of VARCHAR).
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct TaosField {
    /// NUL-terminated.
    pub name: [c_char; NAME_LEN],
    /// The number of the type (raw-block §3).
    pub r#type: i8,
    /// Length, see above.
    pub bytes: i32,
}

/// A column with the digits of a decimal: `TAOS_FIELD_E`. In fields of a statement `bytes` is the storage width.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct TaosFieldE {
    /// NUL-terminated.
    pub name: [c_char; NAME_LEN],
    /// The number of the type.
    pub r#type: i8,
    /// Of a timestamp its unit (0 ms, 1 µs, 2 ns), of a decimal its digits.
    pub precision: u8,
    /// Digits of a decimal behind the point.
    pub scale: u8,
    /// Length, see above.
    pub bytes: i32,
}

/// A placeholder of a second-generation statement: `TAOS_FIELD_ALL`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct TaosFieldAll {
    /// NUL-terminated.
    pub name: [c_char; NAME_LEN],
    /// The number of the type.
    pub r#type: i8,
    /// As in [`TaosFieldE`].
    pub precision: u8,
    /// Digits of a decimal behind the point.
    pub scale: u8,
    /// Storage width.
    pub bytes: i32,
    /// 1 column, 2 tag, 3 parameter of a query, 4 table name.
    pub field_type: u8,
}

/// Values of one column for a first-generation statement: `TAOS_MULTI_BIND`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct TaosMultiBind {
    /// The number of the type.
    pub buffer_type: c_int,
    /// The values, `buffer_length` bytes apart where their length varies.
    pub buffer: *mut c_void,
    /// Bytes from one value to the next.
    pub buffer_length: usize,
    /// Bytes of each value; NULL for types of fixed width.
    pub length: *mut i32,
    /// 1 for each NULL; NULL if there is none.
    pub is_null: *mut c_char,
    /// Number of values.
    pub num: c_int,
}

/// How a first-generation statement is opened: `TAOS_STMT_OPTIONS`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
#[allow(non_snake_case, reason = "members have their names in C")]
pub struct TaosStmtOptions {
    /// The request id.
    pub reqId: i64,
    /// All tables belong to one super table.
    pub singleStbInsert: bool,
    /// Each table is bound once for each execution.
    pub singleTableBindOnce: bool,
}

/// Reports the end of an execution or of a query: what the caller gave, the result, a code.
pub type TaosCallback = unsafe extern "C" fn(param: *mut c_void, res: *mut c_void, code: c_int);

/// How a second-generation statement is opened: `TAOS_STMT2_OPTION`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
#[allow(non_snake_case, reason = "members have their names in C")]
pub struct TaosStmt2Option {
    /// The request id.
    pub reqid: i64,
    /// All tables belong to one super table.
    pub singleStbInsert: bool,
    /// Each table is bound once for each execution.
    pub singleTableBindOnce: bool,
    /// With it executions report here instead of blocking.
    pub asyncExecFn: Option<TaosCallback>,
    /// The first argument of that.
    pub userdata: *mut c_void,
}

/// Values of one column or tag for a second-generation statement: `TAOS_STMT2_BIND`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct TaosStmt2Bind {
    /// The number of the type.
    pub buffer_type: c_int,
    /// The values, one behind the other without gaps.
    pub buffer: *mut c_void,
    /// Bytes of each value; NULL for types of fixed width.
    pub length: *mut i32,
    /// 1 for each NULL (2: the column is left out of the row); NULL if there is none.
    pub is_null: *mut c_char,
    /// Number of values.
    pub num: c_int,
}

/// The data of any number of tables: `TAOS_STMT2_BINDV`. Each of the arrays may be NULL.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct TaosStmt2Bindv {
    /// Number of tables.
    pub count: c_int,
    /// A name for each table.
    pub tbnames: *mut *mut c_char,
    /// An array of tags for each table.
    pub tags: *mut *mut TaosStmt2Bind,
    /// An array of columns for each table.
    pub bind_cols: *mut *mut TaosStmt2Bind,
}

/// What a consumer reads of one vgroup: `tmq_topic_assignment`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
#[allow(non_snake_case, reason = "members have their names in C")]
pub struct TmqTopicAssignment {
    /// The vgroup.
    pub vgId: i32,
    /// Where the last message that was delivered begins.
    pub currentOffset: i64,
    /// The first place in the log.
    pub begin: i64,
    /// The place behind the last message.
    pub end: i64,
}

/// A message as the server packs it: `tmq_raw_data`. It is passed by value.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct TmqRawData {
    /// The bytes.
    pub raw: *mut c_void,
    /// Their number.
    pub raw_len: u32,
    /// The kind of message (tmq-raw §1).
    pub raw_type: u16,
}

/// The range of hashes of one vgroup: `TAOS_VGROUP_HASH_INFO`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
#[allow(non_snake_case, reason = "members have their names in C")]
pub struct TaosVgroupHashInfo {
    /// The vgroup.
    pub vgId: i32,
    /// The first hash.
    pub hashBegin: u32,
    /// The last hash.
    pub hashEnd: u32,
}

/// How tables are divided among the vgroups of a database: `TAOS_DB_ROUTE_INFO`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
#[allow(non_snake_case, reason = "members have their names in C")]
pub struct TaosDbRouteInfo {
    /// Grows with each change.
    pub routeVersion: i32,
    /// Bytes of a name's start that do not count.
    pub hashPrefix: i16,
    /// Bytes of a name's end that do not count.
    pub hashSuffix: i16,
    /// The hash function.
    pub hashMethod: i8,
    /// Number of vgroups.
    pub vgNum: i32,
    /// The vgroups.
    pub vgHash: *mut TaosVgroupHashInfo,
}

/// `unsigned long` of the interface: lengths of SQL texts.
pub type SqlLen = c_ulong;

/// Checks size, alignment and the offset of every member.
macro_rules! layout {
    ($($ty:ident $size:literal/$align:literal { $($at:literal $member:ident),* $(,)? })*) => {
        #[cfg(all(target_pointer_width = "64", target_endian = "little"))]
        const _: () = {
            $(
                assert!(size_of::<$ty>() == $size);
                assert!(align_of::<$ty>() == $align);
                $(assert!(offset_of!($ty, $member) == $at);)*
            )*
        };
    };
}

layout! {
    TaosField 72/4 { 0 name, 65 r#type, 68 bytes }
    TaosFieldE 72/4 { 0 name, 65 r#type, 66 precision, 67 scale, 68 bytes }
    TaosFieldAll 76/4 { 0 name, 65 r#type, 66 precision, 67 scale, 68 bytes, 72 field_type }
    TaosMultiBind 48/8 { 0 buffer_type, 8 buffer, 16 buffer_length, 24 length, 32 is_null, 40 num }
    TaosStmtOptions 16/8 { 0 reqId, 8 singleStbInsert, 9 singleTableBindOnce }
    TaosStmt2Option 32/8 { 0 reqid, 8 singleStbInsert, 9 singleTableBindOnce, 16 asyncExecFn, 24 userdata }
    TaosStmt2Bind 40/8 { 0 buffer_type, 8 buffer, 16 length, 24 is_null, 32 num }
    TaosStmt2Bindv 32/8 { 0 count, 8 tbnames, 16 tags, 24 bind_cols }
    TmqTopicAssignment 32/8 { 0 vgId, 8 currentOffset, 16 begin, 24 end }
    TmqRawData 16/8 { 0 raw, 8 raw_len, 12 raw_type }
    TaosVgroupHashInfo 12/4 { 0 vgId, 4 hashBegin, 8 hashEnd }
    TaosDbRouteInfo 24/8 { 0 routeVersion, 4 hashPrefix, 6 hashSuffix, 8 hashMethod, 12 vgNum, 16 vgHash }
}
