//! Which errors another attempt may cure, in one place: a connection that breaks, a server that restarts. What is wrong
//! with the statement, the data, the password or the disk stays wrong.

use std::error::Error as _;
use std::io::{self, ErrorKind};
use tokio_postgres::Error;
use tokio_postgres::error::{Severity, SqlState};

/// Whether a new connection, and what was not committed done again, may get beyond an error.
pub fn is_curable(error: &Error) -> bool {
    if let Some(said) = error.as_db_error() {
        // A server that panics ends everybody's connections and begins anew: what it could not do may be possible then.
        return said.parsed_severity() == Some(Severity::Panic) || is_curable_code(said.code());
    }
    // The driver tells what happened on an open connection in its text only. Whatever it was, that one is gone.
    if error.is_closed() || error.to_string().starts_with("error communicating with the server") {
        return true;
    }
    let io = error.source().and_then(|cause| cause.downcast_ref::<io::Error>());
    io.is_some_and(|io| is_curable_kind(io.kind()))
}

/// Codes of PostgreSQL's manual, Appendix A.
fn is_curable_code(code: &SqlState) -> bool {
    let passing = [
        SqlState::TOO_MANY_CONNECTIONS, // slots of connections that have just broken are not free yet
        SqlState::ADMIN_SHUTDOWN,       // also somebody ended this one connection
        SqlState::CRASH_SHUTDOWN,
        SqlState::CANNOT_CONNECT_NOW,
        SqlState::T_R_SERIALIZATION_FAILURE,
        SqlState::T_R_DEADLOCK_DETECTED,
        SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
    ];
    code.code().starts_with("08") || passing.contains(code)
}

/// What the network says. A path that is down refuses, resets, times out or has no route, depending on what is in it.
fn is_curable_kind(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::ConnectionRefused
            | ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::NotConnected
            | ErrorKind::BrokenPipe
            | ErrorKind::TimedOut
            | ErrorKind::UnexpectedEof
            | ErrorKind::HostUnreachable
            | ErrorKind::NetworkUnreachable
            | ErrorKind::NetworkDown
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_connection_is_curable_and_a_wrong_statement_is_not() {
        for (code, curable) in [
            ("08000", true),  // connection exception
            ("08006", true),  // connection failure
            ("08P01", true),  // protocol violation: what a cut in the middle of a message looks like
            ("57P01", true),  // the server is being shut down, or a person ended the connection
            ("57P02", true),  // another backend crashed
            ("57P03", true),  // the server is starting
            ("53300", true),  // no connection left
            ("40001", true),  // serialization failure
            ("40P01", true),  // deadlock
            ("25P03", true),  // idle in transaction for too long
            ("23505", false), // a row that is there already
            ("23503", false), // a foreign key without its row
            ("22003", false), // a number out of range
            ("28P01", false), // wrong password
            ("28000", false), // a role that may not
            ("3D000", false), // no such database
            ("42P01", false), // no such table
            ("42501", false), // no privilege
            ("53100", false), // disk full
            ("53200", false), // out of memory
            ("25006", false), // a server that only reads
            ("57014", false), // cancelled by a person, or by statement_timeout
            ("58030", false), // the disk failed
            ("XX001", false), // a damaged page
        ] {
            assert_eq!(is_curable_code(&SqlState::from_code(code)), curable, "{code}");
        }
    }

    #[test]
    fn what_a_network_that_is_down_says_is_curable() {
        for kind in [ErrorKind::ConnectionReset, ErrorKind::TimedOut, ErrorKind::HostUnreachable, ErrorKind::BrokenPipe]
        {
            assert!(is_curable_kind(kind), "{kind}");
        }
        for kind in [ErrorKind::PermissionDenied, ErrorKind::InvalidData, ErrorKind::OutOfMemory, ErrorKind::Other] {
            assert!(!is_curable_kind(kind), "{kind}");
        }
    }
}
