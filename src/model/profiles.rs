//! The profiles that have a name: those that come with the program, and a user's own.

use super::cell::LOCAL;
use super::link::{LinkProfile, Written};
use super::nearest;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Where a user's own are looked for; the same file comes with the program.
pub const FILE: &str = "experiments/links.toml";

/// Those that come with the program.
const SHIPPED: &str = include_str!("../../experiments/links.toml");

/// Profiles as they are written, each a table under its name.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Own(BTreeMap<String, Written>);

impl Own {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Named profiles, the nearest first.
#[derive(Debug, Clone, PartialEq)]
pub struct Profiles(Vec<LinkProfile>);

impl Profiles {
    /// Those that come with the program.
    pub fn shipped() -> Self {
        Self(Vec::new()).with(SHIPPED).expect("a test reads the shipped profiles")
    }

    /// With a user's own, the text of a file like [`FILE`]: a name that is there already now means the user's.
    pub fn with(self, text: &str) -> Result<Self, String> {
        self.with_own(&read(text)?)
    }

    /// The same with profiles that were read already.
    pub fn with_own(mut self, own: &Own) -> Result<Self, String> {
        for (name, written) in &own.0 {
            let profile = named(name, written).map_err(|error| format!("[{name}]: {error}"))?;
            match self.0.iter_mut().find(|one| one.name == profile.name) {
                Some(one) => *one = profile,
                None => self.0.push(profile),
            }
        }
        self.0.sort_by_key(|profile| (profile.rtt(), !profile.is_local(), profile.name.clone()));
        Ok(self)
    }

    /// Those of these names as they are written. Which of them everybody has nobody knows: a lab that is built from a
    /// file with a user's own ships those, too. Only a link as it is and the way past it mean the same to all.
    pub fn written<'a>(&self, names: impl IntoIterator<Item = &'a str>) -> Own {
        let found = names.into_iter().filter_map(|name| self.0.iter().find(|one| one.name == name));
        let plain = |one: &LinkProfile| one.is_direct() || (one.is_local() && one.name == LOCAL);
        let settings = found.filter(|one| !plain(one));
        Own(settings.map(|one| (one.name.clone(), Written::of(one))).collect())
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
fn read(text: &str) -> Result<Own, String> {
    toml::from_str(text).map_err(|error| {
        let line = error.span().map_or(1, |span| text[..span.start].matches('\n').count() + 1);
        let hint = nearest::hint(error.message()).map_or_else(String::new, |word| format!(" (did you mean `{word}`?)"));
        format!("line {line}: {}{hint}", error.message())
    })
}

fn named(name: &str, written: &Written) -> Result<LinkProfile, String> {
    if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_') {
        return Err("a profile's name has letters, digits, - and _ only".into());
    }
    if written.source.is_none() {
        return Err("source is missing: say where the figures come from, or \"chosen\"".into());
    }
    written.profile(name)
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
    fn what_a_series_ran_on_is_written_and_read_back_as_the_same() {
        let own = "[office]\ndelay_up = \"10s\"\ndelay_down = \"9s\"\njitter_up = \"1ms\"\nordered = false\nloss = \"1%\"\n\
                   burst = \"4packets\"\ndown = \"1mbit\"\nqueued = true\nsource = \"ping\"\ndate = \"2026\"\n\
                   chosen = [\"loss\"]\n[lte]\nrtt = \"50ms\"\nsource = \"chosen\"\n[unused]\nsource = \"chosen\"\n";
        let here = Profiles::shipped().with(own).unwrap();
        let kept = here.written(["office", "lte", "home", "rtt=7ms", "office"]);
        assert_eq!(kept.0.keys().collect::<Vec<_>>(), ["home", "lte", "office"]);
        let again: Own = toml::from_str(&toml::to_string(&kept).unwrap()).unwrap();
        assert_eq!(again, kept);
        let there = Profiles::shipped().with_own(&again).unwrap();
        for name in ["office", "lte", "home"] {
            assert_eq!(there.find(name), here.find(name));
        }
        for profile in here.all() {
            assert_eq!(named(&profile.name, &Written::of(profile)).as_ref(), Ok(profile));
        }
        assert!(here.written(["local", "direct"]).is_empty());
        let odd = Profiles::shipped().with("[local]\nrtt = \"1ms\"\nsource = \"chosen\"\n").unwrap();
        assert!(!odd.written(["local"]).is_empty());
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
