//! Experiments as people write them, and what they are told of their slips.

use super::*;
use crate::lab::Capacity;
use crate::lab::placement::Cores;
use crate::model::Switch;

fn quick() -> String {
    SHIPPED[0].1.to_owned()
}

/// The least that is an experiment, with one more line in its only block of cells.
fn with(line: &str) -> String {
    format!(
        "question = \"?\"\nseed = 1\nblocks = 2\nstop = {{ seconds = \"20s\" }}\n[[cells]]\nscheme = [\"threads\"]\n\
         statement = [\"row\"]\ncommit = [\"auto\"]\n{line}\n"
    )
}

#[test]
fn every_shipped_experiment_parses_and_what_is_saved_loads_again() {
    for (name, text) in SHIPPED {
        let experiment = Experiment::parse(name, text).unwrap_or_else(|error| panic!("{name}: {error}"));
        let saved = toml::to_string(&experiment).unwrap();
        assert_eq!(Experiment::parse(name, &saved).unwrap(), experiment, "{name}");
    }
}

#[test]
fn links_go_with_the_series_and_mean_the_same_elsewhere() {
    let own = "[office]\nrtt = \"3ms\"\nsource = \"ping\"\n[lte]\nrtt = \"50ms\"\nsource = \"chosen\"\n";
    let here = Profiles::shipped().with(own).unwrap();
    let mut experiment =
        Experiment::parse("x", &with("pool = [1]\nlink = [\"home\", \"local\", \"lte\", \"rtt=1ms\"]")).unwrap();
    experiment.cells[0].link.push("office".into());
    assert!(Experiment::parse("x", &toml::to_string(&experiment).unwrap()).unwrap_err().contains("profile office"));
    let kept = toml::to_string(&experiment.kept(&here)).unwrap();
    assert_eq!(kept.matches("[links.").count(), 3, "{kept}");
    let elsewhere = Experiment::parse("x", &kept).unwrap();
    for link in ["home", "local", "lte", "rtt=1ms", "office"] {
        assert_eq!(elsewhere.profiles().unwrap().find(link), here.find(link), "{kept}");
    }
    let replayed = elsewhere.kept(&elsewhere.profiles().unwrap());
    assert_eq!(toml::to_string(&replayed).unwrap(), kept, "what is run again keeps the same");
}

#[test]
fn a_block_spans_the_product_of_its_factors_and_blocks_add_up() {
    let text = with("pool = [1, 15]\ndb_cpus = [\"0.5\", \"unlimited\"]\nforeign_keys = [\"on\", \"off\"]");
    let text =
        text + "[[cells]]\nscheme = [\"async\"]\nstatement = [\"executemany\"]\ncommit = [\"record\"]\npool = [15]\n";
    let cells = Experiment::parse("x", &text).unwrap().cells();
    assert_eq!(cells.len(), 2 * 2 * 2 + 1);
    assert_eq!(cells.iter().filter(|cell| cell.foreign_keys == Switch::Off).count(), 4);
    assert_eq!(cells[0].to_string(), "threads row auto pool 1 db-cpus 0.5");
}

#[test]
fn a_stop_is_text_with_a_unit_a_number_of_seconds_or_lines() {
    for (written, seconds) in [("\"20s\"", 20.0), ("\"2min\"", 120.0), ("20", 20.0)] {
        let text = with("pool = [1]").replace("\"20s\"", written);
        assert_eq!(Experiment::parse("x", &text).unwrap().stop.seconds, Some(seconds));
    }
    let lines = with("pool = [1]").replace("seconds = \"20s\"", "lines = 100");
    assert_eq!(Experiment::parse("x", &lines).unwrap().stop.lines, Some(100));
}

/// What is wrong, and what has to be in the sentence about it.
#[test]
fn bad_input_is_refused_with_a_sentence_that_says_what_is_right() {
    let table: &[(&str, &[&str])] = &[
        ("pool = [1]\nclient_cpu = [\"1\"]", &["line 10", "unknown field `client_cpu`", "did you mean `client_cpus`?"]),
        ("pool = [1]\nplacement = [\"pined\"]", &["line 10", "did you mean `pinned`?"]),
        ("pool = [1]\ncongestion = [\"cubik\"]", &["line 10", "did you mean `cubic`?"]),
        ("pool = [1]\nclient_cpus = [1]", &["line 10", "integer `1`", "\"unlimited\""]),
        ("pool = [1]\ndb_cpus = [\"0\"]", &["line 10", "0 CPUs cannot be set", "\"unlimited\""]),
        ("pool = [1]\ndb_cpus = [\"-1\"]", &["-1 CPUs cannot be set"]),
        ("pool = [1]\ndb_cpus = [\"lots\"]", &["`lots` is no number of CPUs"]),
        ("pool = [-1]", &["line 9", "-1"]),
        ("pool = [0]", &["pool is 0: it must be 1 to 500"]),
        ("pool = [501]", &["pool is 501: it must be 1 to 500"]),
        ("pool = []", &["[[cells]] number 1 spans no cell"]),
        ("pool = [1]\nclients = [0]", &["clients is 0: it must be 1 to 64"]),
        ("pool = [1]\nclients = [65]", &["clients is 65: it must be 1 to 64"]),
        ("pool = [1]\nclients = [2]\nfault = [\"reset\"]", &["reset breaks what one client does", "use clients = 1"]),
        ("pool = [1]\nin_flight = 0", &["in_flight is 0"]),
        ("pool = [1]\nlink = [\"marz\"]", &["there is no link profile marz"]),
        ("pool = [1]\nforeign_keys = [true]", &["line 10"]),
    ];
    for (line, expected) in table {
        let error = Experiment::parse("x", &with(line)).unwrap_err();
        for part in *expected {
            assert!(error.contains(part), "{line}: {error}");
        }
    }
}

#[test]
fn bad_stops_and_blocks_are_refused() {
    let good = with("pool = [1]");
    for (from, to, expected) in [
        ("\"20s\"", "\"20\"", "write it with a unit"),
        ("\"20s\"", "\"0s\"", "above 0"),
        ("\"20s\"", "\"2000h\"", "at most a day"),
        ("\"20s\"", "true", "a time is text with a unit"),
        ("seconds = \"20s\"", "lines = 0", "1 at least"),
        ("seconds = \"20s\"", "lines = 10, geo_records = 5", "only 5 geographic records"),
        ("seconds = \"20s\"", "geo_records = 5", "give [stop] seconds or lines"),
        ("blocks = 2", "blocks = 0", "blocks is 0"),
        ("blocks = 2", "blocks = 2\nbudget = \"1s\"", "budget must be a minute"),
        ("seed = 1", "sead = 1", "did you mean `seed`?"),
    ] {
        let error = Experiment::parse("x", &good.replace(from, to)).unwrap_err();
        assert!(error.contains(expected), "{to}: {error}");
    }
}

#[test]
fn a_lookup_is_asked_for_in_words_of_its_own() {
    let lookup = "pool = [1]\nworkload = [\"lookup\"]\nchunk = [10, 100]";
    let cells = Experiment::parse("x", &with(lookup)).unwrap().cells();
    let shown: Vec<String> = cells.iter().map(ToString::to_string).collect();
    assert_eq!(shown, ["lookup threads row pool 1 chunk 10", "lookup threads row pool 1 chunk 100"]);
    for (from, to, expected) in [
        ("\"row\"", "\"copy\"", "a lookup reads rows, copy sends them"),
        ("\"auto\"", "\"record\"", "a lookup commits nothing: commit is record"),
        ("pool = [1]", "pool = [1]\nreader = \"preload\"", "a lookup reads no file"),
        ("pool = [1]", "pool = [1]\ninject = [\"read=1ms\"]", "a lookup reads no file"),
    ] {
        let error = Experiment::parse("x", &with(lookup).replace(from, to)).unwrap_err();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn more_than_the_machine_or_the_database_has_is_refused() {
    let capacity = |processors| Capacity {
        cores: Cores::parse("", processors),
        client_cores: None,
        connections: 100,
        disk: Some(9 << 30),
    };
    let two = capacity(2);
    for (line, expected) in [
        ("pool = [1]\ndb_cpus = [\"2.5\"]", "db_cpus is 2.5, but it has 2"),
        ("pool = [1]\nclient_cpus = [\"1.5\"]\nplacement = [\"pinned\"]", "client_cpus is 1.5, but it has 1 under"),
        ("pool = [200]", "pool is 200, but the database has 100 connections left"),
        ("pool = [40]\nclients = [1, 3]", "pool is 40 of each of 3 clients, 120 together, but the database has 100"),
    ] {
        let error = Experiment::parse("x", &with(line)).unwrap().check_capacity(&two).unwrap_err();
        assert_eq!(error.exit, Exit::Usage);
        assert!(error.message.contains(expected), "{error}");
    }
    let pinned = Experiment::parse("x", &with("pool = [1]\nplacement = [\"pinned\"]")).unwrap();
    assert!(pinned.check_capacity(&capacity(1)).unwrap_err().message.contains("needs two processors"));
    assert!(pinned.check_capacity(&two).is_ok());
    let apart = Capacity { client_cores: Some(Cores::parse("", 1)), ..capacity(4) };
    let cpus = Experiment::parse("x", &with("pool = [1]\nclient_cpus = [\"2\"]")).unwrap();
    let error = cpus.check_capacity(&apart).unwrap_err();
    assert!(
        error.message.contains("client_cpus is 2, but it has 1 under placement \"shared\" on a machine of 1"),
        "{error}"
    );
    let full = Capacity { disk: Some(1 << 20), ..two };
    assert!(pinned.check_capacity(&full).unwrap_err().message.contains("1.0 MiB free: make room"));
}

#[test]
fn clients_are_a_factor_and_another_program_has_none() {
    let cells = Experiment::parse("x", &with("pool = [2, 4]\nclients = [1, 2]")).unwrap().cells();
    let shown: Vec<String> = cells.iter().map(ToString::to_string).collect();
    let plain = "threads row auto pool";
    assert_eq!(shown, ["2", "4", "2 clients 2", "4 clients 2"].map(|rest| format!("{plain} {rest}")));
    for scheme in ["py-threads", "pgbench"] {
        let text = with("pool = [2]\nclients = [4]").replace("\"threads\"", &format!("\"{scheme}\""));
        let error = Experiment::parse("x", &text).unwrap_err();
        assert!(error.starts_with(&format!("{scheme} does all of a run's records: with clients = 4 use")), "{error}");
    }
}

#[test]
fn a_series_of_many_hours_asks_to_be_confirmed() {
    let experiment = Experiment::parse("long", &with("pool = [1]")).unwrap();
    let error = experiment.check_length(36_000.0, false).unwrap_err();
    assert!(error.message.contains("about 10 h 00 min") && error.message.contains("--yes"), "{error}");
    assert!(experiment.check_length(36_000.0, true).is_ok());
}

#[test]
fn the_command_line_goes_before_the_file_and_is_checked_like_it() {
    let experiment = Experiment::parse("quick", &quick()).unwrap();
    let overrides = Overrides {
        scheme: vec![Scheme::Serial],
        statement: vec![Statement::Row],
        pool: vec![1, 2],
        client_cpus: vec![Cpus::UNLIMITED],
        db_cpus: vec!["0.5".parse().unwrap()],
        link: vec!["local".into()],
        ..Default::default()
    };
    let cells = experiment.clone().with(&overrides).unwrap().cells();
    assert_eq!(cells.len(), 2);
    assert!(cells.iter().all(|cell| cell.scheme == Scheme::Serial && cell.db_cpus.count() == Some(0.5)));
    let wrong = Overrides { pool: vec![501], ..Default::default() };
    let error = experiment.with(&wrong).unwrap_err();
    assert_eq!((error.exit, error.message.as_str()), (Exit::Usage, "pool is 501: it must be 1 to 500"));
}

#[test]
fn a_size_makes_no_cells_of_those_that_do_not_use_it() {
    let of = |text: &str, sizes: (Vec<usize>, Vec<usize>)| {
        let mut span = CellSpan::of(&text.parse().unwrap());
        span.statement = vec![Statement::Row, Statement::Multirow];
        (span.batch, span.chunk) = sizes;
        let mut experiment: Experiment = toml::from_str(&quick()).unwrap();
        experiment.cells = vec![span];
        experiment
    };
    let experiment = of("threads row record pool 15", (vec![10, 50], vec![4, 8]));
    let cells: Vec<String> = experiment.cells().iter().map(ToString::to_string).collect();
    let multirow = "threads multirow record pool 15";
    assert_eq!(cells, ["threads row record pool 15", &format!("{multirow} batch 10"), &format!("{multirow} batch 50")]);
    for (sizes, said) in [
        ((vec![0], vec![16]), "batch is 0: it must be 1 to 21845"),
        ((vec![100], vec![1_001]), "chunk is 1001: it must be 1 to 1000"),
    ] {
        assert_eq!(of("threads multirow chunk pool 15", sizes).check(), Err(said.to_owned()));
    }
}
