//! Lets a fuzzer choose what is shown as a token.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| rejoinder_fuzz::token::run(data));
