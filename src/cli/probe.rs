//! The flags of a measurement through the link: the same for `link probe` and for the ingester's.

use crate::link::probe::{ProbeConfig, RateProbe};
use crate::wire::exit::{Exit, Failure};
use anyhow::Result;
use clap::Args;
use std::time::Duration;

#[derive(Debug, Args)]
pub(super) struct ProbeArgs {
    /// The link
    #[arg(value_name = "HOST:PORT", default_value = "link:5432")]
    target: String,
    /// How many connections to open, and how many exchanges
    #[arg(long, value_name = "N", default_value_t = 100)]
    exchanges: usize,
    /// Also measure each direction's rate for so long
    #[arg(long, value_name = "S")]
    rate_seconds: Option<f64>,
    /// Seconds left out before that, while TCP finds its rate
    #[arg(long, value_name = "S", default_value_t = 3.0)]
    warm_up: f64,
}

impl ProbeArgs {
    pub(super) fn config(self) -> Result<ProbeConfig> {
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
