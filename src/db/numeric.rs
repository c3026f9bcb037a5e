//! `numeric(10,2)` on the wire: a value in hundredths, in PostgreSQL's binary format.

use bytes::{BufMut, BytesMut};
use std::error::Error;
use std::fmt;
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};

/// A value in hundredths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hundredths(pub i64);

impl Hundredths {
    /// Header of four 16-bit fields (digits, weight of the first, sign, decimals shown), then digits in base 10,000.
    /// Source: `numeric_send` in PostgreSQL's `utils/adt/numeric.c`.
    fn put(self, out: &mut BytesMut) {
        let magnitude = self.0.unsigned_abs();
        let mut whole = magnitude / 100;
        let fraction = (magnitude % 100) as i16 * 100; // as a base-10,000 digit after the point
        let mut digits = [0_i16; 6];
        let mut count = 0;
        while whole > 0 {
            digits[count] = (whole % 10_000) as i16;
            whole /= 10_000;
            count += 1;
        }
        out.put_i16(count as i16 + i16::from(fraction != 0));
        out.put_i16(count as i16 - 1);
        out.put_u16(if self.0 < 0 { 0x4000 } else { 0 });
        out.put_i16(2);
        digits[..count].iter().rev().for_each(|digit| out.put_i16(*digit));
        if fraction != 0 {
            out.put_i16(fraction);
        }
    }

    /// The same as a field of COPY's binary format: its length goes before it.
    pub fn put_field(self, out: &mut BytesMut) {
        let at = out.len();
        out.put_i32(0);
        self.put(out);
        let length = (out.len() - at - 4) as i32; // a value has six digits at most
        out[at..at + 4].copy_from_slice(&length.to_be_bytes());
    }
}

impl fmt::Display for Hundredths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sign, magnitude) = (if self.0 < 0 { "-" } else { "" }, self.0.unsigned_abs());
        write!(f, "{sign}{}.{:02}", magnitude / 100, magnitude % 100)
    }
}

impl ToSql for Hundredths {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        self.put(out);
        Ok(IsNull::No)
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::NUMERIC
    }

    to_sql_checked!();
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Reads the format back the way `numeric_recv` does: digits times powers of 10,000.
    fn decode(bytes: &[u8]) -> i64 {
        let field = |index: usize| i16::from_be_bytes([bytes[index * 2], bytes[index * 2 + 1]]);
        let (count, weight, sign) = (field(0), field(1), field(2));
        let mut hundredths = 0_i64;
        for index in 0..count {
            let digit = i64::from(field(4 + index as usize));
            let power = weight - index;
            hundredths += match power {
                -1 => digit / 100,
                _ => digit * 100 * 10_000_i64.pow(power as u32),
            };
        }
        if sign == 0x4000 { -hundredths } else { hundredths }
    }

    proptest! {
        #[test]
        fn any_value_survives_the_wire(value in -9_999_999_999_i64..=9_999_999_999) {
            let mut out = BytesMut::new();
            Hundredths(value).to_sql(&Type::NUMERIC, &mut out).unwrap();
            prop_assert_eq!(decode(&out), value);
        }
    }

    #[test]
    fn a_field_says_how_long_it_is() {
        let mut out = BytesMut::from(&b"before"[..]);
        Hundredths(1_234_567).put_field(&mut out);
        assert_eq!(&out[6..10], [0, 0, 0, 14], "four fields and three digits: 1 2345 6700");
        assert_eq!((out.len(), decode(&out[10..])), (24, 1_234_567));
    }

    #[test]
    fn zero_has_no_digits() {
        let mut out = BytesMut::new();
        Hundredths(0).to_sql(&Type::NUMERIC, &mut out).unwrap();
        assert_eq!(&out[..], &[0, 0, 255, 255, 0, 0, 0, 2]);
    }
}
