//! A session beside a run that keeps a lock which INSERTs have to wait for, as somebody's maintenance may.

use crate::stacks::Stack;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Whoever reads is let through; of those who INSERT it waits for the ones before it, and the others wait for it.
const LOCK: &str = "BEGIN; LOCK TABLE data_element IN SHARE MODE";

/// Does something while a session beside it keeps a lock for so long, again and again. It asks for the lock as soon as it
/// let go of it: everyone who waited gets one row through, and waits again with the next. So there is a wait for each row,
/// as there is of a commit; a lock that stayed free for a while would let through whatever fits into that.
pub fn while_locked<T>(stack: &Stack, held: Duration, work: impl FnOnce() -> T) -> T {
    let address = stack.addresses().into_iter().next().expect("the database has an address");
    let (url, over) = (stack.dburl(&address), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let session = scope.spawn(|| lock(&url, held, &over));
        let done = {
            let _over = Over(&over);
            work()
        };
        let times = session.join().unwrap().unwrap();
        eprintln!("    the lock was taken {times} times, for {} ms each", held.as_millis());
        done
    })
}

/// Ends the session however the work ends: else a test that panics would wait for it.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn lock(url: &str, held: Duration, over: &AtomicBool) -> Result<u64, postgres::Error> {
    let mut session = postgres::Client::connect(url, postgres::NoTls)?;
    session.batch_execute(LOCK)?;
    let mut times = 1;
    loop {
        std::thread::sleep(held);
        if over.load(Ordering::Relaxed) {
            return Ok(times); // the connection closes, and the lock goes with it
        }
        session.batch_execute(&format!("COMMIT; {LOCK}"))?;
        times += 1;
    }
}
