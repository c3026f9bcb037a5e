//! The profiles that have a name: those that come with the program, and a user's own.

use super::link::{LinkProfile, Written};
use super::nearest;
use std::collections::BTreeMap;

/// Where a user's own are looked for; the same file comes with the program.
pub const FILE: &str = "experiments/links.toml";

/// Those that come with the program.
const SHIPPED: &str = include_str!("../../experiments/links.toml");

/// Named profiles, the nearest first.
#[derive(Debug, Clone, PartialEq)]
pub struct Profiles(Vec<LinkProfile>);

impl Profiles {
    /// Those that come with the program.
    pub fn shipped() -> Self {
        Self(read(SHIPPED).expect("a test reads the shipped profiles"))
    }

    /// With a user's own, the text of a file like [`FILE`]: a name that is there already now means the user's.
    pub fn with(mut self, text: &str) -> Result<Self, String> {
        for profile in read(text)? {
            match self.0.iter_mut().find(|one| one.name == profile.name) {
                Some(one) => *one = profile,
                None => self.0.push(profile),
            }
        }
        self.sort();
        Ok(self)
    }

    fn sort(&mut self) {
        self.0.sort_by_key(|profile| (profile.rtt(), !profile.is_local(), profile.name.clone()));
    }

    /// All of them, the nearest first.
    pub fn all(&self) -> &[LinkProfile] {
        &self.0
    }

    /// The profile of a name, or the one that settings on the spot describe (`rtt=20ms,loss=0.1%`).
    pub fn find(&self, wanted: &str) -> Result<LinkProfile, String> {
        if wanted.contains('=') {
            return wanted.parse().map_err(|error| format!("link {wanted}: {error}"));
        }
        if let Some(profile) = self.0.iter().find(|profile| profile.name == wanted) {
            return Ok(profile.clone());
        }
        let names = || self.0.iter().map(|profile| profile.name.as_str());
        let hint = nearest::nearest(wanted, names()).map_or_else(
            || format!("there are {}", names().collect::<Vec<_>>().join(", ")),
            |name| format!("did you mean {name}?"),
        );
        Err(format!("there is no link profile {wanted}: {hint} (or settings on the spot: rtt=20ms,loss=0.1%)"))
    }

    /// A profile in any of the forms it may be told in: what [`Self::find`] takes, or JSON.
    pub fn told(&self, text: &str) -> Result<LinkProfile, String> {
        if !text.trim_start().starts_with('{') {
            return self.find(text);
        }
        let profile: LinkProfile =
            serde_json::from_str(text).map_err(|error| format!("the profile's JSON: {error}"))?;
        profile.check()?;
        Ok(profile)
    }
}

/// Reads a file's text; an error says the line and, for a wrong word, the nearest right one.
fn read(text: &str) -> Result<Vec<LinkProfile>, String> {
    let written: BTreeMap<String, Written> = toml::from_str(text).map_err(|error| {
        let line = error.span().map_or(1, |span| text[..span.start].matches('\n').count() + 1);
        let hint = nearest::hint(error.message()).map_or_else(String::new, |word| format!(" (did you mean `{word}`?)"));
        format!("line {line}: {}{hint}", error.message())
    })?;
    let mut profiles = Profiles(Vec::new());
    for (name, written) in &written {
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_') {
            return Err(format!("[{name}]: a profile's name has letters, digits, - and _ only"));
        }
        if written.source.is_none() {
            return Err(format!("[{name}]: source is missing: say where the figures come from, or \"chosen\""));
        }
        profiles.0.push(written.profile(name).map_err(|error| format!("[{name}]: {error}"))?);
    }
    profiles.sort();
    Ok(profiles.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_profiles_are_these_the_nearest_first() {
        let shipped = Profiles::shipped();
        let lines: Vec<String> = shipped.all().iter().map(|one| format!("{}: {one}", one.name)).collect();
        insta::assert_snapshot!(lines.join("\n"));
        assert!(shipped.find("local").unwrap().is_local());
        assert_eq!(shipped.find("local").unwrap().up, LinkProfile::local().up);
        assert!(shipped.find("local-queued").unwrap().queued);
    }

    #[test]
    fn whatever_nobody_measured_is_marked() {
        for profile in Profiles::shipped().all() {
            assert!(profile.date.is_some(), "{} has no date", profile.name);
            assert!(profile.chosen.iter().all(|field| Written::KEYS.contains(&field.as_str())), "{}", profile.name);
            let jitter = profile.up.jitter.is_none() || profile.chosen.contains(&"jitter".to_owned());
            assert!(jitter, "{}: no public source gives a jitter", profile.name);
            assert!(!profile.loses() || profile.chosen.contains(&"loss".to_owned()), "{}", profile.name);
        }
    }

    #[test]
    fn a_user_s_own_profile_is_added_or_put_in_place_of_a_shipped_one() {
        let own = "[office]\nrtt = \"3ms\"\nsource = \"ping, 2026-11\"\n[lte]\nrtt = \"50ms\"\nsource = \"chosen\"\n";
        let profiles = Profiles::shipped().with(own).unwrap();
        assert_eq!(profiles.find("office").unwrap().to_string(), "rtt=3ms");
        assert_eq!(profiles.find("lte").unwrap().to_string(), "rtt=50ms");
        assert_eq!(profiles.find("rtt=7ms").unwrap().name, "rtt=7ms");
    }

    #[test]
    fn mistakes_are_named_with_their_place_and_the_nearest_right_word() {
        let with = |text: &str| Profiles::shipped().with(text).unwrap_err();
        assert_eq!(
            Profiles::shipped().find("trans-atlantic").unwrap_err(),
            "there is no link profile trans-atlantic: did you mean transatlantic? \
             (or settings on the spot: rtt=20ms,loss=0.1%)"
        );
        assert!(with("[a]\nsource = \"x\"\nrtd = \"1ms\"\n").starts_with("line 3: unknown field `rtd`"));
        assert!(with("[a]\nsource = \"x\"\nrtd = \"1ms\"\n").ends_with("(did you mean `rtt`?)"));
        assert!(with("[a]\nsource = \"x\"\nrtt = 20\n").starts_with("line 3: invalid type: integer `20`"));
        assert!(with("[a]\nsource = \"x\"\nrtt = \"20\"\n").contains("line 3: 20 has no unit: write 20ms"));
        assert!(with("[a]\nrtt = \"20ms\"\n").starts_with("[a]: source is missing"));
    }
}
