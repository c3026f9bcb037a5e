//! `[database]`: a server that is not the lab's, and what an experiment may not ask for there.

use crate::db::external::Place;
use crate::model::cell::{Cell, DIRECT};
use crate::model::limits::Cpus;
use crate::model::{Placement, Program, Storage, Tls};
use serde::{Deserialize, Serialize};

/// Where the rows go, if not into the lab's own database.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Database {
    /// `postgres://user@host:port/database`, without a password. A series keeps that there was one, not which.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

impl Database {
    /// The server; an error where none is named, or it cannot be read.
    pub fn place(&self) -> Result<Place, String> {
        let url = self.url.as_deref().ok_or_else(|| {
            "this experiment's database is outside the lab, and results don't keep where: name it with --database \
             postgres://user@host:5432/database"
                .to_owned()
        })?;
        url.parse()
    }

    /// What can be told of it before it is asked, and of each cell on it.
    pub(super) fn check(&self, cells: &[Cell]) -> Result<(), String> {
        let place = match self.url {
            Some(_) => Some(self.place()?),
            None => None,
        };
        cells.iter().try_for_each(|cell| check(cell, place.as_ref()))
    }
}

fn check(cell: &Cell, place: Option<&Place>) -> Result<(), String> {
    let whose = "the server is not the lab's";
    if cell.scheme.program() != Program::Ingester {
        return Err(format!(
            "{} on an external database: whether another program keeps to the lab's schema is not known; use a scheme of \
             the ingester",
            cell.scheme
        ));
    }
    if cell.db_cpus != Cpus::UNLIMITED {
        return Err(format!("db_cpus is {}, but {whose} to limit: leave it out", cell.db_cpus));
    }
    if cell.storage != Storage::Volume {
        return Err(format!("storage is {}, but {whose}, nor are its disks: leave it out", cell.storage));
    }
    if cell.placement != Placement::Shared {
        return Err(format!("placement is {}, but {whose} to place: use placement = \"shared\"", cell.placement));
    }
    if !cell.fault.is_none() {
        return Err(format!("{} would break a server, but {whose}: leave fault out", cell.fault));
    }
    let Some(place) = place else { return Ok(()) };
    if cell.tls == Tls::On && !place.is_encrypted() {
        return Err("tls is on, but the database URL asks for no encryption: add ?sslmode=require, or \
                    ?sslmode=verify-full&sslrootcert=FILE"
            .into());
    }
    if place.authority().is_some() && cell.link != DIRECT {
        return Err(format!(
            "link {}: through the link a server has another name than its certificate: use link {DIRECT}, or \
             sslmode=require",
            cell.link
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(cell: &str, url: &str) -> Result<(), String> {
        Database { url: Some(url.into()) }.check(&[cell.parse().unwrap()])
    }

    #[test]
    fn what_is_not_the_lab_s_to_change_is_refused_with_what_would_do() {
        let url = "postgres://me@db.example.org/app";
        for (cell, part) in [
            ("py-asyncio row auto pool 4", "use a scheme of the ingester"),
            ("psql-copy copy record pool 4", "use a scheme of the ingester"),
            ("async row auto pool 4 db-cpus 0.5", "db_cpus is 0.5, but the server is not the lab's"),
            ("async row auto pool 4 storage tmpfs", "storage is tmpfs"),
            ("async row auto pool 4 placement pinned", "use placement = \"shared\""),
            ("async row record pool 4 fault db-kill", "leave fault out"),
            ("async row auto pool 4 tls on", "add ?sslmode=require"),
        ] {
            let error = told(cell, url).unwrap_err();
            assert!(error.contains(part), "{cell}: {error}");
        }
        let verified = format!("{url}?sslmode=verify-full&sslrootcert=ca.crt");
        assert!(told("async row auto pool 4", &verified).unwrap_err().contains("use link direct"));
        assert_eq!(told("async row auto pool 4 link direct", &verified), Ok(()));
    }

    #[test]
    fn what_is_a_session_s_or_the_lab_s_own_table_s_may_be_asked_for() {
        let url = "postgres://me@db.example.org/app?sslmode=require";
        for cell in [
            "async row auto pool 4 synchronous-commit off foreign-keys off client-cpus 0.5",
            "threads copy record pool 4 link rtt=20ms",
            "lookup async row pool 4 link direct tls on",
        ] {
            assert_eq!(told(cell, url), Ok(()), "{cell}");
        }
    }

    #[test]
    fn a_series_that_went_outside_asks_where_again() {
        assert!(Database::default().place().unwrap_err().contains("--database"));
        assert_eq!(Database::default().check(&["async row auto pool 4".parse().unwrap()]), Ok(()));
    }
}
