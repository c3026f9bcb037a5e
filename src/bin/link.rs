//! The agent in the link's container. See `link --help`.

fn main() -> std::process::ExitCode {
    ingest_lab::cli::end("link", ingest_lab::cli::link::main())
}
