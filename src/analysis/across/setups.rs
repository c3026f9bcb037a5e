//! What differs in what produced two series, and what that means for what may be said.

use crate::wire::setup::Setup;
use serde::Serialize;

/// Two setups side by side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Setups {
    /// Whether both ran on one machine, as far as what is recorded tells.
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
        let same_machine = base.same_machine(other);
        let rules = [
            (same_machine, "these are two machines, or one whose kernel, memory or processors were changed"),
            (base.data == other.data, "they ingest different data"),
            (base.engine.cgroup == other.engine.cgroup, "limits on CPU work differently"),
            (
                (base.forwarding, base.backend) == (other.forwarding, other.backend),
                "the way to the database is made differently",
            ),
        ];
        let against = rules.into_iter().filter(|(same, _)| !same).map(|(_, why)| why).collect();
        let mut differences = base.differences(other);
        let architectures = [&base.engine.architecture, &other.engine.architecture];
        if architectures[0] != architectures[1] {
            differences.push(format!("the architecture was {}, is {}", architectures[0], architectures[1]));
        }
        Self { same_machine, differences, against }
    }

    /// Whether absolute rates mean the same in both.
    pub fn absolute(&self) -> bool {
        self.against.is_empty()
    }
}
