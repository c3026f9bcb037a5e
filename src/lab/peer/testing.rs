//! A conversation with nothing wrong, made by hand, for tests that change it.

use super::heard::{Heard, Spoken};
use crate::model::checksum::Tally;
use crate::model::{Commit, Phase, Protocol, Reader, Scheme, Statement};
use crate::wire::{
    Acknowledged, Cpu, DbUrl, Event, ItemTally, Job, Line, PhaseResult, Rates, RunResult, SCHEMA, Steady,
};

/// A job for four workers.
pub(super) fn job() -> Job {
    Job {
        schema: SCHEMA,
        dburl: DbUrl("postgresql://ingest:s3cret@link:5432/ingest".into()),
        workload: Default::default(),
        scheme: Scheme::Threads,
        statement: Statement::Row,
        in_flight: Job::IN_FLIGHT,
        batch: Job::BATCH,
        chunk: Job::CHUNK,
        protocol: Protocol::Prepared,
        pool: 4,
        commit: Commit::Auto,
        reader: Reader::Thread,
        data: "/data".into(),
        queue: Job::QUEUE,
        phases: vec![Phase::Geo, Phase::Data],
        limit_geo: None,
        limit_lines: None,
        seconds: None,
        child: false,
        metrics: true,
        tls: None,
        inject: Default::default(),
        progress: false,
        resume: false,
        retry: false,
        mark: None,
        share: crate::model::share::Share::WHOLE,
        barrier: false,
    }
}

/// 60 geographic records and 60 lines, in four seconds.
pub(super) fn conversation() -> Vec<Line> {
    let progress = |phase, records, rows| Event::Progress { phase, records, rows, current: 1.0, average: 1.0 };
    let events = [
        (0.01, Event::Started { program: "peer 1".into() }),
        (0.05, Event::Connected { connections: 4, seconds: 0.04 }),
        (0.06, Event::Phase { phase: Phase::Geo }),
        (0.16, progress(Phase::Geo, 60, 60)),
        (0.20, Event::Phase { phase: Phase::Data }),
        (1.20, Event::QueueFilled { phase: Phase::Data }),
        (2.20, progress(Phase::Data, 30, 6_660)),
        (4.20, progress(Phase::Data, 60, 13_320)),
        (4.40, Event::Finished { result: Box::new(result()) }),
    ];
    (0..).zip(events).map(|(seq, (at, event))| Line { schema: SCHEMA, seq, at, client: None, event }).collect()
}

fn result() -> RunResult {
    let job = job();
    let steady = Some(Steady { rate: 3_400.0, from: 0.2, to: 3.8 });
    RunResult {
        schema: SCHEMA,
        program: "peer 1".into(),
        job: Job { dburl: DbUrl(job.dburl.to_string()), ..job },
        began: 1_790_000_000.0,
        phases: vec![
            PhaseResult {
                phase: Phase::Geo,
                records: 60,
                rows: 60,
                skipped: 0,
                seconds: 0.1,
                cpu: Cpu { user: 0.02, system: 0.0 },
                rates: Rates::default(),
                metrics: None,
                timeline: None,
            },
            PhaseResult {
                phase: Phase::Data,
                records: 60,
                rows: 13_320,
                skipped: 0,
                seconds: 4.0,
                cpu: Cpu { user: 1.0, system: 0.5 },
                rates: Rates { whole: Some(3_330.0), while_filling: Some(3_120.0), after: Some(3_400.0), steady },
                metrics: None,
                timeline: None,
            },
        ],
        acknowledged: Acknowledged {
            geo_rows: 60,
            lines: 60,
            items: vec![ItemTally { item: 1, tally: Tally { rows: 13_320, ..Tally::default() } }],
            ..Acknowledged::default()
        },
        verification: None,
        cpu: Cpu { user: 1.1, system: 0.5 },
        peak_memory: 16 << 20,
        interrupted: None,
        interpreter_lock: false,
        lost: Vec::new(),
        retried: None,
        metrics: None,
        clients: Vec::new(),
    }
}

/// The conversation as it is heard: a program that took a third of a second to start, each line there at once.
pub(super) fn heard(lines: &[Line]) -> Heard {
    let spoken = |line: &Line| Spoken { arrived: line.at + 0.35, text: serde_json::to_string(line).unwrap() };
    let lines: Vec<Spoken> = lines.iter().map(spoken).collect();
    Heard { ended: lines.last().map_or(0.0, |last| last.arrived), lines, ..Default::default() }
}
