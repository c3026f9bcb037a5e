//! `lab doctor --calibrate`: links and CPU limits set one after the other and measured against theory, through the
//! same containers as a run's.

use super::StackConfig;
use super::data;
use super::stack_stage::StackStage;
use super::stage::Stage;
use super::stop::Stop;
use crate::engine::{Stack, Waiting};
use crate::model::Program;
use crate::model::cell::CONTROL;
use crate::model::limits::Cpus;
use crate::model::link::LinkProfile;
use crate::wire::conditions::CpuCheck;
use crate::wire::emulation::Counters;
use crate::wire::exit::{Exit, Failure};
use crate::wire::measured::{LinkMeasured, Quantiles};
use crate::wire::setup::LinkStatus;
use anyhow::{Context, Result};
use std::path::Path;
use std::time::Duration;

/// Round trips asked for, from the next zone to another continent.
const RTTS: [&str; 6] = ["rtt=0.5ms", "rtt=1ms", "rtt=5ms", "rtt=20ms", "rtt=80ms", "rtt=150ms"];

/// Rates, below and above what a window allows.
const RATES: [&str; 2] = ["rtt=20ms,up=20mbit,down=50mbit", "rtt=5ms,up=100mbit,down=100mbit"];

/// Packets lost one by one.
const LOSS: &str = "loss=1%";

/// Limits of CPU time.
const CPUS: [&str; 3] = ["0.25", "0.5", "1"];

/// How far a round trip may lie from the one asked for: milliseconds, or a part of it, whichever is more.
const RTT_OFF: (f64, f64) = (0.2, 0.02);

/// What a flow has to reach of the least of rate, window a round trip, and 1 Gbit/s.
const RATE_LEAST: f64 = 0.85;

/// Standard deviations that a count of lost packets may lie from its mean: 3 leave one in 370 outside.
const DEVIATIONS: f64 = 3.0;

/// Sets, measures, prints a line each, and puts everything back. Fails when something is off.
pub async fn calibrate(config: &StackConfig) -> Result<()> {
    let stop = Stop::on_signals()?;
    let stack = config.connect().await?;
    let mut stage = StackStage::take_within(stack.clone(), Duration::ZERO).await?;
    let outcome = tokio::select! {
        outcome = measure(&mut stage, &stack) => outcome,
        () = stop.asked() => Err(Failure::new(Exit::Interrupted, "interrupted; limits and link are put back").into()),
    };
    let restored = stage.restore().await;
    let (off, all) = outcome?;
    restored?;
    if off == 0 {
        println!("all {all} are as they should be");
        return Ok(());
    }
    let message = format!(
        "{off} of {all} are off (marked !): on a machine that does something else, try again when it is idle; \
         else runs with such a link or limit will be invalid here"
    );
    Err(Failure::new(Exit::Failure, message).into())
}

/// How many are off, of how many.
async fn measure(stage: &mut StackStage, stack: &Stack) -> Result<(usize, usize)> {
    let scratch = tempfile::tempdir().context("make a folder for generated data")?;
    let (data, _) = data::find(Path::new(data::DATA), scratch.path())?;
    let (volume, _) = stack.ensure_data(&data).await?;
    stage.begin("calibration", volume, &[Program::Ingester].into()).await?;
    let client = stage.bare_client().await?;
    let mut tally = Tally::default();
    links(stage, &client, &mut tally).await?;
    cpus(stage, &client, &mut tally).await?;
    Ok((tally.off, tally.all))
}

#[derive(Debug, Default)]
struct Tally {
    off: usize,
    all: usize,
}

impl Tally {
    /// Prints a line with its sign.
    fn line(&mut self, is_right: bool, text: &str) {
        self.all += 1;
        self.off += usize::from(!is_right);
        println!("{} {text}", if is_right { ' ' } else { '!' });
    }
}

async fn links(stage: &StackStage, client: &Waiting, tally: &mut Tally) -> Result<()> {
    let (mut first, floor) = (true, stage.floor().await?);
    for words in [CONTROL].iter().chain(&RTTS).chain(&RATES) {
        let profile = super::links::find(words).map_err(|error| Failure::new(Exit::Usage, error))?;
        if !profile.rtt().is_zero() && profile.rtt() < floor {
            println!("  {words}: left out, the backend here takes {floor} by itself");
            continue;
        }
        let (measured, status) = stage.try_link(client, &profile).await?;
        if std::mem::take(&mut first) {
            println!("link: emulation by {}, forwarding by {}", status.emulation.backend, status.forwarding);
            println!("{HEAD}");
        }
        let row = LinkRow { profile: &profile, measured: &measured, dropped: dropped(&status) };
        tally.line(row.is_right(), &row.to_string());
    }
    let profile = super::links::find(LOSS).map_err(|error| Failure::new(Exit::Usage, error))?;
    let (_, status) = stage.try_link(client, &profile).await?;
    for (way, counters) in [("up", &status.emulation.up), ("down", &status.emulation.down)] {
        let Some(Counters { packets, dropped_asked: lost, .. }) = counters else { continue };
        let text = format!(
            "{LOSS} {way}: {lost} of {packets} packets lost, {:.2} %",
            *lost as f64 / (*packets).max(1) as f64 * 100.0
        );
        tally.line(is_binomial(*lost, *packets, 0.01), &text);
    }
    Ok(())
}

const HEAD: &str = "  asked for                          exchange, ms     off  connect   up Mbit/s      down    bound  drops\n\
                    \x20                                    p50      p99              / RTT";

/// A link as it was asked for beside what was measured.
struct LinkRow<'a> {
    profile: &'a LinkProfile,
    measured: &'a LinkMeasured,
    dropped: u64,
}

impl LinkRow<'_> {
    fn rtt(&self) -> f64 {
        milliseconds(self.profile.rtt().nanos())
    }

    /// Mbit/s that a flow can have: up, down.
    fn bounds(&self) -> [f64; 2] {
        [self.profile.up, self.profile.down].map(|way| {
            let rate = way.rate.bits_per_second().map_or(f64::INFINITY, |bits| bits as f64);
            // The round trip as it is: the control's own is not zero.
            let rtt = self.profile.rtt().max(crate::model::quantity::Delay::from_nanos(self.measured.exchange.p50));
            rate.min(LinkMeasured::window_bound(rtt)) / 1e6
        })
    }

    fn flows(&self) -> [f64; 2] {
        [self.measured.up, self.measured.down].map(|bits| bits.unwrap_or(0) as f64 / 1e6)
    }

    fn is_right(&self) -> bool {
        let (rtt, Quantiles { p50, .. }) = (self.rtt(), self.measured.exchange);
        // The control has nothing to be compared with: it is shown.
        let near = rtt == 0.0 || (milliseconds(p50) - rtt).abs() <= f64::max(RTT_OFF.0, RTT_OFF.1 * rtt);
        let fast = self.flows().iter().zip(self.bounds()).all(|(flow, bound)| *flow >= RATE_LEAST * bound);
        near && fast && self.dropped == 0
    }
}

impl std::fmt::Display for LinkRow<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Quantiles { p50, p99, .. } = self.measured.exchange;
        let ([up, down], bound) = (self.flows(), self.bounds().into_iter().fold(f64::INFINITY, f64::min));
        let (p50, p99, connect) = (milliseconds(p50), milliseconds(p99), milliseconds(self.measured.connect.p50));
        write!(
            f,
            "{:<33} {p50:>8.3} {p99:>8.2} {:>+7.3} {:>8.3} {up:>11.1} {down:>9.1} {bound:>8.1} {:>6}",
            self.profile.name,
            p50 - self.rtt(),
            connect / p50,
            self.dropped
        )
    }
}

async fn cpus(stage: &mut StackStage, client: &Waiting, tally: &mut Tally) -> Result<()> {
    println!("CPUs: a spin's share, beside what the engine and the control group say");
    for words in CPUS {
        let asked: Cpus = words.parse().map_err(|error: String| Failure::new(Exit::Usage, error))?;
        for (side, check) in ["client", "database"].into_iter().zip(stage.try_cpus(client, asked).await?) {
            match check {
                None => println!("  {side:<9} {asked:>5}: left out, it has fewer processors here"),
                Some(check) => {
                    let is_right = check.within_tolerance() && check.engine == asked && check.cgroup == Some(asked);
                    tally.line(is_right, &cpu_row(side, &check));
                }
            }
        }
    }
    Ok(())
}

fn cpu_row(side: &str, check: &CpuCheck) -> String {
    let CpuCheck { asked, engine, measured, .. } = check;
    let cgroup = check.cgroup.map_or_else(|| "?".into(), |cgroup| cgroup.to_string());
    let off = asked.count().map_or(0.0, |asked| (measured / asked - 1.0) * 100.0);
    format!("{side:<9} {asked:>5}: measured {measured:.3} ({off:+.1} %), engine {engine}, control group {cgroup}")
}

fn dropped(status: &LinkStatus) -> u64 {
    let ways = [&status.emulation.up, &status.emulation.down];
    ways.into_iter().flatten().filter_map(|way| way.dropped_unasked).sum()
}

/// Whether a count of lost packets is what so many packets and such a chance may give.
fn is_binomial(lost: u64, packets: u64, chance: f64) -> bool {
    let (mean, packets) = (packets as f64 * chance, packets as f64);
    packets >= 1_000.0 && (lost as f64 - mean).abs() <= DEVIATIONS * (packets * chance * (1.0 - chance)).sqrt()
}

fn milliseconds(nanos: u64) -> f64 {
    nanos as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(words: &str, p50: f64, flow: f64, dropped: u64) -> (bool, String) {
        let profile: LinkProfile = words.parse().unwrap();
        let nanos = (p50 * 1e6) as u64;
        let times = Quantiles { count: 100, p50: nanos, p99: nanos + 500_000 };
        let flow = Some((flow * 1e6) as u64);
        let measured = LinkMeasured { connect: times, exchange: times, up: flow, down: flow };
        let row = LinkRow { profile: &profile, measured: &measured, dropped };
        (row.is_right(), row.to_string())
    }

    #[test]
    fn a_link_is_right_when_round_trip_and_flow_are_as_theory_says() {
        let (right, text) = row("rtt=20ms", 20.1, 79.0, 0);
        assert!(right && text.contains("20.100") && text.contains("+0.100"), "{text}");
        assert!(text.contains("79.6"), "200 kB each 20.1 ms: {text}");
        assert!(!row("rtt=20ms", 20.5, 79.0, 0).0, "more than 2 % off");
        assert!(row("rtt=0.5ms", 0.69, 990.0, 0).0 && !row("rtt=0.5ms", 0.72, 990.0, 0).0);
        assert!(!row("rtt=20ms", 20.1, 50.0, 0).0, "a flow far below its window");
        assert!(!row("rtt=20ms", 20.1, 79.0, 1).0, "a packet lost");
        assert!(row("rtt=20ms,up=20mbit,down=20mbit", 20.1, 19.0, 0).0);
    }

    #[test]
    fn a_count_of_lost_packets_is_judged_by_its_binomial_interval() {
        assert!(is_binomial(100, 10_000, 0.01) && is_binomial(128, 10_000, 0.01));
        assert!(!is_binomial(131, 10_000, 0.01) && !is_binomial(69, 10_000, 0.01));
        assert!(!is_binomial(1, 100, 0.01), "too few to say");
    }
}
