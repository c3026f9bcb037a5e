//! Times as people write them: text with a unit.

/// `20s`, `1.5min`, `2h`, `500ms` in seconds.
pub fn seconds(text: &str) -> Result<f64, String> {
    const UNITS: [(&str, f64); 5] = [("ms", 1e-3), ("min", 60.0), ("us", 1e-6), ("s", 1.0), ("h", 3_600.0)];
    let wrong = || format!("`{text}` is no time: write it with a unit, as 500ms, 20s, 2min or 1h");
    let (digits, unit) = text.split_at(text.find(|c: char| c.is_ascii_alphabetic()).ok_or_else(wrong)?);
    let (_, factor) = UNITS.iter().find(|(name, _)| *name == unit.trim()).ok_or_else(wrong)?;
    let value: f64 = digits.trim().parse().map_err(|_| wrong())?;
    if value.is_finite() && value >= 0.0 { Ok(value * factor) } else { Err(wrong()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_a_unit() {
        assert_eq!(seconds("20s"), Ok(20.0));
        assert_eq!(seconds("1.5min"), Ok(90.0));
        assert_eq!(seconds("500 ms"), Ok(0.5));
        for wrong in ["20", "-1s", "20 parsecs", "s", "infs", ""] {
            assert!(seconds(wrong).is_err(), "{wrong}");
        }
    }
}
