//! `async-single`: the same tasks on one thread, as Python's event loops have it.

use super::r#async::run_on;
use crate::ingest::worker::Context;
use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;

pub(super) fn start(context: &Arc<Context>) -> io::Result<Vec<JoinHandle<()>>> {
    run_on(tokio::runtime::Builder::new_current_thread().enable_all().build()?, context)
}
