//! A database server that is not the lab's: what is known of it, and what could not be seen of it.

use super::{DbUrl, Event};
use serde::{Deserialize, Serialize};

/// What a result calls such a server: where it is and who connects is nobody's business.
pub const UNNAMED: &str = "the external database";

/// Such a server, as it was when a series began.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Server {
    /// PostgreSQL's version, in the server's words.
    pub version: String,
    /// Checksum of host, port and database: the same place has the same, and does not tell its name.
    pub place: String,
}

impl Server {
    /// Whether both are surely one. A place that isn't recorded is like no other.
    pub fn is_at_place_of(&self, other: &Self) -> bool {
        !self.place.is_empty() && self.place == other.place
    }
}

/// What was found around a run on such a server.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct External {
    /// Which.
    pub server: Server,
    /// What could not be seen, or was left undone because it is not the lab's to do, a phrase each.
    pub unseen: Vec<String>,
    /// What the server says of the role's statements while the ingester ran; none where it doesn't say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statements: Option<Statements>,
}

/// Of `pg_stat_statements`: statements of the role in the database, the lab's own few among them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Statements {
    /// How many were executed.
    pub calls: f64,
    /// Time the server took for them, seconds: its processors' and its disks' together.
    pub seconds: f64,
}

impl Statements {
    /// What has come since.
    pub fn since(self, before: Self) -> Self {
        Self { calls: self.calls - before.calls, seconds: self.seconds - before.seconds }
    }
}

/// Takes a server's names out of a text that is kept.
#[derive(Debug, Clone, Default)]
pub struct Veil(Vec<String>);

impl Veil {
    /// Hides these words: hosts, users.
    pub fn over(words: impl IntoIterator<Item = String>) -> Self {
        let mut words: Vec<String> = words.into_iter().filter(|word| !word.is_empty()).collect();
        words.sort_by_key(|word| std::cmp::Reverse(word.len())); // what holds another word goes before it
        Self(words)
    }

    /// The text without them.
    pub fn hide(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, word| text.replace(word.as_str(), UNNAMED))
    }

    /// What an ingester said, without them.
    pub fn hide_in(&self, event: &Event) -> Event {
        match event {
            Event::Finished { result } => {
                let mut result = result.clone();
                result.job.dburl = DbUrl(format!("({UNNAMED})"));
                result.lost.iter_mut().for_each(|one| *one = self.hide(one));
                Event::Finished { result }
            }
            Event::Failed { error, code } => Event::Failed { error: self.hide(error), code: *code },
            Event::WorkerLost { worker, error } => Event::WorkerLost { worker: *worker, error: self.hide(error) },
            other => other.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_a_server_leave_no_trace_in_what_is_kept() {
        let veil = Veil::over(["db.example.org:5432/app".into(), "db.example.org".into(), String::new()]);
        let said = "the database at postgresql://db.example.org:5432/app is gone; db.example.org is silent";
        let hidden = veil.hide(said);
        assert!(!hidden.contains("example"), "{hidden}");
        assert_eq!(hidden.matches(UNNAMED).count(), 2);
        assert_eq!(Veil::default().hide(said), said);
    }
}
