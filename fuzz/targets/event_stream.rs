//! Lets a fuzzer choose a stream of events, and how it is cut.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| rejoinder_fuzz::event_stream::run(data));
