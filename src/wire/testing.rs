//! Results and records for tests.

use super::emulation::{Emulation, Fidelity};
use super::record::{Conditions, Outcome, RunRecord};
use super::setup::{EngineFacts, Forwarding, ImageFacts, LinkStatus, MachineFacts, Setup};
use super::{Acknowledged, Cpu, DbUrl, ItemTally, Job, PhaseResult, Rates, RunResult, SCHEMA, Steady, Verification};
use crate::model::cell::Cell;
use crate::model::checksum::Tally;
use crate::model::link::LinkProfile;
use crate::model::lookup::Delivered;
use crate::model::{Backend, Commit, Part, Phase, Scheme, Statement, Workload};

/// Records and rows of a run's data phase.
const DONE: (u64, u64) = (40, 8_880);

pub(crate) fn result(cell: &Cell, rate: f64) -> RunResult {
    let job = Job {
        schema: SCHEMA,
        dburl: DbUrl("postgresql://link:5432/ingest".into()),
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
        data: "/data".into(),
        queue: Job::QUEUE,
        phases: vec![Phase::Geo, Phase::Data],
        limit_geo: None,
        limit_lines: None,
        seconds: Some(1.0),
        child: false,
        metrics: true,
        tls: None,
        inject: cell.inject,
        progress: false,
        resume: false,
        retry: false,
        mark: None,
        share: crate::model::share::Share::WHOLE,
        barrier: false,
    };
    let phase = |phase: Phase, rates: Rates| PhaseResult {
        phase,
        // A geographic record is a row.
        records: if phase == Phase::Geo { DONE.1 } else { DONE.0 },
        rows: DONE.1,
        skipped: 0,
        seconds: 1.0,
        cpu: Cpu { user: 0.5, system: 0.05 },
        rates,
        metrics: None,
        timeline: None,
    };
    let whole = Some(rate);
    let steady = Some(Steady { rate: rate * 1.1, from: 0.1, to: 8.9 });
    let geo = phase(Phase::Geo, Rates { whole, ..Default::default() });
    let data = phase(Phase::Data, Rates { whole, while_filling: whole, after: None, steady });
    RunResult {
        schema: SCHEMA,
        program: "ingester test".into(),
        job,
        began: 0.0,
        phases: match cell.workload {
            Workload::Census => vec![geo, data],
            Workload::Lookup => vec![data],
        },
        acknowledged: acknowledged(cell.workload),
        verification: Some(Verification {
            verified: true,
            geo_rows: 0,
            elements: Tally::default(),
            lookup: None,
            differences: vec![],
        }),
        cpu: Cpu::default(),
        peak_memory: 0,
        interrupted: None,
        interpreter_lock: false,
        lost: Vec::new(),
        retried: None,
        metrics: None,
        clients: Vec::new(),
    }
}

/// What the phases of such a run count.
fn acknowledged(workload: Workload) -> Acknowledged {
    let (lines, rows) = DONE;
    match workload {
        Workload::Census => {
            let items = vec![ItemTally { item: 1, tally: Tally { rows, ..Tally::default() } }];
            Acknowledged { geo_rows: rows, lines, items, ..Acknowledged::default() }
        }
        Workload::Lookup => {
            Acknowledged { lines, lookup: Some(Delivered { rows, digest: 0 }), ..Acknowledged::default() }
        }
    }
}

pub(crate) fn wrong() -> Verification {
    let differences = vec!["data_element holds 4 rows of item 1, 5 were acknowledged".to_owned()];
    Verification { verified: false, geo_rows: 0, elements: Tally::default(), lookup: None, differences }
}

pub(crate) fn record(run: usize, scheme: Scheme, rate: f64) -> RunRecord {
    let cell = Cell::new(scheme, Statement::Row, Commit::Auto, 15);
    let outcome = Outcome::Finished { result: Box::new(result(&cell, rate)) };
    RunRecord {
        schema: SCHEMA,
        series: "2026-11-20-test".into(),
        experiment: "test".into(),
        run,
        block: 1,
        part: Part::Cell,
        attempt: 1,
        cell,
        forecast: None,
        invalid: outcome.invalid(),
        outcome,
        conditions: Conditions::default(),
    }
}

/// A run of this cell in a block: valid, unless it is the warm-up.
pub(crate) fn run_of(cell: &Cell, part: Part, run: usize, block: usize, rate: f64) -> RunRecord {
    let mut record = record(run, cell.scheme, rate);
    record.outcome = Outcome::Finished { result: Box::new(result(cell, rate)) };
    (record.cell, record.part, record.block) = (cell.clone(), part, block);
    if part == Part::WarmUp {
        record.invalid = vec!["it was the warm-up".into()];
    }
    record
}

pub(crate) fn unverified(run: usize, scheme: Scheme) -> RunRecord {
    let mut record = record(run, scheme, 8_000.0);
    if let Outcome::Finished { result } = &mut record.outcome {
        result.verification = Some(wrong());
    }
    record.invalid = record.outcome.invalid();
    record
}

/// A link that is local.
pub(crate) fn link() -> LinkStatus {
    LinkStatus {
        schema: SCHEMA,
        forwarding: Forwarding::IptablesLegacy,
        listen: 5432,
        target: "db:5432".into(),
        address: "10.0.0.2".into(),
        rejected: Vec::new(),
        pid: 7,
        default_backend: Backend::Nfqueue,
        fault: None,
        emulation: Emulation {
            backend: Backend::Nfqueue,
            fidelity: Fidelity::Packets,
            rejected: Vec::new(),
            floor: None,
            profile: LinkProfile::local(),
            notes: Vec::new(),
            up: None,
            down: None,
            cpu_us: 0,
        },
    }
}

/// What produced a series on a machine of two processors.
pub(crate) fn setup() -> Setup {
    let image = |role: &str| ImageFacts {
        role: role.into(),
        id: "sha256:0123456789abcdef".into(),
        digests: Vec::new(),
        base: "official".into(),
        labels: std::collections::BTreeMap::new(),
    };
    Setup {
        revision: "0123456789abcdef".into(),
        dirty: false,
        locks: std::collections::BTreeMap::default(),
        compose: "2.40.0".into(),
        machine: MachineFacts::default(),
        server: None,
        client_engine: None,
        noise_floor: None,
        schema: SCHEMA,
        program: "lab test".into(),
        engine: EngineFacts {
            storage: "overlay2".into(),
            version: "28.1.1".into(),
            api: "1.49".into(),
            cgroup: "2".into(),
            kernel: "6.12.0".into(),
            system: "Debian GNU/Linux 13".into(),
            architecture: "x86_64".into(),
            processors: 2,
            memory: 8 << 30,
        },
        images: ["db", "link", "ingester", "lab"].map(image).into(),
        forwarding: Some(Forwarding::Nft),
        backend: Some(Backend::Nfqueue),
        data: "sha256:5f2c9e0a7b31d4".into(),
    }
}
