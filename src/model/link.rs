//! What a link is made to do: a profile, each direction on its own.
//!
//! ```text
//! ingester ── up: rate, delay ± jitter, loss ──► database
//!          ◄── down: rate, delay ± jitter, loss ──
//! ```

use super::cell::DIRECT;
use super::quantity::{Burst, Delay, Rate, Share};
use super::{Distribution, nearest};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A link's settings with where they come from.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LinkProfile {
    /// Its name; one written on the spot is named by its settings.
    pub name: String,
    /// The backend handles every packet even where it has nothing to add: the control that tells the
    /// emulator's own cost from what it emulates.
    pub queued: bool,
    /// From the ingester to the database.
    pub up: OneWay,
    /// From the database to the ingester.
    pub down: OneWay,
    /// Where the figures come from, in words; `None` for one written on the spot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// When the source's figures were published or measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub date: Option<String>,
    /// Fields that nobody measured: somebody chose them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub chosen: Vec<String>,
}

/// One direction's settings.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct OneWay {
    /// What every packet waits, after it has been sent at the rate.
    pub delay: Delay,
    /// How the delay varies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jitter: Option<Jitter>,
    /// Which packets never arrive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss: Option<Loss>,
    /// How fast bits go in, one packet after the other.
    pub rate: Rate,
}

/// How a delay varies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Jitter {
    /// Uniform: the most to either side. Normal: the standard deviation, cut off at three of them.
    pub width: Delay,
    /// How it spreads.
    pub distribution: Distribution,
    /// A packet never overtakes an earlier one: it waits for it instead.
    pub ordered: bool,
}

/// Which packets are lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Loss {
    /// How many, in the long run.
    pub share: Share,
    /// Mean length of a run of lost packets (Gilbert's model); `None`: each on its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub burst: Option<Burst>,
}

impl OneWay {
    /// Adds nothing and takes nothing away.
    pub fn is_plain(&self) -> bool {
        *self == Self::default()
    }
}

impl LinkProfile {
    /// The link as it is: nothing is set. The control.
    pub fn local() -> Self {
        Written::default().profile("local").expect("no setting contradicts another")
    }

    /// Whether nothing at all is to be set.
    pub fn is_local(&self) -> bool {
        !self.is_direct() && self.adds_nothing()
    }

    /// Whether it is no link at all but the way past it: nothing can be set there, and what it is like is measured.
    pub fn is_direct(&self) -> bool {
        self.name == DIRECT
    }

    fn adds_nothing(&self) -> bool {
        !self.queued && self.up.is_plain() && self.down.is_plain()
    }

    /// Both delays.
    pub fn rtt(&self) -> Delay {
        Delay::from_nanos(self.up.delay.nanos() + self.down.delay.nanos())
    }

    /// What no text could say, and JSON can: a direction whose delay varies by more than itself; a way past the link
    /// that the link is to make slow.
    pub fn check(&self) -> Result<(), String> {
        if self.is_direct() && !self.adds_nothing() {
            return Err(format!(
                "{DIRECT} leads past the link, where nothing can be set: give these settings another name"
            ));
        }
        wide_enough(&self.up).and_then(|()| wide_enough(&self.down))
    }

    /// Whether packets may be lost, in either direction.
    pub fn loses(&self) -> bool {
        self.up.loss.or(self.down.loss).is_some()
    }
}

/// Settings on the spot: `rtt=20ms,jitter=2ms,loss=0.1%,up=100mbit`.
impl FromStr for LinkProfile {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut written = Written::default();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let (key, value) = part.split_once('=').ok_or_else(|| format!("{part:?}: write name=value"))?;
            written.set(key.trim(), value.trim())?;
        }
        let mut profile = written.profile("")?;
        profile.name = profile.to_string();
        Ok(profile)
    }
}

/// The settings on the spot that mean the same; where they come from is not part of it.
impl fmt::Display for LinkProfile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (up, down) = (&self.up, &self.down);
        // An odd nanosecond of an RTT goes down.
        if down.delay.nanos().wrapping_sub(up.delay.nanos()) <= 1 {
            write!(f, "rtt={}", self.rtt())?;
        } else {
            write!(f, "delay_up={},delay_down={}", up.delay, down.delay)?;
        }
        pair(f, "jitter", up.jitter.map(|j| j.width), down.jitter.map(|j| j.width))?;
        if let Some(jitter) = up.jitter.or(down.jitter) {
            write!(f, ",distribution={},ordered={}", jitter.distribution, if jitter.ordered { "yes" } else { "no" })?;
        }
        pair(f, "loss", up.loss.map(|loss| loss.share), down.loss.map(|loss| loss.share))?;
        if let Some(burst) = up.loss.or(down.loss).and_then(|loss| loss.burst) {
            write!(f, ",burst={burst}")?;
        }
        for (name, rate) in [("up", up.rate), ("down", down.rate)] {
            if rate != Rate::UNLIMITED {
                write!(f, ",{name}={rate}")?;
            }
        }
        if self.queued { f.write_str(",queued=yes") } else { Ok(()) }
    }
}

/// A setting of both directions, or of each.
fn pair<T: fmt::Display + PartialEq>(
    f: &mut fmt::Formatter<'_>,
    name: &str,
    up: Option<T>,
    down: Option<T>,
) -> fmt::Result {
    match (up, down) {
        (Some(up), Some(down)) if up == down => write!(f, ",{name}={up}"),
        (up, down) => {
            up.map_or(Ok(()), |up| write!(f, ",{name}_up={up}"))?;
            down.map_or(Ok(()), |down| write!(f, ",{name}_down={down}"))
        }
    }
}

/// A profile as it is written, in a file or on the spot.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Written {
    rtt: Option<Delay>,
    delay_up: Option<Delay>,
    delay_down: Option<Delay>,
    jitter: Option<Delay>,
    jitter_up: Option<Delay>,
    jitter_down: Option<Delay>,
    distribution: Option<Distribution>,
    ordered: Option<bool>,
    loss: Option<Share>,
    loss_up: Option<Share>,
    loss_down: Option<Share>,
    burst: Option<Burst>,
    up: Option<Rate>,
    down: Option<Rate>,
    queued: Option<bool>,
    pub(super) source: Option<String>,
    pub(super) date: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) chosen: Vec<String>,
}

impl Written {
    /// What can be set; where it comes from cannot be said on the spot.
    pub(super) const KEYS: [&str; 15] = [
        "rtt",
        "delay_up",
        "delay_down",
        "jitter",
        "jitter_up",
        "jitter_down",
        "distribution",
        "ordered",
        "loss",
        "loss_up",
        "loss_down",
        "burst",
        "up",
        "down",
        "queued",
    ];

    fn set(&mut self, key: &str, value: &str) -> Result<(), String> {
        fn put<T: FromStr<Err: fmt::Display>>(field: &mut Option<T>, key: &str, value: &str) -> Result<(), String> {
            if field.is_some() {
                return Err(format!("{key} is given twice"));
            }
            *field = Some(value.parse().map_err(|error| format!("{key}: {error}"))?);
            Ok(())
        }
        match key {
            "rtt" => put(&mut self.rtt, key, value),
            "delay_up" => put(&mut self.delay_up, key, value),
            "delay_down" => put(&mut self.delay_down, key, value),
            "jitter" => put(&mut self.jitter, key, value),
            "jitter_up" => put(&mut self.jitter_up, key, value),
            "jitter_down" => put(&mut self.jitter_down, key, value),
            "distribution" => {
                let known = |word: &Distribution| word.word() == value;
                let words = || Distribution::ALL.iter().map(|word| word.word());
                Distribution::ALL
                    .iter()
                    .find(|word| known(word))
                    .ok_or_else(|| unknown("a distribution", value, words()))?;
                put(&mut self.distribution, key, value)
            }
            "ordered" => put(&mut self.ordered, key, yes_or_no(key, value)?),
            "loss" => put(&mut self.loss, key, value),
            "loss_up" => put(&mut self.loss_up, key, value),
            "loss_down" => put(&mut self.loss_down, key, value),
            "burst" => put(&mut self.burst, key, value),
            "up" => put(&mut self.up, key, value),
            "down" => put(&mut self.down, key, value),
            "queued" => put(&mut self.queued, key, yes_or_no(key, value)?),
            _ => Err(unknown("a setting", key, Self::KEYS.into_iter())),
        }
    }

    /// How a profile of a file is written. Delays one by one: together they may be longer than an RTT can be.
    pub(super) fn of(profile: &LinkProfile) -> Self {
        let (up, down) = (&profile.up, &profile.down);
        let (jitters, loses) = (up.jitter.or(down.jitter), up.loss.or(down.loss));
        let delay = |way: &OneWay| Some(way.delay).filter(|delay| !delay.is_zero());
        let rate = |way: &OneWay| Some(way.rate).filter(|rate| *rate != Rate::UNLIMITED);
        let (jitter, jitter_up, jitter_down) = together(up.jitter.map(|j| j.width), down.jitter.map(|j| j.width));
        let (loss, loss_up, loss_down) = together(up.loss.map(|loss| loss.share), down.loss.map(|loss| loss.share));
        Self {
            rtt: None,
            delay_up: delay(up),
            delay_down: delay(down),
            jitter,
            jitter_up,
            jitter_down,
            distribution: jitters.map(|jitter| jitter.distribution),
            ordered: jitters.map(|jitter| jitter.ordered),
            loss,
            loss_up,
            loss_down,
            burst: loses.and_then(|loss| loss.burst),
            up: rate(up),
            down: rate(down),
            queued: profile.queued.then_some(true),
            source: profile.source.clone(),
            date: profile.date.clone(),
            chosen: profile.chosen.clone(),
        }
    }

    /// The profile it means, or which settings contradict each other.
    pub(super) fn profile(&self, name: &str) -> Result<LinkProfile, String> {
        let (delay_up, delay_down) = self.delays()?;
        let loses = self.loss.or(self.loss_up).or(self.loss_down);
        let jitters = self.jitter.or(self.jitter_up).or(self.jitter_down);
        if self.burst.is_some() && loses.is_none() {
            return Err("burst needs a loss: say which share of packets is lost".into());
        }
        if (self.ordered.is_some() || self.distribution.is_some()) && jitters.is_none() {
            return Err("distribution and ordered need a jitter".into());
        }
        let one_way = |delay, jitter: Option<Delay>, loss: Option<Share>, rate: Option<Rate>| OneWay {
            delay,
            jitter: jitter.filter(|width| !width.is_zero()).map(|width| Jitter {
                width,
                distribution: self.distribution.unwrap_or(Distribution::Uniform),
                ordered: self.ordered.unwrap_or(true),
            }),
            loss: loss.filter(|share| share.fraction() > 0.0).map(|share| Loss { share, burst: self.burst }),
            rate: rate.unwrap_or_default(),
        };
        let jitter = |own, key| either(self.jitter, own, "jitter", key);
        let loss = |own, key| either(self.loss, own, "loss", key);
        let profile = LinkProfile {
            name: name.into(),
            queued: self.queued.unwrap_or(false),
            up: one_way(delay_up, jitter(self.jitter_up, "jitter_up")?, loss(self.loss_up, "loss_up")?, self.up),
            down: one_way(
                delay_down,
                jitter(self.jitter_down, "jitter_down")?,
                loss(self.loss_down, "loss_down")?,
                self.down,
            ),
            source: self.source.clone(),
            date: self.date.clone(),
            chosen: self.chosen.clone(),
        };
        profile.check()?;
        Ok(profile)
    }

    fn delays(&self) -> Result<(Delay, Delay), String> {
        match (self.rtt, self.delay_up, self.delay_down) {
            (Some(_), Some(_), _) | (Some(_), _, Some(_)) => {
                Err("rtt splits evenly; give it or delay_up and delay_down, not both".into())
            }
            (Some(rtt), None, None) => {
                let up = Delay::from_nanos(rtt.nanos() / 2);
                Ok((up, Delay::from_nanos(rtt.nanos() - up.nanos())))
            }
            (None, up, down) => Ok((up.unwrap_or_default(), down.unwrap_or_default())),
        }
    }
}

/// A setting of both directions, or that of each.
fn together<T: PartialEq>(up: Option<T>, down: Option<T>) -> (Option<T>, Option<T>, Option<T>) {
    if up == down { (up, None, None) } else { (None, up, down) }
}

fn either<T>(both: Option<T>, own: Option<T>, name: &str, key: &str) -> Result<Option<T>, String> {
    match (both, own) {
        (Some(_), Some(_)) => Err(format!("{name} is that of both directions; {key} contradicts it")),
        (both, own) => Ok(both.or(own)),
    }
}

/// A delay that varied by more than itself would be negative now and then.
fn wide_enough(way: &OneWay) -> Result<(), String> {
    let Some(jitter) = way.jitter else { return Ok(()) };
    let (most, which) = match jitter.distribution {
        Distribution::Uniform => (way.delay.nanos(), ""),
        Distribution::Normal => (way.delay.nanos() / 3, " a third of"),
    };
    if jitter.width.nanos() > most {
        return Err(format!(
            "a {} jitter of {} is more than{which} the direction's delay of {}: lower it",
            jitter.distribution, jitter.width, way.delay
        ));
    }
    Ok(())
}

fn yes_or_no<'a>(key: &str, value: &'a str) -> Result<&'a str, String> {
    match value {
        "yes" | "true" => Ok("true"),
        "no" | "false" => Ok("false"),
        _ => Err(format!("{key} is {value:?}: say yes or no")),
    }
}

fn unknown<'a>(what: &str, word: &str, all: impl Iterator<Item = &'a str> + Clone) -> String {
    match nearest::nearest(word, all.clone()) {
        Some(right) => format!("{word:?} is not {what}: did you mean {right}?"),
        None => format!("{word:?} is not {what}: there are {}", all.collect::<Vec<_>>().join(", ")),
    }
}

#[cfg(test)]
#[path = "link_tests.rs"]
mod tests;
