//! The one place where numbers become text for people: value, unit, sensible precision.

/// `12345.6` → `12,346`; below 100 with one decimal, below 10 with two.
pub fn number(value: f64) -> String {
    let text = if !value.is_finite() {
        return "n/a".into();
    } else if value.abs() >= 99.95 {
        format!("{value:.0}")
    } else if value.abs() >= 9.995 {
        format!("{value:.1}")
    } else {
        format!("{value:.2}")
    };
    let (whole, fraction) =
        text.split_once('.').map_or((text.as_str(), None), |(whole, fraction)| (whole, Some(fraction)));
    let (sign, digits) = whole.strip_prefix('-').map_or(("", whole), |digits| ("-", digits));
    let fraction = fraction.map(|fraction| format!(".{fraction}")).unwrap_or_default();
    format!("{sign}{}{fraction}", grouped(digits))
}

/// `12345` → `12,345`.
pub fn count(value: u64) -> String {
    grouped(&value.to_string())
}

fn grouped(digits: &str) -> String {
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Two ends of an interval: `8,740-9,080`.
pub fn between(ends: (f64, f64), one: fn(f64) -> String) -> String {
    format!("{}-{}", one(ends.0), one(ends.1))
}

/// The range of what was seen: `8,740-9,080`, or `8,740` where nothing else was.
pub fn range(ends: (f64, f64), one: fn(f64) -> String) -> String {
    if one(ends.0) == one(ends.1) { one(ends.0) } else { between(ends, one) }
}

/// A multiple: two decimals, more where it is small: `1.01`, `0.079`, `12.1`.
pub fn multiple(value: f64) -> String {
    if value.abs() < 0.0995 { format!("{value:.3}") } else { number(value) }
}

/// A part of a whole as a percentage: `2.3 %`, `12 %`.
pub fn percent(part: f64) -> String {
    let value = part * 100.0;
    if !value.is_finite() {
        return "n/a".into();
    }
    if value.abs() < 9.95 { format!("{value:.1} %") } else { format!("{} %", grouped(&format!("{value:.0}"))) }
}

/// Two parts of a whole: `8.1-14 %`.
pub fn percents(ends: (f64, f64)) -> String {
    let [low, high] = [ends.0, ends.1].map(percent);
    format!("{}-{high}", low.trim_end_matches(" %"))
}

/// Nanoseconds as milliseconds, without the unit.
pub fn milliseconds(nanoseconds: f64) -> String {
    let value = nanoseconds / 1e6;
    if value.abs() < 0.0995 { format!("{value:.3}") } else { number(value) }
}

/// A rate in few characters: `9,801`, from a hundred thousand on `1,790 k`.
pub fn rate(value: f64) -> String {
    if value < 99_999.5 { number(value) } else { format!("{} k", number((value / 1_000.0).round())) }
}

/// A rate in rows a second, or `n/a` where there was no time to measure one.
pub fn rows_a_second(rate: Option<f64>) -> String {
    rate.map_or_else(|| "n/a".into(), number)
}

/// Bytes with a binary unit: `40.0 MiB`.
pub fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut value = count as f64;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    if unit == 0 { format!("{count} B") } else { format!("{value:.1} {}", UNITS[unit]) }
}

/// Seconds for people: `0.42 s`, `12.3 s`, `7 min 50 s`, `2 h 05 min`.
pub fn duration(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    if seconds < 60.0 {
        format!("{} s", number(seconds))
    } else if whole < 3_600 {
        format!("{} min {:02} s", whole / 60, whole % 60)
    } else {
        format!("{} h {:02} min", whole / 3_600, whole % 3_600 / 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_separators_and_no_more_digits_than_they_mean() {
        assert_eq!(number(1_234_567.8), "1,234,568");
        assert_eq!(number(999.4), "999");
        assert_eq!(number(99.94), "99.9");
        assert_eq!(number(2.345), "2.35");
        assert_eq!(number(-1_234.0), "-1,234");
        assert_eq!(number(f64::NAN), "n/a");
    }

    #[test]
    fn sizes_and_times_carry_their_unit() {
        assert_eq!(bytes(1536), "1.5 KiB");
        assert_eq!(bytes(12), "12 B");
        assert_eq!(rate(1_789_600.0), "1,790 k");
        assert_eq!(milliseconds(20_140_000.0), "20.1");
        assert_eq!(milliseconds(42_000.0), "0.042");
        assert_eq!((percent(0.0231), percent(0.12), percent(12.0)), ("2.3 %".into(), "12 %".into(), "1,200 %".into()));
        assert_eq!(percents((0.0814, 0.14)), "8.1-14 %");
        assert_eq!(between((0.0784, 1.04), multiple), "0.078-1.04");
        assert_eq!(between((1.31, 1.31), multiple), "1.31-1.31");
        assert_eq!(range((0.0784, 1.04), multiple), "0.078-1.04");
        assert_eq!(range((1.312, 1.314), multiple), "1.31");
        assert_eq!(duration(470.0), "7 min 50 s");
        assert_eq!(duration(0.42), "0.42 s");
        assert_eq!(duration(7_500.0), "2 h 05 min");
    }
}
