//! `lab doctor --peer` on the real engine: the ingester keeps the contract; a program that breaks one rule of it is
//! told which. The broken ones are the ingester behind a script. Needs the project's images (`make python`).
#![allow(clippy::unwrap_used)] // in a test, a panic with its line is the message

mod stacks;

use stacks::Stack;
use std::process::Command as Process;

/// On every image of this test: what a killed one left goes when it starts, the rest when it ends.
const LABEL: &str = "ingest-lab.test=peers";

/// The ingester with an ingest's last line held back until `BREAK` has been done, and `TERM` on a signal. What breaks
/// tables would only hold up a lookup.
const SCRIPT: &str = r#"
job=$(cat)
URL=$(printf '%s' "$job" | sed 's/.*"dburl":"\([^"]*\)".*/\1/'); export URL
COMMIT=$(printf '%s' "$job" | sed 's/.*"commit":"\([a-z]*\)".*/\1/'); export COMMIT
sql() { psql -qX "$URL" -c "$1" >&2; }; export -f sql
exec 3> >(exec perl -ne '$| = 1; EACH if (/"event":"finished"/ && !/"workload":"lookup"/) { BREAK } print')
passing=$!
ingester "$@" < <(printf '%s\n' "$job") >&3 &
ingester=$!
exec 3>&-
TERM
while wait $ingester; code=$?; [ $code -gt 128 ] && kill -0 $ingester 2>/dev/null; do :; done
wait $passing
exit $code
"#;

const DOCKERFILE: &str = "FROM ingest-lab-db:local
COPY --from=ingest-lab-ingester:local /usr/local/bin/ingester /usr/local/bin/ingester
COPY peer.sh /peer.sh
HEALTHCHECK NONE
ENTRYPOINT [\"bash\", \"/peer.sh\"]
CMD []
";

const ON_TERM: &str = "trap 'kill -TERM $ingester' TERM";

struct Broken {
    name: &'static str,
    /// Perl, done to each line.
    each: &'static str,
    /// Perl, done when the result comes by.
    breaks: &'static str,
    /// Bash, what a signal does.
    term: &'static str,
    /// The lines that tell, by what they begin with and hold.
    told: &'static [[&'static str; 2]],
    /// How many checks fail: rows are compared after a stop, too.
    failed: &'static str,
}

const BROKEN: [Broken; 5] = [
    Broken {
        name: "loses-and-doubles",
        each: "",
        breaks: r#"system("bash", "-c", $ENV{COMMIT} eq "auto"
            ? "sql \"DELETE FROM data_element WHERE ctid = (SELECT min(ctid) FROM data_element)\""
            : "sql \"INSERT INTO data_element SELECT * FROM data_element LIMIT 1\"");"#,
        term: ON_TERM,
        told: &[
            [
                "! rows      row/auto: it loses rows (1 of those acknowledged are not there): data_element holds ",
                "59 rows",
            ],
            [
                "            row/record",
                ": it doubles rows, or acknowledges too few (1 too many are there): data_element",
            ],
        ],
        failed: "2 checks",
    },
    Broken {
        name: "invents",
        each: "",
        breaks: r#"s/"whole":[0-9][0-9.]*/"whole":99999.5/g;"#,
        term: ON_TERM,
        told: &[["! clock ", "it invents a rate: `whole` is 100000, and "]],
        failed: "1 check",
    },
    // Everything that is counted or follows from it, but for what is verified.
    Broken {
        name: "counts-twice",
        each: r#"my ($counted, $verified) = split /(?="acknowledged":)/, $_, 2;
            $counted =~ s/"(records|rows|rate|current|average|whole|while_filling|after)":([0-9.]+)/"\"$1\":" . 2 * $2/ge;
            $_ = $counted . ($verified // "");"#,
        breaks: "",
        term: ON_TERM,
        told: &[["! clock ", "it invents rows: phase geo counts 120 records and 120 rows, acknowledged are 60 and 60"]],
        failed: "1 check",
    },
    // As one that takes no more from its files and all that is in its queue.
    Broken {
        name: "drains",
        each: "",
        breaks: "",
        term: "trap 'sleep 8; kill -TERM $ingester' TERM",
        told: &[[
            "! stop      SIGTERM: it goes on after a stop: it ended ",
            "s after SIGTERM; it finishes the records begun",
        ]],
        failed: "1 check",
    },
    // Nothing reaches the ingester: a signal goes to a container's first process.
    Broken {
        name: "goes-on",
        each: "",
        breaks: "",
        term: "trap '' TERM",
        told: &[["! stop      SIGTERM: it ignores a stop: 30 s after SIGTERM", "it was still there and was removed"]],
        failed: "1 check",
    },
];

/// Images of this test, gone with it.
struct Images;

impl Images {
    fn none() -> Self {
        Self::remove();
        Self
    }

    fn build(&self, broken: &Broken) -> String {
        let context = tempfile::tempdir().unwrap();
        let script = SCRIPT.replace("EACH", broken.each).replace("BREAK", broken.breaks);
        let script = script.replacen("\nTERM\n", &format!("\n{}\n", broken.term), 1);
        std::fs::write(context.path().join("peer.sh"), script).unwrap();
        std::fs::write(context.path().join("Dockerfile"), DOCKERFILE).unwrap();
        let image = format!("ingest-lab-test-peer:{}", broken.name);
        let mut build = Process::new("docker");
        build.args(["build", "-t", &image, "--label", LABEL]).arg(context.path());
        let built = build.output().unwrap();
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        image
    }

    fn remove() {
        let script = format!("docker image ls -q --filter label={LABEL} | sort -u | xargs -r docker image rm -f");
        let _ = Process::new("sh").args(["-c", &script]).output();
    }
}

impl Drop for Images {
    fn drop(&mut self) {
        Self::remove();
    }
}

/// Exit code, the lines of checks, the complaint.
fn check(stack: &Stack, image: &str, schemes: &str) -> (Option<i32>, String, String) {
    let done = stack.lab(&["doctor", "--peer", image, "--scheme", schemes]).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (done.status.code(), text(&done.stdout), text(&done.stderr))
}

#[test]
fn a_program_is_told_which_rule_of_the_contract_it_breaks() {
    let images = Images::none();
    let stack = Stack::up();
    let before = stack.state();
    let (code, said, complaint) = check(&stack, "ingest-lab-ingester:local", "threads,py-threads");
    assert_eq!(code, Some(0), "{said}{complaint}");
    for line in
        ["scheme threads", "  rows ", "  answer ", "  clock ", "  stop ", "  refusals ", "  lookups ", "  not done  "]
    {
        assert!(said.contains(&format!("\n{line}")) || said.starts_with(line), "{line}: {said}");
    }
    assert!(said.ends_with("ingest-lab-ingester:local keeps the contract\n"), "{said}");
    for broken in &BROKEN {
        let image = images.build(broken);
        let (code, said, complaint) = check(&stack, &image, "threads");
        assert_eq!(code, Some(1), "{}: {said}{complaint}", broken.name);
        let sentence = format!("lab: {image} does not keep the contract: {} failed\n", broken.failed);
        assert!(complaint.ends_with(&sentence), "{}: {said}{complaint}", broken.name);
        for [begins, holds] in broken.told {
            let tells = |line: &str| line.starts_with(begins) && line.contains(holds);
            assert!(said.lines().any(tells), "{} is not told {begins}…{holds}: {said}", broken.name);
        }
    }
    assert_eq!(stack.state(), before);
    assert_eq!(stack.data_volumes(), 0, "the generated data is gone");
}

#[test]
fn the_ceilings_keep_the_contract() {
    let stack = Stack::up();
    let (code, said, complaint) = check(&stack, "ingest-lab-ceilings:local", "pgbench,psql-copy");
    assert_eq!(code, Some(0), "{said}{complaint}");
    for line in [
        "scheme pgbench\n  rows      row/auto prepared, row/record prepared;",
        "scheme psql-copy\n  rows      copy/chunk",
    ] {
        assert!(said.contains(line), "{line}: {said}");
    }
    assert_eq!(said.matches("\n  lookups   not done\n").count(), 2, "{said}");
    assert!(said.ends_with("ingest-lab-ceilings:local keeps the contract\n"), "{said}");
}

/// One that runs on a single thread, and one of several processes; all of them are
/// `./lab doctor --peer ingest-lab-python:local`.
#[test]
fn the_python_peers_keep_the_contract() {
    let stack = Stack::up();
    let (code, said, complaint) = check(&stack, "ingest-lab-python:local", "py-asyncio,py-processes");
    assert_eq!(code, Some(0), "{said}{complaint}");
    assert!(said.contains("scheme py-processes\n  rows      row/auto simple"), "{said}");
    assert_eq!(said.matches("\n  lookups   1003 keys and a stop: row by 10 ").count(), 2, "{said}");
    assert!(said.ends_with("ingest-lab-python:local keeps the contract\n"), "{said}");
}

/// The doctor tries two of their schemes above, and no lookup: here each ingests, looks up, and ends when it is told to.
/// All of their tests of a database take minutes: docker/python/README.md.
const TRIED: [&str; 3] = [
    "tests.test_database.Whole.test_limits_and_a_phase_alone",
    "tests.test_lookup_database.Lookups.test_every_combination_is_exact_or_not_supported",
    "tests.test_lookup_database.Lookups.test_seconds_and_a_signal_end_in_order",
];

#[test]
fn every_python_scheme_ingests_and_looks_up() {
    let stack = Stack::up();
    let (network, dburl) = (format!("container:{}", stack.database()), stack.dburl("127.0.0.1"));
    let prepared = Process::new("docker")
        .args(["run", "--rm", "--label", LABEL, "--network", &network, "ingest-lab-ingester:local", "rebuild"])
        .args(["--dburl", &dburl])
        .output()
        .unwrap();
    assert!(prepared.status.success(), "{}", String::from_utf8_lossy(&prepared.stderr));
    let mut check = Process::new(concat!(env!("CARGO_MANIFEST_DIR"), "/docker/python/check.sh"));
    let check = stack.environment(check.args(TRIED).env("PEER_TEST_DBURL", dburl).env("PEER_TEST_NETWORK", network));
    let done = check.output().unwrap();
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{said}");
    let ran = format!("Ran {} tests in ", TRIED.len());
    assert!(said.contains(&ran) && !said.contains("skipped"), "{said}");
}
