//! Which server to try next, and when (questdb §14).

use std::time::Duration;

use rand::Rng;

use crate::settings::Address;

/// How an endpoint fared, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Health {
    Healthy,
    Unknown,
    TransientReject,
    TransportError,
    TopologyReject,
}

#[derive(Debug)]
struct Endpoint {
    address: Address,
    health: Health,
    visited: bool,
    /// A message that waits is longer than it takes.
    too_small: bool,
}

/// The servers. A round visits each once, the likeliest first.
#[derive(Debug)]
pub(super) struct Endpoints(Vec<Endpoint>);

impl Endpoints {
    pub(super) fn new(addresses: &[Address]) -> Self {
        Self(
            addresses
                .iter()
                .map(|address| Endpoint {
                    address: address.clone(),
                    health: Health::Unknown,
                    visited: false,
                    too_small: false,
                })
                .collect(),
        )
    }

    /// The best one that this round has not visited, which it now has.
    pub(super) fn next(&mut self) -> Option<(usize, Address)> {
        let (number, endpoint) = self
            .0
            .iter_mut()
            .enumerate()
            .filter(|(_, endpoint)| !endpoint.visited)
            .min_by_key(|(number, endpoint)| (endpoint.health, *number))?;
        endpoint.visited = true;
        Some((number, endpoint.address.clone()))
    }

    pub(super) fn set(&mut self, number: usize, health: Health) {
        if let Some(endpoint) = self.0.get_mut(number) {
            endpoint.health = health;
        }
    }

    /// Notes that a message is too long for this one; gives whether it is for all.
    pub(super) fn too_small(&mut self, number: usize) -> bool {
        self.set(number, Health::TopologyReject);
        if let Some(endpoint) = self.0.get_mut(number) {
            endpoint.too_small = true;
        }
        self.0.iter().all(|endpoint| endpoint.too_small)
    }

    /// The messages that wait are others now.
    pub(super) fn clear_too_small(&mut self) {
        for endpoint in &mut self.0 {
            endpoint.too_small = false;
        }
    }

    /// Begins a round with what is known from the last one.
    pub(super) fn begin(&mut self) {
        for endpoint in &mut self.0 {
            endpoint.visited = false;
        }
    }

    /// Forgets how the last round went, after its pause.
    pub(super) fn reset(&mut self) {
        for endpoint in &mut self.0 {
            endpoint.visited = false;
            endpoint.health = Health::Unknown;
        }
    }
}

/// Pauses that double, each spread over 0.5 to 1.5 times its length.
#[derive(Debug)]
pub(super) struct Backoff {
    initial: Duration,
    max: Duration,
    next: Duration,
}

impl Backoff {
    pub(super) const fn new(initial: Duration, max: Duration) -> Self {
        Self {
            initial,
            max,
            next: initial,
        }
    }

    pub(super) const fn reset(&mut self) {
        self.next = self.initial;
    }

    pub(super) fn next(&mut self) -> Duration {
        let base = self.next.min(self.max);
        self.next = base.saturating_mul(2).min(self.max);
        spread(base)
    }

    /// The first pause again, without making the next one longer.
    pub(super) fn first(&self) -> Duration {
        spread(self.initial.min(self.max))
    }
}

fn spread(base: Duration) -> Duration {
    base.mul_f64(rand::rng().random_range(0.5..1.5))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_visits_each_endpoint_once_the_best_first() {
        let addresses: Vec<_> = ["a", "b", "c"].map(|h| Address::new(h, 1)).to_vec();
        let mut endpoints = Endpoints::new(&addresses);
        let round = |endpoints: &mut Endpoints| {
            std::iter::from_fn(|| endpoints.next())
                .map(|(_, address)| address.host)
                .collect::<String>()
        };
        assert_eq!(round(&mut endpoints), "abc");
        endpoints.begin();
        endpoints.set(0, Health::TransportError);
        endpoints.set(1, Health::TransientReject);
        endpoints.set(2, Health::Healthy);
        assert_eq!(round(&mut endpoints), "cba");
        endpoints.reset();
        assert_eq!(round(&mut endpoints), "abc");
    }

    #[test]
    fn pauses_double_up_to_their_limit() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_millis(350));
        for base in [100, 200, 350, 350] {
            let pause = backoff.next().as_secs_f64() * 1000.0;
            let base = f64::from(base);
            assert!((base * 0.5..base * 1.5).contains(&pause), "{pause}");
        }
        backoff.reset();
        assert!(backoff.next() < Duration::from_millis(150));
        assert!(backoff.first() < Duration::from_millis(150));
    }
}
