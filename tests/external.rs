//! A database that is not the lab's: measured through the link and past it, and left as it was found. Needs the project's
//! images and an engine; the database outside is a container of its own on this host's network.
#![allow(clippy::unwrap_used)] // in a test, a panic with its line is the message

mod outside;
mod stacks;

use ingest_lab::analysis::{Bound, Confidence, Limit, evidence, rounds_on_the_link, verdict};
use ingest_lab::db::external::{self, Place};
use ingest_lab::model::Part;
use ingest_lab::wire::exit::{Exit, Failure};
use ingest_lab::wire::record::RunRecord;
use outside::{PASSWORD, Server};
use stacks::Stack;
use std::io::Write;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Output, Stdio};

/// Past the link, and through it with a delay.
const EXPERIMENT: &str = "question = \"?\"\nseed = 1\nblocks = 1\n[stop]\nseconds = \"1.5s\"\ngeo_records = 500\nlines = 500\n\
    [database]\nurl = \"URL\"\n\
    [[cells]]\nscheme = [\"async\"]\nstatement = [\"row\"]\ncommit = [\"record\"]\npool = [4]\nlink = [\"direct\"]\n\
    synchronous_commit = [\"off\"]\n\
    [[cells]]\nscheme = [\"threads\"]\nstatement = [\"executemany\"]\ncommit = [\"record\"]\npool = [4]\nlink = [\"rtt=8ms\"]\n";

#[test]
fn a_database_outside_is_measured_and_left_as_it_was_but_for_a_schema_that_goes() {
    let (server, stack) = (Server::start(), Stack::up());
    let before = server.everything();
    assert!(before.contains("theirs") && before.contains("work_mem"), "there is something to lose");
    std::fs::write(stack.folder.path().join("external.toml"), EXPERIMENT.replace("URL", &server.url("loader")))
        .unwrap();

    let refused = run(&stack, &[]);
    assert_eq!(refused.status.code(), Some(i32::from(Exit::Usage.code())));
    assert!(told(&refused).contains("say that it may with --write"), "{}", told(&refused));
    assert_eq!(schemas(&server), "0", "who was not allowed wrote nothing");

    let done = run(&stack, &["--write"]);
    assert!(done.status.success(), "{}", told(&done));
    assert_eq!(server.everything(), before, "everything that is not the lab's");
    assert_eq!(schemas(&server), "0", "its schema went");
    let shown = told(&done);
    for part in
        ["outside the lab, its settings as they are", "the server's processors could not be seen", "past the link"]
    {
        assert!(shown.contains(part), "{part}: {shown}");
    }

    let series = stack.series_of("external");
    let runs = stack.runs(&series);
    let of = |link: &str| -> Vec<&RunRecord> {
        runs.iter().filter(|run| run.cell.link == link && run.part == Part::Cell).collect()
    };
    past_the_link(of("direct")[0]);
    through_the_link(of("rtt=8ms")[0]);
    let ours = format!("label=ingest-lab.stack={}", stack.project());
    let networks = docker(&["network", "ls", "-q", "--filter", "label=ingest-lab.outside", "--filter", &ours]);
    assert_eq!(networks, "", "the way out is gone");
    by_tls(&server, &stack);
    assert_eq!(server.everything(), before, "everything that is not the lab's");
    no_file_tells(&stack.folder.path().join("results"), &[PASSWORD, &server.target(), "loader@"]);
}

/// Past the link and through it, encrypted because the address asks for it.
fn by_tls(server: &Server, stack: &Stack) {
    let url = server.url("loader") + "?sslmode=require";
    std::fs::write(stack.folder.path().join("external.toml"), EXPERIMENT.replace("URL", &url)).unwrap();
    let done = run(stack, &["--write"]);
    assert!(done.status.success(), "{}", told(&done));
    let runs = stack.runs(&stack.series_of("external"));
    assert!(runs.len() > 2, "both cells, a twin, a warm-up");
    for run in &runs {
        let tls = run.conditions.settings.iter().find(|one| one.name == "tls").unwrap();
        assert_eq!((tls.asked.as_str(), tls.found.as_str()), ("on", "on"), "{}", run.cell);
        assert!(run.result().unwrap().is_verified(), "{}", run.cell);
    }
}

/// What speaks against a run besides a machine that others use: their doing is no claim of this test.
fn against(run: &RunRecord) -> Vec<&str> {
    let theirs = ["the processor's speed", "the machine underneath", "the link's round trip"];
    let reasons = run.invalid.iter().map(String::as_str);
    reasons.filter(|reason| !theirs.iter().any(|start| reason.starts_with(start))).collect()
}

fn past_the_link(run: &RunRecord) {
    assert_eq!(against(run), Vec::<&str>::new());
    let found = &run.conditions;
    let way = found.way.unwrap();
    assert!(way.p50 > 0 && way.p50 < 5_000_000, "a round trip on this host: {way:?}");
    assert!(found.link.is_none() && found.link_measured.is_none() && rounds_on_the_link(run).is_none(), "not seen");
    assert!(found.database.is_none() && found.external.as_ref().unwrap().server.version.starts_with("17"));
    let setting = |name: &str| found.settings.iter().find(|one| one.name == name).unwrap().found.clone();
    assert_eq!((setting("synchronous_commit"), setting("tls")), ("off".into(), "off".into()));
    assert!(found.statements().unwrap().calls > 100.0);
    assert!(found.observed.as_ref().unwrap().looks.len() > 10, "PostgreSQL was asked");
    let seen = evidence(run).unwrap();
    assert!(seen.hidden && seen.database_cpu.is_none() && seen.io.is_none());
    let told = verdict(&seen);
    assert!(told.less_sure && told.bound != Bound::DatabaseCpu && told.bound != Bound::DatabaseIo, "{told:?}");
}

fn through_the_link(run: &RunRecord) {
    assert_eq!(against(run), Vec::<&str>::new());
    let found = &run.conditions;
    let (way, link) = (found.way.unwrap().p50, found.link_measured.unwrap().exchange.p50);
    for trip in [way, link] {
        assert!((7_500_000..12_000_000).contains(&trip), "8 ms asked: {way} {link}");
    }
    assert_eq!(found.link.as_ref().unwrap().target, "the external database");
    let records = [RunRecord { invalid: Vec::new(), ..run.clone() }];
    let analysis = ingest_lab::analysis::Analysis::of(&records);
    let limit = Limit::of(&analysis.cells[0]).unwrap();
    assert_eq!(limit.confidence, Confidence::Some);
    assert!(limit.why.contains("the server's processors could not be seen"), "{}", limit.why);
}

fn run(stack: &Stack, more: &[&str]) -> Output {
    let mut lab = stack.lab(&["run", "external.toml"]);
    lab.args(more).env("INGEST_LAB_DATABASE_PASSWORD", PASSWORD).stdin(Stdio::null()).output().unwrap()
}

fn told(output: &Output) -> String {
    let words = [&output.stderr, &output.stdout].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    assert!(!words.concat().contains(PASSWORD), "it says the password");
    // As lines are broken for a reader.
    words.concat().split_whitespace().collect::<Vec<_>>().join(" ")
}

fn schemas(server: &Server) -> String {
    server.psql("app", "SELECT count(*) FROM pg_namespace WHERE nspname = 'ingest_lab'")
}

fn docker(arguments: &[&str]) -> String {
    let output = std::process::Command::new("docker").args(arguments).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn no_file_tells(folder: &Path, words: &[&str]) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            no_file_tells(&path, words);
            continue;
        }
        let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
        for word in words {
            assert!(!text.contains(word), "{} tells {word}", path.display());
        }
    }
}

#[test]
fn a_server_that_will_not_do_is_refused_with_a_sentence_and_nothing_is_written() {
    let server = Server::start();
    let before = server.everything();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (loader, guest) = (server.url("loader"), server.url("guest"));
        refused(&loader, "", "asks for a password: give it as INGEST_LAB_DATABASE_PASSWORD").await;
        refused(&loader, "wrong", "lets this user not in").await;
        refused(&guest, PASSWORD, "GRANT CREATE ON DATABASE").await;
        refused(&loader.replace("/app", "/nowhere"), PASSWORD, "does not exist").await;
        refused("postgres://me@192.0.2.1:1/app", PASSWORD, "check").await;
        refused(
            &format!("postgres://me@{}/app", no_postgres(b"HTTP/1.1 400 Bad Request\r\n\r\n", false)),
            "",
            "PostgreSQL",
        )
        .await;
        refused(&format!("postgres://me@{}/app", no_postgres(b"SSH-2.0-OpenSSH_9.2\r\n", true)), "", "PostgreSQL")
            .await;
        server.psql("app", "CREATE SCHEMA ingest_lab; CREATE TABLE ingest_lab.node (theirs int)");
        refused(&loader, PASSWORD, "has a schema ingest_lab that is not the lab's").await;
        server.psql("app", "DROP SCHEMA ingest_lab CASCADE");
        server.psql("app", "ALTER ROLE loader SET default_transaction_read_only = on");
        refused(&loader, PASSWORD, "name the server that takes writes").await;
        server.psql("app", "ALTER ROLE loader RESET default_transaction_read_only");
        one_lab_at_a_time(&loader).await;
        what_others_hang_on_the_schema_keeps_it(&server, &loader).await;
    });
    assert_eq!(server.everything(), before);
}

async fn taken(url: &str, password: &str) -> anyhow::Result<tokio_postgres::Client> {
    let place: Place = url.parse().unwrap();
    let url = place.url(password, None, &[("search_path", external::SCHEMA)]);
    let client = external::connect(&url, None, &place).await?;
    external::inspect(&client).await?.require(&place)?;
    external::lock(&client).await?;
    Ok(client)
}

async fn refused(url: &str, password: &str, says: &str) {
    let error = taken(url, password).await.unwrap_err();
    let message = format!("{error:#}");
    assert!(message.contains(says), "{url}: {message}");
    assert_eq!(Failure::exit_of(&error), Exit::Database, "{message}");
    assert!(password.is_empty() || !message.contains(password), "{message}");
}

async fn one_lab_at_a_time(url: &str) {
    let first = taken(url, PASSWORD).await.unwrap();
    let second = taken(url, PASSWORD).await.unwrap_err();
    assert_eq!(Failure::exit_of(&second), Exit::Busy);
    assert!(second.to_string().contains("another lab is using this external database"), "{second}");
    drop(first);
    taken(url, PASSWORD).await.unwrap();
}

/// A view of somebody's on the lab's table is not dropped with it.
async fn what_others_hang_on_the_schema_keeps_it(server: &Server, url: &str) {
    let mut client = taken(url, PASSWORD).await.unwrap();
    external::make(&mut client).await.unwrap();
    external::make(&mut client).await.unwrap(); // what a killed lab left is made anew
    server.psql("app", "CREATE VIEW shop.spying AS SELECT key FROM ingest_lab.node");
    let error = external::drop_schema(&mut client).await.unwrap_err().to_string();
    assert!(error.contains("something that is not the lab's") && error.contains("nothing was dropped"), "{error}");
    assert_eq!(server.psql("app", "SELECT count(*) FROM shop.spying"), "256");
    server.psql("app", "DROP VIEW shop.spying");
    external::drop_schema(&mut client).await.unwrap();
    external::drop_schema(&mut client).await.unwrap();
    assert_eq!(schemas(server), "0");
}

/// Something that listens and greets everybody with these bytes, then waits or leaves; its address.
fn no_postgres(greeting: &'static [u8], waits: bool) -> String {
    let listener = TcpListener::bind("0.0.0.0:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let mut open = Vec::new();
        for stream in listener.incoming().flatten() {
            let mut stream = stream;
            let _ = stream.write_all(greeting);
            open.extend(waits.then_some(stream));
        }
    });
    format!("{}:{port}", outside::address())
}
