//! The orchestrator. See `lab --help`.

fn main() -> std::process::ExitCode {
    ingest_lab::cli::end("lab", ingest_lab::cli::lab::main())
}
