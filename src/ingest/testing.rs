//! What tests of the ingester share.

use crate::model::inject::Inject;
use crate::model::{Commit, Phase, Protocol, Reader, Scheme, Statement, Workload};
use crate::wire::{DbUrl, Job, SCHEMA};

/// A lookup of two threads.
pub fn job() -> Job {
    Job {
        schema: SCHEMA,
        dburl: DbUrl("postgresql://ingest:secret@db:5432/ingest".into()),
        workload: Workload::Lookup,
        scheme: Scheme::Threads,
        statement: Statement::Row,
        in_flight: Job::IN_FLIGHT,
        batch: Job::BATCH,
        chunk: Job::CHUNK,
        protocol: Protocol::Prepared,
        pool: 2,
        commit: Commit::Auto,
        reader: Reader::Thread,
        data: "data".into(),
        queue: Job::QUEUE,
        phases: vec![Phase::Data],
        limit_geo: None,
        limit_lines: None,
        seconds: None,
        child: false,
        metrics: true,
        tls: None,
        inject: Inject::NONE,
        progress: false,
        resume: false,
        retry: false,
        mark: None,
        share: crate::model::share::Share::WHOLE,
        barrier: false,
    }
}
