//! Flushes against a server that fails at random.

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use super::*;

const LIMIT: Duration = Duration::from_secs(1);
const STEPS: usize = 30;

/// What a step does to the rows of the request that meets it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Stored,
    /// The client is told that they are not.
    Refused,
    /// The client cannot know.
    Unknown,
    /// No connection was made, or one was there already.
    Unreached,
}

fn step(random: &mut StdRng) -> (Step, Fate) {
    let ok = response(204, "text/plain", "");
    let late = Duration::from_millis(random.random_range(0..900));
    match random.random_range(0..13) {
        0..3 => (Step::Answer(ok), Fate::Stored),
        3 => (Step::AnswerAndClose(ok), Fate::Stored),
        4 => (Step::Late(late, ok), Fate::Stored),
        5 => (status(429), Fate::Refused),
        6 => (status(400), Fate::Refused),
        7 => (status(503), Fate::Unknown),
        8 => (Step::Close, Fate::Unknown),
        9 => (Step::Mute, Fate::Unknown),
        10 => (Step::CloseAfter(random.random_range(0..5)), Fate::Unknown),
        11 => (Step::Late(late + LIMIT, ok), Fate::Unknown),
        _ => (refused(), Fate::Unreached),
    }
}

/// The fates of the steps of one flush, in their order.
fn judge(result: &Result<()>, met: &[Fate]) {
    let stored = met.iter().filter(|fate| **fate == Fate::Stored).count();
    match result {
        Ok(()) => {
            assert_eq!(met.last(), Some(&Fate::Stored), "{met:?}");
            assert_eq!(stored, 1, "sent again although it was stored: {met:?}");
        }
        Err(error) => {
            assert_eq!(stored, 0, "stored and yet {error}: {met:?}");
            let unknown = met.contains(&Fate::Unknown);
            assert_eq!(error.in_doubt(), unknown, "{error}: {met:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn whatever_happens_a_success_is_one_and_a_doubt_is_told() {
    for seed in 0..60 {
        let mut random = StdRng::seed_from_u64(seed);
        let (steps, fates): (Vec<Step>, Vec<Fate>) = (0..STEPS).map(|_| step(&mut random)).unzip();
        let script = Script::new(steps);
        let mut settings = if seed % 2 == 0 {
            settings()
        } else {
            two_servers()
        };
        settings.http.retry_timeout = Duration::from_millis(random.random_range(0..400));
        settings.http.request_timeout = LIMIT;
        let client = client(&script, &settings);
        let mut done = 0;
        while script.left() > 10 {
            let before = script.seen().len();
            let result = write(&client).await;
            let met = STEPS - script.left();
            judge(&result, &fates[done..met]);
            assert!(
                script.seen()[before..]
                    .iter()
                    .all(|seen| LINE.starts_with(&seen.body))
            );
            done = met;
        }
    }
}
