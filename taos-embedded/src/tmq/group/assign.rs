//! Who reads which vgroup.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::MemberId;

/// Gives every vgroup an owner, if there is any member: the counts differ by one at most, and no more
/// vgroups move than that takes. Of members that are otherwise alike, the one with less to do elsewhere
/// (`load`) gets the one more.
pub(super) fn balance(
    owners: &mut BTreeMap<i32, Option<MemberId>>,
    members: &BTreeSet<MemberId>,
    load: &HashMap<MemberId, usize>,
) {
    for owner in owners.values_mut() {
        *owner = owner.filter(|owner| members.contains(owner));
    }
    let Some(base) = owners.len().checked_div(members.len()) else {
        return;
    };
    let extra = owners.len() - base * members.len();
    let held = |member: MemberId| owners.values().filter(|o| **o == Some(member)).count();
    let mut order: Vec<(MemberId, usize)> = members.iter().map(|m| (*m, held(*m))).collect();
    order.sort_by_key(|(member, held)| {
        let kept = (*held).min(base + 1);
        let load = load.get(member).copied().unwrap_or_default();
        (std::cmp::Reverse(kept), load, *member)
    });
    let mut room: HashMap<MemberId, usize> = HashMap::new();
    for (at, (member, _)) in order.iter().enumerate() {
        room.insert(*member, base + usize::from(at < extra));
    }
    for owner in owners.values_mut() {
        if let Some(left) = owner.and_then(|owner| room.get_mut(&owner)) {
            match left.checked_sub(1) {
                Some(less) => *left = less,
                None => *owner = None,
            }
        }
    }
    let mut takers = order.iter().flat_map(|(member, _)| {
        std::iter::repeat_n(*member, room.get(member).copied().unwrap_or_default())
    });
    for owner in owners.values_mut().filter(|owner| owner.is_none()) {
        *owner = takers.next();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn owners(owners: &[Option<MemberId>]) -> BTreeMap<i32, Option<MemberId>> {
        (2..).zip(owners.iter().copied()).collect()
    }

    fn counts(owners: &BTreeMap<i32, Option<MemberId>>) -> HashMap<MemberId, usize> {
        let mut counts = HashMap::new();
        for owner in owners.values().flatten() {
            *counts.entry(*owner).or_default() += 1;
        }
        counts
    }

    #[test]
    fn two_members_share_four_vgroups_evenly_and_the_first_keeps_two_of_its_own() {
        let mut shared = owners(&[None; 4]);
        balance(&mut shared, &[1].into(), &HashMap::new());
        assert_eq!(counts(&shared), [(1, 4)].into());
        balance(&mut shared, &[1, 2].into(), &HashMap::new());
        assert_eq!(counts(&shared), [(1, 2), (2, 2)].into());
        balance(&mut shared, &[2].into(), &HashMap::new());
        assert_eq!(counts(&shared), [(2, 4)].into());
    }

    #[test]
    fn the_odd_vgroup_goes_to_whoever_has_less_elsewhere() {
        let mut shared = owners(&[None]);
        balance(&mut shared, &[1, 2].into(), &[(1, 1)].into());
        assert_eq!(counts(&shared), [(2, 1)].into());
    }

    proptest! {
        #[test]
        fn every_vgroup_has_one_owner_the_shares_are_even_and_few_move(
            before in prop::collection::vec(prop::option::of(1_u64..8), 0..24),
            members in prop::collection::btree_set(1_u64..8, 0..7),
        ) {
            let before = owners(&before);
            let mut after = before.clone();
            balance(&mut after, &members, &HashMap::new());
            prop_assert!(after.keys().eq(before.keys()));
            if members.is_empty() {
                prop_assert!(after.values().all(Option::is_none));
                return Ok(());
            }
            prop_assert!(after.values().all(|o| o.is_some_and(|o| members.contains(&o))));
            let share = |member: &MemberId| counts(&after).get(member).copied().unwrap_or_default();
            let most = members.iter().map(share).max().unwrap_or_default();
            let least = members.iter().map(share).min().unwrap_or_default();
            prop_assert!(most - least <= 1);
            // What stays is all that an even share lets stay.
            let base = before.len() / members.len();
            let extra = before.len() % members.len();
            let held = counts(&before);
            let held = members.iter().map(|m| held.get(m).copied().unwrap_or_default());
            let with_more = held.clone().filter(|n| *n > base).count().min(extra);
            let may_stay = held.map(|n| n.min(base)).sum::<usize>() + with_more;
            let stayed = before.iter().filter(|(v, o)| o.is_some() && after.get(v) == Some(o)).count();
            prop_assert_eq!(stayed, may_stay);
        }
    }
}
