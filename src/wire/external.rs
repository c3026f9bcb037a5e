//! A database server that is not the lab's: what is known of it, and what could not be seen of it.

use super::watched::Statements;
use super::{DbUrl, Event, RunResult};
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
    /// What older records have of the role's statements; newer ones have it in [`Observed`](super::watched::Observed),
    /// whoever's the server is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statements: Option<Statements>,
}

/// Takes a server's names out of a text that is kept.
#[derive(Debug, Clone, Default)]
pub struct Veil {
    /// Hosts and URLs.
    places: Vec<String>,
    /// A user, a database: they may be ordinary words.
    names: Vec<String>,
}

/// What stands for a name that is not told.
const UNTOLD: &str = "(unnamed)";

/// What servers put a name into, whatever language they speak.
const QUOTES: [char; 10] =
    ['"', '\'', '`', '\u{ab}', '\u{bb}', '\u{201c}', '\u{201d}', '\u{201e}', '\u{2018}', '\u{2019}'];

/// What stands between such a mark and the name in French.
const THIN: [char; 2] = ['\u{a0}', '\u{202f}'];

/// What a name is that stands after one of these, without quotes.
const NAMED: [&str; 6] = ["role", "user", "username", "owner", "database", "dbname"];

/// Things of the lab's own that may be called like a user or a database: a sentence about one stays as it is.
const OTHERS: [&str; 9] =
    ["relation", "table", "column", "schema", "constraint", "index", "type", "function", "parameter"];

impl Veil {
    /// Hides these: places wherever they stand; names where a user or a database is meant.
    pub fn over(places: impl IntoIterator<Item = String>, names: impl IntoIterator<Item = String>) -> Self {
        Self { places: longest_first(places), names: longest_first(names) }
    }

    /// The text without them.
    pub fn hide(&self, text: &str) -> String {
        let text = self.places.iter().fold(text.to_owned(), |text, place| text.replace(place.as_str(), UNNAMED));
        let text = self.names.iter().fold(text, |text, name| without(&text, name));
        if self.places.is_empty() { text } else { without_client(text) }
    }

    /// A result without them: where it wrote, and who it trusted to say so.
    pub fn unname(&self, result: &mut RunResult) {
        result.job.dburl = DbUrl(format!("({UNNAMED})"));
        result.job.tls.iter_mut().for_each(|pem| *pem = format!("(the authority of {UNNAMED})"));
        result.lost.iter_mut().for_each(|one| *one = self.hide(one));
    }

    /// What an ingester said, without them.
    pub fn hide_in(&self, event: &Event) -> Event {
        let mut event = event.clone();
        match &mut event {
            Event::Finished { result } => self.unname(result),
            Event::Failed { error, .. } | Event::WorkerLost { error, .. } | Event::ConnectionLost { error, .. } => {
                *error = self.hide(error);
            }
            _ => {}
        }
        event
    }
}

/// What holds another word goes before it.
fn longest_first(words: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut words: Vec<String> = words.into_iter().filter(|word| !word.is_empty()).collect();
    words.sort_by_key(|word| std::cmp::Reverse(word.len()));
    words
}

/// The text without a name where it is meant.
fn without(text: &str, name: &str) -> String {
    let (mut hidden, mut told) = (String::new(), 0);
    for (at, _) in text.match_indices(name) {
        let end = at + name.len();
        if is_meant(&text[..at], &text[end..]) {
            hidden.push_str(&text[told..at]);
            hidden.push_str(UNTOLD);
            told = end;
        }
    }
    hidden.push_str(&text[told..]);
    hidden
}

/// Whether a user or a database is what is called by the word between these: in quotes, or after what it is.
fn is_meant(before: &str, after: &str) -> bool {
    let last = |text: &str| {
        let word = text.rsplit(|letter: char| !letter.is_alphabetic()).next().unwrap_or_default();
        word.to_lowercase()
    };
    let (opened, closed) = (before.trim_end_matches(THIN), after.trim_start_matches(THIN));
    if opened.ends_with(QUOTES) && closed.starts_with(QUOTES) {
        let what = last(opened.trim_end_matches(QUOTES).trim_end());
        return !OTHERS.contains(&what.as_str());
    }
    let goes_on = after.starts_with(|letter: char| letter.is_alphanumeric() || letter == '_');
    let what = before.strip_suffix([' ', '=']).map(last).unwrap_or_default();
    !goes_on && NAMED.contains(&what.as_str())
}

/// A server that lets nobody in says who came, too: this machine, by its address.
fn without_client(text: String) -> String {
    let told = || {
        let (before, rest) = text.split_once("host \"")?;
        let (_, after) = rest.split_once('"')?;
        Some(format!("{before}host \"{UNTOLD}\"{after}"))
    };
    told().unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use super::*;
    use crate::model::Scheme;

    #[test]
    fn names_of_a_server_leave_no_trace_in_what_is_kept() {
        let veil = Veil::over(["db.example.org:5432/app".into(), "db.example.org".into(), String::new()], []);
        let said = "the database at postgresql://db.example.org:5432/app is gone; db.example.org is silent";
        let hidden = veil.hide(said);
        assert!(!hidden.contains("example"), "{hidden}");
        assert_eq!(hidden.matches(UNNAMED).count(), 2);
        assert_eq!(Veil::default().hide(said), said);
    }

    #[test]
    fn a_user_and_a_database_are_hidden_where_they_are_meant_and_words_stay_words() {
        let veil = Veil::over(["db.example.org".into()], ["ada".into(), "app".into(), "postgres".into()]);
        for (said, kept) in [
            ("too many connections for role \"ada\"", "too many connections for role \"(unnamed)\""),
            ("permission denied for database app", "permission denied for database (unnamed)"),
            ("database \"app\" does not exist", "database \"(unnamed)\" does not exist"),
            (
                "user=ada database=app host=db.example.org",
                "user=(unnamed) database=(unnamed) host=the external database",
            ),
            ("Rolle »ada« gibt es nicht", "Rolle »(unnamed)« gibt es nicht"),
            ("le rôle « ada »".replace(' ', "\u{a0}").as_str(), "le\u{a0}rôle\u{a0}«\u{a0}(unnamed)\u{a0}»"),
            (
                "no pg_hba.conf entry for host \"10.1.2.3\", user \"postgres\", database \"app\", no encryption",
                "no pg_hba.conf entry for host \"(unnamed)\", user \"(unnamed)\", database \"(unnamed)\", no encryption",
            ),
        ] {
            assert_eq!(veil.hide(said), kept);
            assert_eq!(veil.hide(kept), kept, "what is hidden stays as it is");
        }
        for said in [
            "relation \"app\" does not exist",
            "role \"adamant\" and database apparatus",
            "the postgres of ada, an app",
            "no room in /var/lib/postgres/data",
        ] {
            assert_eq!(veil.hide(said), said);
        }
    }

    #[test]
    fn a_result_tells_neither_where_it_wrote_nor_by_whose_certificate_in_the_record_and_in_what_was_said() {
        let veil = Veil::over(["db.example.org".into()], ["lovelace".into()]);
        let mut result = testing::record(1, Scheme::Threads, 9_000.0).result().unwrap().clone();
        result.job.dburl = DbUrl("postgresql://db.example.org/app".into());
        result.job.tls = Some("-----BEGIN CERTIFICATE-----".into());
        result.lost = vec!["worker 1: no connection left for role \"lovelace\"".into()];
        let Event::Finished { result: said } = veil.hide_in(&Event::Finished { result: Box::new(result.clone()) })
        else {
            panic!("it is another event");
        };
        veil.unname(&mut result);
        assert_eq!(*said, result, "or `lab verify` would find a difference");
        let text = serde_json::to_string(&result).unwrap();
        assert!(!["example", "BEGIN", "lovelace"].iter().any(|word| text.contains(word)), "{text}");
        let lost = Event::ConnectionLost { worker: 1, error: "role \"lovelace\"".into() };
        assert_eq!(veil.hide_in(&lost), Event::ConnectionLost { worker: 1, error: "role \"(unnamed)\"".into() });
    }
}
