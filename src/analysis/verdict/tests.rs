//! Evidence, and what it says.

use super::*;

fn idle() -> Evidence {
    Evidence {
        client_cpu: Some(0.2),
        client_thread: Some(0.2),
        client_processors: 2.0,
        database_cpu: Some(0.3),
        database_processors: 2.0,
        host_cpu: Some(0.4),
        bandwidth: Some(0.0),
        way: Some(0.05),
        io: Some(0.1),
        locks: Some(0.05),
        records: Some(0.0),
        ..Default::default()
    }
}

#[test]
fn what_is_used_up_goes_before_what_is_waited_for() {
    // As measured of a database on a fifth of a processor: most looks show a wait for WAL.
    let throttled = Evidence { database_cpu: Some(0.98), io: Some(0.7), ..idle() };
    assert_eq!(verdict(&throttled).bound, Bound::DatabaseCpu);
    let far = Evidence { way: Some(0.97), ..idle() };
    assert_eq!(verdict(&far).bound, Bound::RoundTrips);
    assert_eq!(verdict(&far).why, "97 % of connection time was on the way");
    let slow_disk = Evidence { io: Some(0.8), ..idle() };
    assert_eq!(verdict(&slow_disk).bound, Bound::DatabaseIo);
    let slow_reader = Evidence { records: Some(0.9), ..idle() };
    assert_eq!(verdict(&slow_reader).bound, Bound::Coordination);
    let locked = verdict(&Evidence { locks: Some(0.75), ..idle() });
    assert_eq!((locked.bound, locked.less_sure), (Bound::DatabaseLocks, false));
    assert_eq!(locked.why, "backends slept for each other in 75 % of all looks");
}

#[test]
fn one_busy_thread_of_several_processors_is_told_from_a_busy_client() {
    let one = Evidence { client_cpu: Some(0.5), client_thread: Some(0.99), ..idle() };
    assert_eq!(verdict(&one).bound, Bound::ClientThread);
    let pinned = Evidence { client_cpu: Some(0.99), client_thread: Some(0.99), client_processors: 1.0, ..idle() };
    assert_eq!(verdict(&pinned).bound, Bound::ClientCpu);
}

#[test]
fn what_others_took_of_a_side_s_processors_is_said_beside_what_it_used_of_the_rest() {
    let pinned = Evidence { client_cpu: Some(0.99), client_taken: 0.07, client_processors: 1.0, ..idle() };
    let said = "the client used 99 % of the CPU time it may have (others took 7 % of its processors)";
    assert_eq!((verdict(&pinned).bound, verdict(&pinned).why.as_str()), (Bound::ClientCpu, said));
    let database = Evidence { database_cpu: Some(0.98), database_taken: 0.01, ..idle() };
    assert_eq!(verdict(&database).why, "the database used 98 % of the CPU time it may have");
}

#[test]
fn of_several_clients_it_is_said_what_all_of_them_did() {
    let all = Evidence { clients: 3, client_cpu: Some(0.97), ..idle() };
    assert_eq!(verdict(&all).why, "the 3 clients together used 97 % of the CPU time they may have");
    // One of three at its quota, the others idle: a third of what they may have together, and a bit.
    let one = Evidence { clients: 3, client_cpu: Some(0.4), ..idle() };
    assert_eq!(verdict(&one).bound, Bound::Undetermined);
    let threads = Evidence { clients: 2, client_cpu: Some(0.5), client_thread: Some(0.98), ..idle() };
    assert!(verdict(&threads).why.starts_with("one thread of each of the 2 clients"), "{}", verdict(&threads).why);
}

#[test]
fn an_interpreter_s_lock_is_named_where_other_processors_are_free() {
    let locked = Evidence { client_cpu: Some(0.5), client_thread: Some(1.0), interpreter_lock: true, ..idle() };
    let told = verdict(&locked);
    assert_eq!(told.bound, Bound::ClientThread);
    assert!(told.why.contains("run one at a time (an interpreter's lock)"), "{}", told.why);
    let limited = Evidence { client_cpu: Some(0.98), client_thread: Some(0.5), client_processors: 0.5, ..locked };
    assert_eq!(verdict(&limited).bound, Bound::ClientCpu, "less than a processor is less than the lock allows");
}

#[test]
fn shared_processors_are_nobody_s_alone() {
    let busy = Evidence { client_cpu: Some(0.4), database_cpu: Some(0.55), host_cpu: Some(0.99), ..idle() };
    assert_eq!(verdict(&busy).bound, Bound::Undetermined, "not shared: somebody else's work");
    assert_eq!(verdict(&Evidence { shared: true, ..busy }).bound, Bound::HostCpu);
}

#[test]
fn where_the_server_s_processors_are_hidden_every_verdict_says_so_and_none_is_what_they_may_be_behind() {
    let hidden = Evidence { database_cpu: None, io: None, locks: None, hidden: true, ..idle() };
    let far = verdict(&Evidence { way: Some(0.9), ..hidden });
    assert!(far.bound == Bound::RoundTrips && far.less_sure, "{far:?}");
    assert!(far.why.ends_with("so it may be database CPU as well"), "{}", far.why);
    // As PostgreSQL says of a database that is short of processors.
    let busy = verdict(&Evidence { said: Some(0.7), ..hidden });
    assert!(busy.bound == Bound::Undetermined && busy.less_sure, "{busy:?}");
    assert!(busy.why.contains("could not be seen") && busy.why.contains("70 % of all looks"), "{}", busy.why);
    assert!(!verdict(&Evidence { way: Some(0.9), ..idle() }).less_sure);
}

#[test]
fn two_alike_are_mixed_and_nothing_is_undetermined() {
    let both = verdict(&Evidence { client_cpu: Some(0.97), database_cpu: Some(0.95), ..idle() });
    assert_eq!((both.bound, both.of), (Bound::Mixed, vec![Bound::ClientCpu, Bound::DatabaseCpu]));
    let nearly = verdict(&Evidence { client_cpu: Some(0.87), database_cpu: Some(0.99), ..idle() });
    assert_eq!(nearly.of, [Bound::ClientCpu, Bound::DatabaseCpu], "relieving the database alone would bring 1.15x");
    let one = verdict(&Evidence { client_cpu: Some(0.8), database_cpu: Some(0.99), ..idle() });
    assert_eq!(one.bound, Bound::DatabaseCpu);
    let none = verdict(&idle());
    assert_eq!(none.bound, Bound::Undetermined);
    assert!(none.why.ends_with("the most: the database used 30 % of the CPU time it may have"), "{}", none.why);
    let together = verdict(&Evidence { host_cpu: Some(0.85), shared: true, ..idle() });
    assert!(together.why.ends_with("the most: the machine's processors were 85 % busy"), "{}", together.why);
    let blind = verdict(&Evidence::default());
    assert!(blind.less_sure && blind.why.starts_with("nothing was measured that could tell; not seen: "), "{blind:?}");
}

#[test]
fn waits_share_one_time_and_each_whose_relief_matters_is_a_bound() {
    // A connection at 5.5 ms whose commits take 5 ms: without the disk's part of it the rate is 1.87 times as much.
    let far = verdict(&Evidence { way: Some(0.51), io: Some(0.465), ..idle() });
    assert_eq!((far.bound, far.of), (Bound::Mixed, vec![Bound::RoundTrips, Bound::DatabaseIo]));
    assert!(far.why.contains("51 % of connection time") && far.why.contains("slept for WAL or files"), "{}", far.why);
    // Both 5 ms: neither is half of the time, and both together are nearly all of it.
    let alike = verdict(&Evidence { way: Some(0.485), io: Some(0.485), ..idle() });
    assert_eq!((alike.bound, alike.of), (Bound::Mixed, vec![Bound::RoundTrips, Bound::DatabaseIo]));
    let three = verdict(&Evidence { way: Some(0.3), io: Some(0.2), locks: Some(0.2), ..idle() });
    assert_eq!(three.of, [Bound::RoundTrips, Bound::DatabaseIo, Bound::DatabaseLocks]);
}

#[test]
fn a_small_wait_beside_a_large_one_is_no_bound_and_from_a_fifth_on_it_is_told() {
    let small = verdict(&Evidence { way: Some(0.85), io: Some(0.1), ..idle() });
    assert_eq!((small.bound, small.less_sure), (Bound::RoundTrips, false));
    assert_eq!(small.why, "85 % of connection time was on the way");
    let told = verdict(&Evidence { way: Some(0.75), io: Some(0.2), ..idle() });
    assert_eq!((told.bound, told.less_sure), (Bound::RoundTrips, true));
    assert!(told.why.ends_with("20 % of all looks, and without that alone the rate would be 1.25x"), "{}", told.why);
    let own = verdict(&Evidence { way: Some(0.7), io: Some(0.24), ..idle() });
    assert_eq!(own.of, [Bound::RoundTrips, Bound::DatabaseIo], "1.32x without the disk's part");
    let alone = verdict(&Evidence { way: Some(0.4), io: Some(0.05), ..idle() });
    assert_eq!(alone.bound, Bound::Undetermined, "most of the time is something else");
}

#[test]
fn what_was_not_measured_is_not_taken_for_not_used_up() {
    let disk = Evidence { io: Some(0.8), ..idle() };
    let seen = verdict(&disk);
    assert_eq!((seen.bound, seen.less_sure), (Bound::DatabaseIo, false));
    let told = verdict(&Evidence { database_cpu: None, ..disk });
    assert_eq!((told.bound, told.less_sure), (Bound::DatabaseIo, true));
    assert!(told.why.ends_with("; not seen: what the database used of its CPU time"), "{}", told.why);
    let client = verdict(&Evidence { client_cpu: None, ..disk });
    assert!(client.less_sure && client.why.ends_with("what the client used of its CPU time"), "{}", client.why);
    // One side that is used up may be one of two.
    let one = verdict(&Evidence { client_cpu: Some(0.98), database_cpu: None, ..idle() });
    assert!(one.bound == Bound::ClientCpu && one.less_sure, "{one:?}");
}

#[test]
fn a_wait_is_not_said_surely_where_backends_were_hardly_looked_at() {
    let unseen = Evidence { way: Some(0.9), io: None, locks: None, host_cpu: None, ..idle() };
    let told = verdict(&unseen);
    assert_eq!((told.bound, told.less_sure), (Bound::RoundTrips, true));
    assert!(told.why.ends_with("; not seen: what backends wait for (too few looks)"), "{}", told.why);
    let used_up = verdict(&Evidence { database_cpu: Some(0.98), ..unseen });
    assert_eq!((used_up.bound, used_up.less_sure), (Bound::DatabaseCpu, false), "what is used up goes first");
}

#[test]
fn a_thread_that_nobody_measured_may_be_busy_only_where_the_client_used_as_much() {
    let blind = Evidence { client_thread: None, way: Some(0.9), ..idle() };
    assert!(!verdict(&blind).less_sure, "0.4 of a processor are no busy thread");
    let told = verdict(&Evidence { client_cpu: Some(0.5), ..blind });
    assert!(told.less_sure && told.why.ends_with("the client's busiest thread used"), "{}", told.why);
    assert!(!verdict(&Evidence { client_cpu: Some(0.8), client_processors: 1.0, ..blind }).less_sure);
}

#[test]
fn the_backend_of_a_single_connection_is_a_thread_that_may_be_used_up() {
    // COPY over one connection: one of two processors busy, and the other of no use to it.
    let copy = Evidence { database_cpu: Some(0.48), database_thread: Some(0.95), ..idle() };
    let told = verdict(&copy);
    assert_eq!((told.bound, told.less_sure), (Bound::DatabaseThread, false));
    assert_eq!(told.why, "the only connection's backend used 95 % of a processor");
    let pinned = Evidence { database_cpu: Some(0.97), database_processors: 1.0, ..copy };
    assert_eq!(verdict(&pinned).of, [Bound::DatabaseCpu], "one processor is all there is");
    assert_eq!(verdict(&Evidence { database_thread: Some(0.6), ..copy }).bound, Bound::Undetermined);
}

#[test]
fn the_ends_of_a_single_connection_that_work_in_turns_are_told_so() {
    let turns = Evidence { client_thread: Some(0.45), database_thread: Some(0.5), ..idle() };
    let told = verdict(&turns);
    assert_eq!(told.bound, Bound::Undetermined, "neither is used up");
    let said = "client (45 % of a processor) and backend (50 %) seem to work in turns: more connections, or requests in flight, \
                let them work side by side";
    assert!(told.why.ends_with(said), "{}", told.why);
    // Asleep for something else; at work at the same time; many connections.
    for (client, database) in [(0.1, Some(0.2)), (0.8, Some(0.8)), (0.5, None)] {
        let other = Evidence { client_thread: Some(client), database_thread: database, ..idle() };
        assert!(!verdict(&other).why.contains("in turns"), "{client} {database:?}");
    }
}

#[test]
fn a_busy_thread_is_named_whatever_its_side_may_have_beyond_one_processor() {
    for hundredths in 101..=200_u32 {
        let processors = f64::from(hundredths) / 100.0;
        let busy = Evidence { client_cpu: Some(1.0 / processors), client_thread: Some(1.0), ..idle() };
        let told = verdict(&Evidence { client_processors: processors, ..busy });
        let expected = if 1.0 / processors >= USED_UP { Bound::ClientCpu } else { Bound::ClientThread };
        assert_eq!(told.bound, expected, "{processors} processors: {}", told.why);
    }
    let both = Evidence { client_cpu: Some(0.87), client_thread: Some(0.86), database_cpu: Some(0.99), ..idle() };
    assert_eq!(verdict(&both).of, [Bound::ClientCpu, Bound::DatabaseCpu], "a side is named once");
}

#[test]
fn what_the_server_says_of_its_flushes_stands_beside_what_backends_slept_for() {
    let told = verdict(&Evidence { io: Some(0.9), flushes: Some(Flushes { rate: 180.0, mean: 0.005 }), ..idle() });
    assert_eq!(told.bound, Bound::DatabaseIo);
    let flushed = "90 % of all looks (WAL was flushed 180 times a second, 5.00 ms each: 90 % of the time)";
    assert!(told.why.ends_with(flushed), "{}", told.why);
}
