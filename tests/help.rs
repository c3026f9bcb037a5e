//! What the ingester says of itself, as it stands in a terminal of 80 and of 120 columns.

/// What a help prints in a terminal this wide.
fn help(arguments: &[&str], columns: usize) -> String {
    let mut command = assert_cmd::Command::new(env!("CARGO_BIN_EXE_ingester"));
    command.env("COLUMNS", columns.to_string()).env_remove("INGEST_LAB_DBURL").args(arguments);
    let output = command.assert().success().get_output().stdout.clone();
    String::from_utf8(output).expect("a help is UTF-8")
}

const VERBS: [&str; 6] = ["run", "list", "rebuild", "generate", "geo-from", "fetch"];

#[test]
fn the_helps_are_as_reviewed() {
    insta::assert_snapshot!("ingester", help(&["--help"], 80));
    for verb in VERBS {
        insta::assert_snapshot!(format!("ingester-{verb}"), help(&[verb, "--help"], 80));
    }
    insta::assert_snapshot!("ingester-run-120-columns", help(&["run", "--help"], 120));
}

#[test]
fn the_list_is_as_reviewed() {
    insta::assert_snapshot!("ingester-list-output", help(&["list"], 80));
}

#[test]
fn no_line_of_a_help_is_wider_than_its_terminal() {
    for columns in [80, 120] {
        for verb in VERBS.iter().map(|verb| vec![*verb, "--help"]).chain([vec!["--help"], vec!["list"]]) {
            for line in help(&verb, columns).lines().filter(|line| !line.contains("https://")) {
                assert!(line.chars().count() <= columns, "{verb:?}: {line}");
            }
        }
    }
}

#[test]
fn every_flag_that_takes_a_value_says_what_it_does_and_what_its_value_is() {
    for verb in VERBS {
        let text = help(&[verb, "--help"], 120);
        let mut lines = text.lines().peekable();
        while let Some(line) = lines.next() {
            let flag = line.trim_start();
            if flag.starts_with("--") {
                // Beside the flag or below it.
                let beside = flag.split_once("  ").map_or("", |(_, text)| text);
                let says = format!("{beside} {}", lines.peek().unwrap_or(&"").trim());
                assert!(says.split_whitespace().count() >= 3, "{verb} {flag} says too little: {says:?}");
            }
        }
    }
}
