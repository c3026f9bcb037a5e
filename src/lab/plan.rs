//! The plan of a series: which cell runs when, and how long that takes. Pure: the same experiment gives the same plan.

use super::{Experiment, StopRule};
use crate::model::cell::Cell;
use crate::model::fault::Fault;
use crate::model::{Commit, Part, Statement, Workload};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// The longest a warm-up's data phase lasts, seconds: enough to fill caches and to recycle WAL.
const WARM_UP: f64 = 5.0;

/// What a run takes besides its data phase, seconds: geographic records, calibration, the lab itself.
const BESIDES: f64 = 6.0;

/// What each further client takes of that, seconds: its container, and measuring its processors.
const A_CLIENT: f64 = 1.5;

/// Rows a second that an estimate counts on where lines, not seconds, end a run; and items of a line.
const ROWS_A_SECOND: f64 = 5_000.0;
const ITEMS: f64 = 222.0;

/// Bytes of disk a row takes: the tuple and its WAL.
const BYTES_A_ROW: f64 = 200.0;

/// Round trips of a line besides its items'; and how much slower than its link a record is, on a busy machine.
const SELECTS: f64 = 2.0;
const SLOWER: f64 = 1.3;

/// To fit a budget runs are not made shorter than this, seconds.
const SHORTEST: f64 = 5.0;

/// One run to be done.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Its number, from 1; 0 is the warm-up.
    pub run: usize,
    /// Its block, from 1; 0 for the warm-up.
    pub block: usize,
    /// What it is in the series.
    pub part: Part,
    /// What is run.
    pub cell: Cell,
    /// When the run ends.
    pub stop: StopRule,
    /// When it was to end before anything was shortened.
    pub planned: StopRule,
}

/// Every run of a series, in order: a warm-up; then blocks, of which odd ones are shuffled by the seed and each even
/// one is its predecessor backwards (A B, B A), so that a drift over time falls on all cells alike. In every block
/// the first cell runs twice, as a pair of itself with itself, unless it is given a fault.
pub fn plan(experiment: &Experiment) -> Vec<Step> {
    let mut rng = ChaCha8Rng::seed_from_u64(experiment.seed);
    let mut order: Vec<(Part, Cell)> = experiment.cells().into_iter().map(|cell| (Part::Cell, cell)).collect();
    let Some((_, first)) = order.first().cloned() else { return Vec::new() };
    // A fault's runs say what it cost, not what is noise.
    if first.fault.is_none() {
        order.push((Part::Twin, first.clone()));
    }
    let first = Cell { fault: Fault::NONE, ..first };
    let stop = experiment.stop;
    let short = StopRule { seconds: Some(stop.seconds.map_or(WARM_UP, |seconds| seconds.min(WARM_UP))), ..stop };
    let mut steps = vec![Step { run: 0, block: 0, part: Part::WarmUp, cell: first, stop: short, planned: short }];
    for block in 1..=experiment.blocks {
        if block % 2 == 1 {
            shuffle(&mut order, &mut rng);
        } else {
            order.reverse();
        }
        for (part, cell) in &order {
            steps.push(Step { run: steps.len(), block, part: *part, cell: cell.clone(), stop, planned: stop });
        }
    }
    steps
}

/// What a series is expected to take.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// Time, seconds.
    pub seconds: f64,
    /// Disk for the largest run, bytes: each run begins with empty tables.
    pub disk: u64,
}

/// How many runs so many blocks of so many cells are, the warm-up included.
pub(super) fn runs(blocks: usize, cells: usize) -> usize {
    1 + blocks.saturating_mul(cells.saturating_add(1))
}

/// What a run's data phase is expected to take, seconds.
fn data(stop: &StopRule) -> f64 {
    let lines = stop.lines.map_or(f64::INFINITY, |lines| lines as f64 * ITEMS / ROWS_A_SECOND);
    stop.seconds.unwrap_or(f64::INFINITY).min(lines)
}

/// What a run takes besides its data phase, seconds, on average over the cells.
fn besides(experiment: &Experiment) -> f64 {
    let cells = experiment.cells();
    let further: usize = cells.iter().map(|cell| cell.clients.saturating_sub(1)).sum();
    BESIDES + A_CLIENT * further as f64 / cells.len().max(1) as f64
}

/// What a series is expected to take, on the stack as it is.
pub fn estimate(experiment: &Experiment) -> Estimate {
    let stop = &experiment.stop;
    let data = data(stop);
    let runs = runs(experiment.blocks, experiment.cells().len()) as f64;
    let rows = stop.lines.map_or(data * ROWS_A_SECOND * 10.0, |lines| lines as f64 * ITEMS);
    Estimate { seconds: runs * (data + besides(experiment)), disk: (rows * BYTES_A_ROW) as u64 }
}

/// Makes an experiment fit its budget: shorter runs first, then fewer cells, the last ones first. Blocks stay: fewer
/// would leave no answer at all. Returns what was done, a sentence each.
pub fn fit(experiment: &mut Experiment) -> Vec<String> {
    let Some(budget) = experiment.budget else { return Vec::new() };
    let mut done = Vec::new();
    if let Some(seconds) = experiment.stop.seconds.filter(|_| estimate(experiment).seconds > budget) {
        let shorter = (budget / runs(experiment.blocks, experiment.cells().len()) as f64 - besides(experiment))
            .clamp(SHORTEST.min(seconds), seconds)
            .floor();
        if shorter < seconds {
            done.push(format!("runs are shortened from {seconds} s to {shorter} s to fit the budget"));
            experiment.stop.seconds = Some(shorter);
        }
    }
    let mut cells = experiment.cells().len();
    let each = data(&experiment.stop) + besides(experiment);
    while runs(experiment.blocks, cells) as f64 * each > budget && cells > 2 {
        cells -= 1;
    }
    let left_out = experiment.keep_cells(cells);
    done.extend(left_out.iter().map(|cell| format!("{cell} is left out to fit the budget")));
    done
}

/// Keeps a series within its budget while it runs: `used` seconds went into the runs `done` so far, `left` are to
/// come. What a run takes besides its data phase is what it took so far; from that the length follows which the others
/// may have, at most the one planned; `rtt` is what a cell's round trip is asked to be, seconds. Runs that set a quota keep theirs: they need its periods. Says what was done.
pub fn shorten(done: &[Step], left: &mut [Step], used: f64, budget: f64, rtt: &dyn Fn(&Cell) -> f64) -> Option<String> {
    let planned = |step: &Step| step.planned.seconds;
    let lasted: Option<f64> = done.iter().map(|step| step.stop.seconds).sum();
    let besides = ((used - lasted?) / done.len().max(1) as f64).max(0.0);
    let quota = |step: &Step| step.cell.client_cpus.count().or(step.cell.db_cpus.count()).is_some();
    let kept: f64 = left.iter().filter(|step| quota(step)).filter_map(planned).sum();
    let free = left.iter().filter(|step| !quota(step)).count();
    let each = (budget - used - besides * left.len() as f64 - kept) / free.max(1) as f64;
    let mut said = None;
    for step in left.iter_mut().filter(|step| !quota(step)) {
        let Some(planned) = planned(step) else { continue };
        let seconds = each.clamp(shortest(&step.cell, rtt(&step.cell)).min(planned), planned);
        if step.stop.seconds.is_some_and(|now| now - seconds > 0.1) {
            said = Some(format!("runs are shortened to {seconds:.1} s from here on, to end within the budget"));
        }
        step.stop.seconds = Some(seconds);
    }
    said
}

/// What a run needs at least, seconds: each worker's first record has to come to its end, for the second to count as
/// well. Far away that alone takes seconds.
fn shortest(cell: &Cell, rtt: f64) -> f64 {
    if cell.workload == Workload::Lookup {
        // Two chunks a worker, one after the other.
        let together = if cell.statement == Statement::Executemany { cell.in_flight.max(1) } else { 1 };
        return SHORTEST.max(2.0 * rtt * cell.chunk.div_ceil(together) as f64 * SLOWER);
    }
    let waits = match cell.statement {
        Statement::Row => ITEMS,
        Statement::Executemany => (ITEMS / cell.in_flight.max(1) as f64).ceil(),
        // These look up together, too.
        Statement::Multirow | Statement::Unnest => 0.0,
        Statement::Copy => 1.0,
    };
    let lines = if cell.commit == Commit::Chunk && cell.statement.waits_a_line() { cell.chunk as f64 } else { 1.0 };
    SHORTEST.max(rtt * (waits + SELECTS) * lines * SLOWER)
}

/// Fisher and Yates. The tiny bias of the remainder does not matter for an order.
fn shuffle<T>(cells: &mut [T], rng: &mut ChaCha8Rng) {
    for last in (1..cells.len()).rev() {
        let other = rng.next_u64() % (last as u64 + 1);
        cells.swap(last, other as usize);
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::experiment;
    use super::*;
    use crate::model::limits::Cpus;

    #[test]
    fn after_a_warm_up_every_block_runs_every_cell_once_and_one_as_a_pair() {
        let experiment = experiment(4);
        let steps = plan(&experiment);
        assert_eq!(steps.len(), 1 + 4 * 3);
        assert_eq!((steps[0].part, steps[0].run, steps[1].run), (Part::WarmUp, 0, 1));
        let block = |number: usize| {
            steps.iter().filter(|s| s.block == number).map(|s| (s.part, s.cell.clone())).collect::<Vec<_>>()
        };
        assert_eq!(block(2), block(1).into_iter().rev().collect::<Vec<_>>());
        assert_eq!(block(4), block(3).into_iter().rev().collect::<Vec<_>>());
        for cell in experiment.cells() {
            assert!(block(1).contains(&(Part::Cell, cell)));
        }
        assert_eq!(block(3).iter().filter(|(part, _)| *part == Part::Twin).count(), 1);
        assert_eq!(steps, plan(&experiment), "the same seed, the same order");
    }

    #[test]
    fn another_seed_is_another_order_sooner_or_later() {
        let orders: std::collections::HashSet<String> = (0..20)
            .map(|seed| {
                let mut experiment = experiment(3);
                experiment.seed = seed;
                plan(&experiment).iter().map(|step| format!("{}{} ", step.part, step.cell.scheme)).collect()
            })
            .collect();
        assert!(orders.len() > 1);
    }

    #[test]
    fn a_budget_shortens_runs_then_drops_cells_and_never_blocks() {
        let mut tight = experiment(6);
        tight.stop.seconds = Some(60.0);
        tight.cells[0].pool = vec![1, 2, 3, 4];
        tight.budget = Some(600.0);
        let done = fit(&mut tight);
        assert!(estimate(&tight).seconds <= 600.0);
        assert_eq!((tight.blocks, tight.stop.seconds), (6, Some(SHORTEST)));
        assert!(done[0].contains("shortened from 60 s to 5 s"), "{done:?}");
        assert!(tight.cells().len() < 8 && done.last().unwrap().contains("is left out"), "{done:?}");
        let mut roomy = experiment(2);
        roomy.budget = Some(600.0);
        assert!(fit(&mut roomy).is_empty());
    }

    #[test]
    fn a_series_that_runs_late_is_shortened_for_the_rest_but_not_where_a_quota_is_set() {
        let mut late = experiment(2);
        late.stop.seconds = Some(8.0);
        let mut steps = plan(&late);
        steps[0].stop.seconds = Some(8.0);
        let mut after = |used: f64, budget: f64, limited: bool| {
            let (done, left) = steps.split_at_mut(4);
            left[1].cell.db_cpus = if limited { "0.5".parse().unwrap() } else { Cpus::UNLIMITED };
            left[1].stop = left[1].planned;
            let said = shorten(done, left, used, budget, &|_| 0.0);
            (said, left.iter().filter_map(|step| step.stop.seconds).collect::<Vec<f64>>())
        };
        // 4 runs of 8 s took 40 s: 2 s besides each, so 3 more take 30 s.
        assert_eq!(after(40.0, 70.0, false), (None, vec![8.0; 3]));
        let (said, seconds) = after(40.0, 67.0, false);
        assert!(said.unwrap().contains("shortened to 7.0 s") && seconds == [7.0; 3]);
        let (_, seconds) = after(40.0, 66.0, true);
        assert_eq!(seconds, [6.0, 8.0, 6.0], "the one with a quota keeps its length");
        let (_, seconds) = after(40.0, 10.0, false);
        assert_eq!(seconds, [SHORTEST; 3]);
        assert_eq!(after(40.0, 90.0, false), (None, vec![8.0; 3]), "and grows back where there is time");
        left_far(&mut steps, 0.02, 224.0 * 0.02 * SLOWER);
        left_far(&mut steps, 0.08, 8.0);
    }

    fn left_far(steps: &mut [Step], rtt: f64, expected: f64) {
        let (done, left) = steps.split_at_mut(4);
        for step in &mut *left {
            step.cell.db_cpus = Cpus::UNLIMITED;
        }
        shorten(done, left, 40.0, 10.0, &|_| rtt);
        let seconds: Vec<f64> = left.iter().filter_map(|step| step.stop.seconds).collect();
        assert!(seconds.iter().all(|one| (one - expected).abs() < 1e-9), "{rtt} s: a record has to end: {seconds:?}");
    }

    #[test]
    fn the_shipped_default_fits_its_twelve_minutes() {
        let mut quick = Experiment::load("quick").unwrap();
        assert!(fit(&mut quick).is_empty(), "as shipped nothing has to be cut");
        assert!(estimate(&quick).seconds <= 720.0);
    }
}
