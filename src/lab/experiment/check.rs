//! What an experiment may ask for: in itself, and of the stack it is to run on. Each refusal says what would do.

use super::{CellSpan, Experiment, faults};
use crate::lab::Capacity;
use crate::lab::placement::{places, places_apart};
use crate::lab::plan::{estimate, runs};
use crate::model::cell::Cell;
use crate::model::share::Share;
use crate::model::{Commit, Program, Reader, Statement, Storage, Workload, units};
use crate::wire::Job;
use crate::wire::exit::{Exit, Failure};
use std::collections::HashSet;

/// The longest a run's data phase may be asked to last, seconds.
const DAY: f64 = 86_400.0;

/// Free disk that has to be left beside the largest run, bytes: WAL that is kept for reuse.
const SPARE_DISK: u64 = 1 << 30;

/// Room of the database in memory besides its WAL, bytes (docker-compose.yml: size=3g).
const TMPFS: u64 = 3 << 30;

/// Most blocks.
const BLOCKS: usize = 1_000;

/// Most combinations of all blocks: more than a month of runs.
const COMBINATIONS: usize = 10_000;

/// Most runs of a series: a year of runs of five minutes.
const RUNS: usize = 100_000;

/// The longest budget, seconds.
const MONTH: f64 = 31.0 * DAY;

/// A series that is expected to take longer has to be confirmed (`--yes`), seconds.
pub const LONG: f64 = 4.0 * 3_600.0;

impl Experiment {
    /// What can be told without a stack.
    pub fn check(&self) -> Result<(), String> {
        let combinations = self.cells.iter().map(CellSpan::combinations).fold(0, usize::saturating_add);
        if combinations > COMBINATIONS {
            return Err(format!(
                "it spans {combinations} combinations: at most {COMBINATIONS} can be run, so shorten its lists"
            ));
        }
        if let Some(block) = self.cells.iter().position(|span| span.cells().is_empty()) {
            return Err(format!("[[cells]] number {} spans no cell: give every list at least one value", block + 1));
        }
        let cells = self.cells();
        if cells.is_empty() {
            return Err("it spans no cell: give it a [[cells]] block".into());
        }
        if !(1..=BLOCKS).contains(&self.blocks) {
            return Err(format!("blocks is {}: it must be 1 to {BLOCKS}", self.blocks));
        }
        let runs = runs(self.blocks, cells.len());
        if runs > RUNS {
            return Err(format!(
                "it would be {runs} runs: at most {RUNS} make a series, so lower blocks or shorten lists"
            ));
        }
        self.check_stop()?;
        cells.iter().try_for_each(check_cell)?;
        cells.iter().try_for_each(|cell| faults::check(cell, &self.stop))?;
        self.database.as_ref().map_or(Ok(()), |database| database.check(&cells))?;
        // Once each: the cells of a series share few links.
        let (profiles, mut found) = (self.profiles().map_err(|error| error.message)?, HashSet::new());
        let mut new = cells.iter().map(|cell| cell.link.as_str()).filter(|link| found.insert(*link));
        new.try_for_each(|link| profiles.find(link).map(drop))
    }

    fn check_stop(&self) -> Result<(), String> {
        let stop = &self.stop;
        if stop.seconds.is_none() && stop.lines.is_none() {
            return Err("a run would end with its data only: give [stop] seconds or lines".into());
        }
        if stop.seconds.is_some_and(|seconds| !(seconds > 0.0 && seconds <= DAY)) {
            return Err("stop.seconds must be above 0 and at most a day".into());
        }
        if stop.lines == Some(0) || stop.geo_records == Some(0) {
            return Err("stop.lines and stop.geo_records must be 1 at least: leave one out to have no limit".into());
        }
        if let (Some(geo), Some(lines)) = (stop.geo_records, stop.lines)
            && lines > geo
        {
            return Err(format!("stop.lines is {lines}, but only {geo} geographic records are loaded: lower it"));
        }
        match self.budget {
            Some(budget) if !(60.0..=MONTH).contains(&budget) => {
                Err("budget must be a minute at least, and 31 days at most".into())
            }
            _ => Ok(()),
        }
    }

    /// What only the stack can tell.
    pub fn check_capacity(&self, capacity: &Capacity) -> Result<(), Failure> {
        let refuse = |message| Err(Failure::new(Exit::Usage, message));
        for cell in self.cells() {
            let places = match &capacity.client_cores {
                Some(client) => places_apart(cell.placement, client, &capacity.cores),
                None => match places(cell.placement, &capacity.cores) {
                    Ok(places) => places,
                    Err(message) => return refuse(message),
                },
            };
            let client_cores = capacity.client_cores.as_ref().unwrap_or(&capacity.cores);
            for (name, asked, place, cores) in [
                ("client_cpus", cell.client_cpus, places.client, client_cores),
                ("db_cpus", cell.db_cpus, places.database, &capacity.cores),
            ] {
                let has = place.count();
                if asked.count().is_some_and(|asked| asked > has as f64) {
                    let machine = cores.count();
                    let message = format!(
                        "{name} is {asked}, but it has {has} under placement \"{}\" on a machine of {machine}: lower it, or use \"unlimited\"",
                        cell.placement
                    );
                    return refuse(message);
                }
            }
            if cell.connections() > capacity.connections {
                let pool = match cell.clients {
                    1 => format!("pool is {}", cell.pool),
                    many => format!("pool is {} of each of {many} clients, {} together", cell.pool, cell.connections()),
                };
                let (left, fewer) = (capacity.connections, if cell.clients > 1 { ", fewer clients" } else { "" });
                return refuse(format!(
                    "{pool}, but the database has {left} connections left: use a smaller pool{fewer}, or raise max_connections"
                ));
            }
        }
        let needed = estimate(self).disk;
        if needed > TMPFS && self.cells().iter().any(|cell| cell.storage == Storage::Tmpfs) {
            let (needed, room) = (units::bytes(needed), units::bytes(TMPFS));
            return refuse(format!(
                "a run writes about {needed}, and a database in memory has room for {room}: lower lines or seconds, or use storage = \"volume\""
            ));
        }
        match capacity.disk {
            Some(free) if free < needed.saturating_add(SPARE_DISK) => refuse(format!(
                "a run writes about {}, and the database's disk has {} free: make room (`make clean` frees images and data), or lower lines or seconds",
                units::bytes(needed),
                units::bytes(free)
            )),
            _ => Ok(()),
        }
    }

    /// Refuses a series of many hours that nobody confirmed.
    pub fn check_length(&self, seconds: f64, confirmed: bool) -> Result<(), Failure> {
        if seconds <= LONG || confirmed {
            return Ok(());
        }
        let message = format!(
            "{} would take about {}, more than {}: confirm with --yes, or lower blocks, cells or seconds",
            self.name,
            units::duration(seconds),
            units::duration(LONG)
        );
        Err(Failure::new(Exit::Usage, message))
    }
}

fn check_cell(cell: &Cell) -> Result<(), String> {
    let most = Job::MAX_POOL;
    if !(1..=most).contains(&cell.pool) {
        return Err(format!("pool is {}: it must be 1 to {most}", cell.pool));
    }
    check_clients(cell)?;
    if !(1..=100_000).contains(&cell.in_flight) {
        return Err(format!("in_flight is {}: it must be 1 to 100000", cell.in_flight));
    }
    if !(1..=Job::MAX_BATCH).contains(&cell.batch) {
        return Err(format!("batch is {}: it must be 1 to {}", cell.batch, Job::MAX_BATCH));
    }
    if !(1..=Job::MAX_CHUNK).contains(&cell.chunk) {
        return Err(format!("chunk is {}: it must be 1 to {}", cell.chunk, Job::MAX_CHUNK));
    }
    if cell.workload == Workload::Lookup {
        check_lookup(cell)?;
    }
    Ok(())
}

/// What several ingesters can share: records dealt out by their numbers.
fn check_clients(cell: &Cell) -> Result<(), String> {
    let (clients, most) = (cell.clients, Share::MOST);
    if !(1..=most).contains(&clients) {
        return Err(format!("clients is {clients}: it must be 1 to {most}"));
    }
    if clients == 1 {
        return Ok(());
    }
    if cell.scheme.program() != Program::Ingester {
        return Err(format!(
            "{} does all of a run's records: with clients = {clients} use a scheme of the ingester, or clients = 1",
            cell.scheme
        ));
    }
    if !cell.fault.is_none() {
        return Err(format!(
            "{} breaks what one client does, and which of {clients} it would be cannot be said: use clients = 1 with a fault",
            cell.fault
        ));
    }
    Ok(())
}

/// What no program does in a lookup; what only some do they say themselves.
fn check_lookup(cell: &Cell) -> Result<(), String> {
    if !matches!(cell.statement, Statement::Row | Statement::Executemany) {
        return Err(format!("a lookup reads rows, {} sends them: use statement row or executemany", cell.statement));
    }
    if cell.commit != Commit::Auto {
        return Err(format!("a lookup commits nothing: commit is {}, it must be auto", cell.commit));
    }
    if cell.reader != Reader::Thread || !cell.inject.read.is_zero() {
        return Err("a lookup reads no file: leave reader, and read in inject, as they are usually".into());
    }
    Ok(())
}
