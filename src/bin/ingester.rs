//! The ingester: reads SF1 records and inserts them.

fn main() -> std::process::ExitCode {
    ingest_lab::cli::end("ingester", ingest_lab::cli::ingester::main())
}
