//! Backend `netem`: the kernel's emulator, one queueing discipline for each direction, on the way out of the
//! router's two sides.
//!
//! ```text
//! client ──► client side │ db side: netem (up)   ──► db
//! client ◄── client side: netem (down) │ db side ◄── db
//! ```

use super::{Path, Shaping, ask_ip, device_towards};
use crate::link::tool;
use crate::model::Distribution;
use crate::model::link::OneWay;
use crate::wire::emulation::Counters;
use anyhow::{Context, Result, ensure};
use serde_json::Value;

/// Ours, and no one else's: only disciplines with these handles are ever deleted.
const ROOT: &str = "11ab:";
const CHILD: &str = "11ac:";

/// Its default of 1,000 packets would drop where a long, fast link holds more.
const LEAST_LIMIT: u64 = 100_000;

/// A rate makes netem keep the order in spite of jitter; one this high adds nothing else.
const ORDERING_RATE: u64 = 100_000_000_000;

/// Splits large packets ahead of netem: a token bucket no larger than one packet, and faster than any link here.
const SPLITTING_RATE: &str = "20gbit";

/// The backend, found to work.
#[derive(Debug)]
pub(super) struct Netem {
    sides: Sides,
    notes: Vec<String>,
    set: bool,
    loses: [bool; 2],
}

/// Devices of the two sides.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Sides {
    database: String,
    /// Every other one.
    client: Vec<String>,
}

impl Netem {
    /// Tries it on the very devices it is for, before anything runs.
    pub(super) async fn find(path: Path) -> Result<Self> {
        let sides = Sides::find(path).await?;
        let netem = Self { sides, notes: Vec::new(), set: false, loses: [false; 2] };
        let tried = netem.try_out(path).await;
        sweep().await;
        tried.map(|()| netem)
    }

    async fn try_out(&self, path: Path) -> Result<()> {
        let way = OneWay::default();
        for device in self.sides.all() {
            tc(&format!("qdisc add dev {device} root handle {ROOT} netem {}", arguments(&way, path.mtu))).await?;
        }
        Ok(())
    }

    /// What a reader has to know of how it is set.
    pub(super) fn notes(&self) -> Vec<String> {
        self.notes.clone()
    }

    /// Sets both directions.
    pub(super) async fn apply(&mut self, path: Path, shaping: &Shaping) -> Result<()> {
        self.sides = Sides::find(path).await?;
        self.set = true;
        let profile = &shaping.profile;
        self.notes = notes(&profile.up, &profile.down);
        self.loses = [profile.up.loss.is_some(), profile.down.loss.is_some()];
        add(&self.sides.database, &profile.up, path.mtu).await?;
        for device in &self.sides.client {
            add(device, &profile.down, path.mtu).await?;
        }
        Ok(())
    }

    /// Takes the disciplines away; packets that wait in them are dropped, so only between runs.
    pub(super) async fn clear(&mut self) -> Result<()> {
        if std::mem::take(&mut self.set) {
            sweep().await;
        }
        self.notes.clear();
        Ok(())
    }

    /// What both directions did.
    pub(super) async fn counters(&self) -> Result<Option<[Counters; 2]>> {
        if !self.set {
            return Ok(None);
        }
        let up = counters(&self.sides.database, self.loses[0]).await?;
        let mut down = Counters { dropped_unasked: up.dropped_unasked.map(|_| 0), ..Counters::default() };
        down.dropped_unasked = (!self.loses[1]).then_some(0);
        for device in &self.sides.client {
            let more = counters(device, self.loses[1]).await?;
            down.packets += more.packets;
            down.bytes += more.bytes;
            down.delayed += more.delayed;
            down.dropped_asked += more.dropped_asked;
            down.dropped_unasked = down.dropped_unasked.zip(more.dropped_unasked).map(|(a, b)| a + b);
        }
        Ok(Some([up, down]))
    }
}

impl Sides {
    async fn find(path: Path) -> Result<Self> {
        let database = device_towards(path.database).await?;
        let addresses = ask_ip(&["addr", "show", "up"]).await?;
        let client = clients(&addresses, &database);
        ensure!(!client.is_empty(), "there is no device besides {database}: both directions would share its queue");
        Ok(Self { database, client })
    }

    fn all(&self) -> impl Iterator<Item = &String> {
        std::iter::once(&self.database).chain(&self.client)
    }
}

/// Every device with an address that neither leads to the database nor back to ourselves.
fn clients(addresses: &Value, database: &str) -> Vec<String> {
    let all = addresses.as_array().into_iter().flatten();
    let usable = all.filter(|one| {
        let flags = one["flags"].as_array().into_iter().flatten();
        let loopback = flags.into_iter().any(|flag| flag == "LOOPBACK");
        let addressed = one["addr_info"].as_array().is_some_and(|list| list.iter().any(|one| one["family"] == "inet"));
        !loopback && addressed
    });
    usable.filter_map(|one| one["ifname"].as_str()).filter(|name| *name != database).map(str::to_owned).collect()
}

async fn add(device: &str, way: &OneWay, mtu: u32) -> Result<()> {
    let netem = arguments(way, mtu);
    if way.loss.is_none() {
        return tc(&format!("qdisc add dev {device} root handle {ROOT} netem {netem}")).await;
    }
    let burst = mtu + 100;
    tc(&format!("qdisc add dev {device} root handle {ROOT} tbf rate {SPLITTING_RATE} burst {burst} limit 100mb"))
        .await?;
    tc(&format!("qdisc add dev {device} parent {ROOT}1 handle {CHILD} netem {netem}")).await
}

/// netem's arguments for one direction.
fn arguments(way: &OneWay, mtu: u32) -> String {
    let us = |nanos: u64| format!("{:.3}us", nanos as f64 / 1e3);
    let rate = way.rate.bits_per_second();
    let in_flight =
        rate.map_or(0, |rate| (1.5 * rate as f64 * way.delay.duration().as_secs_f64() / (8.0 * f64::from(mtu))) as u64);
    let mut text = format!("limit {}", LEAST_LIMIT.max(in_flight));
    if !way.delay.is_zero() {
        text += &format!(" delay {}", us(way.delay.nanos()));
    }
    if let Some(jitter) = way.jitter {
        text += &format!(" {}", us(jitter.width.nanos()));
        if jitter.distribution == Distribution::Normal {
            text += " distribution normal";
        }
    }
    if let Some(loss) = way.loss {
        let share = loss.share.fraction();
        text += &match loss.burst {
            None => format!(" loss random {:.7}%", share * 100.0),
            Some(burst) => {
                let ends = 1.0 / burst.packets() as f64;
                format!(" loss gemodel {:.7}% {:.7}%", ends * share / (1.0 - share) * 100.0, ends * 100.0)
            }
        };
    }
    let orders = way.jitter.is_some_and(|jitter| jitter.ordered).then_some(ORDERING_RATE);
    text + &rate.or(orders).map_or_else(String::new, |rate| format!(" rate {rate}bit"))
}

fn notes(up: &OneWay, down: &OneWay) -> Vec<String> {
    let either = |has: fn(&OneWay) -> bool| has(up) || has(down);
    let mut notes = Vec::new();
    if either(|way| way.loss.is_some()) {
        notes.push("large packets are split ahead of netem, so that each is lost on its own".into());
        notes.push("netem counts packets lost for want of room with those lost on purpose".into());
    }
    if either(|way| way.rate.bits_per_second().is_none() && way.jitter.is_some_and(|jitter| jitter.ordered)) {
        notes.push("jitter is kept in order by a rate of 100 Gbit/s".into());
    }
    notes
}

/// Takes our disciplines away, on every device; others' stay.
pub(super) async fn sweep() {
    let Ok(text) = tool::run("tc", &["-j", "qdisc", "show"], "").await else { return };
    let Ok(all) = serde_json::from_str::<Value>(&text) else { return };
    for one in all.as_array().into_iter().flatten() {
        if one["handle"] == ROOT
            && let Some(device) = one["dev"].as_str()
            && let Err(error) = tc(&format!("qdisc del dev {device} root")).await
        {
            tracing::warn!("a queueing discipline stays: {error:#}");
        }
    }
}

async fn counters(device: &str, loses: bool) -> Result<Counters> {
    let text = tool::run("tc", &["-s", "-j", "qdisc", "show", "dev", device], "").await?;
    let all: Value = serde_json::from_str(&text).context("read what tc says")?;
    read(&all, loses).with_context(|| format!("netem is gone from {device}: set the profile again"))
}

fn read(all: &Value, loses: bool) -> Option<Counters> {
    let netem = all
        .as_array()?
        .iter()
        .find(|one| one["kind"] == "netem" && (one["handle"] == ROOT || one["handle"] == CHILD))?;
    let (sent, dropped) = (netem["packets"].as_u64()?, netem["drops"].as_u64()?);
    Some(Counters {
        packets: sent + dropped,
        bytes: netem["bytes"].as_u64()?,
        delayed: sent,
        dropped_asked: if loses { dropped } else { 0 },
        dropped_unasked: (!loses).then_some(dropped),
        late: 0,
        latest_us: 0,
        rounds: None,
    })
}

async fn tc(arguments: &str) -> Result<()> {
    tool::run("tc", &arguments.split_ascii_whitespace().collect::<Vec<_>>(), "").await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::link::LinkProfile;

    fn said(text: &str) -> String {
        arguments(&text.parse::<LinkProfile>().unwrap().up, 1_500)
    }

    #[test]
    fn settings_become_netem_s_arguments() {
        assert_eq!(said("queued=yes"), "limit 100000");
        assert_eq!(said("rtt=0.5ms"), "limit 100000 delay 250.000us");
        assert_eq!(said("rtt=20ms,jitter=1ms"), "limit 100000 delay 10000.000us 1000.000us rate 100000000000bit");
        assert_eq!(
            said("rtt=20ms,jitter=1ms,distribution=normal,ordered=no"),
            "limit 100000 delay 10000.000us 1000.000us distribution normal"
        );
        assert_eq!(said("rtt=2s,up=10gbit"), "limit 1250000 delay 1000000.000us rate 10000000000bit");
        assert_eq!(said("loss=1%"), "limit 100000 loss random 1.0000000%");
        assert_eq!(said("loss=1%,burst=4packets"), "limit 100000 loss gemodel 0.2525253% 25.0000000%");
    }

    #[test]
    fn the_sides_are_told_apart_by_the_route_to_the_database() {
        let addresses = serde_json::json!([
            { "ifname": "lo", "flags": ["LOOPBACK", "UP"], "addr_info": [{ "family": "inet" }] },
            { "ifname": "eth0", "flags": ["UP"], "addr_info": [{ "family": "inet" }] },
            { "ifname": "eth1", "flags": ["UP"], "addr_info": [{ "family": "inet" }] },
            { "ifname": "dummy0", "flags": ["UP"], "addr_info": [] },
        ]);
        assert_eq!(clients(&addresses, "eth1"), ["eth0"]);
    }
}
