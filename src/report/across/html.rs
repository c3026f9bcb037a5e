//! A comparison as one HTML file that needs no network, in the report's style.

use super::answers::{NOTE, RATIOS};
use super::{Compared, Versus};
use crate::model::units;
use crate::report::chart::{self, Multiple};
use crate::report::markdown::with_spread;
use crate::report::page;
use serde_json::{Value, json};

/// The page; `{{ … }}` is escaped.
const TEMPLATE: &str = include_str!("template.html");

impl Compared<'_> {
    /// The whole page.
    pub fn html(&self) -> String {
        let page = json!({
            "title": self.title,
            "style": page::style(),
            "all": self.all.iter().map(Versus::page).collect::<Vec<_>>(),
            "several": self.all.len() > 1,
            "note": NOTE,
            "ratios_note": RATIOS,
            "program": concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION")),
        });
        page::render(TEMPLATE, &page)
    }
}

impl Versus<'_> {
    fn page(&self) -> Value {
        let cells = self.cells.iter().map(|row| {
            json!({
                "name": row.name, "rates": row.rates.map(|rate| with_spread(rate, units::rate)), "times": row.times,
                "means": row.means, "detail": row.detail, "differs": row.differs,
            })
        });
        json!({
            "name": self.across.other.name,
            "heads": self.heads(),
            "common": self.common,
            "answers": self.answers,
            "setups": self.setups,
            "chart": self.chart(),
            "floor": units::percent(self.across.floor),
            "cells": cells.collect::<Vec<_>>(),
            "notes": self.notes.iter().map(|note| note.text(usize::MAX)).collect::<Vec<_>>(),
            "ratios": self.ratios,
            "verdicts": self.verdicts,
        })
    }

    /// Every rate's multiple with its interval.
    fn chart(&self) -> String {
        let rows = self.cells.iter().filter_map(|row| {
            let ratio = row.ratio?;
            let title = format!("{}: {}x, {} {}", row.name, row.times, row.means, row.detail);
            let (name, interval) = (row.name.clone(), (ratio.low, ratio.high));
            Some(Multiple { name, value: ratio.ratio, interval, title, strong: row.differs })
        });
        chart::multiples(&rows.collect::<Vec<_>>(), Some(self.across.floor).filter(|floor| *floor > 0.0))
    }
}
