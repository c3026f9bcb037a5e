//! What a run's ingesters say while something breaks, on one clock: the lab's, from the beginning of the data phase.

use crate::model::Phase;
use crate::model::fault::Fault;
use crate::wire::fault::{FaultSeen, Piece};
use crate::wire::{Event, Line};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// The account of a run.
#[derive(Debug)]
pub(super) struct Account {
    /// What was seen so far.
    pub seen: FaultSeen,
    /// When the data phase began, by the lab's clock.
    origin: watch::Sender<Option<Instant>>,
    /// When the first line of the ingester that speaks now came, and what it said the time was.
    first: Option<(Instant, f64)>,
    /// The same of the first line of all.
    first_of_all: Option<(Instant, f64)>,
    /// Lines heard so far.
    lines: u64,
}

impl Account {
    /// Of a fault that is to come so many seconds into the data phase.
    pub(super) fn new(fault: Fault, asked: f64) -> Self {
        let seen = FaultSeen { fault, asked, ..Default::default() };
        Self { seen, origin: watch::channel(None).0, first: None, first_of_all: None, lines: 0 }
    }

    /// Tells when the data phase has begun.
    pub(super) fn began(&self) -> watch::Receiver<Option<Instant>> {
        self.origin.subscribe()
    }

    /// Seconds from the data phase's beginning to then.
    pub(super) fn elapsed(&self, then: Instant) -> f64 {
        self.origin.borrow().map_or(0.0, |origin| then.saturating_duration_since(origin).as_secs_f64())
    }

    /// The fault comes.
    pub(super) fn applied(&mut self, now: Instant) {
        self.seen.applied = Some(self.elapsed(now));
    }

    /// It is made good.
    pub(super) fn lifted(&mut self, now: Instant) {
        self.seen.lifted = Some(self.elapsed(now));
    }

    /// Another ingester speaks from here on: with it the first one's end is made good.
    pub(super) fn another(&mut self, now: Instant) {
        self.first = None;
        self.seen.error.get_or_insert_with(|| "the ingester was killed".into());
        self.lifted(now);
    }

    /// Takes a line, and gives it as the next of all lines of the run: a second ingester's go on where the first's
    /// ended.
    pub(super) fn hear(&mut self, line: &Line, now: Instant) -> Line {
        let (came, said) = *self.first.get_or_insert((now, line.at));
        let (began, began_at) = *self.first_of_all.get_or_insert((came, said));
        let at = came + Duration::from_secs_f64((line.at - said).max(0.0));
        self.take(&line.event, at);
        let told = Line { seq: self.lines, at: began_at + (at - began).as_secs_f64(), ..line.clone() };
        self.lines += 1;
        told
    }

    fn take(&mut self, event: &Event, at: Instant) {
        match event {
            Event::Phase { phase: Phase::Data } if self.origin.borrow().is_none() => {
                self.origin.send_replace(Some(at));
            }
            Event::Second { phase: Phase::Data, second } => {
                let Some(origin) = *self.origin.borrow() else { return };
                let to = at.saturating_duration_since(origin).as_secs_f64();
                let from = (to - second.seconds).max(self.seen.rows.last().map_or(0.0, |last| last.to)).min(to);
                self.seen.rows.push(Piece { from, to, rows: second.rows });
            }
            Event::ConnectionLost { error, .. } | Event::Failed { error, .. } => {
                self.seen.error.get_or_insert_with(|| error.clone());
            }
            Event::ConnectionBack { .. } => self.seen.reconnects += 1,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::SCHEMA;
    use crate::wire::metrics::Second;

    fn second(rows: u64) -> Event {
        let second = Second { seconds: 0.2, records: 1, rows, rate: 0.0, stages: vec![], histograms: vec![] };
        Event::Second { phase: Phase::Data, second }
    }

    /// What a run's ingesters say, each line when it came, seconds after the first.
    struct Saying(Account, Instant);

    impl Saying {
        fn of(fault: &str) -> Self {
            Self(Account::new(fault.parse().unwrap(), 4.0), Instant::now())
        }

        fn then(&self, seconds: f64) -> Instant {
            self.1 + Duration::from_secs_f64(seconds)
        }

        fn say(&mut self, came: f64, seq: u64, at: f64, event: Event) -> Line {
            self.0.hear(&Line { schema: SCHEMA, seq, at, client: None, event }, self.then(came))
        }
    }

    #[test]
    fn two_ingesters_are_one_account_on_one_clock() {
        let mut run = Saying::of("ingester-kill");
        let started = || Event::Started { program: "test".into() };
        run.say(0.0, 0, 0.5, started());
        run.say(1.0, 1, 1.5, Event::Phase { phase: Phase::Data });
        run.say(1.3, 2, 1.75, second(10)); // it came late; its own clock says when it was
        let killed = run.then(5.0);
        run.0.applied(killed);
        run.0.another(killed);
        let begins = run.say(5.0, 0, 0.0, started());
        run.say(5.5, 1, 0.5, Event::Phase { phase: Phase::Data });
        let last = run.say(5.75, 2, 0.75, second(20));
        assert_eq!((begins.seq, begins.at, last.seq, last.at), (3, 5.5, 5, 6.25));
        let seen = run.0.seen;
        let pieces: Vec<_> = seen.rows.iter().map(|piece| (piece.from, piece.to, piece.rows)).collect();
        assert!((pieces[0].0 - 0.05).abs() < 1e-9 && (pieces[1].0 - 4.55).abs() < 1e-9, "{pieces:?}");
        assert_eq!((pieces[0].1, pieces[0].2, pieces[1].1, pieces[1].2), (0.25, 10, 4.75, 20));
        assert_eq!((seen.applied, seen.lifted), (Some(4.0), Some(4.0)));
        assert_eq!(seen.error.as_deref(), Some("the ingester was killed"));
    }

    #[test]
    fn the_first_error_is_kept_and_connections_are_counted() {
        let mut run = Saying::of("reset");
        for (worker, error) in ["reset by peer", "refused"].into_iter().enumerate() {
            run.say(0.0, 0, 0.0, Event::ConnectionLost { worker, error: error.into() });
            run.say(0.5, 0, 0.5, Event::ConnectionBack { worker, seconds: 0.5, attempts: 2 });
        }
        assert_eq!((run.0.seen.error.as_deref(), run.0.seen.reconnects), (Some("reset by peer"), 2));
    }
}
