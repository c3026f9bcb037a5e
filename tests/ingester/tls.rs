//! Encrypted where it is asked for, verified, and the same rows: by the database's own word on each connection.

use crate::support::{Database, data, ingester, run_with};
use ingest_lab::model::{Scheme, Statement};
use ingest_lab::wire::exit::Exit;
use std::io::Write;

/// Notes of each connection of a worker whether it is encrypted, as it logs in.
const NOTE: &str = "CREATE TABLE logged_in (ssl bool, version text); \
    CREATE FUNCTION note() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN \
    IF current_setting('application_name') = 'ingester' THEN \
    INSERT INTO logged_in SELECT ssl, version FROM pg_stat_ssl WHERE pid = pg_backend_pid(); END IF; END $$; \
    CREATE EVENT TRIGGER note ON login EXECUTE FUNCTION note();";

/// The certificate of who signed the server's own, as a file.
fn authority(database: &Database) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    let pem = database.text("SELECT pg_read_file('/run/ingest-lab/ca.crt')");
    file.write_all(pem.as_bytes()).unwrap();
    file
}

/// One that signed nothing here.
const STRANGER: &str = "-----BEGIN CERTIFICATE-----
MIIBgDCCASegAwIBAgIUeG38UIJNEJMdBz8qXemNRf56GHwwCgYIKoZIzj0EAwIw
FTETMBEGA1UEAwwKQSBzdHJhbmdlcjAgFw0yNjExMjcyMTQwMDZaGA8yMTI2MTEw
MzIxNDAwNlowFTETMBEGA1UEAwwKQSBzdHJhbmdlcjBZMBMGByqGSM49AgEGCCqG
SM49AwEHA0IABGTY0a5G06Q9dY1x5lvtuHfmBwHb1+1/KM9XGUYOg69Ck8i8XzhW
Lbzw4q+X27f7G4G59mcT0R/YZ95zb6r+n4ejUzBRMB0GA1UdDgQWBBRnxIbfzG3A
rGSmyumz/lNtc+OwrzAfBgNVHSMEGDAWgBRnxIbfzG3ArGSmyumz/lNtc+OwrzAP
BgNVHRMBAf8EBTADAQH/MAoGCCqGSM49BAMCA0cAMEQCICdWflnCVpRH8sLHpN1V
tsOZU232TECPxLEbzFeyvX/dAiB+brulVztZTsFUzg+ICIf/8pN4x+YRZAAWSzmg
P1++WA==
-----END CERTIFICATE-----
";

#[test]
fn every_scheme_ingests_over_connections_that_are_encrypted_and_verified() {
    let database = Database::fresh();
    database.change(NOTE);
    let data = data::generated(20, 6, &[1]);
    let trusted = authority(&database);
    let verified = format!("{}?sslmode=verify-full&sslrootcert={}", database.url(), trusted.path().display());
    let required = format!("{}?sslmode=require", database.url());
    for (url, encrypted) in [(&verified, true), (&required, true), (&database.url(), false)] {
        for scheme in Scheme::OWN {
            for statement in [Statement::Row, Statement::Executemany, Statement::Copy] {
                database.empty();
                database.change("TRUNCATE logged_in");
                let flags = format!("--scheme {scheme} --statement {statement} --pool 2");
                let answer = run_with(url, data.path(), &flags);
                assert_eq!(answer.code, Some(0), "{flags}: {:?} {}", answer.failure(), answer.stderr);
                let found = database.number(&format!("SELECT count(*) FROM logged_in WHERE ssl = {encrypted}"));
                let all = database.number("SELECT count(*) FROM logged_in");
                assert_eq!((found, all), (2, 2), "{flags}: encrypted {encrypted}");
            }
        }
    }
    assert_eq!(database.text("SELECT current_setting('ssl_min_protocol_version')"), "TLSv1.3");
}

#[test]
fn a_job_brings_the_certificate_to_trust_and_its_result_repeats_it() {
    let database = Database::fresh();
    database.change(NOTE);
    let pem = database.text("SELECT pg_read_file('/run/ingest-lab/ca.crt')");
    let data = data::generated(20, 6, &[1]);
    let job = serde_json::json!({
        "schema": 1, "dburl": database.url(), "scheme": "processes", "statement": "row", "in_flight": 1, "pool": 2,
        "commit": "record", "reader": "thread", "data": data.path(), "queue": 100, "phases": ["geo", "data"], "tls": pem,
    });
    let output = ingester().args(["run", "--job", "-"]).write_stdin(job.to_string()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(0), "{said}");
    let last: serde_json::Value = serde_json::from_str(said.lines().last().unwrap()).unwrap();
    assert_eq!(last["result"]["job"]["tls"], pem);
    assert_eq!(database.number("SELECT count(*) FROM logged_in WHERE ssl AND version = 'TLSv1.3'"), 2);
}

#[test]
fn a_server_that_cannot_be_verified_is_not_spoken_to() {
    let database = Database::fresh();
    let data = data::generated(5, 2, &[1]);
    let mut stranger = tempfile::NamedTempFile::new().unwrap();
    stranger.write_all(STRANGER.as_bytes()).unwrap();
    let trusted = authority(&database);
    let elsewhere = database.url().replace("localhost", "127.0.0.2").replace("127.0.0.1", "127.0.0.2");
    for (url, file, part) in [
        (database.url(), stranger.path(), "UnknownIssuer"),
        // The same server by a name that its certificate doesn't have.
        (elsewhere, trusted.path(), "not valid for name"),
    ] {
        let url = format!("{url}?sslmode=verify-full&sslrootcert={}", file.display());
        let answer = run_with(&url, data.path(), "--pool 1");
        let (sentence, code) = answer.failure().expect("it says why");
        assert_eq!(code, Exit::Database.code(), "{sentence}");
        assert!(sentence.contains("cannot be encrypted") && sentence.contains(part), "{sentence}");
        assert!(sentence.contains("signed by the one to trust"), "{sentence}");
    }
}
