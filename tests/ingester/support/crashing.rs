//! A PostgreSQL of a test's own that may be killed: its container starts it again, on the same data and port.

use super::server::{password, request};
use std::time::{Duration, Instant};
use testcontainers::runners::AsyncRunner;
use testcontainers::{ContainerAsync, GenericImage};
use tokio::runtime::Runtime;

/// Whatever ends the server but its own hour, another one follows. The hour ends what a killed test left.
const SCRIPT: &str = r#"
trap 'exit 0' INT TERM
while :; do
  timeout -s INT 3600 /etc/ingest-lab/entrypoint.sh "$@" & wait $!
  [ $? -ne 124 ] || exit 0
done
"#;

/// In memory, which outlives the server's processes; nothing that was confirmed may be lost with them.
const SETTINGS: [&str; 5] =
    ["fsync=off", "synchronous_commit=on", "full_page_writes=on", "shared_buffers=128MB", "max_wal_size=512MB"];

/// How long a server may take to come back.
const PATIENCE: Duration = Duration::from_secs(60);

/// The server; its container goes with this value.
pub struct Crashing {
    runtime: Runtime,
    container: Option<ContainerAsync<GenericImage>>,
    /// Where it listens on this machine.
    pub port: u16,
    password: String,
}

impl Crashing {
    /// With schema and dictionary.
    pub fn start() -> Self {
        let password = password();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (container, port) = runtime.block_on(async {
            let container = request(&password, SCRIPT, &SETTINGS).start().await.unwrap();
            let port = container.get_host_port_ipv4(5432).await.unwrap();
            (container, port)
        });
        let server = Self { runtime, container: Some(container), port, password };
        server.wait();
        super::ingester().args(["rebuild", "--dburl", &server.url(server.port)]).assert().success();
        server
    }

    /// Its URL by way of a port of this machine.
    pub fn url(&self, port: u16) -> String {
        format!("postgresql://ingest:{}@127.0.0.1:{port}/ingest", self.password)
    }

    /// A connection of the test's own.
    pub fn connect(&self) -> Result<postgres::Client, postgres::Error> {
        let mut config: postgres::Config = self.url(self.port).parse()?;
        config.connect_timeout(Duration::from_secs(5)).application_name("test").connect(postgres::NoTls)
    }

    /// The one number that a query gives.
    pub fn number(&self, sql: &str) -> i64 {
        self.wait().query_one(&format!("SELECT ({sql})::int8"), &[]).unwrap().get(0)
    }

    /// Kills every process of the server, as the kernel does where memory ends.
    pub fn kill(&self) {
        // The connection dies with it: that is no error.
        let _ = self.wait().batch_execute("COPY (SELECT 1) TO PROGRAM 'kill -9 -1'");
    }

    /// A connection, as soon as there is one.
    pub fn wait(&self) -> postgres::Client {
        let begun = Instant::now();
        loop {
            match self.connect() {
                Ok(client) => return client,
                Err(error) => assert!(begun.elapsed() < PATIENCE, "the server does not come back: {error}"),
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Crashing {
    fn drop(&mut self) {
        if let Some(container) = self.container.take()
            && let Err(error) = self.runtime.block_on(container.rm())
        {
            eprintln!("the server that was to be killed stays for an hour: {error}");
        }
    }
}
