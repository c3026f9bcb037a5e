//! Runs that do not count, a line a reason: on a loud machine there are dozens of them for the same one.

use serde::Serialize;
use std::collections::BTreeMap;

/// A run that does not count.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Invalid {
    pub run: usize,
    pub attempt: u32,
    pub cell: String,
    pub why: String,
}

/// Up to so many runs of a reason each have a line of their own.
const ONE_BY_ONE: usize = 2;

/// Of so many runs of a reason the numbers are told.
const NUMBERS: usize = 8;

impl Invalid {
    fn line(&self) -> String {
        let again = if self.attempt > 1 { format!(" (attempt {})", self.attempt) } else { String::new() };
        format!("run {}{again}, {}: {}", self.run, self.cell, self.why)
    }
}

/// A line for each run, or for all runs of a reason together.
pub(super) fn lines(invalid: &[Invalid]) -> Vec<String> {
    let mut alike: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (place, run) in invalid.iter().enumerate() {
        alike.entry(without_figures(&run.why)).or_default().push(place);
    }
    let mut groups: Vec<Vec<usize>> = alike.into_values().collect();
    groups.sort_unstable(); // by the first run of each
    let told = |places: Vec<usize>| {
        let runs: Vec<&Invalid> = places.into_iter().map(|place| &invalid[place]).collect();
        match runs.as_slice() {
            [first, others @ ..] if others.len() >= ONE_BY_ONE => vec![together(first, others)],
            few => few.iter().map(|run| run.line()).collect(),
        }
    };
    groups.into_iter().flat_map(told).collect()
}

fn together(first: &Invalid, others: &[&Invalid]) -> String {
    let mut numbers: Vec<usize> = others.iter().map(|run| run.run).collect();
    numbers.sort_unstable();
    numbers.dedup();
    let mut shown: Vec<String> = numbers.iter().take(NUMBERS).map(usize::to_string).collect();
    if numbers.len() > NUMBERS {
        shown.push("…".into());
    }
    let runs = if numbers.len() == 1 { "run" } else { "runs" };
    format!("{}; likewise {} more attempts, of {runs} {}", first.line(), others.len(), shown.join(", "))
}

/// A reason with every figure taken out: 12 % and 31 % off are the same one.
fn without_figures(why: &str) -> String {
    let is_figure = |char: char| char.is_ascii_digit();
    let mut reason = String::with_capacity(why.len());
    let mut rest = why;
    while let Some(at) = rest.find(is_figure) {
        reason.push_str(&rest[..at]);
        reason.push('0');
        let end = |char: char| !(is_figure(char) || char == '.' || char == ',');
        rest = rest[at..].find(end).map_or("", |end| &rest[at + end..]);
    }
    reason + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn off(run: usize, attempt: u32, by: &str) -> Invalid {
        Invalid { run, attempt, cell: "async local".into(), why: format!("the processor's speed is {by} % off") }
    }

    #[test]
    fn runs_of_one_reason_share_a_line_whatever_its_figures() {
        let mut invalid = vec![off(3, 1, "12"), off(3, 2, "31.5"), off(7, 1, "11")];
        invalid.insert(1, Invalid { why: "2 checkpoints began while it ran".into(), ..off(5, 1, "") });
        assert_eq!(
            lines(&invalid),
            [
                "run 3, async local: the processor's speed is 12 % off; likewise 2 more attempts, of runs 3, 7",
                "run 5, async local: 2 checkpoints began while it ran",
            ]
        );
        let many: Vec<Invalid> = (1..=90).map(|run| off(run, 1, "20")).collect();
        let told = lines(&many);
        assert_eq!(told.len(), 1);
        assert!(told[0].ends_with("likewise 89 more attempts, of runs 2, 3, 4, 5, 6, 7, 8, 9, …"), "{}", told[0]);
    }

    #[test]
    fn few_runs_of_a_reason_have_a_line_each() {
        assert_eq!(
            lines(&[off(3, 1, "12"), off(4, 2, "31")]),
            [
                "run 3, async local: the processor's speed is 12 % off",
                "run 4 (attempt 2), async local: the processor's speed is 31 % off",
            ]
        );
        assert!(lines(&[]).is_empty());
    }
}
