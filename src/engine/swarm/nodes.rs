//! Which node is for what: by the label that people give it. Pure.

use crate::model::nearest;
use crate::wire::exit::{Exit, Failure};
use bollard::models::{Node, NodeSpecAvailabilityEnum, NodeState};

/// The node label that says what a node is for: `database` or `client`.
pub const ROLE: &str = "lab.role";

/// What a node is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// The database and the link: one node.
    Database,
    /// Ingesters: one node or more.
    Client,
}

impl Place {
    const ALL: [Self; 2] = [Self::Database, Self::Client];

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Database => "database",
            Self::Client => "client",
        }
    }
}

/// A node as its manager knows it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Seen {
    pub id: String,
    /// Its label [`ROLE`].
    pub role: Option<String>,
    /// The manager's word where it is not ready: `down`.
    pub away: Option<String>,
    /// The manager's word where it takes no tasks: `drain`.
    pub closed: Option<String>,
}

impl Seen {
    pub(super) fn of(node: Node) -> Self {
        let (spec, status) = (node.spec.unwrap_or_default(), node.status.unwrap_or_default());
        let state = status.state.unwrap_or(NodeState::UNKNOWN);
        let open = spec.availability.unwrap_or(NodeSpecAvailabilityEnum::ACTIVE);
        Self {
            id: node.id.unwrap_or_default(),
            role: spec.labels.and_then(|mut labels| labels.remove(ROLE)),
            away: (state != NodeState::READY).then(|| state.to_string()),
            closed: (open != NodeSpecAvailabilityEnum::ACTIVE).then(|| open.to_string()),
        }
    }
}

/// The ids of the nodes by what they are for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Placed {
    pub database: String,
    pub clients: Vec<String>,
}

/// Finds them: exactly one for the database, one at least for clients, all of them there.
pub(super) fn placed(nodes: &[Seen]) -> Result<Placed, Failure> {
    for role in nodes.iter().filter_map(|node| node.role.as_deref()) {
        if !Place::ALL.iter().any(|place| place.word() == role) {
            let hint = nearest::nearest(role, Place::ALL.into_iter().map(Place::word))
                .map_or_else(String::new, |word| format!(" (did you mean {word}?)"));
            return Err(refuse(format!("a node carries the label {ROLE}={role}: it is database or client{hint}")));
        }
    }
    let of = |place: Place| nodes.iter().filter(move |node| node.role.as_deref() == Some(place.word()));
    for place in Place::ALL {
        if of(place).next().is_none() {
            let word = place.word();
            return Err(refuse(format!(
                "no node of the swarm carries the label {ROLE}={word}: `docker node update --label-add {ROLE}={word} NODE` \
                 gives it (`docker node ls` shows the nodes)"
            )));
        }
    }
    let databases = of(Place::Database).count();
    if databases > 1 {
        return Err(refuse(format!(
            "{databases} nodes carry the label {ROLE}=database, a stack has one database: `docker node update --label-rm \
             {ROLE} NODE` takes it from one"
        )));
    }
    for place in Place::ALL {
        of(place).try_for_each(|node| is_there(place, node))?;
    }
    let ids = |place| of(place).map(|node| node.id.clone());
    Ok(Placed { database: ids(Place::Database).collect(), clients: ids(Place::Client).collect() })
}

fn is_there(place: Place, node: &Seen) -> Result<(), Failure> {
    let word = place.word();
    if let Some(state) = &node.away {
        return Err(refuse(format!(
            "the node with {ROLE}={word} is {state}: start its engine, and see that the manager reaches it (2377/tcp, 7946/tcp \
             and udp, 4789/udp); or take the label away"
        )));
    }
    match &node.closed {
        None => Ok(()),
        Some(how) => Err(refuse(format!(
            "the node with {ROLE}={word} takes no tasks (its availability is {how}): `docker node update --availability \
             active NODE`"
        ))),
    }
}

/// Nobody said where the engine of such a node is.
pub(super) fn no_address(place: Place) -> Failure {
    refuse(format!(
        "no engine's address was given for the node with {ROLE}={}: name it with --node or INGEST_LAB_NODES, as \
         unix:///run/other.sock, tcp://host:2376 or context:NAME (docs/two-hosts.md)",
        place.word()
    ))
}

/// Whether a node can run images that were made for `wanted`.
pub(super) fn same_architecture(place: Place, wanted: &str, found: &str) -> Result<(), Failure> {
    if wanted == found {
        return Ok(());
    }
    Err(refuse(format!(
        "the node with {ROLE}={} runs {found}, the images are for {wanted}: give the label to a host of that kind",
        place.word()
    )))
}

fn refuse(message: String) -> Failure {
    Failure::new(Exit::Engine, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(id: &str, role: &str) -> Seen {
        Seen { id: id.into(), role: Some(role.into()).filter(|role: &String| !role.is_empty()), ..Default::default() }
    }

    fn said(nodes: &[Seen]) -> String {
        placed(nodes).unwrap_err().message
    }

    #[test]
    fn a_node_is_for_what_its_label_says_and_others_are_for_nothing() {
        let nodes = [node("a", "client"), node("b", ""), node("c", "database"), node("d", "client")];
        let found = placed(&nodes).unwrap();
        assert_eq!(found, Placed { database: "c".into(), clients: vec!["a".into(), "d".into()] });
    }

    #[test]
    fn a_label_that_nobody_or_two_carry_or_that_says_something_else_is_refused_with_the_remedy() {
        let text = said(&[node("a", "client"), node("b", "")]);
        assert!(
            text.contains("no node of the swarm carries the label lab.role=database: `docker node update"),
            "{text}"
        );
        let text = said(&[node("a", "database")]);
        assert!(text.contains("--label-add lab.role=client"), "{text}");
        let text = said(&[node("a", "database"), node("b", "database"), node("c", "client")]);
        assert!(text.contains("2 nodes carry") && text.contains("--label-rm"), "{text}");
        let text = said(&[node("a", "databse"), node("c", "client")]);
        assert!(text.contains("did you mean database?"), "{text}");
    }

    #[test]
    fn a_node_that_is_down_drained_or_of_another_kind_is_refused_with_the_remedy() {
        let down = Seen { away: Some("down".into()), ..node("b", "client") };
        assert!(said(&[node("a", "database"), down]).contains("lab.role=client is down: start its engine"));
        let drained = Seen { closed: Some("drain".into()), ..node("a", "database") };
        assert!(said(&[drained, node("b", "client")]).contains("--availability active"));
        let idle = [node("a", "database"), node("b", "client"), Seen { away: Some("down".into()), ..node("c", "") }];
        assert!(placed(&idle).is_ok(), "a node that takes no part may be down");
        assert!(same_architecture(Place::Client, "x86_64", "x86_64").is_ok());
        let text = same_architecture(Place::Client, "x86_64", "aarch64").unwrap_err().message;
        assert!(text.contains("runs aarch64, the images are for x86_64"), "{text}");
        assert!(no_address(Place::Client).message.contains("INGEST_LAB_NODES"));
    }
}
