//! Experiments, link profiles and what the command line changes of them.

use super::support::{Case, case};

/// The least that is an experiment.
const GOOD: &str = "question = \"Which?\"\nseed = 7\nblocks = 2\nstop = { seconds = \"1s\" }\n[[cells]]\n\
                    scheme = [\"threads\"]\nstatement = [\"row\"]\ncommit = [\"auto\"]\npool = [15]\n";

/// The experiment with something replaced, and the sentence about it.
const EDITED: &[(&str, &str, &str)] = &[
    ("seed = 7", "seed = 7\nbudget = nan", "budget must be a minute at least, and 31 days at most"),
    ("seed = 7", "seed = 7\nbudget = inf", "budget must be a minute at least, and 31 days at most"),
    ("seed = 7", "seed = 7\nbudget = \"1000000000000h\"", "budget must be a minute at least, and 31 days at most"),
    ("seed = 7", "seed = -7", "line 2: invalid value: integer `-7`, expected u64"),
    ("seed = 7", "seed = 7e3", "line 2: invalid type: floating point `7000.0`, expected u64"),
    ("seed = 7", "seed = 7\nseed = 8", "line 3: duplicate key"),
    ("\"1s\"", "nan", "stop.seconds must be above 0 and at most a day"),
    ("\"1s\"", "-1", "stop.seconds must be above 0 and at most a day"),
    ("\"1s\"", "\"1e9s\"", "`1e9s` is no time: write it with a unit"),
    ("\"1s\"", "\"1s\", pages = 3", "unknown field `pages`"),
    ("blocks = 2", "blocks = 1001", "blocks is 1001: it must be 1 to 1000"),
    ("blocks = 2", "blocks = 18446744073709551616", "line 3:"),
    ("[[cells]]", "[[cell]]", "did you mean `cells`?"),
    ("[[cells]]", "[cells]", "invalid type: map, expected a sequence"),
    ("pool = [15]\n", "", "missing field `pool`"),
    ("[15]", "15", "invalid type: integer `15`, expected a sequence"),
    ("[\"row\"]", "[\"multirow\"]\nbatch = [0]", "batch is 0: it must be 1 to 21845"),
    ("[\"auto\"]", "[\"chunk\"]\nchunk = [1001]", "chunk is 1001: it must be 1 to 1000"),
    ("[15]", "[15]\nin_flight = 100001", "in_flight is 100001: it must be 1 to 100000"),
    ("[15]", "[15]\nclient_cpus = [\"NaN\"]", "NaN CPUs cannot be set: give 0.01 or more, or \"unlimited\""),
    ("[15]", "[15]\ndb_cpus = [\"5000\"]", "5000 CPUs cannot be set"),
    ("[15]", "[15]\ninject = [\"nap=1ms\"]", "`nap` cannot be injected: there are spin, sleep and read"),
    ("[15]", "[15]\nlink = [\"rtt=-5ms\"]", "link rtt=-5ms: rtt: -5ms is negative"),
    ("[15]", "[15]\nlink = [\"rtt=20\"]", "20 has no unit: write 20ms"),
    ("[15]", "[15]\nlink = [\"rtt=11s\"]", "11s is more than 10s, the most there is"),
    ("[15]", "[15]\nlink = [\"rtt=99999999999999999999s\"]", "99999999999999999999s is more than there is"),
    ("[15]", "[15]\nlink = [\"loss=60%\"]", "60% is more than 50%, the most there is"),
    ("[15]", "[15]\nlink = [\"rtt=1ms,rtt=2ms\"]", "rtt is given twice"),
    ("[15]", "[15]\nlink = [\"rtt=10ms,jitter=20ms\"]", "is more than the direction's delay of 5ms: lower it"),
    ("[15]", "[15]\nlink = [\"up=0mbit\"]", "0mbit would let nothing through: say \"unlimited\" for no bound"),
    ("[15]", "[15]\nlink = [\"rtt=1ms,burst=4packets\"]", "burst needs a loss: say which share of packets is lost"),
    ("seed = 7", "seed = 7\ndatabase = { url = \"postgres://me:secret@db/app\" }", "the database URL holds a password"),
    ("seed = 7", "seed = 7\ndatabase = { url = \"mysql://me@db/app\" }", "the database URL begins with no postgres://"),
    ("seed = 7", "seed = 7\ndatabase = { host = \"db\" }", "unknown field `host`"),
    ("seed = 7", "seed = 7\nlinks = { a = { rtt = \"1ms\" } }", "links: [a]: source is missing"),
    ("seed = 7", "seed = 7\nlinks = { a = { source = \"x\", rtd = \"1ms\" } }", "did you mean `rtt`?"),
    ("question", "\"\\u001b[2Jquestion\"", "unknown field `\u{fffd}[2Jquestion`"),
];

/// Profiles of a user's own, and the sentence about them.
const PROFILES: &[(&str, &str)] = &[
    ("[\"a b\"]\nsource = \"x\"\n", "[a b]: a profile's name has letters, digits, - and _ only"),
    (
        "[a]\nsource = \"x\"\nrtt = \"1ms\"\ndelay_up = \"1ms\"\n",
        "[a]: rtt splits evenly; give it or delay_up and delay_down",
    ),
    ("[a]\nsource = \"x\"\nordered = true\n", "[a]: distribution and ordered need a jitter"),
    ("a = 1\n", "line 1: invalid type: integer `1`"),
];

/// What the command line makes of a good experiment.
const FLAGS: &[(&str, &str)] = &[
    ("--pool 0", "pool is 0: it must be 1 to 500"),
    ("--pool 501,1", "pool is 501: it must be 1 to 500"),
    ("--blocks 0", "blocks is 0: it must be 1 to 1000"),
    ("--seconds nan", "stop.seconds must be above 0 and at most a day"),
    ("--seconds inf", "stop.seconds must be above 0 and at most a day"),
    ("--limit-lines 0", "stop.lines and stop.geo_records must be 1 at least"),
    ("--limit-lines 18446744073709551616", "invalid value '18446744073709551616' for '--limit-lines <N>'"),
    ("--link nowhere", "there is no link profile nowhere"),
    ("--database postgres://me@localhost/app", "the database URL names localhost, which is each container itself"),
    ("--database postgres://me@db/app", "placement is pinned, but the server is not the lab's to place"),
    ("--client-cpus none", "`none` is no number of CPUs: write \"0.25\" or \"unlimited\""),
];

pub fn cases() -> Vec<Case> {
    let plan = |what: String, text: &[u8], says| case(what, "lab plan x.toml", 2, says).file("x.toml", text);
    let mut cases: Vec<Case> = EDITED
        .iter()
        .map(|(from, to, says)| {
            let text = GOOD.replacen(from, to, 1);
            assert_ne!(text, GOOD, "{from} is not there");
            plan(format!("an experiment with {to:?}"), text.as_bytes(), *says)
        })
        .collect();
    let profile = |(text, says): &(&str, &'static str)| {
        case(format!("profiles {text:?}"), "lab plan quick", 2, says).file("experiments/links.toml", *text)
    };
    cases.extend(PROFILES.iter().map(profile));
    cases.extend(FLAGS.iter().map(|(flags, says)| case(*flags, &format!("lab plan quick {flags}"), 2, says)));
    let pools: String = (1..=200).map(|pool| format!("{pool},")).collect();
    let many_runs = GOOD.replace("[15]", &format!("[{pools}]")).replace("blocks = 2", "blocks = 1000");
    let lookups = GOOD.to_owned() + &format!("workload = [{}]\n", "\"lookup\",".repeat(20_000));
    let cell = |cell: &str, says| case(format!("the cell {cell}"), "lab diagnose", 2, says).argument(cell);
    cases.extend([
        plan("bytes that are no text".into(), &[0xff, 0xfe, b'\n'], "x.toml is not UTF-8 text"),
        plan(
            "a file that goes on".into(),
            &[b'#'; (1 << 20) + 1],
            "has more than 1048576 bytes, the most that are read",
        ),
        case("a database outside that nobody names", "lab run x.toml", 2, "name it with --database")
            .file("x.toml", GOOD.replace("seed = 7", "seed = 7\ndatabase = {}")),
        plan("an empty file".into(), b"", "missing field `question`"),
        plan("arrays in arrays".into(), format!("question = {}", "[".repeat(10_000)).as_bytes(), "line 1: "),
        plan(
            "more runs than anybody waits for".into(),
            many_runs.as_bytes(),
            "it would be 201001 runs: at most 100000",
        ),
        plan("a word 20,000 times".into(), lookups.as_bytes(), "it spans 20000 combinations: at most 10000 can be run"),
        cell("threads row auto pool", "the pool is missing"),
        cell("threads row auto pool 1.5", "`1.5` is no pool"),
        cell("lookup async row batch 5", "`batch` makes no difference to this cell: leave it out"),
    ]);
    cases
}
