//! What differs in what produced two series, and what that means for what may be said.

use crate::analysis::{Across, Series};
use crate::model::{Part, units};
use crate::report::Fact;
use crate::report::names::Names;
use crate::report::why::{fact, warning};

/// The setups, what they allow to say, and how sure the series are of themselves.
pub(super) fn facts(across: &Across<'_>, names: &Names) -> Vec<Fact> {
    let setups = &across.setups;
    let mut facts = vec![machine(across)];
    facts.extend(speed(across));
    facts.extend(setups.differences.iter().map(|difference| fact("differs", difference.clone())));
    facts.push(claim(across));
    facts.push(runs(across));
    facts.push(noise(across, names));
    facts
}

fn machine(across: &Across<'_>) -> Fact {
    let engine = &across.other.setup.engine;
    let memory = u64::try_from(engine.memory).unwrap_or(0);
    let told = format!(
        "{}, {} processors, {}, kernel {}",
        engine.architecture,
        engine.processors,
        units::bytes(memory),
        engine.kernel
    );
    match (across.setups.same_machine, across.base.setup.same_hosts(across.other.setup)) {
        (true, _) => fact("machine", format!("the same in all that is recorded: {told}")),
        (false, true) => warning("machine", format!("another one for the database, or not known to be one: {told}")),
        (false, false) => warning("machine", format!("another one, or the same after a change: {told}")),
    }
}

/// A fixed piece of work before every run says how fast the processors were.
fn speed(across: &Across<'_>) -> Option<Fact> {
    let sides = ["client", "database"].into_iter().zip(across.speeds);
    let told: Vec<String> =
        sides.filter_map(|(side, times)| Some(format!("{side} {}x as fast", units::multiple(times?)))).collect();
    (!told.is_empty()).then(|| fact("processors", format!("a fixed piece of work: {}", told.join(", "))))
}

/// What the differences mean for what is claimed.
fn claim(across: &Across<'_>) -> Fact {
    let setups = &across.setups;
    if !setups.absolute() {
        let why = setups.against.join(", and ");
        return warning("so", format!("only ratios and verdicts are compared: {why}"));
    }
    let so = match setups.differences.is_empty() {
        true => "absolute rates are compared: the setups are the same",
        false => "absolute rates are compared, and what differs is what they are compared for",
    };
    fact("so", so)
}

fn runs(across: &Across<'_>) -> Fact {
    let count = |series: &Series<'_>| {
        let all: Vec<_> = series.records.iter().filter(|run| run.part != Part::WarmUp).collect();
        let valid = all.iter().filter(|run| run.is_valid()).count();
        (valid, all.len())
    };
    let (was, is) = (count(across.base), count(across.other));
    let text = format!("{} of {} valid then, {} of {} now; no other is in any figure", was.0, was.1, is.0, is.1);
    let few = [was, is].iter().any(|(valid, all)| valid * 10 < all * 9);
    if few { warning("runs", text) } else { fact("runs", text) }
}

fn noise(across: &Across<'_>, names: &Names) -> Fact {
    let cell = |series: &Series<'_>| series.analysis.noise.as_ref().map(|noise| names.cell(noise.cell));
    match (cell(across.base), cell(across.other)) {
        (Some(was), Some(is)) => {
            let cells = if was == is { was } else { format!("{was} and {is}") };
            let floor = units::percent(across.floor);
            fact("noise", format!("up to {floor} is no difference: what {cells}, twice a block, lay apart at most"))
        }
        _ => warning("noise", "a series ran no cell twice a block: what is noise is not known of it"),
    }
}
