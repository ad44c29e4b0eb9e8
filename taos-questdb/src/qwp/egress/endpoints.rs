//! Which server to ask (questdb §14).

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::settings::{Address, Role};

/// How a server did so far, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum State {
    Healthy,
    Unknown,
    /// It will soon have another role.
    TransientReject,
    TransportError,
    /// It has the wrong role.
    TopologyReject,
}

/// How near a server is, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Tier {
    Same,
    Unknown,
    Other,
}

#[derive(Debug, Clone, Copy)]
struct Endpoint {
    state: State,
    tier: Tier,
}

/// What is known about the servers of one configuration.
#[derive(Debug)]
pub(super) struct Endpoints {
    addresses: Vec<Address>,
    zone: Option<String>,
    known: Mutex<Vec<Endpoint>>,
}

impl Endpoints {
    pub(super) fn new(addresses: Vec<Address>, zone: Option<String>) -> Self {
        let unknown = Endpoint {
            state: State::Unknown,
            tier: Tier::Unknown,
        };
        let known = Mutex::new(vec![unknown; addresses.len()]);
        Self {
            addresses,
            zone,
            known,
        }
    }

    pub(super) const fn len(&self) -> usize {
        self.addresses.len()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Endpoint>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The best server that this round has not visited; of equal ones the first in the list.
    pub(super) fn pick(&self, visited: &[bool]) -> Option<(usize, &Address)> {
        let (index, _) = self
            .lock()
            .iter()
            .enumerate()
            .filter(|(index, _)| visited.get(*index) == Some(&false))
            .min_by_key(|(_, endpoint)| (endpoint.state, endpoint.tier))?;
        Some((index, self.addresses.get(index)?))
    }

    /// Notes how a server did, and its zone if it told one.
    pub(super) fn mark(&self, index: usize, state: State, zone: Option<&str>) {
        let mut known = self.lock();
        if state == State::TransportError {
            // Better ones may be back after an outage.
            for endpoint in known.iter_mut() {
                if endpoint.state == State::Healthy && endpoint.tier == Tier::Other {
                    endpoint.state = State::Unknown;
                }
            }
        }
        if let Some(endpoint) = known.get_mut(index) {
            endpoint.state = state;
            if let (Some(wanted), Some(zone)) = (&self.zone, zone) {
                endpoint.tier = if wanted.eq_ignore_ascii_case(zone) {
                    Tier::Same
                } else {
                    Tier::Other
                };
            }
        }
    }

    /// Starts from scratch after a round in which no server would do.
    pub(super) fn reset(&self) {
        for endpoint in self.lock().iter_mut() {
            endpoint.state = State::Unknown;
        }
    }
}

/// Whether a server of this role will do (questdb §13.4).
pub(super) const fn serves(target: Role, role: u8) -> bool {
    match target {
        Role::Any => true,
        Role::Primary => matches!(role, 0 | 1 | 3),
        Role::Replica => role == 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoints(zone: Option<&str>) -> Endpoints {
        let addresses = (1..=3).map(|port| Address::new("h", port)).collect();
        Endpoints::new(addresses, zone.map(str::to_owned))
    }

    fn picks(endpoints: &Endpoints) -> Vec<usize> {
        let mut visited = [false; 3];
        std::iter::from_fn(|| {
            let (index, _) = endpoints.pick(&visited)?;
            visited[index] = true;
            Some(index)
        })
        .collect()
    }

    #[test]
    fn the_best_server_is_asked_first_and_each_once_a_round() {
        let endpoints = endpoints(None);
        assert_eq!(picks(&endpoints), [0, 1, 2]);
        endpoints.mark(0, State::TransportError, None);
        endpoints.mark(1, State::TopologyReject, None);
        assert_eq!(picks(&endpoints), [2, 0, 1]);
        endpoints.mark(1, State::Healthy, None);
        assert_eq!(picks(&endpoints), [1, 2, 0]);
        endpoints.reset();
        assert_eq!(picks(&endpoints), [0, 1, 2]);
    }

    #[test]
    fn a_healthy_server_elsewhere_yields_after_an_outage() {
        let endpoints = endpoints(Some("east"));
        endpoints.mark(2, State::Healthy, Some("WEST"));
        assert_eq!(picks(&endpoints), [2, 0, 1], "it works, so it stays");
        endpoints.mark(1, State::TransportError, Some("East"));
        assert_eq!(picks(&endpoints), [0, 2, 1]);
        endpoints.reset();
        assert_eq!(picks(&endpoints), [1, 0, 2], "nearest first");
    }

    #[test]
    fn roles_serve_the_targets_of_the_protocol() {
        let serving = |target| {
            (0..5)
                .filter(|role| serves(target, *role))
                .collect::<Vec<_>>()
        };
        assert_eq!(serving(Role::Any), [0, 1, 2, 3, 4]);
        assert_eq!(serving(Role::Primary), [0, 1, 3]);
        assert_eq!(serving(Role::Replica), [2]);
    }
}
