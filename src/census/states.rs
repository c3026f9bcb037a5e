//! The 52 areas that SF1 was published for, and what the Bureau calls them.

/// A state, the District of Columbia or Puerto Rico.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct State {
    /// Two letters, lower case, as file names begin.
    pub letters: &'static str,
    /// Two-digit FIPS code.
    pub fips: &'static str,
    /// Its folder on the Bureau's server, which is its name with underscores.
    pub folder: &'static str,
}

impl State {
    /// The state of these two letters (either case) or this name (`New York`, `new_york`).
    #[must_use]
    pub fn find(name: &str) -> Option<&'static Self> {
        let folder = name.trim().replace([' ', '-'], "_");
        STATES.iter().find(|s| s.letters.eq_ignore_ascii_case(&folder) || s.folder.eq_ignore_ascii_case(&folder))
    }
}

const fn state(letters: &'static str, fips: &'static str, folder: &'static str) -> State {
    State { letters, fips, folder }
}

/// Every one of them, by name.
pub const STATES: [State; 52] = [
    state("al", "01", "Alabama"),
    state("ak", "02", "Alaska"),
    state("az", "04", "Arizona"),
    state("ar", "05", "Arkansas"),
    state("ca", "06", "California"),
    state("co", "08", "Colorado"),
    state("ct", "09", "Connecticut"),
    state("de", "10", "Delaware"),
    state("dc", "11", "District_of_Columbia"),
    state("fl", "12", "Florida"),
    state("ga", "13", "Georgia"),
    state("hi", "15", "Hawaii"),
    state("id", "16", "Idaho"),
    state("il", "17", "Illinois"),
    state("in", "18", "Indiana"),
    state("ia", "19", "Iowa"),
    state("ks", "20", "Kansas"),
    state("ky", "21", "Kentucky"),
    state("la", "22", "Louisiana"),
    state("me", "23", "Maine"),
    state("md", "24", "Maryland"),
    state("ma", "25", "Massachusetts"),
    state("mi", "26", "Michigan"),
    state("mn", "27", "Minnesota"),
    state("ms", "28", "Mississippi"),
    state("mo", "29", "Missouri"),
    state("mt", "30", "Montana"),
    state("ne", "31", "Nebraska"),
    state("nv", "32", "Nevada"),
    state("nh", "33", "New_Hampshire"),
    state("nj", "34", "New_Jersey"),
    state("nm", "35", "New_Mexico"),
    state("ny", "36", "New_York"),
    state("nc", "37", "North_Carolina"),
    state("nd", "38", "North_Dakota"),
    state("oh", "39", "Ohio"),
    state("ok", "40", "Oklahoma"),
    state("or", "41", "Oregon"),
    state("pa", "42", "Pennsylvania"),
    state("pr", "72", "Puerto_Rico"),
    state("ri", "44", "Rhode_Island"),
    state("sc", "45", "South_Carolina"),
    state("sd", "46", "South_Dakota"),
    state("tn", "47", "Tennessee"),
    state("tx", "48", "Texas"),
    state("ut", "49", "Utah"),
    state("vt", "50", "Vermont"),
    state("va", "51", "Virginia"),
    state("wa", "53", "Washington"),
    state("wv", "54", "West_Virginia"),
    state("wi", "55", "Wisconsin"),
    state("wy", "56", "Wyoming"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn a_state_is_found_by_its_letters_or_its_name() {
        for name in ["ny", "NY", "New York", "new_york", "New_York"] {
            assert_eq!(State::find(name).unwrap().fips, "36");
        }
        assert_eq!(State::find("district of columbia").unwrap().letters, "dc");
        assert_eq!(State::find("atlantis"), None);
        let letters: HashSet<_> = STATES.iter().map(|s| s.letters).collect();
        let codes: HashSet<_> = STATES.iter().map(|s| s.fips).collect();
        assert_eq!((letters.len(), codes.len()), (52, 52));
    }
}
