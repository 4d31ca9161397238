//! Lets a fuzzer choose what stands in the browser's database.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| rejoinder_fuzz::stored_rows::run(data));
