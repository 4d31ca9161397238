//! The servers start, restart, and are gone afterwards.

use rejoinder_test_services::Postgres;

#[test]
fn a_server_starts_comes_back_after_a_crash_and_is_gone_in_the_end() {
    let server = Postgres::start(&[]);
    let url = server.database();
    assert!(url.starts_with("postgres://postgres@127.0.0.1:"));
    server.sql("test_0", "CREATE TABLE kept AS SELECT 7 AS number");
    server.crash();
    assert_eq!(server.sql("test_0", "SELECT number FROM kept"), "7");
    let before = server.pid();
    server.restart();
    assert_ne!(server.pid(), before);
    assert_eq!(server.sql("test_0", "SELECT number FROM kept"), "7");
    let data = server.sql("test_0", "SHOW data_directory");
    drop(server);
    assert!(!std::path::Path::new(&data).exists());
}
