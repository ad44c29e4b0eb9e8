//! Parameters of queries.

use super::*;

#[test]
fn parameters_that_servers_do_not_take_are_refused() {
    use crate::qwp::wire::ColumnType as T;
    let put = |bind: &Bind| {
        let mut out = Vec::new();
        bind.put(&mut out).map(|()| out)
    };
    for (bind, bytes) in [
        (Bind::Null(T::Varchar), "0f 01 01"),
        (Bind::Bool(true), "01 00 01"),
        (Bind::Timestamp(1), "0a 00 01 00 00 00 00 00 00 00"),
        (
            Bind::Decimal64 {
                unscaled: None,
                scale: 3,
            },
            "13 01 01 03",
        ),
        (
            Bind::Geohash {
                bits: None,
                precision: 20,
            },
            "0e 01 01 14",
        ),
        (
            Bind::Geohash {
                bits: Some(0x15),
                precision: 5,
            },
            "0e 00 05 15",
        ),
        (
            Bind::Uuid([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]),
            "0c 00 0f 0e 0d 0c 0b 0a 09 08 07 06 05 04 03 02 01 00",
        ),
    ] {
        assert_eq!(put(&bind).unwrap(), hex(bytes), "{bind:?}");
    }
    for refused in [
        Bind::Null(T::Symbol),
        Bind::Null(T::Ipv4),
        Bind::Null(T::Decimal64),
        Bind::Geohash {
            bits: Some(0x20),
            precision: 5,
        },
        Bind::Geohash {
            bits: None,
            precision: 0,
        },
        Bind::Decimal64 {
            unscaled: Some(1),
            scale: 19,
        },
    ] {
        assert_eq!(put(&refused).unwrap_err().code(), ErrorCode::InvalidBind);
    }
    let binary = Value::VarBinary(vec![1].into());
    let refused = Bind::from_value(&binary).unwrap_err();
    assert_eq!(refused.code(), ErrorCode::InvalidBind);
    assert_eq!(Bind::from_value(&Value::UInt(7)).unwrap(), Bind::Long(7));
    let sql = "x".repeat((1 << 20) + 1);
    let query = |sql, binds| Query {
        sql,
        binds,
        credit: 0,
        timeout_ms: 0,
    };
    assert!(query(&sql, &[]).encode(1).is_err());
    assert!(query("x", &vec![Bind::Bool(true); 1025]).encode(1).is_err());
}
