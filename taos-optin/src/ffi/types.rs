//! Handles of the library, which only it can look into.

macro_rules! opaque {
    ($($(#[$doc:meta])* $name:ident;)*) => {
        $(
            $(#[$doc])*
            #[repr(C)]
            pub(crate) struct $name {
                _nothing: [u8; 0],
            }
        )*
    };
}

opaque! {
    /// A connection: `TAOS`.
    Taos;
    /// A result or a message of a topic: `TAOS_RES`.
    TaosRes;
    /// A first-generation statement: `TAOS_STMT`.
    TaosStmt;
    /// A second-generation statement: `TAOS_STMT2`.
    TaosStmt2;
    /// A consumer: `tmq_t`.
    Tmq;
    /// The configuration of a consumer: `tmq_conf_t`.
    TmqConf;
    /// A list of names: `tmq_list_t`.
    TmqList;
}
