//! The way past the link: the client stands beside the database and names it itself. The link sees nothing of that:
//! what it would have counted is not known of such a run.

use super::StackStage;
use super::server::service;
use crate::engine::RunSpec;
use crate::model::cell::DIRECT;
use crate::wire::setup::LinkStatus;
use crate::wire::watched::Observed;

impl StackStage {
    /// A client's container on the path that its cell asks for.
    pub(super) fn on_path(&self, spec: RunSpec, link: &str) -> RunSpec {
        match link {
            DIRECT => RunSpec {
                network: self.beyond.clone(),
                path: Some(if self.outside.is_some() { "outside" } else { DIRECT }),
                ..spec
            },
            _ => spec,
        }
    }

    /// What a client calls the database on that path.
    pub(super) fn host(&self, link: &str) -> &'static str {
        if link == DIRECT { service(self.server().storage()) } else { "link" }
    }
}

/// What the link has to say of a run: nothing of one that went past it.
pub(super) fn seen_by_the_link(link: &str, after: LinkStatus, observed: &mut Observed) -> Option<LinkStatus> {
    if link != DIRECT {
        return Some(after);
    }
    observed.link_at_data = None;
    None
}
