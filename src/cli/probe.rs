//! The flags of a measurement through the link: the same for `link probe` and for the ingester's.

use crate::link::probe::{self, ProbeConfig, RateProbe};
use crate::wire::exit::{Exit, Failure};
use anyhow::{Context, Result};
use clap::Args;
use serde_json::Value;
use std::time::Duration;

#[derive(Debug, Args)]
pub(super) struct ProbeArgs {
    /// The link
    #[arg(value_name = "HOST:PORT", default_value = "link:5432")]
    target: String,
    /// How many connections to open, and how many exchanges
    #[arg(long, value_name = "N", default_value_t = 100)]
    exchanges: usize,
    /// Only open connections: of a server that is no responder
    #[arg(long, conflicts_with = "rate_seconds")]
    handshakes: bool,
    /// Also measure each direction's rate for so long
    #[arg(long, value_name = "S")]
    rate_seconds: Option<f64>,
    /// Seconds left out before that, while TCP finds its rate
    #[arg(long, value_name = "S", default_value_t = 3.0)]
    warm_up: f64,
}

impl ProbeArgs {
    /// Measures, and says what was found.
    pub(super) fn measured(self) -> Result<Value> {
        let handshakes = self.handshakes;
        let config = self.config()?;
        let found = match handshakes {
            true => serde_json::to_value(probe::handshakes(&config.target, config.exchanges)?),
            false => serde_json::to_value(probe::measure(&config)?),
        };
        found.context("write what was found")
    }

    fn config(self) -> Result<ProbeConfig> {
        let seconds = |what: &str, value: f64| {
            Duration::try_from_secs_f64(value)
                .map_err(|_| Failure::new(Exit::Usage, format!("{what} is {value}: give seconds")))
        };
        let rates = match self.rate_seconds {
            Some(time) => {
                Some(RateProbe { warm_up: seconds("--warm-up", self.warm_up)?, time: seconds("--rate-seconds", time)? })
            }
            None => None,
        };
        if self.exchanges == 0 {
            return Err(Failure::new(Exit::Usage, "--exchanges is 0: give at least 1").into());
        }
        Ok(ProbeConfig { target: self.target, exchanges: self.exchanges, rates })
    }
}
