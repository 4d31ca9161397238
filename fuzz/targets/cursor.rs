//! Lets a fuzzer choose where a client says that it stands.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| rejoinder_fuzz::cursor::run(data));
