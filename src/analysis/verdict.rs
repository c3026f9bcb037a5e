//! What bounds a run, told from what was measured of it; nothing that was asked for is looked at. Pure.
//!
//! ```text
//! which resource is used up?            CPU of client or database, or one thread of it · host CPU · bandwidth
//! else: what do connections wait for?   round trips · database I/O · database locks · coordination
//! two that both matter: mixed · nothing that explains the time: undetermined
//! ```
//! A resource that is used up goes first: PostgreSQL on a fifth of a processor shows waits for WAL, because whoever
//! holds the lock has no processor. CPU is claimed only where a quota, a CPU set or a single thread is used up.

#[cfg(test)]
mod tests;

use crate::model::units;
use std::fmt;

/// From this share of what it may have a side counts as used up. The rest goes to periods cut at a run's ends.
const USED_UP: f64 = 0.90;

/// Beside a side that is used up, another counts as a bound, too, from this share on: to relieve the first alone would
/// bring less than a fifth.
const NEARLY: f64 = 0.85;

/// From this share of connection time a wait is what bounds, and so do several that are as much together.
const MOST_OF_IT: f64 = 0.50;

/// Up to this share two ends of a connection that work in turns fill its time, give or take what is measured off.
const ALL_OF_IT: f64 = 1.05;

/// Beside a wait that is most of the time, one whose relief alone would bring so many times the rate is a bound of its own:
/// no less than what shows that something bounds.
const RELIEF: f64 = 1.3;

/// A wait whose relief would bring less is nothing beside another; one that would bring this much makes the verdict less
/// sure, and counts where no wait alone is most of the time.
const NOTICED: f64 = 1.2;

/// What bounds an ingest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Bound {
    /// The client has no more CPU time.
    ClientCpu,
    /// One of the client's threads has no more CPU time, others may: an event loop, an interpreter lock, a reader.
    ClientThread,
    /// The database has no more CPU time.
    DatabaseCpu,
    /// The only connection's backend has no more CPU time, others would.
    DatabaseThread,
    /// The machine that both share has no more CPU time.
    HostCpu,
    /// The link carries no more bytes.
    Bandwidth,
    /// Requests wait for the way there and back.
    RoundTrips,
    /// Backends wait for WAL or files.
    DatabaseIo,
    /// Backends wait for each other.
    DatabaseLocks,
    /// Workers wait for records.
    Coordination,
    /// Two or more of these.
    Mixed,
    /// Nothing that was measured explains it.
    Undetermined,
}

impl Bound {
    /// In a sentence.
    pub fn words(self) -> &'static str {
        match self {
            Self::ClientCpu => "client CPU",
            Self::ClientThread => "client CPU (one thread)",
            Self::DatabaseCpu => "database CPU",
            Self::DatabaseThread => "database CPU (one thread)",
            Self::HostCpu => "host CPU (shared)",
            Self::Bandwidth => "bandwidth",
            Self::RoundTrips => "round trips",
            Self::DatabaseIo => "database I/O",
            Self::DatabaseLocks => "database locks",
            Self::Coordination => "coordination (waiting for records)",
            Self::Mixed => "mixed",
            Self::Undetermined => "undetermined",
        }
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.words())
    }
}

/// What was measured of one run, as parts of what there is: 1 is all of it. `None`: not measured.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Evidence {
    /// Clients that share the run; 0, where nobody says, counts as one.
    pub clients: usize,
    /// CPU time of the client's container, of what it may have; of several clients together. What others took of processors
    /// that it has to itself it may not have.
    pub client_cpu: Option<f64>,
    /// That: a part of what its quota and its processors would let it have.
    pub client_taken: f64,
    /// CPU time of the busiest thread of the client, of one processor; of several clients the one whose own is the least
    /// busy: every client has a thread that is at least so busy.
    pub client_thread: Option<f64>,
    /// The client's threads run one at a time: then that is the CPU time of all of them.
    pub interpreter_lock: bool,
    /// Processors the client may use: with one, a busy thread is the whole client.
    pub client_processors: f64,
    /// CPU time of the database's container, of what it may have.
    pub database_cpu: Option<f64>,
    /// What others took of that.
    pub database_taken: f64,
    /// CPU time of the backend, of one processor, where there was one connection: a backend is one thread.
    pub database_thread: Option<f64>,
    /// Processors the database may use.
    pub database_processors: f64,
    /// The machine's processors, busy with whatever.
    pub host_cpu: Option<f64>,
    /// Client and database run on the same processors.
    pub shared: bool,
    /// Bytes through the link, of what it lets through; the fuller direction.
    pub bandwidth: Option<f64>,
    /// Connection time spent on the way: round trips a second times the measured round trip, of all connections.
    pub way: Option<f64>,
    /// Backends seen asleep for WAL or files, of all looks.
    pub io: Option<f64>,
    /// What the server says of its flushes of WAL: shown beside what backends were seen to sleep for.
    pub flushes: Option<Flushes>,
    /// Backends seen asleep for each other.
    pub locks: Option<f64>,
    /// Worker time asleep until there is a record.
    pub records: Option<f64>,
    /// The database's processors cannot be seen: it is somebody else's server.
    pub hidden: bool,
    /// Backends that PostgreSQL says wait for WAL, files or each other, of all it was asked about, where nothing but its
    /// word is known: processes that were woken and wait for a processor still count among them.
    pub said: Option<f64>,
}

/// Flushes of WAL while every worker was busy.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Flushes {
    /// A second.
    pub rate: f64,
    /// What one took, seconds.
    pub mean: f64,
}

impl Flushes {
    /// In a sentence, with the part of the time in which one was under way: one comes after the other.
    fn words(self) -> String {
        let (rate, mean) = (units::number(self.rate), units::number(self.mean * 1e3));
        format!(
            "WAL was flushed {rate} times a second, {mean} ms each: {:.0} % of the time",
            self.rate * self.mean * 100.0
        )
    }
}

/// What bounds a run, and why.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// What bounds it.
    pub bound: Bound,
    /// For mixed: which. Else it alone.
    pub of: Vec<Bound>,
    /// The evidence, in one sentence.
    pub why: String,
    /// Something that may bound it could not be seen, or is nearly a bound itself.
    pub less_sure: bool,
}

/// Tells what bounds a run. What was not measured, and may be a bound as well, is said and makes it less sure: nobody knows
/// that it is not used up. Where the database's processors are hidden that is said, and nothing that they may be behind is
/// claimed.
pub fn verdict(evidence: &Evidence) -> Verdict {
    let mut told = of_seen(evidence);
    let unseen = unseen(evidence);
    if !unseen.is_empty() {
        told.less_sure = true;
        told.why.push_str("; not seen: ");
        told.why.push_str(&unseen.join(", "));
    }
    if evidence.hidden {
        told.less_sure = true;
        told.why.push_str("; the server's processors could not be seen, so it may be database CPU as well");
        if let Some(said) = evidence.said.filter(|said| *said >= MOST_OF_IT) {
            let percent = said * 100.0;
            let words = format!(
                ": PostgreSQL says that backends wait for WAL, files or each other in {percent:.0} % of all looks, as it \
                 also does where they wait for a processor"
            );
            told.why.push_str(&words);
        }
    }
    told
}

fn of_seen(evidence: &Evidence) -> Verdict {
    let used_up = used_up(evidence);
    if !used_up.is_empty() {
        return of(&used_up, evidence);
    }
    let waits: Vec<(Bound, f64)> = [
        (Bound::RoundTrips, evidence.way),
        (Bound::DatabaseIo, evidence.io),
        (Bound::DatabaseLocks, evidence.locks),
        (Bound::Coordination, evidence.records),
    ]
    .into_iter()
    .filter_map(|(bound, share)| Some((bound, share?)))
    .collect();
    let most = waits.iter().map(|(_, share)| *share).fold(0.0, f64::max);
    let from = if most >= MOST_OF_IT { RELIEF } else { NOTICED };
    let bounds: Vec<(Bound, f64)> = waits.iter().copied().filter(|(_, share)| relief(*share) >= from).collect();
    if bounds.iter().map(|(_, share)| share).sum::<f64>() < MOST_OF_IT {
        let why = nothing(evidence, &waits);
        return Verdict { bound: Bound::Undetermined, of: Vec::new(), why, less_sure: false };
    }
    let mut told = of(&bounds, evidence);
    for (bound, share) in waits.iter().filter(|one| !bounds.contains(one) && relief(one.1) >= NOTICED) {
        told.less_sure = true;
        let said = said(*bound, *share, evidence);
        told.why.push_str(&format!("; {said}, and without that alone the rate would be {:.2}x", relief(*share)));
    }
    told
}

/// How many times the rate is without a wait that takes this share of a connection's time: all its waits share one time.
fn relief(share: f64) -> f64 {
    1.0 / (1.0 - share).max(f64::EPSILON)
}

/// What was not measured, and may be what bounds the run, or one of two things that do.
fn unseen(evidence: &Evidence) -> Vec<&'static str> {
    let hidden = evidence.hidden;
    let mut unseen = Vec::new();
    if evidence.client_cpu.is_none() {
        unseen.push("what the client used of its CPU time");
    }
    if evidence.database_cpu.is_none() && !hidden {
        unseen.push("what the database used of its CPU time");
    }
    // A thread uses no more than all of them do together.
    let of_client = evidence.client_cpu.map_or(0.0, |share| share * evidence.client_processors);
    if evidence.client_thread.is_none() && evidence.client_processors > 1.0 && of_client >= NEARLY {
        unseen.push("what the client's busiest thread used");
    }
    // What is used up goes before what is waited for: then looks would change nothing.
    if evidence.io.is_none() && !hidden && used_up(evidence).is_empty() {
        unseen.push("what backends wait for (too few looks)");
    }
    unseen
}

/// Resources of which nothing is left, and those of which next to nothing is left beside them.
fn used_up(evidence: &Evidence) -> Vec<(Bound, f64)> {
    let client = Side {
        cpu: (Bound::ClientCpu, evidence.client_cpu),
        thread: (Bound::ClientThread, evidence.client_thread),
        processors: evidence.client_processors,
    };
    let database = Side {
        cpu: (Bound::DatabaseCpu, evidence.database_cpu),
        thread: (Bound::DatabaseThread, evidence.database_thread),
        processors: evidence.database_processors,
    };
    let bandwidth = evidence.bandwidth.filter(|share| *share >= NEARLY).map(|share| (Bound::Bandwidth, share));
    let mut found: Vec<(Bound, f64)> =
        [client.used_up(), database.used_up(), bandwidth].into_iter().flatten().collect();
    if found.iter().all(|(_, share)| *share < USED_UP) {
        let host = evidence.host_cpu.filter(|share| evidence.shared && *share >= USED_UP);
        found = host.map(|share| (Bound::HostCpu, share)).into_iter().collect();
    }
    found
}

/// What a side used of all it may have, and its busiest thread of a processor.
struct Side {
    cpu: (Bound, Option<f64>),
    thread: (Bound, Option<f64>),
    processors: f64,
}

impl Side {
    /// The whole side or its thread: whichever has nothing left, else whichever has next to nothing. A thread that is used
    /// up is most of what a side on little more than a processor may have: then the thread is the bound, and the side is not.
    fn used_up(&self) -> Option<(Bound, f64)> {
        // With one processor's worth of time for the side, its busy thread is not what is special.
        let thread = self.thread.1.filter(|_| self.processors > 1.0);
        let from = |least: f64| {
            let at_least = |(bound, share): (Bound, Option<f64>)| Some((bound, share.filter(|share| *share >= least)?));
            at_least(self.cpu).or_else(|| at_least((self.thread.0, thread)))
        };
        from(USED_UP).or_else(|| from(NEARLY))
    }
}

fn of(found: &[(Bound, f64)], evidence: &Evidence) -> Verdict {
    let bounds: Vec<Bound> = found.iter().map(|(bound, _)| *bound).collect();
    let words: Vec<String> = found.iter().map(|(bound, share)| said(*bound, *share, evidence)).collect();
    let bound = match bounds.as_slice() {
        [one] => *one,
        _ => Bound::Mixed,
    };
    Verdict { bound, of: bounds, why: words.join("; "), less_sure: false }
}

fn said(bound: Bound, share: f64, evidence: &Evidence) -> String {
    let percent = format!("{:.0} %", share * 100.0);
    match bound {
        Bound::ClientCpu if evidence.clients > 1 => {
            format!("the {} clients together used {percent} of the CPU time they may have", evidence.clients)
        }
        Bound::ClientThread if evidence.clients > 1 => {
            format!("one thread of each of the {} clients used {percent} of a processor or more", evidence.clients)
        }
        Bound::ClientCpu => {
            format!("the client used {percent} of the CPU time it may have{}", beside(evidence.client_taken))
        }
        Bound::ClientThread if evidence.interpreter_lock => {
            format!(
                "the client's threads, which run one at a time (an interpreter's lock), used {percent} of a processor"
            )
        }
        Bound::ClientThread => format!("one of the client's threads used {percent} of a processor"),
        Bound::DatabaseCpu => {
            format!("the database used {percent} of the CPU time it may have{}", beside(evidence.database_taken))
        }
        Bound::DatabaseThread => format!("the only connection's backend used {percent} of a processor"),
        Bound::HostCpu => format!("the machine's processors were {percent} busy"),
        Bound::Bandwidth => format!("{percent} of what the link carries was on it"),
        Bound::RoundTrips => format!("{percent} of connection time was on the way"),
        Bound::DatabaseIo => {
            let flushes = evidence.flushes.map_or_else(String::new, |flushes| format!(" ({})", flushes.words()));
            format!("backends slept for WAL or files in {percent} of all looks{flushes}")
        }
        Bound::DatabaseLocks => format!("backends slept for each other in {percent} of all looks"),
        Bound::Coordination => format!("workers slept {percent} of their time for want of records"),
        Bound::Mixed | Bound::Undetermined => percent,
    }
}

/// What others took, where it is something: the link, the network's interrupts.
fn beside(taken: f64) -> String {
    if taken < 0.02 { String::new() } else { format!(" (others took {:.0} % of its processors)", taken * 100.0) }
}

fn nothing(evidence: &Evidence, waits: &[(Bound, f64)]) -> String {
    let host = evidence.host_cpu.filter(|_| evidence.shared);
    let cpu =
        [(Bound::ClientCpu, evidence.client_cpu), (Bound::DatabaseCpu, evidence.database_cpu), (Bound::HostCpu, host)];
    let all = cpu.into_iter().filter_map(|(bound, share)| Some((bound, share?))).chain(waits.iter().copied());
    match all.max_by(|one, other| one.1.total_cmp(&other.1)) {
        Some((bound, share)) => {
            format!(
                "nothing is used up and nothing is waited for most of the time; the most: {}{}",
                said(bound, share, evidence),
                in_turns(evidence).unwrap_or_default()
            )
        }
        None => "nothing was measured that could tell".into(),
    }
}

/// Where there is one connection and its two ends together are at work most of the time, and no longer than it lasts: one
/// works while the other waits, as far as anybody can tell from shares. That is no resource's fault, and it is what more
/// connections are for.
fn in_turns(evidence: &Evidence) -> Option<String> {
    let (client, database) = (evidence.client_thread?, evidence.database_thread?);
    (MOST_OF_IT..=ALL_OF_IT).contains(&(client + database)).then(|| {
        format!(
            "; with one connection, client ({:.0} % of a processor) and backend ({:.0} %) seem to work in turns: more \
             connections, or requests in flight, let them work side by side",
            client * 100.0,
            database * 100.0
        )
    })
}
