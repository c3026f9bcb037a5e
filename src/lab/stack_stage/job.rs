//! What an ingester is told of a cell.

use super::StackStage;
use super::reach::{self, database_url};
use crate::engine::RunSpec;
use crate::lab::experiment::StopRule;
use crate::model::cell::Cell;
use crate::model::share::Share;
use crate::model::{Phase, Workload};
use crate::wire::{Job, SCHEMA};
use anyhow::Result;

impl StackStage {
    /// What an ingester of this cell is told.
    pub(super) fn job(&self, cell: &Cell, stop: &StopRule) -> Result<Job> {
        Ok(Job {
            schema: SCHEMA,
            dburl: match &self.outside {
                Some(outside) => outside.url(cell),
                None => database_url(&self.server().password, self.host(&cell.link)),
            },
            workload: cell.workload,
            scheme: cell.scheme,
            statement: cell.statement,
            in_flight: cell.in_flight,
            batch: cell.batch,
            chunk: cell.chunk,
            protocol: cell.protocol,
            pool: cell.pool,
            commit: cell.commit,
            reader: cell.reader,
            data: RunSpec::DATA.into(),
            queue: Job::QUEUE,
            phases: match cell.workload {
                Workload::Census => vec![Phase::Geo, Phase::Data],
                Workload::Lookup => vec![Phase::Data],
            },
            limit_geo: stop.geo_records,
            limit_lines: stop.lines,
            seconds: stop.seconds,
            child: false,
            metrics: true,
            tls: match &self.outside {
                Some(outside) => outside.authority.clone(),
                None => reach::trust(cell.tls, self.server().authority.as_deref())?,
            },
            inject: cell.inject,
            progress: !cell.fault.is_none() && cell.workload == Workload::Census,
            resume: false,
            retry: !cell.fault.is_none(),
            mark: None,
            share: Share::WHOLE,
            barrier: false,
        })
    }
}
