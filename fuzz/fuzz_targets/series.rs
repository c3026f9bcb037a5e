#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ingest_lab::hostile::series(bytes));
