//! The dictionary of Summary File 1: which matrices a segment's line is made of, in file order.

use std::sync::OnceLock;

/// How many segment files a state has.
pub const SEGMENTS: u8 = 39;

/// The project's own statement of the matrices: segment, code, number of items, title, universe.
const MATRICES_CSV: &str = include_str!("../../data/matrices.csv");

/// One table of the summary file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Matrix {
    /// 1-based position in file order (segment by segment): 1 to 286.
    pub id: i32,
    /// The segment file it is in, 1 to 39.
    pub segment: u8,
    /// Its code as the Bureau prints it, such as `P3`, `PCT12A` or `H16I`.
    pub code: String,
    /// How many items it has.
    pub items: u16,
    /// What it counts, in capitals.
    pub title: String,
    /// Whom or what it counts.
    pub universe: String,
}

/// One figure of a matrix: one comma-separated value of a segment's line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// 1-based position over all items in file order: 1 to 8,113.
    pub id: i32,
    /// [`Matrix::id`] of the matrix it belongs to.
    pub matrix: i32,
    /// 1-based position in its matrix.
    pub index: u16,
    /// The official field number, such as `P003001`: the matrix code padded to three digits, then
    /// the three-digit index.
    pub name: String,
}

/// All matrices and items, in file order.
#[derive(Debug)]
pub struct Dictionary {
    matrices: Vec<Matrix>,
    items: Vec<Item>,
}

impl Dictionary {
    /// The dictionary of Census 2000 SF1: 286 matrices in 39 segments, 8,113 items.
    ///
    /// Source: `data/matrices.csv`, which is compiled in.
    #[must_use]
    pub fn embedded() -> &'static Self {
        static DICTIONARY: OnceLock<Dictionary> = OnceLock::new();
        DICTIONARY
            .get_or_init(|| Self::parse(MATRICES_CSV).expect("data/matrices.csv is compiled in and read by a test"))
    }

    /// Every matrix, in file order.
    #[must_use]
    pub fn matrices(&self) -> &[Matrix] {
        &self.matrices
    }

    /// The matrices of one segment, in the order of its lines; empty for a segment that is not
    /// 1 to 39.
    #[must_use]
    pub fn segment(&self, segment: u8) -> &[Matrix] {
        let start = self.matrices.partition_point(|m| m.segment < segment);
        let end = self.matrices.partition_point(|m| m.segment <= segment);
        &self.matrices[start..end]
    }

    /// Every item, in file order.
    #[must_use]
    pub fn items(&self) -> &[Item] {
        &self.items
    }

    /// The items of one segment, in the order of its lines: the n-th is the n-th value of a line.
    #[must_use]
    pub fn items_in(&self, segment: u8) -> &[Item] {
        let before = |m: &&Matrix| m.segment < segment;
        let start: usize = self.matrices.iter().take_while(before).map(|m| usize::from(m.items)).sum();
        &self.items[start..start + self.items_of_segment(segment)]
    }

    /// How many items a line of the segment has; 0 for a segment that is not 1 to 39.
    #[must_use]
    pub fn items_of_segment(&self, segment: u8) -> usize {
        self.segment(segment).iter().map(|m| usize::from(m.items)).sum()
    }

    /// Reads the form of `data/matrices.csv`; the error says which line it is about.
    fn parse(csv: &str) -> Result<Self, String> {
        let mut dictionary = Self { matrices: Vec::new(), items: Vec::new() };
        for (number, line) in csv.lines().enumerate().skip(1) {
            let fields = csv_fields(line);
            let [segment, code, items, title, universe] = fields.as_slice() else {
                return Err(format!("line {}: {} fields, not 5", number + 1, fields.len()));
            };
            let bad = |what: &str| format!("line {}: {what}", number + 1);
            let matrix = Matrix {
                id: i32::try_from(number).map_err(|_| bad("too many matrices"))?,
                segment: segment.parse().map_err(|_| bad("segment is no number"))?,
                code: code.clone(),
                items: items.parse().map_err(|_| bad("items is no number"))?,
                title: title.clone(),
                universe: universe.clone(),
            };
            dictionary.push(matrix).map_err(|what| bad(&what))?;
        }
        Ok(dictionary)
    }

    fn push(&mut self, matrix: Matrix) -> Result<(), String> {
        if self.matrices.last().is_some_and(|last| last.segment > matrix.segment) {
            return Err("segments are not in ascending order".to_owned());
        }
        let prefix = padded(&matrix.code).ok_or_else(|| format!("{} is no code", matrix.code))?;
        for index in 1..=matrix.items {
            self.items.push(Item {
                id: i32::try_from(self.items.len() + 1).map_err(|_| "too many items")?,
                matrix: matrix.id,
                index,
                name: format!("{prefix}{index:03}"),
            });
        }
        self.matrices.push(matrix);
        Ok(())
    }
}

/// `PCT12A` → `PCT012A`: letters, three digits, letters.
fn padded(code: &str) -> Option<String> {
    let letters = code.find(|c: char| c.is_ascii_digit())?;
    let (prefix, rest) = code.split_at(letters);
    let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let number: u16 = rest[..digits].parse().ok()?;
    Some(format!("{prefix}{number:03}{}", &rest[digits..]))
}

/// The fields of one CSV line; a field in double quotes may hold commas and doubled quotes.
fn csv_fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut quoted = false;
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match (c, quoted) {
            ('"', true) if chars.peek() == Some(&'"') => {
                chars.next();
                push_char(&mut fields, '"');
            }
            ('"', _) => quoted = !quoted,
            (',', false) => fields.push(String::new()),
            _ => push_char(&mut fields, c),
        }
    }
    fields
}

fn push_char(fields: &mut [String], c: char) {
    if let Some(field) = fields.last_mut() {
        field.push(c);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn the_dictionary_has_286_matrices_39_segments_and_8113_items() {
        let dictionary = Dictionary::embedded();
        assert_eq!(dictionary.matrices().len(), 286);
        assert_eq!(dictionary.items().len(), 8113);
        let segments: HashSet<u8> = dictionary.matrices().iter().map(|m| m.segment).collect();
        assert_eq!(segments, (1..=SEGMENTS).collect());
        assert_eq!(dictionary.items_of_segment(1), 222);
        assert_eq!(dictionary.items_of_segment(15), 196);
        assert_eq!(dictionary.items_of_segment(40), 0);
        assert_eq!(dictionary.segment(1).len(), 5);
        let all: usize = (1..=SEGMENTS).map(|s| dictionary.items_of_segment(s)).sum();
        assert_eq!(all, 8113);
    }

    #[test]
    fn ids_are_positions_and_names_are_unique() {
        let dictionary = Dictionary::embedded();
        let names: HashSet<&str> = dictionary.items().iter().map(|i| i.name.as_str()).collect();
        assert_eq!(names.len(), 8113);
        for (position, item) in dictionary.items().iter().enumerate() {
            assert_eq!(item.id, i32::try_from(position + 1).unwrap());
        }
        for (position, matrix) in dictionary.matrices().iter().enumerate() {
            assert_eq!(matrix.id, i32::try_from(position + 1).unwrap());
            assert!(!matrix.title.is_empty() && !matrix.universe.is_empty() && matrix.items > 0);
        }
    }

    #[test]
    fn items_are_named_by_their_official_field_number() {
        let dictionary = Dictionary::embedded();
        let name = |code: &str, index: u16| {
            let matrix = dictionary.matrices().iter().find(|m| m.code == code).unwrap();
            let item = dictionary.items().iter().find(|i| i.matrix == matrix.id && i.index == index);
            item.unwrap().name.clone()
        };
        assert_eq!(name("P3", 1), "P003001");
        assert_eq!(name("PCT12A", 2), "PCT012A002");
        assert_eq!(name("H1", 1), "H001001");
        assert_eq!(name("H16I", 19), "H016I019");
    }

    #[test]
    fn the_items_of_a_segment_are_the_values_of_its_lines() {
        let dictionary = Dictionary::embedded();
        assert_eq!(dictionary.items_in(1)[0].name, "P001001");
        assert_eq!(dictionary.items_in(1)[221].name, "P005071");
        assert_eq!(dictionary.items_in(2)[0].name, "P006001");
        assert_eq!(dictionary.items_in(39).last().unwrap().name, "H016I019");
        assert!(dictionary.items_in(0).is_empty() && dictionary.items_in(40).is_empty());
    }

    #[test]
    fn a_bad_dictionary_line_is_named() {
        let parse = |line: &str| Dictionary::parse(&format!("header\n{line}")).unwrap_err();
        assert_eq!(parse("1,P1,1,a"), "line 2: 4 fields, not 5");
        assert_eq!(parse("1,P1,x,a,b"), "line 2: items is no number");
        assert_eq!(parse("1,P,1,a,b"), "line 2: P is no code");
        assert_eq!(csv_fields(r#"a,"b,""c""",d"#), ["a", r#"b,"c""#, "d"]);
    }
}
