//! When a packet leaves: one direction's rate, delay, jitter and loss, decided packet by packet.
//! It knows nothing of sockets; `nfqueue` and `relay` both ask it.

use crate::model::Distribution;
use crate::model::link::{Jitter, Loss, OneWay};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use std::time::{Duration, Instant};

/// One direction's state.
#[derive(Debug)]
pub(in crate::link) struct Shape {
    way: OneWay,
    chance: ChaCha8Rng,
    /// When the last packet had been sent at the rate.
    sent: Option<Instant>,
    /// When the last packet leaves.
    leaves: Option<Instant>,
    /// Within a run of lost packets.
    losing: bool,
}

impl Shape {
    /// The same settings and seed make the same decisions.
    pub(in crate::link) fn new(way: OneWay, seed: u64) -> Self {
        Self { way, chance: ChaCha8Rng::seed_from_u64(seed), sent: None, leaves: None, losing: false }
    }

    /// When a packet of so many bytes that came in at `now` leaves; `None`: it is lost.
    pub(in crate::link) fn leaves(&mut self, now: Instant, bytes: u64) -> Option<Instant> {
        if self.way.loss.is_some_and(|loss| self.loses(loss)) {
            return None;
        }
        let sent = match self.way.rate.bits_per_second() {
            Some(rate) => {
                let takes = Duration::from_nanos((u128::from(bytes) * 8_000_000_000 / u128::from(rate)) as u64);
                let sent = self.sent.map_or(now, |last| last.max(now)) + takes;
                self.sent = Some(sent);
                sent
            }
            None => now,
        };
        let mut leaves = sent + self.way.jitter.map_or(self.way.delay.duration(), |jitter| self.varied(jitter));
        if self.way.jitter.is_none_or(|jitter| jitter.ordered) {
            leaves = self.leaves.map_or(leaves, |last| last.max(leaves));
            self.leaves = Some(leaves);
        }
        Some(leaves)
    }

    /// The delay with its jitter, never negative.
    fn varied(&mut self, jitter: Jitter) -> Duration {
        let by = match jitter.distribution {
            Distribution::Uniform => 2.0 * self.between_0_and_1() - 1.0,
            Distribution::Normal => self.normal(),
        };
        let nanos = self.way.delay.nanos() as f64 + by * jitter.width.nanos() as f64;
        Duration::from_nanos(nanos.max(0.0) as u64)
    }

    /// Gilbert's model where runs were asked for: a state that loses everything, one that loses nothing.
    fn loses(&mut self, loss: Loss) -> bool {
        let share = loss.share.fraction();
        let draw = self.between_0_and_1();
        let Some(burst) = loss.burst else { return draw < share };
        let ends = 1.0 / burst.packets() as f64;
        self.losing = if self.losing { draw >= ends } else { draw < ends * share / (1.0 - share) };
        self.losing
    }

    /// 53 random bits: as many as a float has.
    fn between_0_and_1(&mut self) -> f64 {
        (self.chance.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Box and Muller's; what is beyond three standard deviations (one in 370) is drawn again.
    fn normal(&mut self) -> f64 {
        loop {
            let (a, b) = (1.0 - self.between_0_and_1(), self.between_0_and_1());
            let value = (-2.0 * a.ln()).sqrt() * (std::f64::consts::TAU * b).cos();
            if value.abs() <= 3.0 {
                return value;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::link::LinkProfile;

    fn shape(text: &str) -> Shape {
        Shape::new(text.parse::<LinkProfile>().unwrap().up, 7)
    }

    /// What packets, sent so far apart that none waits for another, wait: milliseconds.
    fn waits(text: &str, packets: u32) -> Vec<f64> {
        let (mut shape, start) = (shape(text), Instant::now());
        (0..packets)
            .filter_map(|n| {
                let now = start + Duration::from_secs(1) * n;
                shape.leaves(now, 1500).map(|leaves| (leaves - now).as_secs_f64() * 1e3)
            })
            .collect()
    }

    /// The largest distance between the sample's distribution and the one it should have.
    fn kolmogorov_smirnov(mut sample: Vec<f64>, expected: impl Fn(f64) -> f64) -> f64 {
        sample.sort_by(f64::total_cmp);
        let n = sample.len() as f64;
        let gaps = sample.iter().enumerate().map(|(i, &x)| {
            let wanted = expected(x);
            (wanted - i as f64 / n).abs().max(((i + 1) as f64 / n - wanted).abs())
        });
        gaps.fold(0.0, f64::max)
    }

    /// One in 10,000 samples of a right distribution is farther off.
    const FAR: f64 = 2.23;

    #[test]
    fn jitter_falls_as_its_distribution_says() {
        let n = 20_000_u32;
        let far = FAR / f64::from(n).sqrt();
        let uniform = kolmogorov_smirnov(waits("rtt=20ms,jitter=4ms", n), |x| ((x - 6.0) / 8.0).clamp(0.0, 1.0));
        assert!(uniform < far, "{uniform}");
        // Abramowitz and Stegun 7.1.26.
        let normal_cdf = |z: f64| {
            let t = 1.0 / (1.0 + 0.327_591_1 * (z.abs() / 2_f64.sqrt()));
            let poly = t
                * (0.254_829_592
                    + t * (-0.284_496_736 + t * (1.421_413_741 + t * (-1.453_152_027 + t * 1.061_405_429))));
            let half = (1.0 - poly * (-z * z / 2.0).exp()) / 2.0;
            if z < 0.0 { 0.5 - half } else { 0.5 + half }
        };
        let (low, all) = (normal_cdf(-3.0), 1.0 - 2.0 * normal_cdf(-3.0));
        let normal = kolmogorov_smirnov(waits("rtt=20ms,jitter=2ms,distribution=normal", n), |x| {
            (normal_cdf((x - 10.0) / 2.0) - low) / all
        });
        assert!(normal < far, "{normal}");
    }

    #[test]
    fn losses_come_as_often_and_in_runs_as_long_as_asked() {
        for (text, burst) in [("loss=2%", 1.02), ("loss=2%,burst=5packets", 5.0)] {
            let (mut shape, now, packets) = (shape(text), Instant::now(), 400_000);
            let lost: Vec<bool> = (0..packets).map(|_| shape.leaves(now, 100).is_none()).collect();
            let total = lost.iter().filter(|&&lost| lost).count() as f64;
            let runs = lost.windows(2).filter(|pair| !pair[0] && pair[1]).count() as f64;
            assert!((total / f64::from(packets) - 0.02).abs() < 0.002, "{text}: {total}");
            assert!((total / runs / burst - 1.0).abs() < 0.06, "{text}: runs of {}", total / runs);
        }
    }

    #[test]
    fn packets_at_a_rate_leave_one_after_the_other() {
        let (mut shape, now) = (shape("rtt=20ms,up=12mbit"), Instant::now());
        let left: Vec<Duration> = (0..3).map(|_| shape.leaves(now, 1500).unwrap() - now).collect();
        assert_eq!(left, [11, 12, 13].map(Duration::from_millis));
        let later = now + Duration::from_secs(1);
        assert_eq!(shape.leaves(later, 1500).unwrap() - later, Duration::from_millis(11), "idle time earns no credit");
    }

    #[test]
    fn ordered_jitter_keeps_the_order_and_unordered_jitter_does_not() {
        let overtakes = |text: &str| {
            let (mut shape, start) = (shape(text), Instant::now());
            let left: Vec<Instant> =
                (0..500).map(|n| shape.leaves(start + Duration::from_micros(n), 100).unwrap()).collect();
            left.windows(2).any(|pair| pair[1] < pair[0])
        };
        assert!(!overtakes("rtt=20ms,jitter=2ms"));
        assert!(overtakes("rtt=20ms,jitter=2ms,ordered=no"));
    }
}
