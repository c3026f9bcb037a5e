//! One PostgreSQL for all tests of a checkout, whatever runs them: threads of one process (`cargo test`) or a
//! process each (`cargo nextest`).
//!
//! The first test to come starts the container, the others find it by a file that a lock guards. Everybody who uses
//! it holds a shared advisory lock in it for as long as their process lives. The container looks for itself: when it
//! has got that lock exclusively for half a minute it stops, and the engine removes it. So tests that were killed
//! leave nothing behind for good, and nobody has to guess which containers are still in use.

use ingest_lab::wire::DbUrl;
use nix::fcntl::{Flock, FlockArg};
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::path::PathBuf;
use std::sync::{Mutex, OnceLock};
use std::time::Duration;
use testcontainers::core::{Mount, WaitFor};
use testcontainers::runners::AsyncRunner;
use testcontainers::{ContainerRequest, GenericImage, ImageExt};

/// Names the image; `make` sets it.
const IMAGE: &str = "INGEST_LAB_DB_IMAGE";
const DEFAULT_IMAGE: &str = "ingest-lab-db:local";
/// The advisory lock that whoever uses the server holds shared.
const IN_USE: i64 = 1;
/// The database with schema and dictionary that fresh ones are copied from.
pub(super) const TEMPLATE: &str = "ready";

/// Starts the image's own entry point, and ends it when nobody has used it for half a minute.
const SCRIPT: &str = r#"
/etc/ingest-lab/entrypoint.sh "$@" &
export SERVER=$! PGPASSWORD=$POSTGRES_PASSWORD
trap 'kill -INT $SERVER' INT TERM
ask() { psql -qAtX -h /tmp -U ingest -d postgres "$@" 2>/dev/null; }
idle=0
while sleep 3 && kill -0 $SERVER 2>/dev/null; do
  case $(ask -c 'SELECT pg_try_advisory_lock(1)') in t) idle=$((idle + 1)) ;; *) idle=0 ;; esac
  # Stopped by the session that holds the lock: whoever wants to use it now is turned away, not cut off.
  [ $idle -lt 10 ] || ask <<'END'
SELECT pg_try_advisory_lock(1) AS alone \gset
\if :alone
\! kill -INT $SERVER; sleep 10
\endif
END
done
"#;

/// No test is about durability or memory: in memory, unsynced, small. Everything else is as the image has it.
const SETTINGS: [&str; 7] = [
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "wal_level=minimal",
    "max_wal_senders=0",
    "max_wal_size=512MB",
    "shared_buffers=256MB",
];

/// Where the server is and how to get in.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Server {
    host: String,
    port: u16,
    password: String,
}

impl Server {
    /// The server, started if nobody has; it stays at least as long as this process.
    pub fn shared() -> &'static Self {
        static SERVER: OnceLock<Server> = OnceLock::new();
        static LEASE: Mutex<Option<postgres::Client>> = Mutex::new(None);
        SERVER.get_or_init(|| {
            let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("test-database.json");
            let lock = File::create(file.with_extension("lock")).unwrap();
            let _lock = Flock::lock(lock, FlockArg::LockExclusive).map_err(|(_, error)| error).unwrap();
            let known = fs::read(&file).ok().and_then(|text| serde_json::from_slice::<Self>(&text).ok());
            let (server, lease) =
                known.and_then(|server| Some((server.clone(), server.lease()?))).unwrap_or_else(|| {
                    let server = start();
                    let lease = server.lease().expect("a server that says it is ready lets its owner in");
                    server.prepare();
                    fs::write(&file, serde_json::to_vec(&server).unwrap()).unwrap();
                    (server, lease)
                });
            *LEASE.lock().unwrap() = Some(lease);
            server
        })
    }

    /// The URL of one of its databases.
    pub fn url(&self, database: &str) -> DbUrl {
        let Self { host, port, password } = self;
        DbUrl(format!("postgresql://ingest:{password}@{host}:{port}/{database}"))
    }

    /// The password, to look for it where it must not be.
    pub fn password(&self) -> &str {
        &self.password
    }

    /// A connection for what tests ask the server themselves.
    pub fn connect(&self, database: &str) -> Result<postgres::Client, postgres::Error> {
        let mut config: postgres::Config = self.url(database).0.parse()?;
        config.connect_timeout(Duration::from_secs(10)).application_name("test").connect(postgres::NoTls)
    }

    fn lease(&self) -> Option<postgres::Client> {
        let mut client = self.connect("postgres").ok()?;
        client.execute("SELECT pg_advisory_lock_shared($1)", &[&IN_USE]).ok()?;
        Some(client)
    }

    fn prepare(&self) {
        let mut client = self.connect("postgres").unwrap();
        // Hundreds of log-ins with a program that is not optimised: the password's 4,096 rounds would dominate.
        let password = &self.password;
        client.batch_execute(&format!("SET scram_iterations = 1; ALTER ROLE ingest PASSWORD '{password}'")).unwrap();
        client.batch_execute(&format!("CREATE DATABASE {TEMPLATE}")).unwrap();
        super::ingester().args(["rebuild", "--dburl", &self.url(TEMPLATE).0]).assert().success();
    }
}

/// A password nobody knows.
pub(super) fn password() -> String {
    let mut random = [0_u8; 16];
    std::io::Read::read_exact(&mut File::open("/dev/urandom").unwrap(), &mut random).unwrap();
    random.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A server in a container, run by a script of `sh` that gets the settings as its arguments.
pub(super) fn request(password: &str, script: &str, settings: &[&str]) -> ContainerRequest<GenericImage> {
    let image = std::env::var(IMAGE).unwrap_or_else(|_| DEFAULT_IMAGE.into());
    let (name, tag) = image.rsplit_once(':').unwrap_or((&image, "latest"));
    let command = ["-c", script, "server"].into_iter().chain(settings.iter().flat_map(|setting| ["-c", setting]));
    GenericImage::new(name, tag)
        .with_entrypoint("/bin/sh")
        .with_exposed_port(5432.into())
        .with_wait_for(WaitFor::message_on_stderr("database system is ready to accept connections"))
        .with_cmd(command)
        .with_env_var("POSTGRES_PASSWORD", password)
        .with_label("ingest-lab.test", env!("CARGO_MANIFEST_DIR"))
        .with_mount(Mount::tmpfs_mount("/var/lib/postgresql/data"))
        .with_shm_size(256 << 20)
        .with_startup_timeout(Duration::from_secs(120))
        .with_host_config_modifier(|host| host.auto_remove = Some(true))
}

fn start() -> Server {
    let password = password();
    let request = request(&password, SCRIPT, &SETTINGS);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        let container = request.start().await.unwrap_or_else(|error| {
            panic!("the tests' database does not start ({error}): is the container engine running, and has `make images` made the image? {IMAGE} names another one")
        });
        let server = Server {
            host: container.get_host().await.unwrap().to_string(),
            port: container.get_host_port_ipv4(5432).await.unwrap(),
            password,
        };
        std::mem::forget(container); // it removes itself
        server
    })
}
