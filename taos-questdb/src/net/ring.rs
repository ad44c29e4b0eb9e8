use std::sync::atomic::{AtomicUsize, Ordering};

use crate::settings::Address;

/// The addresses of one configuration, and which of them worked last. Requests go to that one until it
/// fails (questdb §5.6).
#[derive(Debug)]
pub(crate) struct Ring {
    addresses: Vec<Address>,
    current: AtomicUsize,
}

impl Ring {
    pub(crate) fn new(addresses: Vec<Address>) -> Self {
        Self {
            addresses,
            current: AtomicUsize::new(0),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.addresses.len()
    }

    /// The address to try now, and its number for [`failed`](Self::failed).
    pub(crate) fn pick(&self) -> Option<(usize, &Address)> {
        let number = self.current.load(Ordering::Relaxed);
        self.addresses.get(number).map(|address| (number, address))
    }

    /// Moves on from this address, unless somebody else already has.
    pub(crate) fn failed(&self, number: usize) {
        let next = number
            .checked_add(1)
            .filter(|next| *next < self.addresses.len())
            .unwrap_or(0);
        let _ = self
            .current
            .compare_exchange(number, next, Ordering::Relaxed, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring(ports: &[u16]) -> Ring {
        Ring::new(
            ports
                .iter()
                .map(|port| Address {
                    host: "h".to_owned(),
                    port: *port,
                })
                .collect(),
        )
    }

    #[test]
    fn the_address_that_works_is_kept_and_a_failed_one_is_left_behind_once() {
        let ring = ring(&[1, 2, 3]);
        let port = || ring.pick().map(|(_, address)| address.port);
        assert_eq!(port(), Some(1));
        assert_eq!(port(), Some(1));
        ring.failed(0);
        ring.failed(0);
        assert_eq!(port(), Some(2), "two requests saw the same failure");
        ring.failed(1);
        ring.failed(2);
        assert_eq!(port(), Some(1));
    }

    #[test]
    fn a_single_address_stays_although_it_failed() {
        let ring = ring(&[7]);
        ring.failed(0);
        assert_eq!(ring.pick().map(|(number, _)| number), Some(0));
    }
}
