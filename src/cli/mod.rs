//! Command lines: clap's structs become plain configuration here and go no further.

mod clock;
mod compare;
pub mod ingester;
pub mod lab;
pub mod link;
mod probe;
mod progress;
mod words;

use crate::model::printable;
use crate::report::Screen;
use crate::wire::exit::{Exit, Failure};
use std::io::IsTerminal;
use std::process::ExitCode;

/// What standard output is: `COLUMNS` is how `./lab` tells the width of its terminal to the container.
fn screen() -> Screen {
    let terminal = std::io::stdout().is_terminal();
    let told = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let seen = || terminal_size::terminal_size().map(|(width, _)| usize::from(width.0));
    let columns = told.or_else(seen).unwrap_or(Screen::PLAIN.columns);
    Screen { columns, colours: terminal && colours_wanted() }
}

/// See no-color.org.
fn colours_wanted() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Ends a program: prints its one error, if it has one, and gives the exit code from the one table.
pub fn end(program: &str, outcome: anyhow::Result<Exit>) -> ExitCode {
    match outcome {
        Ok(exit) => ExitCode::from(exit.code()),
        Err(error) => {
            eprintln!("{program}: {}", printable(&format!("{error:#}")));
            ExitCode::from(Failure::exit_of(&error).code())
        }
    }
}

/// Logs to standard error as `RUST_LOG` asks; otherwise what is at least as serious as `level`.
pub fn start_logging(level: tracing::Level) {
    use tracing_subscriber::{EnvFilter, fmt, prelude::*};
    let filter = EnvFilter::builder().with_default_directive(level.into()).from_env_lossy();
    let colours = std::io::stderr().is_terminal() && colours_wanted();
    tracing_subscriber::registry()
        .with(filter)
        .with(fmt::layer().with_writer(std::io::stderr).with_target(false).with_ansi(colours))
        .init();
}

/// Runs asynchronous work to its end, on all processors.
fn block_on(work: impl Future<Output = anyhow::Result<Exit>>) -> anyhow::Result<Exit> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let outcome = runtime.block_on(work);
    // Whatever still waits for the world must not keep a program from ending.
    runtime.shutdown_background();
    outcome
}
