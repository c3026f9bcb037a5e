//! The geographic header: one fixed-width record of 400 characters for each LOGRECNO.
//!
//! Positions are 1-based and inclusive, as in the Bureau's record layout for SF1.

use super::columns::{Columns, columns};
pub use super::columns::{GEO_RECORD_LENGTH, GeoError, NAME_LENGTH};
use super::field::Field;

/// One place: what LOGRECNO stands for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GeoRecord {
    /// FILEID: `uSF1`.
    pub file_id: Field<6>,
    /// STUSAB: the state's two-letter code.
    pub stusab: Field<2>,
    /// SUMLEV: summary level, such as `040` (state), `050` (county), `140` (tract), `101` (block).
    pub sumlev: Field<3>,
    /// GEOCOMP: geographic component, `00` for the whole place.
    pub geocomp: Field<2>,
    /// CHARITER: characteristic iteration, always `000` in SF1.
    pub chariter: Field<3>,
    /// CIFSN: file sequence number; may be blank.
    pub cifsn: Field<2>,
    /// LOGRECNO: joins the record to the lines of every segment. 0 to 9,999,999.
    pub logrecno: u32,
    /// REGION: census region.
    pub region: Field<1>,
    /// DIVISION: census division.
    pub division: Field<1>,
    /// STATECE: the Bureau's state code.
    pub statece: Field<2>,
    /// STATE: FIPS state code.
    pub state: Field<2>,
    /// COUNTY: FIPS county code; blank above the county.
    pub county: Field<3>,
    /// COUSUB: FIPS county subdivision code.
    pub cousub: Field<5>,
    /// PLACE: FIPS place code.
    pub place: Field<5>,
    /// TRACT: census tract.
    pub tract: Field<6>,
    /// BLKGRP: block group.
    pub blkgrp: Field<1>,
    /// BLOCK: block.
    pub block: Field<4>,
    /// AREALAND: land, in square metres.
    pub arealand: i64,
    /// AREAWATR: water, in square metres.
    pub areawatr: i64,
    /// NAME, without padding; read as Latin-1.
    pub name: String,
    /// POP100: population counted.
    pub pop100: i64,
    /// HU100: housing units counted.
    pub hu100: i64,
    /// INTPTLAT: latitude of the internal point as the Bureau writes it: a sign and degrees in
    /// millionths.
    pub intptlat: Field<9>,
    /// INTPTLON: longitude of the internal point, likewise.
    pub intptlon: Field<10>,
}

const FILEID: Columns = columns("FILEID", 1, 6);
const STUSAB: Columns = columns("STUSAB", 7, 8);
const SUMLEV: Columns = columns("SUMLEV", 9, 11);
const GEOCOMP: Columns = columns("GEOCOMP", 12, 13);
const CHARITER: Columns = columns("CHARITER", 14, 16);
const CIFSN: Columns = columns("CIFSN", 17, 18);
const LOGRECNO: Columns = columns("LOGRECNO", 19, 25);
const REGION: Columns = columns("REGION", 26, 26);
const DIVISION: Columns = columns("DIVISION", 27, 27);
const STATECE: Columns = columns("STATECE", 28, 29);
const STATE: Columns = columns("STATE", 30, 31);
const COUNTY: Columns = columns("COUNTY", 32, 34);
const COUSUB: Columns = columns("COUSUB", 37, 41);
const PLACE: Columns = columns("PLACE", 46, 50);
const TRACT: Columns = columns("TRACT", 56, 61);
const BLKGRP: Columns = columns("BLKGRP", 62, 62);
const BLOCK: Columns = columns("BLOCK", 63, 66);
const AREALAND: Columns = columns("AREALAND", 173, 186);
const AREAWATR: Columns = columns("AREAWATR", 187, 200);
const NAME: Columns = columns("NAME", 201, 290);
const POP100: Columns = columns("POP100", 293, 301);
const HU100: Columns = columns("HU100", 302, 310);
const INTPTLAT: Columns = columns("INTPTLAT", 311, 319);
const INTPTLON: Columns = columns("INTPTLON", 320, 329);

impl GeoRecord {
    /// Parses one record, with or without its `\r\n`. Blank numbers other than LOGRECNO are 0.
    ///
    /// # Errors
    /// A [`GeoError`] about the first field that cannot be used.
    pub fn parse(bytes: &[u8]) -> Result<Self, GeoError> {
        let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
        let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
        if bytes.len() != GEO_RECORD_LENGTH {
            return Err(GeoError::Length { found: bytes.len() });
        }
        LOGRECNO.check_present(bytes)?;
        let record = Self {
            file_id: FILEID.text(bytes)?,
            stusab: STUSAB.text(bytes)?,
            sumlev: SUMLEV.text(bytes)?,
            geocomp: GEOCOMP.text(bytes)?,
            chariter: CHARITER.text(bytes)?,
            cifsn: CIFSN.text(bytes)?,
            logrecno: u32::try_from(LOGRECNO.number(bytes)?).map_err(|_| LOGRECNO.non_numeric(LOGRECNO.of(bytes)))?,
            region: REGION.text(bytes)?,
            division: DIVISION.text(bytes)?,
            statece: STATECE.text(bytes)?,
            state: STATE.text(bytes)?,
            county: COUNTY.text(bytes)?,
            cousub: COUSUB.text(bytes)?,
            place: PLACE.text(bytes)?,
            tract: TRACT.text(bytes)?,
            blkgrp: BLKGRP.text(bytes)?,
            block: BLOCK.text(bytes)?,
            arealand: AREALAND.number(bytes)?,
            areawatr: AREAWATR.number(bytes)?,
            name: NAME.latin1(bytes)?,
            pop100: POP100.number(bytes)?,
            hu100: HU100.number(bytes)?,
            intptlat: INTPTLAT.text(bytes)?,
            intptlon: INTPTLON.text(bytes)?,
        };
        FILEID.check_present(bytes)?;
        STUSAB.check_present(bytes)?;
        Ok(record)
    }

    /// Appends the record's 400 characters, without a line end; fields this type does not have are
    /// blank.
    ///
    /// # Errors
    /// [`GeoError::DoesNotFit`]; `into` then ends with a partial record.
    pub fn render(&self, into: &mut Vec<u8>) -> Result<(), GeoError> {
        let start = into.len();
        into.resize(start + GEO_RECORD_LENGTH, b' ');
        let record = &mut into[start..];
        FILEID.put_text(record, self.file_id.as_bytes());
        STUSAB.put_text(record, self.stusab.as_bytes());
        SUMLEV.put_text(record, self.sumlev.as_bytes());
        GEOCOMP.put_text(record, self.geocomp.as_bytes());
        CHARITER.put_text(record, self.chariter.as_bytes());
        CIFSN.put_text(record, self.cifsn.as_bytes());
        LOGRECNO.put_number(record, i64::from(self.logrecno), b'0')?;
        REGION.put_text(record, self.region.as_bytes());
        DIVISION.put_text(record, self.division.as_bytes());
        STATECE.put_text(record, self.statece.as_bytes());
        STATE.put_text(record, self.state.as_bytes());
        COUNTY.put_text(record, self.county.as_bytes());
        COUSUB.put_text(record, self.cousub.as_bytes());
        PLACE.put_text(record, self.place.as_bytes());
        TRACT.put_text(record, self.tract.as_bytes());
        BLKGRP.put_text(record, self.blkgrp.as_bytes());
        BLOCK.put_text(record, self.block.as_bytes());
        AREALAND.put_number(record, self.arealand, b' ')?;
        AREAWATR.put_number(record, self.areawatr, b' ')?;
        NAME.put_latin1(record, &self.name)?;
        POP100.put_number(record, self.pop100, b' ')?;
        HU100.put_number(record, self.hu100, b' ')?;
        INTPTLAT.put_text(record, self.intptlat.as_bytes());
        INTPTLON.put_text(record, self.intptlon.as_bytes());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn field<const N: usize>(text: &str) -> Field<N> {
        Field::new(text.as_bytes()).unwrap()
    }

    fn county_record() -> GeoRecord {
        GeoRecord {
            file_id: field("uSF1"),
            stusab: field("NY"),
            sumlev: field("050"),
            geocomp: field("00"),
            chariter: field("000"),
            logrecno: 77,
            state: field("36"),
            county: field("001"),
            arealand: 1_356_000_000,
            name: "Cañon County".to_owned(),
            pop100: 294_565,
            intptlat: field("+42600000"),
            intptlon: field("-073970000"),
            ..GeoRecord::default()
        }
    }

    fn rendered() -> Vec<u8> {
        let mut bytes = Vec::new();
        county_record().render(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn fields_are_where_the_layout_says() {
        let bytes = rendered();
        assert_eq!(bytes.len(), 400);
        assert_eq!(&bytes[..25], b"uSF1  NY05000000  0000077");
        assert_eq!(&bytes[29..34], b"36001");
        assert_eq!(&bytes[200..212], b"Ca\xf1on County");
        assert_eq!(&bytes[292..301], b"   294565");
        assert_eq!(GeoRecord::parse(&bytes).unwrap(), county_record());
    }

    #[test]
    fn a_windows_line_end_is_accepted() {
        let mut bytes = rendered();
        bytes.extend_from_slice(b"\r\n");
        assert_eq!(GeoRecord::parse(&bytes).unwrap(), county_record());
    }

    #[test]
    fn a_bad_record_is_refused_with_what_and_where() {
        let with = |at: usize, text: &[u8]| {
            let mut bytes = rendered();
            bytes[at - 1..at - 1 + text.len()].copy_from_slice(text);
            GeoRecord::parse(&bytes).unwrap_err().to_string()
        };
        assert_eq!(
            GeoRecord::parse(&rendered()[..399]).unwrap_err().to_string(),
            "399 characters, but a geographic record has 400"
        );
        assert_eq!(with(293, b"12x"), "POP100 (characters 293 to 301) is not a number: \"12x294565\"");
        assert_eq!(with(19, b"00 0077"), "LOGRECNO (characters 19 to 25) is not a number: \"00 0077\"");
        assert_eq!(with(19, b"-000077"), "LOGRECNO (characters 19 to 25) is not a number: \"-000077\"");
        assert_eq!(with(19, b"       "), "LOGRECNO (characters 19 to 25) is blank");
        assert_eq!(with(1, b"      "), "FILEID (characters 1 to 6) is blank");
        assert!(with(201, b"Ca\0on").starts_with("NAME (characters 201 to 290) is not printable"));
        assert_eq!(with(7, b"N\xd1"), "STUSAB (characters 7 to 8) is not printable ASCII: \"N\u{fffd}\"");
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let refused = |record: GeoRecord| record.render(&mut Vec::new()).unwrap_err().to_string();
        assert!(refused(GeoRecord { pop100: 1_000_000_000, ..county_record() }).starts_with("POP100 does not fit"));
        assert!(refused(GeoRecord { name: "x".repeat(91), ..county_record() }).starts_with("NAME does not fit"));
        assert!(refused(GeoRecord { name: "東京".to_owned(), ..county_record() }).starts_with("NAME does not fit"));
    }

    proptest! {
        #[test]
        fn any_record_survives_being_written_and_read(
            logrecno in 0_u32..10_000_000,
            sumlev in "[0-9]{3}", county in "[0-9]{0,3}", tract in "[0-9]{0,6}", cifsn in "[0-9]{0,2}",
            arealand in 0_i64..100_000_000_000_000, pop100 in -99_999_999_i64..1_000_000_000,
            name in "[A-Za-zÀ-ÿ]([A-Za-zÀ-ÿ ]{0,88}[a-zÀ-ÿ])?",
        ) {
            let record = GeoRecord {
                logrecno, sumlev: field(&sumlev), county: field(&county), tract: field(&tract),
                cifsn: field(&cifsn), arealand, pop100, name, ..county_record()
            };
            let mut bytes = Vec::new();
            record.render(&mut bytes).unwrap();
            prop_assert_eq!(GeoRecord::parse(&bytes).unwrap(), record);
        }

        #[test]
        fn no_bytes_make_the_parser_panic(bytes in prop::collection::vec(any::<u8>(), 395..405)) {
            let _ = GeoRecord::parse(&bytes);
        }
    }
}
