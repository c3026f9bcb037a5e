//! A path to the database that can be cut: a TCP forwarder on this machine.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What passes, and what doesn't.
#[derive(Default)]
struct State {
    /// Connections are ended, and new ones are closed at once.
    cut: AtomicBool,
    /// Nothing is passed on; connections stay.
    silent: AtomicBool,
    sockets: Mutex<Vec<TcpStream>>,
}

/// Forwards a port of this machine to another.
pub struct Forwarder {
    /// The port to connect to.
    pub port: u16,
    state: Arc<State>,
}

impl Forwarder {
    /// Leads to a port of this machine; for as long as the process lives.
    pub fn to(target: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let (port, state) = (listener.local_addr().unwrap().port(), Arc::new(State::default()));
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let server = TcpStream::connect((Ipv4Addr::LOCALHOST, target));
                if let (Ok(server), false) = (server, shared.cut.load(Ordering::SeqCst)) {
                    shared.join(client, server);
                }
            }
        });
        Self { port, state }
    }

    /// Cuts the path for so long: after a silence, in which what was sent stays under way, connections end.
    pub fn cut(&self, silence: Duration, cut: Duration) {
        self.state.silent.store(true, Ordering::SeqCst);
        std::thread::sleep(silence);
        self.state.cut.store(true, Ordering::SeqCst);
        for socket in self.state.sockets.lock().unwrap().drain(..) {
            let _ = socket.shutdown(Shutdown::Both); // it may have ended by itself
        }
        self.state.silent.store(false, Ordering::SeqCst);
        std::thread::sleep(cut);
        self.state.cut.store(false, Ordering::SeqCst);
    }
}

impl State {
    fn join(self: &Arc<Self>, client: TcpStream, server: TcpStream) {
        let copies = [client.try_clone(), server.try_clone()].map(Result::unwrap);
        let [from_client, from_server] = [client.try_clone(), server.try_clone()].map(Result::unwrap);
        self.sockets.lock().unwrap().extend(copies);
        for (from, to) in [(from_client, server), (from_server, client)] {
            let state = Arc::clone(self);
            std::thread::spawn(move || state.pass(from, to));
        }
    }

    fn pass(&self, mut from: TcpStream, mut to: TcpStream) {
        let mut buffer = [0; 16 * 1024];
        while let Ok(read) = from.read(&mut buffer) {
            while self.silent.load(Ordering::SeqCst) {
                std::thread::sleep(Duration::from_millis(1));
            }
            if read == 0 || to.write_all(&buffer[..read]).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Both);
        let _ = from.shutdown(Shutdown::Both);
    }
}
