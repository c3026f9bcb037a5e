//! Who runs on which processors. Pure.

use crate::model::Placement;
use crate::model::limits::processors;
use std::collections::BTreeSet;
use std::fmt;

/// From so many cores on, link and lab get one of their own.
const ENOUGH_FOR_A_THIRD: usize = 4;

/// Prints, a line each, which processors are hardware threads of one core.
pub const SIBLINGS: &str = "cat /sys/devices/system/cpu/cpu[0-9]*/topology/thread_siblings_list";

/// A machine's processors, by core: hardware threads of one core share its units, so a limit on one is felt by the
/// other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cores(Vec<Vec<usize>>);

impl Cores {
    /// From what [`SIBLINGS`] prints. A processor that isn't in it, as where the kernel doesn't tell, is a core.
    pub fn parse(text: &str, count: usize) -> Self {
        let mut cores: BTreeSet<Vec<usize>> = text
            .lines()
            .filter_map(processors)
            .map(|core| core.into_iter().filter(|processor| *processor < count).collect::<Vec<_>>())
            .filter(|core| !core.is_empty())
            .collect();
        let known: BTreeSet<usize> = cores.iter().flatten().copied().collect();
        cores.extend((0..count).filter(|processor| !known.contains(processor)).map(|alone| vec![alone]));
        Self(cores.into_iter().collect())
    }

    /// How many processors.
    pub fn count(&self) -> usize {
        self.0.iter().map(Vec::len).sum()
    }

    fn place(cores: &[Vec<usize>]) -> Place {
        Place(cores.iter().flatten().copied().collect())
    }
}

/// Who runs where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    /// The client's.
    pub client: Place,
    /// The database's.
    pub database: Place,
    /// Those of link and lab.
    pub others: Place,
    /// Client and database are apart, yet on hardware threads of the same core: there is only one.
    pub shares_core: bool,
}

/// Processors, written as the engine wants them: `0-1,3`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place(BTreeSet<usize>);

impl Place {
    /// How many they are.
    pub fn count(&self) -> usize {
        self.0.len()
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut ranges: Vec<(usize, usize)> = Vec::new();
        for &processor in &self.0 {
            match ranges.last_mut() {
                Some((_, last)) if *last + 1 == processor => *last = processor,
                _ => ranges.push((processor, processor)),
            }
        }
        let words = ranges.iter().map(
            |(first, last)| {
                if first == last { first.to_string() } else { format!("{first}-{last}") }
            },
        );
        f.write_str(&words.collect::<Vec<_>>().join(","))
    }
}

/// Pinned: client and database each half of the cores, the database the larger one. Link and lab get the last core
/// where there are enough; else they share the client's, which is the idler of the two when rows go one by one.
pub fn places(placement: Placement, cores: &Cores) -> Result<Places, String> {
    let all = Cores::place(&cores.0);
    match placement {
        Placement::Shared => Ok(Places { client: all.clone(), database: all.clone(), others: all, shares_core: false }),
        Placement::Pinned if cores.count() < 2 => {
            Err("pinned placement needs two processors, the engine has one: use placement = \"shared\"".into())
        }
        Placement::Pinned => {
            // One core of several threads has nothing else to divide.
            let shares_core = cores.0.len() == 1;
            let threads: Vec<Vec<usize>> = cores.0.iter().flatten().map(|thread| vec![*thread]).collect();
            let units = if shares_core { &threads } else { &cores.0 };
            let third = usize::from(units.len() >= ENOUGH_FOR_A_THIRD);
            let (rest, last) = units.split_at(units.len() - third);
            let (client, database) = rest.split_at(rest.len() / 2);
            let others = if third == 1 { last } else { client };
            Ok(Places {
                client: Cores::place(client),
                database: Cores::place(database),
                others: Cores::place(others),
                shares_core,
            })
        }
    }
}

/// Client and database on machines of their own: each has all of its own, but where it is to be pinned link and lab get
/// the last core of the database's, if it has another.
pub fn places_apart(placement: Placement, client: &Cores, database: &Cores) -> Places {
    let all = Cores::place(&database.0);
    let (own, others) = match (placement, database.0.split_last()) {
        (Placement::Pinned, Some((last, rest))) if !rest.is_empty() => {
            (Cores::place(rest), Cores::place(std::slice::from_ref(last)))
        }
        _ => (all.clone(), all),
    };
    Places { client: Cores::place(&client.0), database: own, others, shares_core: false }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pinned(cores: &Cores) -> String {
        let places = places(Placement::Pinned, cores).unwrap();
        let shared = if places.shares_core { " one core" } else { "" };
        format!("{} {} {}{shared}", places.client, places.database, places.others)
    }

    #[test]
    fn pinned_client_and_database_never_share_a_processor() {
        for (processors, expected) in [(2, "0 1 0"), (3, "0 1-2 0"), (4, "0 1-2 3"), (8, "0-2 3-6 7")] {
            assert_eq!(pinned(&Cores::parse("", processors)), expected);
        }
        let one = Cores::parse("0\n", 1);
        assert!(places(Placement::Pinned, &one).unwrap_err().contains("needs two processors"));
        assert_eq!(places(Placement::Shared, &Cores::parse("0\n1\n", 2)).unwrap().client.to_string(), "0-1");
    }

    #[test]
    fn hardware_threads_of_a_core_stay_on_one_side() {
        // As a server with two threads a core writes it: the second threads come after all the first.
        let eight = Cores::parse("0,4\n1,5\n2,6\n3,7\n0,4\n1,5\n2,6\n3,7\n", 8);
        assert_eq!(pinned(&eight), "0,4 1-2,5-6 3,7");
        // As a small virtual machine does: one core, two threads.
        assert_eq!(pinned(&Cores::parse("0-1\n0-1\n", 2)), "0 1 0 one core");
        assert_eq!(pinned(&Cores::parse("0-1\n0-1\n2-3\n2-3\n", 4)), "0-1 2-3 0-1");
    }

    #[test]
    fn on_machines_of_their_own_each_side_has_all_of_its_own() {
        let (two, four) = (Cores::parse("", 2), Cores::parse("", 4));
        let said = |placement, client: &Cores, database: &Cores| {
            let Places { client, database, others, shares_core } = places_apart(placement, client, database);
            assert!(!shares_core);
            format!("{client} {database} {others}")
        };
        assert_eq!(said(Placement::Shared, &two, &four), "0-1 0-3 0-3");
        assert_eq!(said(Placement::Pinned, &two, &four), "0-1 0-2 3");
        assert_eq!(said(Placement::Pinned, &four, &Cores::parse("", 1)), "0-3 0 0", "one core has to do for both");
    }

    #[test]
    fn what_the_kernel_does_not_tell_is_taken_for_cores() {
        assert_eq!(Cores::parse("nonsense\n", 3), Cores::parse("", 3));
        assert_eq!(Cores::parse("0-7\n", 2).count(), 2, "more than the engine has are not counted");
    }
}
