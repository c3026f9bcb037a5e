//! Who runs on which processors. Pure.

use crate::model::Placement;

/// From so many processors on, link and lab get one of their own.
const ENOUGH_FOR_A_THIRD: usize = 4;

/// Processors as the engine wants them: `0-1`, `2`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    /// The client's.
    pub client: Place,
    /// The database's.
    pub database: Place,
    /// Those of link and lab.
    pub others: Place,
}

/// A range of processors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    first: usize,
    count: usize,
}

impl Place {
    /// How many they are.
    pub fn count(self) -> usize {
        self.count
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.count == 1 {
            write!(f, "{}", self.first)
        } else {
            write!(f, "{}-{}", self.first, self.first + self.count - 1)
        }
    }
}

/// Pinned: client and database each half, the database the larger one. Link and lab get the last processor where
/// there are enough; else they share the client's, which is the idler of the two when rows go one by one.
pub fn places(placement: Placement, processors: usize) -> Result<Places, String> {
    let all = Place { first: 0, count: processors };
    match placement {
        Placement::Shared => Ok(Places { client: all, database: all, others: all }),
        Placement::Pinned if processors < 2 => {
            Err("pinned placement needs two processors, the engine has one: use placement = \"shared\"".into())
        }
        Placement::Pinned => {
            let third = usize::from(processors >= ENOUGH_FOR_A_THIRD);
            let client = Place { first: 0, count: (processors - third) / 2 };
            let database = Place { first: client.count, count: processors - third - client.count };
            let others = if third == 1 { Place { first: processors - 1, count: 1 } } else { client };
            Ok(Places { client, database, others })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pinned_client_and_database_never_share_a_processor() {
        for (processors, expected) in [(2, "0 1 0"), (3, "0 1-2 0"), (4, "0 1-2 3"), (8, "0-2 3-6 7")] {
            let places = places(Placement::Pinned, processors).unwrap();
            assert_eq!(format!("{} {} {}", places.client, places.database, places.others), expected);
        }
        assert!(places(Placement::Pinned, 1).unwrap_err().contains("needs two processors"));
        assert_eq!(places(Placement::Shared, 2).unwrap().client.to_string(), "0-1");
    }
}
