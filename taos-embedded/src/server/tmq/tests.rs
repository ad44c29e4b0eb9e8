#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use taos_ws::protocol::SubscribeArgs;

use super::options::terms;
use crate::server::Emulated;
use crate::tmq::Reset;

fn args(config: &[(&str, &str)]) -> SubscribeArgs {
    let mut args = SubscribeArgs::new(1, "g", vec!["b".into(), "a".into(), "b".into()]);
    let pairs = config.iter();
    args.config = pairs
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect();
    args
}

fn release(version: &str) -> Emulated {
    Emulated::parse(version).unwrap()
}

#[test]
fn what_is_not_said_has_the_value_of_the_original() {
    let terms = terms(&args(&[]), &Emulated::default()).unwrap();
    assert_eq!(terms.topics, ["a", "b"]);
    assert_eq!((terms.reset, terms.auto_commit), (Reset::Latest, None));
    assert_eq!(terms.session_timeout.as_millis(), 12_000);
    assert_eq!(terms.max_poll_interval.as_millis(), 300_000);
    assert_eq!(terms.read.max_rows, 4096);
}

#[test]
fn the_configuration_wins_over_the_arguments_but_not_over_the_login() {
    let mut args = args(&[
        ("auto.offset.reset", "none"),
        ("session.timeout.ms", "7000"),
        ("enable.auto.commit", "true"),
        ("auto.commit.interval.ms", "50"),
        ("td.connect.user", "other"),
    ]);
    args.user = "me".into();
    args.offset_rest = "earliest".into();
    args.session_timeout_ms = "8000".into();
    let terms = terms(&args, &Emulated::default()).unwrap();
    assert_eq!((terms.reset, terms.user.as_str()), (Reset::None, "me"));
    assert_eq!(terms.session_timeout.as_millis(), 7000);
    assert_eq!(terms.auto_commit.unwrap().as_millis(), 50);
}

#[test]
fn releases_refuse_in_their_own_codes_and_read_what_they_know() {
    for (version, unknown, bad) in [
        ("3.3.6.0", Some(0xFFFE), Some(0xFFFF)),
        ("3.3.7.5", Some(0x0118), Some(0x0118)),
        ("3.3.2.0", None, None),
    ] {
        let code = |config| {
            terms(&args(config), &release(version))
                .err()
                .map(|e| e.code)
        };
        assert_eq!(code(&[("no.such.key", "1")]), unknown, "{version}");
        assert_eq!(code(&[("auto.offset.reset", "never")]), bad, "{version}");
    }
    let mut args = args(&[]);
    args.session_timeout_ms = "7000".into();
    let old = terms(&args, &release("3.3.2.0")).unwrap();
    assert_eq!(old.session_timeout.as_millis(), 12_000);
}

#[test]
fn what_would_silently_miss_rows_is_refused_by_name_and_its_absence_is_not() {
    for (key, on, off) in [
        ("experimental.snapshot.enable", "true", "false"),
        ("msg.consume.rawdata", "1", "0"),
        ("enable.replay", "1", "0"),
    ] {
        let error = terms(&args(&[(key, on)]), &Emulated::default()).unwrap_err();
        assert_eq!(error.code, 0x0100);
        assert_eq!(error.message, format!("unsupported feature: {key}"));
        terms(&args(&[(key, off)]), &Emulated::default()).unwrap();
    }
    let excluding = |value| {
        let terms = terms(
            &args(&[("msg.consume.excluded", value)]),
            &Emulated::default(),
        );
        terms.unwrap().read.without_replayed
    };
    assert!(excluding("1") && !excluding("0"));
}
