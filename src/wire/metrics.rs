//! Metrics as they leave the ingester: what each stage took, where each worker's time went, what the process and
//! its connections say. Durations of single operations are nanoseconds, sums of a phase are seconds.

use crate::model::Stage;
use serde::{Deserialize, Serialize};

/// What a stage's operations took, all workers together. Quantiles come from a histogram of two significant
/// digits: they are exact to 1 %; count, mean, maximum and total are exact.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct StageSummary {
    /// Which stage.
    pub stage: Stage,
    /// Operations that ended.
    pub count: u64,
    /// Mean duration, ns.
    pub mean: f64,
    /// Half took at most this, ns.
    pub p50: u64,
    /// 90 % took at most this, ns.
    pub p90: u64,
    /// 99 % took at most this, ns.
    pub p99: u64,
    /// The longest, ns.
    pub max: u64,
    /// All durations together, ns.
    pub total: u64,
    /// Of them those of operations that took over ten times the median, ns: where a quota holds a program back for
    /// tens of milliseconds, few operations hold much of the time, and percentiles need not show it.
    #[serde(default)]
    pub stalled: u64,
}

/// A stage's durations in full: what a child of `processes` hands its parent, which merges them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Histogram {
    /// Which stage.
    pub stage: Stage,
    /// The longest, ns.
    pub max: u64,
    /// All durations together, ns.
    pub total: u64,
    /// Durations (ns) that occurred, each with how often.
    pub counts: Vec<(u64, u64)>,
}

/// What happened in about a second.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Second {
    /// How long it was, seconds.
    pub seconds: f64,
    /// Records acknowledged in it.
    pub records: u64,
    /// Rows acknowledged in it.
    pub rows: u64,
    /// Rows a second.
    pub rate: f64,
    /// Stages that had operations ending in it.
    pub stages: Vec<StageSummary>,
    /// The same in full, from a child of `processes` only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub histograms: Vec<Histogram>,
}

/// Everything measured in a phase.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PhaseMetrics {
    /// Stages that had operations ending in the phase.
    pub stages: Vec<StageSummary>,
    /// Where each worker's time went.
    pub workers: Vec<Ledger>,
    /// What the operating system says of the program.
    pub process: ProcessUse,
    /// The connections as they stood at the phase's end; empty where the kernel doesn't say (no `inet_diag`) or
    /// the connection isn't TCP.
    pub connections: Vec<Connection>,
    /// The stages in full, from a child of `processes` only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub histograms: Vec<Histogram>,
}

/// What was measured outside the phases.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RunMetrics {
    /// Opening the connections, before the first phase: one operation a connection.
    pub connect: Option<StageSummary>,
    /// The same in full, from a child of `processes` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub histogram: Option<Histogram>,
}

/// Where one worker's wall-clock time of a phase went, seconds. The states exclude each other; what they leave of
/// the wall-clock time is shown as it is. docs/metrics.md says how each is measured and what may overlap.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Ledger {
    /// The worker's number, from 0.
    pub worker: usize,
    /// From the phase's start to the moment the worker was through with it.
    pub wall: f64,
    /// On a processor: of a thread by the kernel's account, of a task the time its polls took.
    pub on_cpu: f64,
    /// A thread waiting for a processor, by the kernel's account; null for a task, or where the kernel has none.
    pub run_queue: Option<f64>,
    /// A task that was woken waiting for a thread of its runtime; null for a thread.
    pub ready: Option<f64>,
    /// Asleep until there is a record.
    pub records: f64,
    /// Asleep until the database answers (begin, select, execute, commit).
    pub database: f64,
    /// Asleep until a connection is open.
    pub connecting: f64,
    /// `wall` less all of the above; below zero where they overlap.
    pub unexplained: f64,
}

impl Ledger {
    /// Fills in what is left of the wall-clock time.
    pub fn balance(mut self) -> Self {
        let explained = [self.on_cpu, self.records, self.database, self.connecting];
        let waiting = self.run_queue.unwrap_or(0.0) + self.ready.unwrap_or(0.0);
        self.unexplained = self.wall - explained.iter().sum::<f64>() - waiting;
        self
    }
}

/// What the operating system says of the program in a phase. For `processes` of the parent and its children.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ProcessUse {
    /// Waiting for a processor, all threads together, seconds; null where the kernel keeps no such account.
    pub run_queue: Option<f64>,
    /// The thread that was on a processor the longest.
    pub busiest: Option<Busiest>,
    /// Times a thread gave its processor up to wait.
    pub voluntary_switches: u64,
    /// Times a thread was taken off its processor.
    pub involuntary_switches: u64,
}

/// The thread that was on a processor the longest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Busiest {
    /// The thread's name; with the worker's number before it where it belongs to a child of `processes`.
    pub name: String,
    /// How much of the phase it was on a processor: 1 is all of one.
    pub share: f64,
}

/// A TCP connection as the kernel sees it (`TCP_INFO`).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Connection {
    /// The client's port: the server knows the connection by it, too (`pg_stat_activity.client_port`).
    pub port: u16,
    /// Smoothed round-trip time, µs.
    pub rtt: u32,
    /// Its mean deviation, µs.
    pub rtt_var: u32,
    /// The least round-trip time seen lately, µs.
    pub rtt_min: u32,
    /// Segments sent again since the connection was opened.
    pub retransmits: u32,
    /// Congestion window, segments.
    pub congestion_window: u32,
    /// Bytes of a full segment.
    pub segment: u32,
    /// How fast data was delivered lately, bytes a second; null where the kernel doesn't say.
    pub delivery_rate: Option<u64>,
}
