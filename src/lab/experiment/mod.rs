//! An experiment: a TOML file that spans cells. `experiments/quick.toml` explains every field.

mod cells;
mod check;
mod database;
mod faults;

pub use cells::CellSpan;
pub use database::Database;

use crate::lab::links;
use crate::model::cell::Cell;
use crate::model::limits::Cpus;
use crate::model::nodes::Nodes;
use crate::model::profiles::{Own, Profiles};
use crate::model::{Backend, Commit, Placement, Scheme, Statement, nearest, profiles, seconds};
use crate::wire::bounded;
use crate::wire::exit::{Exit, Failure};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// Where experiments are looked for.
pub const EXPERIMENTS: &str = "experiments";

/// The longest file of an experiment or of link profiles, bytes: a person wrote it.
pub(in crate::lab) const LONGEST: u64 = 1 << 20;

/// Experiments that come with the program, found where the folder has none of that name.
const SHIPPED: [(&str, &str); 14] = [
    ("quick", include_str!("../../../experiments/quick.toml")),
    ("scheme-2015", include_str!("../../../experiments/scheme-2015.toml")),
    ("pool-size", include_str!("../../../experiments/pool-size.toml")),
    ("latency", include_str!("../../../experiments/latency.toml")),
    ("cpu", include_str!("../../../experiments/cpu.toml")),
    ("statements", include_str!("../../../experiments/statements.toml")),
    ("python", include_str!("../../../experiments/python.toml")),
    ("multiprocess", include_str!("../../../experiments/multiprocess.toml")),
    ("ceilings", include_str!("../../../experiments/ceilings.toml")),
    ("durability", include_str!("../../../experiments/durability.toml")),
    ("tls", include_str!("../../../experiments/tls.toml")),
    ("faults", include_str!("../../../experiments/faults.toml")),
    ("clients", include_str!("../../../experiments/clients.toml")),
    ("two-hosts", include_str!("../../../experiments/two-hosts.toml")),
];

/// What to compare, how often, and when a run ends.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Experiment {
    /// The file's name without `.toml`.
    #[serde(skip)]
    pub name: String,
    /// What it asks, in one sentence.
    pub question: String,
    /// Decides the order of the cells.
    pub seed: u64,
    /// How often every cell is run.
    pub blocks: usize,
    /// How long all of it may take, seconds: runs are shortened and cells dropped to fit, never blocks.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "time")]
    pub budget: Option<f64>,
    /// What makes the link slow, instead of the best that works here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backend: Option<Backend>,
    /// A server outside that rows go into, instead of the lab's own database.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database: Option<Database>,
    /// How the engines of a swarm's nodes are reached, for `--engine swarm`. Never written down again: a series' folder says
    /// nothing of where it was made.
    #[serde(default, skip_serializing)]
    pub nodes: Nodes,
    /// Link profiles of its own, which go before those of this machine.
    #[serde(default, skip_serializing_if = "Own::is_empty")]
    pub links: Own,
    /// When a run ends.
    pub stop: StopRule,
    /// What is compared: each a cross product.
    pub cells: Vec<CellSpan>,
}

/// When a run ends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StopRule {
    /// The data phase takes no new line after so many seconds.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "time")]
    pub seconds: Option<f64>,
    /// At most so many lines.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lines: Option<u64>,
    /// At most so many geographic records.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub geo_records: Option<u64>,
}

/// A time: text with a unit; a number, as this program writes it, means seconds.
fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Text(String),
        Number(f64),
    }
    match Written::deserialize(deserializer) {
        Ok(Written::Text(text)) => seconds::seconds(&text).map(Some).map_err(D::Error::custom),
        Ok(Written::Number(number)) => Ok(Some(number)),
        Err(_) => Err(D::Error::custom("a time is text with a unit: \"20s\", \"2min\", \"1h\"")),
    }
}

/// What the command line changes of an experiment; empty and `None` leave it as it is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Overrides {
    /// Schemes instead of the experiment's.
    pub scheme: Vec<Scheme>,
    /// Statement kinds instead of the experiment's.
    pub statement: Vec<Statement>,
    /// Transaction grains instead of the experiment's.
    pub commit: Vec<Commit>,
    /// Pools instead of the experiment's.
    pub pool: Vec<usize>,
    /// Links instead of the experiment's.
    pub link: Vec<String>,
    /// Processor time of the client instead of the experiment's.
    pub client_cpus: Vec<Cpus>,
    /// Processor time of the database instead of the experiment's.
    pub db_cpus: Vec<Cpus>,
    /// Placements instead of the experiment's.
    pub placement: Vec<Placement>,
    /// A server outside, instead of the experiment's database.
    pub database: Option<String>,
    /// Another backend of the link.
    pub backend: Option<Backend>,
    /// Another length of the data phase.
    pub seconds: Option<f64>,
    /// Another number of lines at most.
    pub lines: Option<u64>,
    /// Another number of geographic records at most.
    pub geo_records: Option<u64>,
    /// Another number of blocks.
    pub blocks: Option<usize>,
    /// Another seed.
    pub seed: Option<u64>,
}

impl Experiment {
    /// Loads an experiment by its name or its file.
    pub fn load(wanted: &str) -> Result<Self, Failure> {
        let by_path = Path::new(wanted);
        let is_path = by_path.extension().is_some_and(|extension| extension == "toml");
        let path = if is_path { by_path.to_owned() } else { PathBuf::from(format!("{EXPERIMENTS}/{wanted}.toml")) };
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let shipped = SHIPPED.iter().find(|(name, _)| !is_path && *name == wanted);
        let text = match (bounded::text(&path, LONGEST), shipped) {
            (Ok(text), _) => text,
            (Err(error), Some((_, text))) if error.kind() == std::io::ErrorKind::NotFound => (*text).to_owned(),
            (Err(error), _) if error.kind() == std::io::ErrorKind::NotFound => {
                let names = Self::names();
                let hint = nearest::nearest(wanted, names.iter().map(String::as_str))
                    .map_or_else(|| format!("there are {}", names.join(", ")), |name| format!("did you mean {name}?"));
                return Err(usage(format!("there is no experiment {wanted}: {hint}")));
            }
            (Err(error), _) => return Err(usage(format!("the experiment cannot be read: {error}"))),
        };
        Self::parse(&name, &text).map_err(|message| usage(format!("{}: {message}", path.display())))
    }

    /// Every experiment's name, those of the folder and those that come with the program.
    pub fn names() -> Vec<String> {
        let mut names: Vec<String> = SHIPPED.iter().map(|(name, _)| (*name).to_owned()).collect();
        let not_one = Path::new(profiles::FILE);
        for entry in std::fs::read_dir(EXPERIMENTS).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.extension().is_some_and(|extension| extension == "toml") && path != not_one {
                names.extend(path.file_stem().map(|stem| stem.to_string_lossy().into_owned()));
            }
        }
        // The links lie there, too.
        names.retain(|name| Path::new(profiles::FILE).file_stem().is_none_or(|links| links != name.as_str()));
        names.sort();
        names.dedup();
        names
    }

    /// Reads an experiment's text. An error says the line and, for a wrong word, the nearest right one.
    pub fn parse(name: &str, text: &str) -> Result<Self, String> {
        let mut experiment: Self = toml::from_str(text).map_err(|error| {
            let line = error.span().map_or(1, |span| text[..span.start].matches('\n').count() + 1);
            let message = error.message();
            let hint = nearest::hint(message).map_or_else(String::new, |word| format!(" (did you mean `{word}`?)"));
            format!("line {line}: {message}{hint}")
        })?;
        experiment.name = name.into();
        experiment.check()?;
        Ok(experiment)
    }

    /// The experiment with what the command line changes, checked again.
    pub fn with(mut self, overrides: &Overrides) -> Result<Self, Failure> {
        fn replace<T: Clone>(list: &mut Vec<T>, other: &[T]) {
            if !other.is_empty() {
                *list = other.to_vec();
            }
        }
        for span in &mut self.cells {
            replace(&mut span.scheme, &overrides.scheme);
            replace(&mut span.statement, &overrides.statement);
            replace(&mut span.commit, &overrides.commit);
            replace(&mut span.pool, &overrides.pool);
            replace(&mut span.link, &overrides.link);
            replace(&mut span.client_cpus, &overrides.client_cpus);
            replace(&mut span.db_cpus, &overrides.db_cpus);
            replace(&mut span.placement, &overrides.placement);
        }
        if let Some(url) = &overrides.database {
            self.database = Some(Database { url: Some(url.clone()) });
        }
        self.backend = overrides.backend.or(self.backend);
        self.stop.seconds = overrides.seconds.or(self.stop.seconds);
        self.stop.lines = overrides.lines.or(self.stop.lines);
        self.stop.geo_records = overrides.geo_records.or(self.stop.geo_records);
        self.blocks = overrides.blocks.unwrap_or(self.blocks);
        self.seed = overrides.seed.unwrap_or(self.seed);
        self.check().map_err(usage)?;
        Ok(self)
    }

    /// What its cells' links mean here.
    pub fn profiles(&self) -> Result<Profiles, Failure> {
        links::profiles()
            .and_then(|here| here.with_own(&self.links).map_err(|error| format!("links: {error}")))
            .map_err(usage)
    }

    /// As a series keeps it: that its database was outside, not where; with the profiles of its links, which another
    /// machine may not have, or may have by that name and mean something else.
    pub fn kept(&self, profiles: &Profiles) -> Self {
        let links = profiles.written(self.cells.iter().flat_map(|span| &span.link).map(String::as_str));
        Self { database: self.database.as_ref().map(|_| Database::default()), links, ..self.clone() }
    }

    /// Every cell it spans, each once, in the order of the file.
    pub fn cells(&self) -> Vec<Cell> {
        let mut seen = HashSet::new();
        let mut cells: Vec<Cell> = self.cells.iter().flat_map(CellSpan::cells).collect();
        cells.retain(|cell| seen.insert(cell.clone()));
        cells
    }

    /// Keeps so many of its cells, the first ones, and at least one; gives those left out, the last one first. Blocks
    /// that one was part of become one block a cell.
    pub fn keep_cells(&mut self, count: usize) -> Vec<Cell> {
        let mut cells = self.cells();
        if count.max(1) >= cells.len() {
            return Vec::new();
        }
        let left_out = cells.drain(count.max(1)..).rev().collect();
        self.cells = cells.iter().map(CellSpan::of).collect();
        left_out
    }
}

fn usage(message: String) -> Failure {
    Failure::new(Exit::Usage, message)
}

#[cfg(test)]
mod tests;
