//! Whether connections were encrypted where they were to be: by the database's own word.

use super::why::{Fact, fact};
use crate::model::Tls;
use crate::wire::record::RunRecord;
use std::collections::BTreeSet;

/// None where no run was to be.
pub(super) fn fact_of(runs: &[&RunRecord]) -> Option<Fact> {
    let asked: Vec<&&RunRecord> = runs.iter().filter(|run| run.cell.tls == Tls::On).collect();
    let seen = asked.iter().filter_map(|run| run.conditions.observed.as_ref()?.encryption.as_ref());
    let seen: Vec<_> = seen.filter(|seen| seen.found().as_deref() == Some(Tls::On.word())).collect();
    let by: BTreeSet<String> = seen.iter().map(|seen| format!("{}, {}", seen.version, seen.cipher)).collect();
    let by = if by.is_empty() { "by nothing".into() } else { by.into_iter().collect::<Vec<_>>().join("; ") };
    let text = format!("asked for in {} runs, found on every connection in {} of them ({by})", asked.len(), seen.len());
    (!asked.is_empty()).then(|| Fact { warning: seen.len() < asked.len(), ..fact("encryption", text) })
}

#[cfg(test)]
mod tests {
    use super::super::testing::quick;
    use super::*;
    use crate::wire::watched::Encryption;

    #[test]
    fn what_was_to_be_encrypted_is_told_beside_what_was() {
        let mut records = quick();
        let told = |records: &[RunRecord]| {
            let fact = fact_of(&records.iter().collect::<Vec<_>>())?;
            Some((fact.text, fact.warning))
        };
        assert_eq!(told(&records), None);
        for record in &mut records[..2] {
            record.cell.tls = Tls::On;
            let version = "TLSv1.3".into();
            let seen = Encryption { plain: 0, encrypted: 15, version, cipher: "TLS_AES_256_GCM_SHA384".into() };
            record.conditions.observed.get_or_insert_default().encryption = Some(seen);
        }
        let of = "found on every connection in";
        let by = "of them (TLSv1.3, TLS_AES_256_GCM_SHA384)";
        assert_eq!(told(&records), Some((format!("asked for in 2 runs, {of} 2 {by}"), false)));
        if let Some(seen) = records[0].conditions.observed.as_mut().and_then(|seen| seen.encryption.as_mut()) {
            seen.plain = 1;
        }
        assert_eq!(told(&records), Some((format!("asked for in 2 runs, {of} 1 {by}"), true)));
    }
}
