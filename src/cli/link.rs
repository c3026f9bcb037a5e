//! The command line of `link`, the agent in the link's container.

use super::probe::ProbeArgs;
use super::words::word;
use crate::link::{self, pipe, respond};
use crate::model::link::LinkProfile;
use crate::model::profiles::Profiles;
use crate::model::{Backend, LinkFault};
use crate::wire::emulation::{Request, Setting};
use crate::wire::exit::{Exit, Failure};
use crate::wire::measured::READY;
use crate::wire::setup::{Forwarding, LinkStatus};
use anyhow::{Context, Result};
use clap::{Args, Parser, Subcommand};
use std::io::Read;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use tokio::signal::unix::{SignalKind, signal};

/// Passes connections from the client network on to the database, as slowly as it is told.
#[derive(Debug, Parser)]
#[command(name = "link", version)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Forward until SIGTERM or Ctrl-C; then take every rule away
    Serve(Serve),
    /// Say as JSON how connections are forwarded and slowed; fails unless forwarding is up
    Status(Where),
    /// Make the link slow, or `local` again; says as JSON what is set
    Set(Set),
    /// Pass new connections on to a responder for measuring, or (without one) to the database again
    Point {
        /// Where to
        #[arg(value_name = "HOST:PORT")]
        target: Option<String>,
        #[command(flatten)]
        place: Where,
    },
    /// Break the path, or (without a word) make it whole again; says as JSON how things are
    Break {
        /// How
        #[arg(value_name = "FAULT", value_parser = word(LinkFault::ALL, LinkFault::summary))]
        fault: Option<LinkFault>,
        #[command(flatten)]
        place: Where,
    },
    /// Answer `link probe`, from the database's side
    Respond {
        /// Where to listen
        #[arg(long, value_name = "ADDRESS:PORT", default_value = "0.0.0.0:5432")]
        listen: SocketAddr,
    },
    /// Measure a link that is pointed at a responder, from the client's side; says it as JSON
    Probe(ProbeArgs),
    /// Pass standard input on to an address and what comes back to standard output: the lab's way to a database on
    /// another host
    Pipe {
        /// Where to
        #[arg(value_name = "HOST:PORT")]
        target: String,
    },
    /// Say what time it is for every line of standard input
    Clock,
}

#[derive(Debug, Args)]
struct Where {
    /// Where the agent keeps its state
    #[arg(long, value_name = "FILE", default_value = link::DEFAULT_STATE)]
    state: PathBuf,
}

#[derive(Debug, Args)]
struct Serve {
    /// Where connections go
    #[arg(long, value_name = "HOST:PORT", default_value = "db:5432")]
    target: String,
    /// The port they come in at
    #[arg(long, value_name = "PORT", default_value_t = 5432)]
    listen: u16,
    /// Use this kind and no other [default: the first that works]
    #[arg(long, value_name = "KIND", value_parser = word(Forwarding::ALL, Forwarding::summary))]
    forwarding: Option<Forwarding>,
    /// Use this backend and no other [default: the first that works]
    #[arg(long, value_name = "BACKEND", value_parser = word(Backend::ALL, Backend::summary))]
    backend: Option<Backend>,
    /// Where to keep the state for `link status`; the agent's socket is beside it
    #[arg(long, value_name = "FILE", default_value = link::DEFAULT_STATE)]
    state: PathBuf,
}

#[derive(Debug, Args)]
struct Set {
    /// A profile's name, settings (rtt=20ms,jitter=2ms,loss=0.1%,up=100mbit), a profile as JSON, or - for JSON on
    /// standard input
    profile: String,
    /// Decides which packets are lost and how jitter falls
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Use this backend from now on [default: the one in use]
    #[arg(long, value_name = "BACKEND", value_parser = word(Backend::ALL, Backend::summary))]
    backend: Option<Backend>,
    #[command(flatten)]
    place: Where,
}

/// The whole program.
pub fn main() -> Result<Exit> {
    let cli = Cli::parse();
    super::start_logging(tracing::Level::INFO);
    match cli.verb {
        // These measure: a runtime's threads would be in the way.
        Verb::Respond { listen } => {
            let listener = TcpListener::bind(listen).with_context(|| format!("listen on {listen}"))?;
            println!("{READY}");
            respond::respond(&listener).map(|()| Exit::Ok)
        }
        Verb::Probe(probe) => print(&probe.measured()?).map(|()| Exit::Ok),
        Verb::Pipe { target } => pipe::pipe(&target).map(|()| Exit::Ok),
        Verb::Clock => super::clock::tell().map(|()| Exit::Ok),
        verb => super::block_on(async { run(verb).await.map(|()| Exit::Ok) }),
    }
}

async fn run(verb: Verb) -> Result<()> {
    match verb {
        Verb::Serve(serve) => {
            let mut terminate = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
            let mut interrupt = signal(SignalKind::interrupt()).context("listen for Ctrl-C")?;
            let stop = async {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
            };
            link::serve(&serve.config(), stop).await
        }
        Verb::Status(place) => print(&link::status(&place.state).await?),
        Verb::Set(set) => print(&set.ask().await?),
        Verb::Point { target, place } => print(&link::ask(&link::socket(&place.state), &Request::Point(target)).await?),
        Verb::Break { fault, place } => print(&link::ask(&link::socket(&place.state), &Request::Break(fault)).await?),
        Verb::Respond { .. } | Verb::Probe(_) | Verb::Pipe { .. } | Verb::Clock => unreachable!("they need no runtime"),
    }
}

fn print(value: &impl serde::Serialize) -> Result<()> {
    println!("{}", serde_json::to_string_pretty(value).context("write the answer")?);
    Ok(())
}

impl Serve {
    fn config(self) -> link::Config {
        let Self { target, listen, forwarding, backend, state } = self;
        link::Config { target, listen, only: forwarding, backend, state }
    }
}

impl Set {
    async fn ask(self) -> Result<LinkStatus> {
        let profile = profile(&self.profile).map_err(|message| Failure::new(Exit::Usage, message))?;
        let setting = Setting { profile, seed: self.seed, backend: self.backend };
        link::ask(&link::socket(&self.place.state), &Request::Set(Box::new(setting))).await
    }
}

/// A profile in any of the forms it may be given in.
fn profile(text: &str) -> Result<LinkProfile, String> {
    if text != "-" {
        return Profiles::shipped().told(text);
    }
    let mut json = String::new();
    let read = std::io::stdin().take(link::LONGEST_REQUEST).read_to_string(&mut json);
    read.map_err(|error| format!("read standard input: {error}"))?;
    Profiles::shipped().told(&json)
}
