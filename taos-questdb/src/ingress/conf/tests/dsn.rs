use std::collections::BTreeSet;
use std::time::Duration;

use taos_query::dsn::QUESTDB_PARAMS;
use taos_query::{Dsn, ErrorKind, RawResult};

use crate::ingress::{Protocol, ProtocolVersion};
use crate::settings::{Address, Auth, Secret, Settings};

fn settings(dsn: &str) -> RawResult<Settings> {
    Settings::from_dsn(&dsn.parse::<Dsn>()?)
}

#[test]
fn a_dsn_says_what_a_string_says() {
    let dsn =
        "questdb://user:pass@a:9001,[::1]/?retry_timeout=5&protocol_version=2&max_name_len=64";
    let settings = settings(dsn).unwrap();
    assert_eq!(settings.protocol, Protocol::Http);
    assert_eq!(
        settings.addresses,
        [Address::new("a", 9001), Address::new("::1", 9000)]
    );
    assert_eq!(
        settings.auth,
        Auth::Basic {
            user: "user".to_owned(),
            password: Secret::new("pass")
        }
    );
    assert_eq!(settings.http.retry_timeout, Duration::from_millis(5));
    assert_eq!(settings.protocol_version, Some(ProtocolVersion::V2));
    assert_eq!(settings.max_name_len, 64);
}

#[cfg(any(feature = "tls-webpki-certs", feature = "tls-native-certs"))]
#[test]
fn the_protocol_stands_behind_the_plus() {
    let cases = [
        ("questdb://h", Protocol::Http, 9000),
        ("questdb:///", Protocol::Http, 9000),
        ("questdb+http://h/qdb", Protocol::Http, 9000),
        ("questdb+https://h", Protocol::Https, 9000),
        ("questdb+tcp://h", Protocol::Tcp, 9009),
        ("questdb+tcps://h", Protocol::Tcps, 9009),
        (
            "questdb+ws://h?compression=zstd&sender_id=x",
            Protocol::Ws,
            9000,
        ),
        ("questdb+wss://h?token=t", Protocol::Wss, 9000),
    ];
    for (dsn, protocol, port) in cases {
        let settings = settings(dsn).unwrap();
        assert_eq!(settings.protocol, protocol, "{dsn}");
        assert_eq!(settings.addresses[0].port, port, "{dsn}");
    }
    assert_eq!(
        settings("questdb:///").unwrap().addresses[0].host,
        "localhost"
    );
}

#[test]
fn wrong_dsns_are_refused_by_name_and_without_secrets() {
    let cases = [
        ("questdb+udp://h", ErrorKind::Config, "+https"),
        ("questdb+xyz://h", ErrorKind::Config, "`xyz`"),
        ("questdb:some/path", ErrorKind::Config, "host"),
        ("questdb://h/power", ErrorKind::Unsupported, "databases"),
        (
            "questdb://h?retry_timout=5",
            ErrorKind::Config,
            "did you mean `retry_timeout`",
        ),
        (
            "questdb://h?retry_timeout=s3cr3t",
            ErrorKind::Config,
            "`retry_timeout`",
        ),
        ("questdb://h?token=a%0As3cr3t", ErrorKind::Config, "`token`"),
        (
            "questdb://h?auto_flush_rows=5",
            ErrorKind::Config,
            "`auto_flush_rows`",
        ),
        (
            "questdb://h?tls_verify=on",
            ErrorKind::Config,
            "without TLS",
        ),
        (
            "questdb+tcp://h?retry_timeout=5",
            ErrorKind::Config,
            "not for tcp",
        ),
        (
            "questdb+ws://h?compression=s3cr3t",
            ErrorKind::Config,
            "`compression`",
        ),
        ("questdb://u@h", ErrorKind::Config, "`password` is missing"),
        (
            "questdb://u:s3cr3t@h?token=t",
            ErrorKind::Config,
            "inconsistent",
        ),
        (
            "questdb://u:s3cr3t@h?password=other",
            ErrorKind::Config,
            "already set",
        ),
        ("questdb+tcp://u:s3cr3t@h", ErrorKind::Config, "basic"),
        ("questdb://h:1,h:1", ErrorKind::Config, "twice"),
    ];
    for (dsn, kind, fragment) in cases {
        let error = settings(dsn).unwrap_err();
        assert_eq!(error.kind(), kind, "{dsn}: {error}");
        let text = format!("{error} {error:?}");
        assert!(text.contains(fragment), "{dsn}: {text}");
        assert!(!text.contains("s3cr3t"), "{text}");
    }
}

#[test]
fn parameters_of_the_other_database_are_passed_over() {
    assert!(settings("questdb://h?timezone=UTC&conn_mode=1&configDir=x&group.id=g").is_ok());
}

#[test]
fn other_backends_know_every_parameter_of_this_one() {
    let ours: BTreeSet<&str> = super::super::keys::all().map(|key| key.name).collect();
    let listed: BTreeSet<&str> = QUESTDB_PARAMS.iter().copied().collect();
    let credentials = BTreeSet::from(["username", "password", "token"]);
    assert_eq!(&ours - &credentials, listed);
}
