//! A way to the engine that can be cut: connections to it end in the middle of whatever they carry.

use std::io::copy;
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// Both ends of the connections there are.
type Connections = Arc<Mutex<Vec<[UnixStream; 2]>>>;

/// Passes connections on to the engine until they are cut.
pub struct Proxy {
    folder: tempfile::TempDir,
    connections: Connections,
}

impl Proxy {
    /// Listens at an address of its own.
    pub fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join("engine.sock")).unwrap();
        let connections = Connections::default();
        let all = connections.clone();
        thread::spawn(move || {
            for client in listener.incoming() {
                pass_on(&client.unwrap(), &all);
            }
        });
        Self { folder, connections }
    }

    /// For `DOCKER_HOST`.
    pub fn address(&self) -> String {
        format!("unix://{}", self.folder.path().join("engine.sock").display())
    }

    /// Cuts every connection; new ones are taken as before. How many there were.
    pub fn cut(&self) -> usize {
        let cut = std::mem::take(&mut *self.connections.lock().unwrap());
        let ended = |ends: &&[UnixStream; 2]| ends.iter().all(|end| end.shutdown(Shutdown::Both).is_ok());
        cut.iter().filter(ended).count()
    }
}

fn pass_on(client: &UnixStream, all: &Connections) {
    let host = std::env::var("DOCKER_HOST").unwrap_or_default();
    let path = host.strip_prefix("unix://").unwrap_or("/var/run/docker.sock");
    let engine = UnixStream::connect(path).unwrap();
    all.lock().unwrap().push([client.try_clone().unwrap(), engine.try_clone().unwrap()]);
    for (from, to) in [(client, &engine), (&engine, client)] {
        let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
        thread::spawn(move || {
            let _ = copy(&mut from, &mut to); // it may be cut
            let _ = to.shutdown(Shutdown::Write);
        });
    }
}
