//! What differs in what produced two series, and what that means for what may be said.

use crate::wire::setup::Setup;
use serde::Serialize;

/// Two setups side by side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Setups {
    /// Whether both ran on one machine, with the database at one place, as far as what is recorded tells.
    pub same_machine: bool,
    /// What differs, a phrase each; empty where nothing does.
    pub differences: Vec<String>,
    /// Why absolute rates are not compared, a phrase each; empty where they are.
    pub against: Vec<&'static str>,
}

impl Setups {
    /// Of a base and what is compared with it. Other images, another lab or another engine on the same machine are what
    /// people compare; what changes the machine, the work or the way there leaves only ratios to be compared.
    pub(super) fn of(base: &Setup, other: &Setup) -> Self {
        let rules = [
            (base.same_hosts(other), "these are two machines, or one whose kernel, memory or processors were changed"),
            (base.same_server(other), "their databases are on two servers, or on such as cannot be told to be one"),
            (base.data == other.data, "they ingest different data"),
            (base.engine.cgroup == other.engine.cgroup, "limits on CPU work differently"),
            (
                (base.forwarding, base.backend) == (other.forwarding, other.backend),
                "the way to the database is made differently",
            ),
        ];
        let against = rules.into_iter().filter(|(same, _)| !same).map(|(_, why)| why).collect();
        Self { same_machine: base.same_machine(other), differences: base.differences(other), against }
    }

    /// Whether absolute rates mean the same in both.
    pub fn absolute(&self) -> bool {
        self.against.is_empty()
    }
}
