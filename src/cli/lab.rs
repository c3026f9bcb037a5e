//! The command line of `lab`.

use super::compare::Compare;
use super::screen;
use super::words::word;
use crate::lab::{
    self, BundleConfig, DiagnoseConfig, Form, Overrides, PeerConfig, ReportConfig, RunConfig, StackConfig,
};
use crate::model::cell::Cell;
use crate::model::limits::Cpus;
use crate::model::nodes::Nodes;
use crate::model::{Backend, Commit, PlacedBy, Placement, Scheme, Statement};
use crate::wire::exit::Exit;
use anyhow::Result;
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

/// Where results go, and what a shell sees.
const EXITS: &str = "Results go to results/<date>-<experiment>/, a file a run, with report.html and report.md.

Exit codes: 0 done and verified · 2 usage · 4 data · 5 database · 6 not verified · 7 engine or stack · \
8 another lab is using the stack · 9 bundle · 10 to 12 of `compare` · 130 interrupted";

/// Runs the same ingest under every scheme, in containers, and says what came of it.
#[derive(Debug, Parser)]
#[command(name = "lab", version, after_help = EXITS)]
struct Cli {
    #[command(flatten)]
    stack: StackArgs,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Args)]
struct StackArgs {
    /// The stack's compose project
    #[arg(
        long,
        env = "INGEST_LAB_PROJECT",
        default_value = "ingest-lab",
        global = true,
        value_name = "NAME",
        help_heading = "Stack"
    )]
    project: String,
    /// The tag of the images
    #[arg(
        long,
        env = "INGEST_LAB_TAG",
        default_value = "local",
        global = true,
        value_name = "TAG",
        help_heading = "Stack"
    )]
    tag: String,
    /// Whose the stack is: `docker`, one engine; or `swarm`, whose nodes are labelled lab.role (docs/two-hosts.md)
    #[arg(
        long,
        default_value = PlacedBy::Docker.word(),
        global = true,
        value_name = "WHAT",
        value_parser = word(PlacedBy::ALL, PlacedBy::summary),
        // With a sentence each they would stretch every verb's help.
        hide_possible_values = true,
        help_heading = "Stack"
    )]
    engine: PlacedBy,
    /// Where the engine of a swarm's node is (unix:///run/other.sock, tcp://host:2376, context:NAME); may be repeated
    #[arg(
        long = "node",
        env = "INGEST_LAB_NODES",
        value_delimiter = ',',
        global = true,
        value_name = "ADDRESS",
        help_heading = "Stack"
    )]
    engines: Vec<String>,
    /// The folder of ca.pem, cert.pem and key.pem for nodes at tcp://; a context brings its own
    #[arg(long, env = "INGEST_LAB_NODE_CERTIFICATES", global = true, value_name = "DIR", help_heading = "Stack")]
    node_certificates: Option<PathBuf>,
    /// A registry that nodes get images from (registry.example:5000/team) [default: they come through the lab]
    #[arg(long, env = "INGEST_LAB_NODE_REGISTRY", global = true, value_name = "ADDRESS", help_heading = "Stack")]
    node_registry: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Run an experiment, or a bundle's again
    Run(Box<Run>),
    /// Show what an experiment would run: cells, order, minutes, disk
    Plan(Box<Experiment>),
    /// Change one resource of a cell at a time, and say what its rate hangs on: ten minutes
    Diagnose(Diagnose),
    /// Say what a series showed: the answer, the figures, why to believe them
    Report(Report),
    /// Make one file of a series, for others to verify, read and run again
    Bundle(Bundle),
    /// Check a bundle: that nothing changed, and that its report follows from its runs
    Verify(Verify),
    /// Say what differs between series: setups, rates, ratios, verdicts; each against the first
    Compare(Compare),
    /// Show experiments, schemes, statement kinds, series and what is running
    List,
    /// Say what this machine can measure, what is missing, and what would disturb
    Doctor(Doctor),
    /// Free the stack's data volumes and say how much that was; results stay
    Clean,
}

#[derive(Debug, Args)]
struct Run {
    #[command(flatten)]
    experiment: Experiment,
    /// Go on with a series that was cut short
    #[arg(long, value_name = "SERIES")]
    resume: Option<String>,
    /// Run it even if it takes many hours
    #[arg(long)]
    yes: bool,
    /// Write to the database outside (--database) without asking: into a schema of the lab's own, which goes again
    #[arg(long)]
    write: bool,
}

#[derive(Debug, Args)]
struct Diagnose {
    /// The cell, as `lab plan` shows it: "async row auto pool 60 link near-region"
    #[arg(value_name = "CELL", default_value = "threads row auto pool 15 placement pinned")]
    cell: Cell,
    /// Length of a run's data phase in seconds
    #[arg(long, value_name = "S", default_value_t = 6.0)]
    seconds: f64,
    /// How often every step is run: six at least carry an interval
    #[arg(long, value_name = "N", default_value_t = 6)]
    blocks: usize,
    /// Decides the order of the steps
    #[arg(long, value_name = "N", default_value_t = 2015)]
    seed: u64,
}

#[derive(Debug, Args)]
struct Doctor {
    /// Also set links and CPU limits and measure them against theory: two minutes on an idle machine
    #[arg(long, conflicts_with = "peer")]
    calibrate: bool,
    /// Check an image against docs/peer-contract.md instead: half a minute and more for each scheme that it does
    #[arg(long, value_name = "IMAGE")]
    peer: Option<String>,
    /// Schemes to ask it for [default: all]
    #[arg(long, value_delimiter = ',', value_name = "SCHEME,…", requires = "peer", value_parser = word(Scheme::ALL, Scheme::summary))]
    scheme: Vec<Scheme>,
}

#[derive(Debug, Args)]
struct Bundle {
    /// A series' name (`lab list` shows them), or its folder
    series: String,
    /// Where the bundle goes: its name ends in .zip [default: SERIES.zip]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Put in the data that it ran on
    #[arg(long)]
    with_data: bool,
    /// Put in the images that it ran on, for a colleague without the net: hundreds of megabytes
    #[arg(long)]
    with_images: bool,
    /// Put in the changes of the sources that no revision holds: a series that ran on some is refused without
    #[arg(long)]
    include_diff: bool,
    /// Bundle a series that is not finished as it is
    #[arg(long)]
    partial: bool,
}

#[derive(Debug, Args)]
struct Verify {
    /// A bundle
    file: PathBuf,
}

#[derive(Debug, Args)]
struct Report {
    /// A series' name (`lab list` shows them), its folder, or a bundle
    series: String,
    /// Analyse a bundle's runs anew, instead of showing the report that its makers put in
    #[arg(long)]
    reanalyze: bool,
    #[command(flatten)]
    form: ReportForm,
    /// Write it to a file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Unless one is given: the first screen, for a terminal.
#[derive(Debug, Args)]
#[group(multiple = false)]
struct ReportForm {
    /// One file with charts that needs no network
    #[arg(long)]
    html: bool,
    /// For a wiki or a pull request
    #[arg(long)]
    markdown: bool,
    /// A line a run
    #[arg(long)]
    csv: bool,
    /// The answers, the figures behind them, and every run
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct Experiment {
    /// An experiment's name, or its TOML file; to run again, a bundle
    #[arg(default_value = "quick")]
    experiment: String,
    /// Schemes instead of the experiment's
    #[arg(long, value_delimiter = ',', value_name = "SCHEME,…", value_parser = word(Scheme::ALL, Scheme::summary))]
    scheme: Vec<Scheme>,
    /// Statement kinds instead of the experiment's
    #[arg(long, value_delimiter = ',', value_name = "KIND,…", value_parser = word(Statement::ALL, Statement::summary))]
    statement: Vec<Statement>,
    /// Transaction grains instead of the experiment's
    #[arg(long, value_delimiter = ',', value_name = "GRAIN,…", value_parser = word(Commit::ALL, Commit::summary))]
    commit: Vec<Commit>,
    /// Pools (workers = connections) instead of the experiment's
    #[arg(long, value_delimiter = ',', value_name = "N,…")]
    pool: Vec<usize>,
    /// Links instead of the experiment's: a profile's name, or inline (rtt=20ms,jitter=2ms); may be repeated
    #[arg(long, value_name = "LINK")]
    link: Vec<String>,
    /// CPUs of the client's container: 0.25, 1, unlimited
    #[arg(long, value_delimiter = ',', value_name = "CPUS,…")]
    client_cpus: Vec<Cpus>,
    /// CPUs of the database's container
    #[arg(long, value_delimiter = ',', value_name = "CPUS,…")]
    db_cpus: Vec<Cpus>,
    /// Placements instead of the experiment's
    #[arg(long, value_delimiter = ',', value_name = "PLACEMENT,…", value_parser = word(Placement::ALL, Placement::summary))]
    placement: Vec<Placement>,
    /// A PostgreSQL that isn't the lab's: postgres://user@host:port/database; its password in INGEST_LAB_DATABASE_PASSWORD
    #[arg(long, value_name = "URL")]
    database: Option<String>,
    /// What makes the link slow [default: the best that works here]
    #[arg(long, value_name = "BACKEND", value_parser = word(Backend::ALL, Backend::summary))]
    backend: Option<Backend>,
    /// Length of the data phase in seconds
    #[arg(long, value_name = "S")]
    seconds: Option<f64>,
    /// At most so many lines
    #[arg(long, value_name = "N")]
    limit_lines: Option<u64>,
    /// At most so many geographic records
    #[arg(long, value_name = "N")]
    limit_geo: Option<u64>,
    /// How often every cell is run
    #[arg(long, value_name = "N")]
    blocks: Option<usize>,
    /// Decides the order of the cells
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
}

/// The whole program.
pub fn main() -> Result<Exit> {
    let cli = Cli::parse();
    super::start_logging(tracing::Level::WARN);
    super::block_on(async { run(cli).await.map(|()| Exit::Ok) })
}

async fn run(cli: Cli) -> Result<()> {
    let StackArgs { project, tag, engine, engines, node_certificates, node_registry } = cli.stack;
    let nodes = Nodes { engines, certificates: node_certificates, registry: node_registry };
    let stack = StackConfig { project, tag, placed_by: engine, nodes };
    match cli.verb {
        Verb::Run(run) => lab::run(&run.config(stack)).await,
        Verb::Plan(experiment) => {
            let (experiment, overrides) = experiment.config();
            lab::show_plan(&stack, &experiment, &overrides).await
        }
        Verb::Diagnose(diagnose) => lab::diagnose(&diagnose.config(stack)).await,
        Verb::Report(report) => lab::report(&report.config()),
        Verb::Bundle(bundle) => lab::bundle(&bundle.config(stack)).await,
        Verb::Verify(verify) => lab::verify(&verify.file),
        Verb::Compare(compare) => lab::compare(&compare.config()),
        Verb::List => lab::list(&stack).await,
        Verb::Doctor(doctor) => doctor.run(stack).await,
        Verb::Clean => lab::clean(&stack).await,
    }
}

impl Run {
    fn config(self, stack: StackConfig) -> RunConfig {
        let (experiment, overrides) = self.experiment.config();
        RunConfig {
            stack,
            experiment,
            overrides,
            resume: self.resume,
            yes: self.yes,
            write: self.write,
            screen: screen(),
        }
    }
}

impl Diagnose {
    fn config(self, stack: StackConfig) -> DiagnoseConfig {
        let Self { cell, seconds, blocks, seed } = self;
        DiagnoseConfig { stack, cell, seconds, blocks, seed, screen: screen() }
    }
}

impl Doctor {
    async fn run(self, stack: StackConfig) -> Result<()> {
        match self {
            Self { peer: Some(image), scheme, .. } => {
                let schemes = if scheme.is_empty() { Scheme::ALL.to_vec() } else { scheme };
                lab::check_peer(&PeerConfig { stack, image, schemes }).await
            }
            Self { calibrate: true, .. } => lab::calibrate(&stack).await,
            Self { .. } => lab::doctor(&stack).await,
        }
    }
}

impl Bundle {
    fn config(self, stack: StackConfig) -> BundleConfig {
        let Self { series, output, with_data, with_images, include_diff, partial } = self;
        BundleConfig { stack, series, output, with_data, with_images, include_diff, partial }
    }
}

impl Report {
    fn config(self) -> ReportConfig {
        let ReportForm { html, markdown, csv, json } = self.form;
        let form =
            form([(html, Form::Html), (markdown, Form::Markdown), (csv, Form::Csv), (json, Form::Json)], &self.output);
        ReportConfig { series: self.series, reanalyze: self.reanalyze, form, output: self.output }
    }
}

/// The form that is wanted, else one for whatever is at the other end.
pub(super) fn form(forms: [(bool, Form); 4], output: &Option<PathBuf>) -> Form {
    let wanted = forms.into_iter().find_map(|(is_wanted, form)| is_wanted.then_some(form));
    wanted.unwrap_or_else(|| match output {
        // A file has no colours and no width of its own.
        Some(_) => Form::Terminal(crate::report::Screen::PLAIN),
        None => Form::Terminal(screen()),
    })
}

impl Experiment {
    fn config(self) -> (String, Overrides) {
        let overrides = Overrides {
            scheme: self.scheme,
            statement: self.statement,
            commit: self.commit,
            pool: self.pool,
            link: self.link,
            client_cpus: self.client_cpus,
            db_cpus: self.db_cpus,
            placement: self.placement,
            database: self.database,
            backend: self.backend,
            seconds: self.seconds,
            lines: self.limit_lines,
            geo_records: self.limit_geo,
            blocks: self.blocks,
            seed: self.seed,
        };
        (self.experiment, overrides)
    }
}
