use std::time::Duration;

use proptest::prelude::*;

use super::*;

fn parse(text: &str) -> Dsn {
    match text.parse() {
        Ok(dsn) => dsn,
        Err(error) => panic!("{text}: {error}"),
    }
}

fn bare(driver: &str) -> Dsn {
    Dsn {
        driver: driver.to_owned(),
        ..Dsn::default()
    }
}

#[test]
fn missing_parts_are_none() {
    for text in [
        "taos://",
        "taos:///",
        "taos://:",
        "taos:",
        "taos://@",
        "taos://:@",
    ] {
        assert_eq!(parse(text), bare("taos"), "{text}");
    }
    assert_eq!(parse("taos://root@").username.as_deref(), Some("root"));
    assert_eq!(parse("taos://:secret@").password.as_deref(), Some("secret"));
    assert_eq!(parse("taos:///db").subject.as_deref(), Some("db"));
}

#[test]
fn a_text_without_colon_or_with_a_wrong_scheme_is_an_error() {
    assert_eq!("localhost".parse::<Dsn>(), Err(DsnError::NoColonFound));
    assert!(matches!(
        "://h".parse::<Dsn>(),
        Err(DsnError::InvalidDriver(_))
    ));
    assert!(matches!(
        "a b://h".parse::<Dsn>(),
        Err(DsnError::InvalidDriver(_))
    ));
    assert!(matches!(
        "ws+://h".parse::<Dsn>(),
        Err(DsnError::InvalidProtocol(_))
    ));
}

#[test]
fn addresses_have_host_port_or_socket_path() {
    let cases: &[(&str, &[Address])] = &[
        ("taos://localhost", &[Address::from_host("localhost")]),
        ("taos://localhost:6030", &[Address::new("localhost", 6030)]),
        ("taos://localhost:", &[Address::from_host("localhost")]),
        ("taos://:6030", &[Address::new("", 6030)]),
        ("taos://h1:6030,,,", &[Address::new("h1", 6030)]),
        (
            "taos://h1:6030,h2",
            &[Address::new("h1", 6030), Address::from_host("h2")],
        ),
        ("taos://[::1]:6041", &[Address::new("[::1]", 6041)]),
        (
            "taos://[::1],h2:1,[fe80::1]:2",
            &[
                Address::from_host("[::1]"),
                Address::new("h2", 1),
                Address::new("[fe80::1]", 2),
            ],
        ),
        (
            "pg://%2Fvar%2Flib%2Fpg/db",
            &[Address::from_path("/var/lib/pg")],
        ),
    ];
    for (text, addresses) in cases {
        assert_eq!(&parse(text).addresses, addresses, "{text}");
    }
}

#[test]
fn wrong_addresses_are_errors_that_name_the_address() {
    for (text, part) in [
        ("ws://h:abc/db", "`h:…`"),
        ("ws://h:123456", "the port is not"),
        ("ws://h:70000", "the port is not"),
        ("ws://[::1", "`]` is missing"),
        ("ws://[nonsense]:1", "no IPv6"),
        ("ws://::1", "brackets"),
        ("ws://a host", "' '"),
    ] {
        let error = text.parse::<Dsn>().unwrap_err();
        assert!(matches!(error, DsnError::InvalidAddresses(..)), "{text}");
        assert!(error.to_string().contains(part), "{text}: {error}");
    }
    assert!("h:abc".parse::<Address>().is_err());
}

#[test]
fn the_last_at_sign_ends_the_credentials() {
    for (text, password) in [
        ("ws://u:p@w@h:1/x?y=1", "p@w"),
        ("ws://u:a:b@h:1/x?y=1", "a:b"),
        ("ws://u:a/b@h:1/x?y=1", "a/b"),
        ("ws://u:a?b@h:1/x?y=1", "a?b"),
        ("ws://u:a#b&c@h:1/x?y=1", "a#b&c"),
        ("ws://u:100%@h:1/x?y=1", "100%"),
        ("ws://u:%40%3A%2F@h:1/x?y=1", "@:/"),
    ] {
        let dsn = parse(text);
        assert_eq!(dsn.password.as_deref(), Some(password), "{text}");
        assert_eq!(dsn.addresses, [Address::new("h", 1)], "{text}");
        assert_eq!(dsn.subject.as_deref(), Some("x"), "{text}");
        assert_eq!(dsn.get("y").map(String::as_str), Some("1"), "{text}");
        assert_eq!(parse(&dsn.to_string()), dsn, "{text}");
    }
    let dsn = parse("ws://root:12?34@h:6041/db");
    assert_eq!(dsn.password.as_deref(), Some("12?34"));
    let dsn = parse("ws://h:6041/db?user_app=a@b");
    assert_eq!(dsn.get("user_app").map(String::as_str), Some("a@b"));
    assert_eq!(dsn.addresses, [Address::new("h", 6041)]);
}

#[test]
fn the_protocol_may_stand_before_the_addresses() {
    let dsn = parse("taos://root@tcp(h1:6030,h2:6031)/db");
    assert_eq!(dsn.to_string(), "taos+tcp://root@h1:6030,h2:6031/db");
    assert_eq!(dsn, parse("taos+tcp://root@h1:6030,h2:6031/db"));
    assert!("taos+ws://tcp(h1)".parse::<Dsn>().is_err());
    assert!("taos://tcp(h1".parse::<Dsn>().is_err());
}

#[test]
fn the_path_form_keeps_the_path_as_written() {
    for text in [
        "unix:/path/to/unix.sock",
        "sqlite:/c:/windows/file.db",
        "csv:C:\\data\\*.csv",
        "csv:./文件 %$@.-_()[]{}（）.csv",
        "csv:./a*.csv",
    ] {
        let dsn = parse(text);
        assert_eq!(
            dsn.path.as_deref(),
            text.split_once(':').map(|(_, path)| path)
        );
        assert_eq!(dsn.to_string(), text);
    }
    let dsn = parse("csv:./a.csv?header=1&skip");
    assert_eq!(dsn.get("header").map(String::as_str), Some("1"));
    assert_eq!(dsn.get("skip").map(String::as_str), Some(""));
}

#[test]
fn subjects_may_hold_blanks_and_commas() {
    let dsn = parse("tmq://h:6041/ topic a,topic b ?group.id=1");
    assert_eq!(dsn.subject.as_deref(), Some("topic a,topic b"));
    let dsn = parse("sqlite://root:pass@//full/path.db?mode=0666");
    assert_eq!(dsn.subject.as_deref(), Some("/full/path.db"));
}

#[test]
fn params_can_be_set_removed_and_drained() {
    let mut dsn = parse("taos://h/test?debugFlag=135");
    assert_eq!(dsn.set("debugFlag", "1").as_deref(), Some("135"));
    assert_eq!(dsn.set("a&b", "c=d #@%?"), None);
    assert_eq!(parse(&dsn.to_string()), dsn);
    assert_eq!(dsn.remove("debugFlag").as_deref(), Some("1"));
    assert_eq!(dsn.drain_params().len(), 1);
    assert!(dsn.params.is_empty());
}

#[test]
fn secrets_show_in_display_only() {
    let text = "ws://root:hunter2@h/db?token=hunter2&totp_code=hunter2&totp_secret=hunter2&bearerToken=hunter2\
                &td.connect.token=hunter2&timezone=UTC";
    let dsn = parse(text);
    assert!(dsn.to_string().contains("hunter2"));
    for shown in [
        format!("{dsn:?}"),
        format!("{dsn:#?}"),
        dsn.redacted().to_string(),
        format!("{:?}", dsn.redacted()),
        redact_dsn(text),
        redact_dsn("ws://root:hunter2@h:port/db"),
        redact_dsn("root:hunter2@h"),
        redact_dsn("hunter2"),
    ] {
        assert!(!shown.contains("hunter2"), "{shown}");
    }
    assert!(dsn.redacted().to_string().contains("timezone=UTC"));
}

#[test]
fn errors_never_repeat_a_password() {
    for text in [
        "ws://root:hunter2@h:port/db",
        "ws://root:hunter2@[h/db",
        "ws://root:hunter2",
        "ws://root:hunter2@h(/db?x=1",
        "hunter2 x://h",
        "ws://root:hunter2@tcp(h/db",
        "ws://root:6?hunter2@h:xx/db",
    ] {
        let error = text.parse::<Dsn>().unwrap_err();
        assert!(!error.to_string().contains("hunter2"), "{text}: {error}");
        assert!(
            !format!("{error:?}").contains("hunter2"),
            "{text}: {error:?}"
        );
    }
}

#[test]
fn typed_params_say_what_they_expect() {
    let dsn = parse("ws://h?conn_timeout=2x&compression&conn_retries=-1&read_timeout=1500ms");
    assert_eq!(dsn.param::<bool>("compression").unwrap(), Some(true));
    assert_eq!(dsn.param::<bool>("tcp_nodelay").unwrap(), None);
    assert_eq!(
        dsn.param_or("read_timeout", Duration::ZERO).unwrap(),
        Duration::from_millis(1500)
    );
    assert_eq!(
        dsn.param::<Duration>("conn_timeout")
            .unwrap_err()
            .to_string(),
        "[0xE000] invalid DSN parameter `conn_timeout=2x`: expected a number of seconds, or a number \
         with ms, s, m or h"
    );
    let error = dsn.param::<u32>("conn_retries").unwrap_err().to_string();
    assert!(error.contains("conn_retries=-1") && error.contains("whole number"));
}

#[test]
fn unknown_params_name_the_nearest_known_one() {
    let known = &["conn_timeout", "read_timeout", "timezone"];
    let error = parse("ws://h?conntimeout=1")
        .check_params(known)
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "[0xE000] unknown DSN parameter `conntimeout`; did you mean `conn_timeout`?"
    );
    let error = parse("ws://h?zzzzzzz=1").check_params(known).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("`zzzzzzz`. Known parameters: conn_timeout, read")
    );
    for fine in [
        "ws://h?timezone=UTC",
        "ws://h?configDir=/etc",
        "ws://h?a.b=1",
        "ws://h",
    ] {
        assert!(parse(fine).check_params(known).is_ok(), "{fine}");
    }
}

#[test]
fn the_native_backend_knows_its_own_parameters_and_passes_over_those_of_others() {
    for fine in [
        "taos://h?configDir=/etc/taos&libraryPath=/opt/libtaos.so&maxRetries=2",
        "taos://h?timezone=UTC&charset=UTF-8&user_ip=1.2.3.4&user_app=a&connector_info=b",
        "taos://h?totpCode=1&bearerToken=b&conn_mode=1",
        "taos://h?conn_timeout=1s&compression&auto_flush_rows=1&group.id=g&timeout=never",
    ] {
        assert!(parse(fine).check_params(NATIVE_PARAMS).is_ok(), "{fine}");
    }
    for (mistake, meant) in [
        ("libarypath", "libraryPath"),
        ("library_path", "libraryPath"),
        ("config-dir", "configDir"),
        ("max_retry", "maxRetries"),
        ("time_zone", "timezone"),
        ("userapp", "user_app"),
    ] {
        let error = parse(&format!("taos://h?{mistake}=1"))
            .check_params(NATIVE_PARAMS)
            .unwrap_err()
            .to_string();
        assert!(
            error.ends_with(&format!("`{mistake}`; did you mean `{meant}`?")),
            "{error}"
        );
    }
}

#[test]
fn truth_has_many_spellings() {
    for text in ["", "1", "true", "T", "YES", "y", "on", "enable", "ENABLED"] {
        assert!(value_is_true(text), "{text}");
    }
    for text in ["0", "false", "2", "no", "off"] {
        assert!(!value_is_true(text), "{text}");
    }
}

fn host() -> impl Strategy<Value = Address> {
    prop_oneof![
        "[a-zA-Z0-9][a-zA-Z0-9.-]{0,12}".prop_map(Address::from_host),
        ("[a-z][a-z0-9.-]{0,8}", any::<u16>()).prop_map(|(host, port)| Address::new(host, port)),
        any::<u16>().prop_map(|port| Address::new("", port)),
        any::<[u16; 8]>().prop_map(|parts| {
            Address::new(format!("[{}]", std::net::Ipv6Addr::from(parts)), 6041)
        }),
        "/[a-zA-Z0-9/ ,@?:.]{1,12}".prop_map(Address::from_path),
    ]
}

fn any_dsn() -> impl Strategy<Value = Dsn> {
    let text = || prop::option::of("\\PC{1,12}");
    (
        "[a-z][a-z0-9_.-]{0,6}",
        prop::option::of("[a-z]{1,5}"),
        text(),
        text(),
        prop::collection::vec(host(), 0..4),
        prop::option::of("[a-zA-Z0-9_文][a-zA-Z0-9_,. 文]{0,8}[a-z]"),
        prop::collection::btree_map("\\PC{0,8}", "\\PC{0,12}", 0..4),
    )
        .prop_map(
            |(driver, protocol, username, password, addresses, subject, params)| Dsn {
                driver,
                protocol,
                username,
                password,
                addresses,
                path: None,
                subject,
                params,
            },
        )
}

proptest! {
    #[test]
    fn what_is_written_reads_back_the_same(dsn in any_dsn()) {
        let text = dsn.to_string();
        prop_assert_eq!(parse(&text), dsn, "{}", text);
    }

    #[test]
    fn no_text_makes_the_parser_panic_and_what_it_reads_is_stable(text in "\\PC{0,40}|[a-z:/@?&=,%\\[\\]()0-9+ ]{0,40}") {
        if let Ok(dsn) = text.parse::<Dsn>() {
            let _ = dsn.redacted().to_string();
            prop_assert_eq!(parse(&dsn.to_string()), dsn);
        }
        let _ = redact_dsn(&text);
    }
}
