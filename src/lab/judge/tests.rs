//! Runs and the sentences against them.

use super::*;
use crate::model::Scheme;
use crate::wire::Steady;
use crate::wire::conditions::Setting;
use crate::wire::emulation::Counters;
use crate::wire::fault::FaultSeen;
use crate::wire::measured::Quantiles;
use crate::wire::record::{Outcome, only_processors};
use crate::wire::testing::record;
use crate::wire::watched::{Look, Machine, Observed};

fn good() -> RunRecord {
    record(1, Scheme::Threads, 9_000.0)
}

fn check(asked: &str, measured: f64) -> CpuCheck {
    let asked = asked.parse().unwrap();
    CpuCheck { asked, engine: asked, cgroup: Some(asked), measured, work: 1e-5, ..Default::default() }
}

fn reasons(change: impl FnOnce(&mut RunRecord)) -> Vec<String> {
    let mut record = good();
    change(&mut record);
    judge(&record, &[])
}

#[test]
fn a_run_under_the_conditions_asked_for_counts() {
    assert!(reasons(|_| {}).is_empty());
    assert!(reasons(|run| run.conditions.database = Some(check("0.5", 0.51))).is_empty());
}

#[test]
fn what_a_fault_does_is_not_held_against_its_run_and_wrong_limits_are() {
    let broken = |change: &dyn Fn(&mut RunRecord)| {
        reasons(|run| {
            run.cell.fault = "db-kill".parse().unwrap();
            let seen = FaultSeen { applied: Some(4.0), lifted: Some(5.0), ..Default::default() };
            run.conditions.fault = Some(seen);
            run.conditions.checkpoints = 1;
            change(run);
        })
    };
    assert!(broken(&|_| {}).is_empty());
    let counted = broken(&|run| {
        if let Outcome::Finished { result } = &mut run.outcome {
            result.phases[1].rows *= 2;
        }
    });
    assert!(counted.is_empty(), "a killed ingester's rows are in no phase of the one that goes on: {counted:?}");
    let said = broken(&|run| run.conditions.client = Some(check("0.25", 0.30)));
    assert!(said.len() == 1 && said[0].contains("the client was to have 0.25 CPUs"), "{said:?}");
    let seen = |change: fn(&mut FaultSeen)| broken(&|run| change(run.conditions.fault.as_mut().unwrap()));
    assert!(seen(|seen| seen.applied = None)[0].contains("ended before its fault came"));
    assert!(seen(|seen| seen.lifted = None)[0].contains("ended before its fault was over"));
    assert!(seen(|seen| seen.problem = Some("no".into()))[0].contains("did not come or go as it should: no"));
    assert!(broken(&|run| run.conditions.fault = None)[0].contains("nobody saw"));
}

#[test]
fn each_rule_has_its_sentence() {
    type Change = fn(&mut RunRecord);
    let table: &[(Change, &str)] = &[
        (|run| run.part = Part::WarmUp, "it was the warm-up"),
        (|run| run.conditions.checkpoints = 1, "1 checkpoints began while it ran"),
        (
            |run| {
                let look = |at: f64, stolen: f64| Look {
                    at,
                    machine: Machine { busy: at, idle: at, stolen, ..Default::default() },
                    ..Default::default()
                };
                let looks = vec![look(0.0, 0.0), look(100.0, 50.0)];
                run.conditions.observed = Some(Observed { data_began: Some(0.0), looks, ..Default::default() });
                if let Outcome::Finished { result } = &mut run.outcome {
                    let data = result.phases.iter_mut().find(|phase| phase.phase == Phase::Data).unwrap();
                    data.rates.steady = Some(Steady { rate: 9_000.0, from: 0.0, to: 100.0 });
                }
            },
            "the machine underneath took 20 % of the processors' time: more than 5 %",
        ),
        (|run| run.conditions.clock_jump = -3.0, "the clock jumped by -3.0 s"),
        (|run| run.conditions.client = Some(check("0.25", 0.30)), "the client was to have 0.25 CPUs and got 0.300"),
        (
            |run| {
                run.conditions.client = Some(check("0.25", 0.25));
                run.conditions.more_clients = vec![check("0.25", 0.25), check("0.25", 0.30)];
            },
            "client 3 of 3 was to have 0.25 CPUs and got 0.300",
        ),
        (
            |run| run.conditions.database = Some(CpuCheck { engine: "1".parse().unwrap(), ..check("0.5", 0.5) }),
            "the engine says 1",
        ),
        (
            |run| {
                run.conditions.database = Some(CpuCheck { cgroup: Some("1".parse().unwrap()), ..check("0.5", 0.5) });
            },
            "control group says 1",
        ),
        (
            |run| {
                let one = CpuCheck { cpuset_asked: "0".into(), cpuset: "0-3".into(), ..check("0.5", 0.5) };
                run.conditions.client = Some(one);
            },
            "the client was to run on processors 0, its control group says 0-3",
        ),
        (
            |run| {
                run.conditions.settings =
                    vec![Setting { name: "congestion".into(), asked: "cubic".into(), found: "bbr".into() }];
            },
            "congestion was to be cubic, but it was bbr",
        ),
        (
            |run| {
                if let Outcome::Finished { result } = &mut run.outcome {
                    result.lost = vec!["a worker process died".into(); 2];
                }
            },
            "2 worker processes died; others did their work: the rate is not that of the pool asked for",
        ),
        (
            |run| {
                if let Outcome::Finished { result } = &mut run.outcome {
                    (result.job.workload, result.job.chunk) = (Workload::Lookup, 100);
                }
            },
            "40 records for 15 workers are too few: 200 a worker are needed",
        ),
        (
            |run| {
                if let Outcome::Finished { result } = &mut run.outcome {
                    result.job.pool = 350;
                }
            },
            "40 records for 350 workers are too few",
        ),
        (
            |run| {
                if let Outcome::Finished { result } = &mut run.outcome {
                    result.phases[1].rows *= 2;
                }
            },
            "phase data counts 40 records and 17760 rows, acknowledged are 40 and 8880",
        ),
        (
            |run| {
                if let Outcome::Finished { result } = &mut run.outcome {
                    result.phases[1].rates.steady = None;
                }
            },
            "all workers were busy for 0.00 s only",
        ),
    ];
    for (change, expected) in table {
        let found = reasons(change);
        assert_eq!(found.len(), 1, "{expected}: {found:?}");
        assert!(found[0].contains(expected), "{expected}: {found:?}");
    }
}

#[test]
fn a_slow_link_takes_time_to_send_an_exchange() {
    let told = |p50: u64, link: &str| {
        let times = Quantiles { count: 20, p50, p99: p50 };
        round_trip(&link.parse().unwrap(), &LinkMeasured { connect: times, exchange: times, up: None, down: None })
    };
    // 105 bytes each way at 2 Mbit/s: 0.84 ms.
    assert_eq!(told(4_800_000, "rtt=4ms,up=2mbit,down=2mbit"), None);
    assert!(told(4_800_000, "rtt=4ms").unwrap().contains("more than 0.30 ms off"));
    assert!(told(5_200_000, "rtt=4ms,up=2mbit,down=2mbit").unwrap().contains("more than 1.14 ms off"));
    assert!(told(3_600_000, "rtt=4ms,up=2mbit,down=2mbit").unwrap().contains("more than 0.30 ms off"));
}

#[test]
fn a_link_is_judged_by_what_is_set_what_was_lost_and_how_long_a_round_trip_took() {
    let with = |p50: u64, lost: u64, set: &str| {
        let mut record = good();
        let mut status = crate::wire::testing::link();
        status.emulation.profile = set.parse().unwrap();
        status.emulation.up = Some(Counters { dropped_unasked: Some(lost), ..Default::default() });
        record.conditions.link = Some(status);
        record.conditions.link_asked = Some("rtt=20ms".parse().unwrap());
        let times = Quantiles { count: 20, p50, p99: p50 };
        record.conditions.link_measured = Some(LinkMeasured { connect: times, exchange: times, up: None, down: None });
        judge(&record, &[])
    };
    assert!(with(20_300_000, 0, "rtt=20ms").is_empty());
    assert!(with(21_000_000, 0, "rtt=20ms")[0].contains("was to be 20ms and was 21.00 ms: more than 0.40 ms off"));
    assert!(with(20_000_000, 3, "rtt=20ms")[0].contains("lost 3 packets that nobody asked"));
    assert!(with(20_000_000, 0, "rtt=5ms")[0].contains("was to be rtt=20ms, the agent says rtt=5ms"));
}

#[test]
fn of_the_way_past_the_link_nothing_was_asked_so_nothing_is_off() {
    let mut record = good();
    let times = Quantiles { count: 20, p50: 34_000_000, p99: 90_000_000 };
    record.conditions.link = None;
    record.conditions.link_asked = Some(crate::model::profiles::Profiles::shipped().find("direct").unwrap());
    record.conditions.link_measured =
        Some(LinkMeasured { connect: times, exchange: times, up: Some(3_000_000), down: Some(1) });
    assert_eq!(judge(&record, &[]), Vec::<String>::new());
}

#[test]
fn a_checkpoint_counts_against_a_run_where_the_server_is_the_lab_s() {
    let mut record = good();
    record.conditions.checkpoints = 1;
    assert_eq!(judge(&record, &[]), ["1 checkpoints began while it ran"]);
    record.conditions.external = Some(crate::wire::external::External::default());
    assert_eq!(judge(&record, &[]), Vec::<String>::new());
}

#[test]
fn a_rate_is_judged_by_what_the_window_allows_too_and_not_where_packets_get_lost() {
    let with = |link: &str, mbit: u64| {
        let mut record = good();
        let asked: LinkProfile = link.parse().unwrap();
        let rtt = asked.rtt().nanos();
        let mut status = crate::wire::testing::link();
        status.emulation.profile = asked.clone();
        let times = Quantiles { count: 20, p50: rtt, p99: rtt };
        record.conditions.link = Some(status);
        record.conditions.link_asked = Some(asked);
        record.conditions.link_measured =
            Some(LinkMeasured { connect: times, exchange: times, up: Some(mbit * 1_000_000), down: None });
        judge(&record, &[])
    };
    assert!(with("rtt=10ms,up=100mbit", 99).is_empty());
    assert!(with("rtt=10ms,up=100mbit", 70)[0].contains("rate up was to be 100mbit and was 70.00 Mbit/s"));
    assert!(with("rtt=10ms,up=100mbit", 130)[0].contains("not within 85.00 to 105.00"));
    assert!(with("rtt=160ms,up=100mbit", 9).is_empty(), "200 kB in 160 ms are 10 Mbit/s");
    assert!(with("rtt=10ms,up=100mbit,loss=1%", 20).is_empty());
}

#[test]
fn a_speed_off_the_median_is_told_and_worth_a_second_attempt() {
    let at = |work| {
        let mut record = good();
        record.conditions.client = Some(CpuCheck { work, ..check("unlimited", 1.0) });
        record
    };
    let before = [at(1.0e-5), at(1.02e-5), at(0.98e-5)];
    assert!(judge(&at(1.05e-5), &before).is_empty());
    let slow = judge(&at(1.3e-5), &before);
    assert_eq!(slow, ["the processor's speed (client) was 23 % below the series' median"]);
    assert!(only_processors(&slow) && !only_processors(&[]));
    assert!(judge(&at(1.3e-5), &before[..2]).is_empty(), "two runs have no median worth the name");
}
