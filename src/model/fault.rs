//! A fault that a run is given on purpose, once, while rows are inserted: to see how it recovers, and that no row is
//! lost or there twice. Written `db-kill`, `black-hole=3s`, `loss-burst=20%/3s`, each with `@4s` where it is to come
//! four seconds into the data phase.

use super::quantity::{Delay, QuantityError, Share};
use super::seconds;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// The word for nothing.
const NONE: &str = "none";

/// How long what lasts may last, and how late a fault may come, seconds. A second lab waits longer than the former for a
/// database that stands still, before it takes it for one that a killed lab left.
const LONGEST: f64 = 10.0;
const LATEST: f64 = 86_400.0;

/// How long what has no time of its own lasts: a reset meets each connection with its next packet, which on the farthest
/// link is on its way for most of a second.
pub const RESET: f64 = 1.0;

/// What breaks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// Nothing: the control.
    #[default]
    None,
    /// The database is shut down in order and started again.
    DbRestart,
    /// The database is killed and started again.
    DbKill,
    /// The database stands still for so long.
    DbPause(Delay),
    /// The ingester is killed; another goes on where it was.
    IngesterKill,
    /// Every connection is reset.
    Reset,
    /// No packet passes the link for so long.
    BlackHole(Delay),
    /// Of all packets, both ways, so many are lost for so long.
    LossBurst(Share, Delay),
    /// The disk of the write-ahead log is full.
    WalFull,
    /// The database has no more memory than it uses, and a query asks for more.
    Memory,
}

/// What breaks, and when.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Fault {
    /// What.
    pub kind: Kind,
    /// When, into the data phase; none: a third of the way.
    pub at: Option<Delay>,
}

impl Fault {
    /// Nothing.
    pub const NONE: Self = Self { kind: Kind::None, at: None };

    /// Whether it is nothing at all.
    pub fn is_none(&self) -> bool {
        self.kind == Kind::None
    }

    /// When it is to come in a run of so many seconds, seconds into the data phase.
    pub fn begins(&self, run: f64) -> f64 {
        self.at.map_or(run / 3.0, in_seconds)
    }

    /// How long it is made to last, seconds; zero where it is over when what broke is made good.
    pub fn lasts(&self) -> f64 {
        match self.kind {
            Kind::DbPause(time) | Kind::BlackHole(time) | Kind::LossBurst(_, time) => in_seconds(time),
            Kind::Reset => RESET,
            Kind::None | Kind::DbRestart | Kind::DbKill | Kind::IngesterKill | Kind::WalFull | Kind::Memory => 0.0,
        }
    }

    /// What happened, as a sentence begins: `Database killed`.
    pub fn told(&self) -> String {
        match self.kind {
            Kind::None => "Nothing broken".into(),
            Kind::DbRestart => "Database restarted".into(),
            Kind::DbKill => "Database killed".into(),
            Kind::DbPause(time) => format!("Database paused for {time}"),
            Kind::IngesterKill => "Ingester killed".into(),
            Kind::Reset => "Connections reset".into(),
            Kind::BlackHole(time) => format!("No packet for {time}"),
            Kind::LossBurst(share, time) => format!("{share} of packets lost for {time}"),
            Kind::WalFull => "Disk of the WAL full".into(),
            Kind::Memory => "Database out of memory".into(),
        }
    }

    /// Its word, without figures.
    fn word(&self) -> &'static str {
        match self.kind {
            Kind::None => NONE,
            Kind::DbRestart => "db-restart",
            Kind::DbKill => "db-kill",
            Kind::DbPause(_) => "db-pause",
            Kind::IngesterKill => "ingester-kill",
            Kind::Reset => "reset",
            Kind::BlackHole(_) => "black-hole",
            Kind::LossBurst(..) => "loss-burst",
            Kind::WalFull => "wal-full",
            Kind::Memory => "memory",
        }
    }
}

fn in_seconds(time: Delay) -> f64 {
    time.nanos() as f64 / 1e9
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())?;
        match self.kind {
            Kind::DbPause(time) | Kind::BlackHole(time) => write!(f, "={time}")?,
            Kind::LossBurst(share, time) => write!(f, "={share}/{time}")?,
            _ => {}
        }
        self.at.map_or(Ok(()), |at| write!(f, "@{at}"))
    }
}

impl FromStr for Fault {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, QuantityError> {
        let wrong = |message: String| Err(QuantityError(message));
        let (what, at) = match text.split_once('@') {
            Some((what, at)) => (what, Some(time(at, LATEST)?)),
            None => (text, None),
        };
        let (word, figure) = what.split_once('=').map_or((what, None), |(word, figure)| (word, Some(figure)));
        let kind = match (word, figure) {
            (NONE, None) => Kind::None,
            ("db-restart", None) => Kind::DbRestart,
            ("db-kill", None) => Kind::DbKill,
            ("ingester-kill", None) => Kind::IngesterKill,
            ("reset", None) => Kind::Reset,
            ("wal-full", None) => Kind::WalFull,
            ("memory", None) => Kind::Memory,
            ("db-pause", Some(figure)) => Kind::DbPause(time(figure, LONGEST)?),
            ("black-hole", Some(figure)) => Kind::BlackHole(time(figure, LONGEST)?),
            ("loss-burst", Some(figure)) => match figure.split_once('/') {
                Some((share, figure)) => Kind::LossBurst(share.parse()?, time(figure, LONGEST)?),
                None => return wrong(format!("`{figure}` says no time: write loss-burst=20%/3s")),
            },
            ("db-pause" | "black-hole", None) => return wrong(format!("{word} lasts: write {word}=3s")),
            ("loss-burst", None) => {
                return wrong("loss-burst loses so many for so long: write loss-burst=20%/3s".into());
            }
            (_, _) => {
                return wrong(format!(
                    "`{what}` is no fault: there are none, db-restart, db-kill, db-pause=3s, ingester-kill, reset, \
                     black-hole=3s, loss-burst=20%/3s, wal-full and memory, each with @4s where it is to come then"
                ));
            }
        };
        if kind == Kind::None && at.is_some() {
            return wrong("none comes at no time: leave @ out".into());
        }
        Ok(Self { kind, at })
    }
}

/// A time above zero and of so many seconds at most.
fn time(text: &str, most: f64) -> Result<Delay, QuantityError> {
    let seconds = seconds::seconds(text).map_err(QuantityError)?;
    if seconds > 0.0 && seconds <= most {
        return Ok(Delay::from_nanos((seconds * 1e9).round() as u64));
    }
    Err(QuantityError(format!("{text} must be above 0 and at most {most} s")))
}

super::quantity::as_text!(Fault);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_reads_back() {
        for text in [
            "none",
            "db-restart",
            "db-kill@4s",
            "db-pause=3s",
            "ingester-kill",
            "reset@500ms",
            "black-hole=2.5s@20s",
            "loss-burst=20%/3s",
            "wal-full",
            "memory",
        ] {
            assert_eq!(text.parse::<Fault>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn it_comes_a_third_of_the_way_unless_it_says_when() {
        let begins = |text: &str| text.parse::<Fault>().unwrap().begins(12.0);
        assert_eq!((begins("db-kill"), begins("db-kill@5s")), (4.0, 5.0));
        let lasts = |text: &str| text.parse::<Fault>().unwrap().lasts();
        assert_eq!((lasts("db-kill"), lasts("black-hole=3s"), lasts("loss-burst=5%/2s")), (0.0, 3.0, 2.0));
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_the_remedy() {
        for (text, part) in [
            ("db-crash", "there are none, db-restart"),
            ("black-hole", "write black-hole=3s"),
            ("black-hole=3", "write it with a unit"),
            ("db-pause=0s", "above 0"),
            ("db-pause=2min", "at most 10 s"),
            ("loss-burst=20%", "write loss-burst=20%/3s"),
            ("loss-burst=80%/3s", "the most there is"),
            ("db-kill=3s", "is no fault"),
            ("none@3s", "leave @ out"),
            ("", "is no fault"),
        ] {
            let error = text.parse::<Fault>().unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
