//! A PostgreSQL that no lab made, for a test: with a database that other people use, a role that may make a schema in it,
//! and one that may not. On this host's network, as if somebody had started it by hand.
#![allow(dead_code)] // no test needs all of it

use std::net::{TcpListener, UdpSocket};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

/// The passwords of the roles `loader` and `guest`: to be found nowhere.
pub const PASSWORD: &str = "a-word-that-nobody-shall-read";

/// What other people have there: tables that are called like the lab's among it.
const THEIRS: &str = "
    CREATE ROLE loader LOGIN PASSWORD 'a-word-that-nobody-shall-read' CONNECTION LIMIT 40;
    CREATE ROLE guest LOGIN PASSWORD 'a-word-that-nobody-shall-read';
    ALTER ROLE loader SET work_mem = '5MB';
    CREATE DATABASE app;
    ALTER DATABASE app SET statement_timeout = '10min';
    GRANT CREATE ON DATABASE app TO loader;
    \\c app
    CREATE EXTENSION pg_stat_statements;
    CREATE TABLE data_element (geo_record int, dictionary_item int, value numeric, whose text DEFAULT 'theirs');
    INSERT INTO data_element SELECT i, i, i FROM generate_series(1, 1000) i;
    CREATE SCHEMA shop;
    CREATE TABLE shop.orders (id serial PRIMARY KEY, total numeric NOT NULL);
    INSERT INTO shop.orders (total) SELECT i FROM generate_series(1, 100) i;
    CREATE VIEW shop.large AS SELECT * FROM shop.orders WHERE total > 50;
    GRANT SELECT ON ALL TABLES IN SCHEMA shop TO loader;";

/// Gone with this value.
pub struct Server {
    id: String,
    port: u16,
    address: String,
}

fn docker(arguments: &[&str]) -> Output {
    Command::new("docker").args(arguments).stdin(Stdio::null()).output().expect("there is a docker command")
}

/// An address of this machine that containers reach it at: the one that packets to elsewhere leave from. None is sent.
pub fn address() -> String {
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    socket.connect("198.51.100.1:9").expect("this machine has a way to elsewhere");
    socket.local_addr().unwrap().ip().to_string()
}

fn said(output: Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

impl Server {
    /// Starts one and fills it.
    pub fn start() -> Self {
        let port = TcpListener::bind("0.0.0.0:0").unwrap().local_addr().unwrap().port();
        let address = address();
        let image = std::env::var("INGEST_LAB_DB_IMAGE").unwrap_or_else(|_| "ingest-lab-db:local".into());
        let setting = format!("port={port}");
        let id = said(docker(&[
            "run",
            "-d",
            "--network",
            "host",
            "-e",
            "POSTGRES_PASSWORD=secret",
            &image,
            "-c",
            &setting,
            "-c",
            "fsync=off",
            "-c",
            "shared_buffers=64MB",
        ]));
        let server = Self { id, port, address };
        let deadline = Instant::now() + Duration::from_secs(60);
        while !server.try_psql("ingest", "SELECT 1").status.success() {
            assert!(Instant::now() < deadline, "the server outside does not start");
            std::thread::sleep(Duration::from_millis(200));
        }
        server.psql("ingest", THEIRS);
        server
    }

    /// Where a role finds it.
    pub fn url(&self, role: &str) -> String {
        format!("postgres://{role}@{}/app", self.target())
    }

    /// Its `host:port`.
    pub fn target(&self) -> String {
        format!("{}:{}", self.address, self.port)
    }

    fn try_psql(&self, database: &str, sql: &str) -> Output {
        // Commands like \c only come from a script.
        let script = format!(
            "printf '%s' \"$0\" | psql -h 127.0.0.1 -p {} -U ingest -d {database} -Atq -v ON_ERROR_STOP=1",
            self.port
        );
        docker(&["exec", "-e", "PGPASSWORD=secret", &self.id, "sh", "-c", &script, sql])
    }

    /// What its superuser is told.
    pub fn psql(&self, database: &str, sql: &str) -> String {
        said(self.try_psql(database, sql))
    }

    /// Everything there is outside the lab's schema: contents of every database, roles, and settings with where they come
    /// from.
    pub fn everything(&self) -> String {
        let script = format!(
            "set -e; at='-h 127.0.0.1 -p {} -U ingest'; \
             for name in app ingest postgres; do pg_dump $at -d $name --create --exclude-schema=ingest_lab; done; \
             pg_dumpall $at --globals-only; \
             psql $at -d app -Atc 'SELECT name, setting, source, sourcefile FROM pg_settings ORDER BY name' \
             -c 'SELECT * FROM pg_db_role_setting ORDER BY 1, 2' -c 'SELECT name, setting FROM pg_file_settings ORDER BY seqno'",
            self.port
        );
        let dumped = said(docker(&["exec", "-e", "PGPASSWORD=secret", &self.id, "sh", "-c", &script]));
        // A dump is guarded by a word that is new each time.
        dumped.lines().filter(|line| !line.contains("restrict ")).collect::<Vec<_>>().join("\n")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = docker(&["rm", "-fv", &self.id]);
    }
}
