//! How the engines of a swarm's nodes are reached.

use serde::{Deserialize, Serialize};
use std::ffi::OsStr;
use std::path::PathBuf;

/// The nodes of a swarm, as far as their engines have to be reached by address.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nodes {
    /// Where engines are: `unix:///run/other.sock`, `tcp://host:2376`, `context:name`. Which is which they say themselves.
    #[serde(default)]
    pub engines: Vec<String>,
    /// A folder with `ca.pem`, `cert.pem` and `key.pem`: engines at `tcp://` are spoken to by TLS with these.
    #[serde(default)]
    pub certificates: Option<PathBuf>,
    /// A registry that nodes get images from, as `registry.example:5000/team`; without one they come through the lab.
    #[serde(default)]
    pub registry: Option<String>,
}

impl Nodes {
    /// These, with what is said elsewhere: more engines; the rest where it is not said here, as by a variable that is empty.
    pub fn and(&self, other: &Self) -> Self {
        let all = self.engines.iter().chain(&other.engines);
        Self {
            engines: all.filter(|engine| !engine.is_empty()).cloned().collect(),
            certificates: said(&self.certificates).or_else(|| other.certificates.clone()),
            registry: said(&self.registry).or_else(|| other.registry.clone()),
        }
    }
}

fn said<T: Clone + AsRef<OsStr>>(value: &Option<T>) -> Option<T> {
    value.clone().filter(|value| !value.as_ref().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_here_goes_before_what_is_said_elsewhere_and_engines_add_up() {
        let said = |text: &str| toml::from_str::<Nodes>(text).unwrap();
        let flags = said("engines = [\"unix:///a\", \"\"]\nregistry = \"here:5000\"");
        let file = said("engines = [\"context:bob\"]\nregistry = \"there:5000\"\ncertificates = \"keys\"");
        let both = flags.and(&file);
        assert_eq!(both.engines, ["unix:///a", "context:bob"]);
        assert_eq!((both.registry.as_deref(), both.certificates), (Some("here:5000"), Some("keys".into())));
        let unset = said("registry = \"\"\ncertificates = \"\"").and(&file);
        assert_eq!((unset.registry.as_deref(), unset.certificates), (Some("there:5000"), Some("keys".into())));
        assert!(toml::from_str::<Nodes>("engine = []").is_err());
    }
}
