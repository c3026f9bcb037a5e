//! `lab run`: a new series, the rest of one that was cut short, or a bundle's experiment again.

use super::experiment::{Experiment, Overrides};
use super::plan::{estimate, fit, plan};
use super::progress::Progress;
use super::replay::{self, Replay};
use super::run_loop::{Keep, Names, Played, Player};
use super::stack_stage::{Leave, StackStage};
use super::stage::Stage;
use super::stop::Stop;
use super::{PROGRAM, StackConfig, compare, data, raising, reporting};
use crate::analysis::Analysis;
use crate::engine::{Stack, label};
use crate::model::profiles::Profiles;
use crate::model::{Part, Program, printable, units};
use crate::report::Screen;
use crate::series::bundle::is_bundle;
use crate::series::{Folder, RESULTS, Repeats};
use crate::wire::exit::{Exit, Failure};
use crate::wire::forecast::Forecast;
use crate::wire::record::RunRecord;
use crate::wire::setup::{Setup, revision};
use crate::wire::{Line, SCHEMA};
use anyhow::{Context, Result};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long putting things back may take when an end at once was asked for.
const LAST_SWEEP: Duration = Duration::from_secs(10);

/// What `lab run` is told.
#[derive(Debug, Clone)]
pub struct RunConfig {
    /// The stack to run on.
    pub stack: StackConfig,
    /// An experiment's name or file, or a bundle whose experiment is run again.
    pub experiment: String,
    /// What the command line changes of it.
    pub overrides: Overrides,
    /// The series to go on with, instead of beginning one. Of one that repeats a bundle that may be named, too.
    pub resume: Option<String>,
    /// Whether a series of many hours was confirmed.
    pub yes: bool,
    /// Whether a database that is not the lab's may be written to without asking.
    pub write: bool,
    /// What the first screen is shown on.
    pub screen: Screen,
}

/// Runs an experiment and prints its first screen; every run is saved before the next begins.
pub async fn run(config: &RunConfig) -> Result<()> {
    let stop = Stop::on_signals()?;
    let wanted = Wanted::from(config)?;
    let stack = config.stack.connect_with(&wanted.experiment.nodes).await?;
    let ended = or_at_once(&stack, &stop, series(&stack, &wanted, &stop, config.screen)).await;
    ended.map_err(|error| match wanted.experiment.database {
        Some(_) if stop.is_now() => left_outside(&error),
        _ => error,
    })
}

/// Who ends at once drops nothing on a server that is not the lab's.
fn left_outside(error: &anyhow::Error) -> anyhow::Error {
    let message = format!("{error:#}; the lab's schema on the external database stays: the next series there drops it");
    Failure::new(Exit::Interrupted, message).into()
}

/// Work on a stack, which is made for it where nobody else does, that a second Ctrl-C ends at once.
pub(super) async fn or_at_once(stack: &Stack, stop: &Stop, work: impl Future<Output = Result<()>>) -> Result<()> {
    raising::on_a_stack(stack, stop, until_now(stack, stop, work)).await
}

async fn until_now(stack: &Stack, stop: &Stop, work: impl Future<Output = Result<()>>) -> Result<()> {
    tokio::select! {
        outcome = work => outcome,
        () = stop.now() => {
            // Whatever was going on is dropped; neither its container nor its limits must go on without us.
            let put_back = tokio::time::timeout(LAST_SWEEP, put_back(stack)).await;
            let rest = if put_back.is_ok() { "what it changed is put back" } else { "the next lab puts back what it changed" };
            Err(Failure::new(Exit::Interrupted, format!("ended at once; {rest}")).into())
        }
    }
}

/// Takes the stack, which tidies it; the connection just dropped may hold its lock for a moment more.
async fn put_back(stack: &Stack) {
    if stack.is_on_swarm() {
        return; // all of it goes
    }
    // Nobody else's: this lab has just held the lock.
    let _ = StackStage::revive(stack, false).await;
    while StackStage::take_within(stack.clone(), Duration::ZERO).await.is_err() {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// The series to play: an experiment, and the folder of an earlier session if there was one.
pub(super) struct Wanted {
    experiment: Experiment,
    earlier: Option<Folder>,
    /// What was cut to fit the budget.
    cut: Vec<String>,
    /// Where its folder goes.
    results: PathBuf,
    /// The bundle that is run again, if one is.
    replay: Option<Replay>,
    /// Who says that a database outside may be written to.
    leave: Leave,
}

impl Wanted {
    /// A new series in a folder of `results`.
    pub(super) fn new(experiment: Experiment, results: &Path) -> Self {
        Self {
            experiment,
            earlier: None,
            cut: Vec::new(),
            results: results.into(),
            replay: None,
            leave: Leave::default(),
        }
    }

    fn from(config: &RunConfig) -> Result<Self> {
        let wanted = Self::asked(config)?;
        if let Some(database) = &wanted.experiment.database {
            database.place().map_err(|error| Failure::new(Exit::Usage, error))?;
        }
        Ok(Self { leave: Leave { given: config.write }, ..wanted })
    }

    fn asked(config: &RunConfig) -> Result<Self> {
        let bundle = is_bundle(&config.experiment).then(|| Path::new(&config.experiment));
        if let Some(series) = &config.resume {
            let folder = Folder::open(Path::new(RESULTS), series)?;
            let name = folder.runs()?.first().map_or_else(|| folder.name().to_owned(), |run| run.experiment.clone());
            let experiment = Experiment::parse(&name, &folder.experiment()?)
                .map_err(|error| Failure::new(Exit::Usage, format!("the experiment of {series}: {error}")))?;
            let experiment = again_at(experiment, &config.overrides)?;
            let replay = bundle.map(|bundle| Replay::of_rest(bundle, &folder)).transpose()?;
            return Ok(Self { earlier: Some(folder), replay, ..Self::new(experiment, Path::new(RESULTS)) });
        }
        if let Some(bundle) = bundle {
            return Self::again(config, bundle);
        }
        let mut experiment = Experiment::load(&config.experiment)?.with(&config.overrides)?;
        let cut = fit(&mut experiment);
        experiment.check_length(estimate(&experiment).seconds, config.yes)?;
        Ok(Self { cut, ..Self::new(experiment, Path::new(RESULTS)) })
    }

    /// A bundle's experiment, as it was run.
    fn again(config: &RunConfig, bundle: &Path) -> Result<Self> {
        let Overrides { database, .. } = &config.overrides;
        let other = Overrides { database: database.clone(), ..Overrides::default() };
        if config.overrides != other {
            let message = "a bundle's experiment is run as it was, in a series of its own: leave out what changes it";
            return Err(Failure::new(Exit::Usage, message).into());
        }
        let (replay, experiment) = Replay::open(bundle)?;
        let experiment = again_at(experiment, &config.overrides)?;
        experiment.check_length(estimate(&experiment).seconds, config.yes)?;
        Ok(Self { replay: Some(replay), ..Self::new(experiment, Path::new(RESULTS)) })
    }
}

/// An experiment that was run before, on the database that the command line names now: results don't keep where it was.
fn again_at(experiment: Experiment, overrides: &Overrides) -> Result<Experiment> {
    let database = overrides.database.clone();
    if database.is_some() && experiment.database.is_none() {
        let message = "it ran on the lab's own database, and goes on there: leave out --database";
        return Err(Failure::new(Exit::Usage, message).into());
    }
    Ok(experiment.with(&Overrides { database, ..Overrides::default() })?)
}

/// Plays a series and shows what came of it.
pub(super) async fn series(stack: &Stack, wanted: &Wanted, stop: &Stop, screen: Screen) -> Result<()> {
    let (folder, played) = play(stack, wanted, stop).await?;
    let shown = show(&wanted.experiment, &folder, &played, screen);
    if let Some(error) = played.error {
        return Err(error);
    }
    shown?;
    if let Some(replay) = &wanted.replay {
        reporting::print(&compare::after_replay(replay.bundle(), &folder, screen)?)?;
    } else if let Some(repeats) = folder.repeats()? {
        let file = printable(&repeats.file);
        reporting::print(&format!("  {:<9}  ./lab compare {file} {}\n", "compare", folder.name()))?;
    }
    all_verified(&played.records)
}

/// Plays a series: what was done, and where it is kept.
pub(super) async fn play(stack: &Stack, wanted: &Wanted, stop: &Stop) -> Result<(Folder, Played)> {
    let experiment = &wanted.experiment;
    let steps = plan(experiment);
    let links = experiment.profiles()?;
    let mut progress = Progress::for_people(steps.len());
    let mut stage = tokio::select! {
        stage = StackStage::take(stack.clone()) => stage?,
        () = stop.asked() => return Err(Failure::new(Exit::Interrupted, "interrupted before the first run").into()),
    };
    let begun = begin(&mut stage, stack, wanted, &links, stop, &mut progress).await;
    let (mut folder, records) = match begun {
        Ok(begun) => begun,
        Err(error) => {
            if let Err(failed) = stage.restore().await {
                eprintln!("what the lab changed could not be put back: {failed:#}");
            }
            return Err(error);
        }
    };
    let names = Names { series: folder.name().into(), experiment: experiment.name.clone() };
    let mut player = Player {
        stage: &mut stage,
        keep: &mut folder,
        names: &names,
        progress: &mut progress,
        stop,
        budget: experiment.budget,
        links: &links,
    };
    let mut played = player.play(&steps, records).await;
    // While it played only what later runs need was kept in memory.
    played.records = folder.runs()?;
    if let Some(noise) = Analysis::of(&played.records).noise {
        let setup = Setup { noise_floor: Some(noise.floor), ..folder.setup()? };
        folder.save_setup(&setup)?;
    }
    Ok((folder, played))
}

/// Everything that may be refused before the first run, and what all runs need.
async fn begin(
    stage: &mut StackStage,
    stack: &Stack,
    wanted: &Wanted,
    links: &Profiles,
    stop: &Stop,
    progress: &mut Progress,
) -> Result<(Folder, Vec<RunRecord>)> {
    let experiment = &wanted.experiment;
    stage.check_hosts(experiment)?;
    if let Some(database) = &experiment.database {
        stage.go_outside(experiment, database, wanted.leave, stop).await?;
    }
    experiment.check_capacity(&stage.capacity().await?)?;
    stage.use_backend(experiment).await?;
    stage.use_links(experiment, links).await?;
    wanted.cut.iter().for_each(|sentence| progress.say(sentence));
    let scratch = tempfile::tempdir().context("make a folder for generated data")?;
    let here = Path::new(data::DATA);
    let (data, said) = match (&wanted.earlier, &wanted.replay) {
        (Some(earlier), replay) => replay::data_of_rest(earlier, replay.as_ref(), here, scratch.path())?,
        (None, Some(replay)) => replay.data(here, scratch.path())?,
        (None, None) => data::find(here, scratch.path())?,
    };
    let (volume, sent) = stack.ensure_data(&data).await?;
    progress.say(&format!("{said}, {}{}", units::bytes(data.bytes), if sent { ", sent to the engine" } else { "" }));
    let name = wanted.earlier.as_ref().map_or_else(String::new, |folder| folder.name().to_owned());
    // The ingester's image measures for the others, too.
    let mut programs = BTreeSet::from([Program::Ingester]);
    programs.extend(experiment.cells().iter().map(|cell| cell.scheme.program()));
    stage.begin(&name, volume, &programs).await?;
    let setup = setup(stage).await?;
    if let Some(replay) = &wanted.replay {
        replay.state(stack, &setup, links).await?.iter().for_each(|sentence| progress.say(sentence));
    }
    if wanted.earlier.is_some() && !stack.labs().await?.is_empty() {
        progress.say("this lab runs in a container of the engine: where the engine restarts the lab ends with it, and --resume goes on");
    }
    let (folder, records) = match &wanted.earlier {
        Some(folder) => (folder.clone(), same_setup(folder, &setup)?),
        None => (new_folder(wanted, &setup, links)?, Vec::new()),
    };
    stage.name(folder.name());
    Ok((folder, records))
}

fn new_folder(wanted: &Wanted, setup: &Setup, links: &Profiles) -> Result<Folder> {
    let experiment = &wanted.experiment;
    let folder = Folder::create(&wanted.results, &experiment.name, &today()?)?;
    folder.save_experiment(&toml::to_string(&experiment.kept(links)).context("write the experiment")?)?;
    folder.save_setup(setup)?;
    if let Some(replay) = &wanted.replay {
        folder.save_repeats(&Repeats::of(replay.bundle()))?;
    }
    Ok(folder)
}

/// The runs of an earlier session, if they can be compared with what would come now.
fn same_setup(folder: &Folder, now: &Setup) -> Result<Vec<RunRecord>> {
    let differences = folder.setup()?.differences(now);
    if differences.is_empty() {
        return folder.runs();
    }
    let message = format!(
        "{} cannot go on, its runs would not be comparable: {}; begin a new series",
        folder.name(),
        differences.join("; ")
    );
    Err(Failure::new(Exit::Usage, message).into())
}

async fn setup(stage: &StackStage) -> Result<Setup> {
    let conditions = stage.conditions().clone();
    let (revision, dirty) = revision(&conditions.images);
    let locks = conditions.images.iter().filter_map(|image| {
        let sum = image.labels.get(label::LOCK).filter(|sum| !sum.is_empty())?;
        Some((image.role.clone(), sum.clone()))
    });
    Ok(Setup {
        revision,
        dirty,
        locks: locks.collect(),
        compose: stage.compose().await?,
        machine: conditions.machine,
        server: conditions.external.map(|external| external.server),
        noise_floor: None,
        schema: SCHEMA,
        program: PROGRAM.into(),
        engine: conditions.engine,
        client_engine: conditions.client_engine,
        images: conditions.images,
        forwarding: conditions.link.as_ref().map(|link| link.forwarding),
        backend: conditions.link.as_ref().map(|link| link.emulation.backend),
        data: conditions.data,
    })
}

/// The answer on standard output, where it is on standard error; the whole report in the series' folder.
fn show(experiment: &Experiment, folder: &Folder, played: &Played, screen: Screen) -> Result<()> {
    if played.records.is_empty() {
        return Ok(());
    }
    let mut text = reporting::leave(folder, experiment, &played.records, screen);
    if played.error.is_some() {
        // Beside its bundle, which may hold the data, and which it is compared with at its end.
        let bundle = folder.repeats()?.map_or_else(String::new, |repeats| format!("{} ", printable(&repeats.file)));
        text.push_str(&format!("  go on with it: ./lab run {bundle}--resume {}\n", folder.name()));
    }
    reporting::print(&text)
}

fn all_verified(records: &[RunRecord]) -> Result<()> {
    let wrong = |record: &&RunRecord| {
        record.part != Part::WarmUp && record.result().is_some_and(|result| !result.is_verified())
    };
    match records.iter().filter(wrong).count() {
        0 => Ok(()),
        count => {
            let message =
                format!("the rows of {count} runs are not those that were acknowledged: their files say which");
            Err(Failure::new(Exit::NotVerified, message).into())
        }
    }
}

impl Keep for Folder {
    fn keep(&mut self, record: &RunRecord) -> Result<()> {
        self.save(record)
    }

    fn foretell(&mut self, run: usize, forecast: &Forecast) -> Result<()> {
        self.save_forecast(run, forecast)
    }

    fn hear(&mut self, run: usize, attempt: u32, lines: &[Line]) -> Result<()> {
        self.save_events(run, attempt, lines)
    }
}

fn today() -> Result<String> {
    let format = time::macros::format_description!("[year]-[month]-[day]");
    time::OffsetDateTime::now_utc().format(&format).context("write today's date")
}
