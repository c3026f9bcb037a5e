//! `copy`, unzip and parse included, against psql's `\\copy` of the same rows, rendered before, into the same table; with
//! the foreign keys and without.

use super::container::{client, docker, image};
use super::ring::{ITEMS, Ring, Run, Way, in_turns, ratio};
use anyhow::{Context, Result, bail};
use ingest_lab::model::{Commit, Scheme, Statement};
use ingest_lab::wire::Job;

/// Where the rows lie as CSV, in the client's container.
const CSV: &str = "/data/elements.csv";

const DROP_KEYS: &str = "ALTER TABLE data_element DROP CONSTRAINT data_element_geo_record_fkey, \
                         DROP CONSTRAINT data_element_dictionary_item_fkey;\n";
const ADD_KEYS: &str = "ALTER TABLE data_element \
                        ADD CONSTRAINT data_element_geo_record_fkey FOREIGN KEY (geo_record) REFERENCES geo_record, \
                        ADD CONSTRAINT data_element_dictionary_item_fkey FOREIGN KEY (dictionary_item) REFERENCES dictionary_item;\n";

/// Into the table as it is: checking the keys is most of the database's work.
pub fn with_keys(ring: &Ring, pairs: usize) -> Result<()> {
    compare(ring, pairs, "with", 0.95)
}

/// Without the foreign keys the database has next to nothing to do: both sides have to be quick.
pub fn without_keys(ring: &Ring, pairs: usize) -> Result<()> {
    ring.sql(DROP_KEYS)?;
    let outcome = compare(ring, pairs, "without", 1.0);
    ring.settle()?;
    ring.sql(ADD_KEYS)?;
    outcome
}

/// Runs the rounds and prints the ratios.
fn compare(ring: &Ring, pairs: usize, with: &str, least: f64) -> Result<()> {
    println!("\ncopy against psql, one connection each, {} rows a run, {with} foreign keys", ring.lines * ITEMS);
    // As few transactions as may be: psql makes one.
    let (statement, commit, chunk) = (Statement::Copy, Commit::Chunk, Job::MAX_CHUNK);
    let way = Way { statement, commit, chunk, pool: 1, ..Way::row(Scheme::Async, 1.0) };
    ring.ingest(&way)?;
    // The volume belongs to root, psql's container runs as somebody else.
    let (own, image) = (format!("{}:/data", ring.volume), image("db"));
    docker(&["run", "--rm", "--user", "0", "--volume", &own, "--entrypoint", "chmod", &image, "0777", "/data"], "")?;
    psql(ring, &format!("\\copy data_element TO '{CSV}' (FORMAT csv)"))?;
    let runs = in_turns(pairs, ["copy", "psql"], || ring.ingest(&way), || copy(ring))?;
    println!("copy: rows/s {} of psql (wanted: lower end {least} or more)", ratio(&runs, |run| run.rate));
    println!("copy: client CPU a row {} of psql (wanted: upper end 3 or less)", ratio(&runs, |run| run.cpu));
    Ok(())
}

/// psql's own COPY. Its connecting is in its time: milliseconds of many seconds.
fn copy(ring: &Ring) -> Result<Run> {
    ring.settle()?;
    let (seconds, cpu) = psql(ring, &format!("\\copy data_element FROM '{CSV}' (FORMAT csv)"))?;
    let rows = ring.lines * ITEMS;
    ring.expect_rows(rows)?;
    let cpu = cpu / rows as f64 * 1e6;
    Ok(Run { rate: rows as f64 / seconds, cpu, phase_cpu: cpu })
}

/// One command of psql from the client's place: how long it took and the CPU time it used, seconds.
fn psql(ring: &Ring, command: &str) -> Result<(f64, f64)> {
    let shell = format!(
        "read -r PGPASSWORD; export PGPASSWORD; TIMEFORMAT='took %R %U %S'; \
         time psql -qv ON_ERROR_STOP=1 -h link -U ingest -d ingest -c \"{command}\""
    );
    let input = format!("{}\n", ring.password);
    let out = client("db", &ring.volume, 1.0, &["-c", &format!("{{ {shell}; }} 2>&1")], &input)?;
    let took = out.lines().find_map(|line| line.strip_prefix("took ")).with_context(|| format!("psql said: {out}"))?;
    match took.split_whitespace().map(str::parse::<f64>).collect::<Result<Vec<f64>, _>>()?[..] {
        [real, user, system] => Ok((real, user + system)),
        _ => bail!("psql said: {out}"),
    }
}
