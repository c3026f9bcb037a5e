use super::*;
use proptest::prelude::*;

fn read(text: &str) -> LinkProfile {
    text.parse().unwrap()
}

fn refused(text: &str) -> String {
    text.parse::<LinkProfile>().unwrap_err()
}

#[test]
fn an_rtt_splits_evenly_and_each_direction_can_have_its_own_settings() {
    let profile = read("rtt=20ms,jitter=2ms,loss=0.1%,up=100mbit");
    assert_eq!((profile.up.delay, profile.down.delay), ("10ms".parse().unwrap(), "10ms".parse().unwrap()));
    assert_eq!(profile.up.rate.bits_per_second(), Some(100_000_000));
    assert_eq!(profile.down.rate, Rate::UNLIMITED);
    assert!(profile.up.jitter.unwrap().ordered, "packets keep their order unless somebody asks otherwise");
    let profile = read("delay_up=30ms, delay_down=1ms, loss_down=1%, burst=4packets");
    assert_eq!(profile.rtt(), "31ms".parse().unwrap());
    assert_eq!((profile.up.loss, profile.down.loss.unwrap().burst.unwrap().packets()), (None, 4));
}

#[test]
fn settings_that_contradict_each_other_are_refused() {
    assert_eq!(refused("rtt=1ms,delay_up=1ms"), "rtt splits evenly; give it or delay_up and delay_down, not both");
    assert_eq!(refused("rtt=1ms,rtt=2ms"), "rtt is given twice");
    assert_eq!(refused("loss=1%,loss_up=1%"), "loss is that of both directions; loss_up contradicts it");
    assert_eq!(refused("burst=3packets"), "burst needs a loss: say which share of packets is lost");
    assert_eq!(refused("rtt=1ms,ordered=no"), "distribution and ordered need a jitter");
    assert_eq!(
        refused("rtt=2ms,jitter=2ms"),
        "a uniform jitter of 2ms is more than the direction's delay of 1ms: lower it"
    );
    assert_eq!(
        refused("rtt=20ms,jitter=5ms,distribution=normal"),
        "a normal jitter of 5ms is more than a third of the direction's delay of 10ms: lower it"
    );
}

#[test]
fn a_wrong_word_is_answered_with_the_nearest_right_one() {
    assert_eq!(refused("rrt=1ms"), "\"rrt\" is not a setting: did you mean rtt?");
    assert_eq!(
        refused("rtt=1ms,jitter=1us,distribution=norml"),
        "\"norml\" is not a distribution: did you mean normal?"
    );
    assert_eq!(refused("rtt=20"), "rtt: 20 has no unit: write 20ms");
    assert_eq!(refused("fast"), "\"fast\": write name=value");
    assert_eq!(refused("up=0mbit"), "up: 0mbit would let nothing through: say \"unlimited\" for no bound");
    assert_eq!(refused("rtt=1ms,queued=maybe"), "queued is \"maybe\": say yes or no");
}

#[test]
fn nothing_set_is_local_and_queued_is_not() {
    assert!(LinkProfile::local().is_local());
    assert!(read("rtt=0ms,loss=0%").is_local());
    assert!(!read("queued=yes").is_local());
    assert!(!read("down=1gbit").is_local());
}

/// Any settings that are accepted.
fn accepted() -> impl Strategy<Value = LinkProfile> {
    let delays = (0..5_000_000_000_u64, 0..5_000_000_000_u64, any::<bool>());
    let jitter = proptest::option::of((0.0..1.0_f64, any::<bool>(), any::<bool>()));
    let loss = proptest::option::of((0..500_000_000_u64, proptest::option::of(1..=1_000_u32)));
    let rates = [(); 2].map(|()| proptest::option::of(1_000..100_000_000_000_u64));
    (delays, jitter, loss, rates, any::<bool>()).prop_map(
        |((up, down, even), jitter, loss, [rate_up, rate_down], queued)| {
            let mut text = if even { format!("rtt={up}ns") } else { format!("delay_up={up}ns,delay_down={down}ns") };
            if let Some((share, normal, ordered)) = jitter {
                let least = if even { up / 2 } else { up.min(down) };
                let (width, word) = if normal { (least / 3, "normal") } else { (least, "uniform") };
                let width = (width as f64 * share) as u64;
                text += &format!(",jitter={width}ns,distribution={word},ordered={ordered}");
            }
            if let Some((share, burst)) = loss {
                text += &format!(",loss_up={}%", share as f64 / 1e7);
                text += &burst.map_or_else(String::new, |packets| format!(",burst={packets}packets"));
            }
            text += &rate_up.map_or_else(String::new, |rate| format!(",up={rate}bit"));
            text += &rate_down.map_or_else(String::new, |rate| format!(",down={rate}bit"));
            text += if queued { ",queued=yes" } else { "" };
            text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
        },
    )
}

proptest! {
    #[test]
    fn what_is_shown_and_what_is_saved_read_back_as_the_same(profile in accepted()) {
        prop_assert_eq!(&profile.to_string().parse::<LinkProfile>().unwrap(), &profile);
        let json = serde_json::to_string(&profile).unwrap();
        prop_assert_eq!(&serde_json::from_str::<LinkProfile>(&json).unwrap(), &profile);
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in "\\PC*") {
        let _ = text.parse::<LinkProfile>();
    }

    #[test]
    fn no_settings_make_the_parser_panic(text in "(rtt|loss|burst|up|jitter)=[0-9.]{0,4}(ms|%|mbit|packets)?(,rtt=[0-9]ms)?") {
        let _ = text.parse::<LinkProfile>();
    }
}
