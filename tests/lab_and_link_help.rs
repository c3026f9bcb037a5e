//! What `lab` and `link` say of themselves, and how they refuse. Snapshots: a change here is a change for users.

#![allow(clippy::unwrap_used)] // in a test, a panic with its line is the message

use assert_cmd::Command;

fn help(program: &str, arguments: &[&str]) -> String {
    let mut command = Command::cargo_bin(program).unwrap();
    // Clap shows the values of variables: the caller's are not ours, nor is the width of their terminal.
    command
        .env("COLUMNS", "80")
        .env_remove("INGEST_LAB_PROJECT")
        .env_remove("INGEST_LAB_TAG")
        .env_remove("INGEST_LAB_NODES")
        .env_remove("INGEST_LAB_NODE_CERTIFICATES")
        .env_remove("INGEST_LAB_NODE_REGISTRY")
        .args(arguments);
    String::from_utf8(command.assert().success().get_output().stdout.clone()).unwrap()
}

#[test]
fn lab_explains_itself() {
    insta::assert_snapshot!("lab", help("lab", &["--help"]));
    insta::assert_snapshot!("lab-run", help("lab", &["run", "--help"]));
    insta::assert_snapshot!("lab-report", help("lab", &["report", "--help"]));
    insta::assert_snapshot!("lab-bundle", help("lab", &["bundle", "--help"]));
    insta::assert_snapshot!("lab-verify", help("lab", &["verify", "--help"]));
    insta::assert_snapshot!("lab-compare", help("lab", &["compare", "--help"]));
    insta::assert_snapshot!("lab-doctor", help("lab", &["doctor", "--help"]));
}

#[test]
fn link_explains_itself() {
    insta::assert_snapshot!("link", help("link", &["--help"]));
    insta::assert_snapshot!("link-serve", help("link", &["serve", "--help"]));
    insta::assert_snapshot!("link-status", help("link", &["status", "--help"]));
    insta::assert_snapshot!("link-set", help("link", &["set", "--help"]));
    insta::assert_snapshot!("link-break", help("link", &["break", "--help"]));
    insta::assert_snapshot!("link-probe", help("link", &["probe", "--help"]));
}

#[test]
fn an_engine_that_is_not_there_is_named_with_the_remedy_and_exit_code_7() {
    let output =
        Command::cargo_bin("lab").unwrap().env("DOCKER_HOST", "unix:///nowhere.sock").arg("run").assert().code(7);
    let said = String::from_utf8_lossy(&output.get_output().stderr).into_owned();
    assert!(
        said.starts_with(
            "lab: the container engine is not reachable at unix:///nowhere.sock: start it, or set DOCKER_HOST"
        ),
        "{said}"
    );
}

#[test]
fn an_experiment_that_is_not_there_is_a_usage_error_and_nothing_is_asked_of_the_engine() {
    let mut command = Command::cargo_bin("lab").unwrap();
    let output = command.env("DOCKER_HOST", "unix:///nowhere.sock").args(["run", "quik"]).assert().code(2);
    let said = String::from_utf8_lossy(&output.get_output().stderr).into_owned();
    assert_eq!(said, "lab: there is no experiment quik: did you mean quick?\n");
}

#[test]
fn forwarding_that_is_not_up_is_unhealthy() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state.json");
    Command::cargo_bin("link").unwrap().arg("status").arg("--state").arg(state).assert().code(7);
}

#[test]
fn a_series_that_is_not_there_is_a_usage_error_and_no_engine_is_asked() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::cargo_bin("lab").unwrap();
    command.current_dir(folder.path()).env("DOCKER_HOST", "unix:///nowhere.sock");
    let output = command.args(["report", "2015-01-01-quick", "--html"]).assert().code(2);
    let said = String::from_utf8_lossy(&output.get_output().stderr).into_owned();
    assert_eq!(said, "lab: there is no series 2015-01-01-quick in results: `lab list` shows them\n");
}

#[test]
fn a_file_that_is_no_bundle_has_an_exit_code_of_its_own_and_no_engine_is_asked() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("quick.zip"), "PK").unwrap();
    for verb in [["verify", "quick.zip"], ["report", "quick.zip"], ["run", "quick.zip"]] {
        let mut command = Command::cargo_bin("lab").unwrap();
        command.current_dir(folder.path()).env("DOCKER_HOST", "unix:///nowhere.sock");
        let output = command.args(verb).assert().code(9);
        let said = String::from_utf8_lossy(&output.get_output().stderr).into_owned();
        let expected = "lab: quick.zip: is no bundle, or not all of one: copy it once more from where it was made\n";
        assert_eq!(said, expected);
    }
}

#[test]
fn a_slowdown_that_is_no_percentage_and_one_without_a_gate_are_usage_errors() {
    for arguments in
        [["--gate", "--max-slowdown", "5"], ["--gate", "--max-slowdown", "100%"], ["--max-slowdown", "5%", "--html"]]
    {
        let mut command = Command::cargo_bin("lab").unwrap();
        command.args(["compare", "one", "other"]).args(arguments).assert().code(2);
    }
}
