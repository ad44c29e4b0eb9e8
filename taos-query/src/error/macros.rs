/// Makes a [`RawError`](crate::RawError) from a code, the server's words and a context, or from a
/// format string.
///
/// ```
/// use taos_query::format_err;
///
/// let error = format_err!(code = 0x2603, raw = "Table does not exist", context = "query");
/// assert_eq!(error.to_string(), "[0x2603] query: Internal error: `Table does not exist`");
/// assert_eq!(format_err!("{} rows", 3).to_string(), "3 rows");
/// ```
#[macro_export]
macro_rules! format_err {
    (code = $code:expr, raw = $raw:expr, context = $($context:tt)+) => {
        $crate::RawError::new($code, $raw).context(::std::format!($($context)+))
    };
    (code = $code:expr, raw = $($raw:tt)+) => {
        $crate::RawError::new($code, ::std::format!($($raw)+))
    };
    (code = $code:expr, context = $($context:tt)+) => {
        $crate::RawError::from_code($code).context(::std::format!($($context)+))
    };
    (code = $code:expr) => {
        $crate::RawError::from_code($code)
    };
    (any = $($message:tt)+) => {
        $crate::RawError::from_string(::std::format!($($message)+))
    };
    ($($message:tt)+) => {
        $crate::RawError::from_string(::std::format!($($message)+))
    };
}

/// Returns the error that [`format_err!`](crate::format_err) makes of the same arguments.
#[macro_export]
macro_rules! bail {
    ($($arguments:tt)*) => {
        return ::std::result::Result::Err($crate::format_err!($($arguments)*))
    };
}
