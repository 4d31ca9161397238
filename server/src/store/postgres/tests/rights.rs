//! A gateway that is not the owner of the tables.

use super::{Database, apply};
use crate::finding::Finding;
use crate::store::contract::{T, ack, send};
use crate::store::postgres::{PostgresStore, check};

/// As docs/supabase.md says it.
const GRANTS: &str = "GRANT USAGE ON SCHEMA rejoinder TO {role}; \
     GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA rejoinder TO {role}; \
     GRANT EXECUTE ON FUNCTION rejoinder.unadopted_threads() TO {role}; \
     GRANT SELECT, INSERT, UPDATE, DELETE ON public.messages TO {role}";

#[tokio::test]
async fn a_user_with_the_documented_rights_is_a_gateway() {
    let mut database = Database::migrated().await;
    let role = format!("gateway_{}", uuid::Uuid::now_v7().simple());
    let owner = database.session().await;
    owner
        .batch_execute(&format!("CREATE ROLE {role} LOGIN"))
        .await
        .unwrap();
    database.url = database.url.replace("postgres@", &format!("{role}@"));
    // Without them it says what is missing.
    let refused = PostgresStore::open(database.connector(), &database.tables, 1).await;
    assert!(refused.is_err());
    owner
        .batch_execute(&GRANTS.replace("{role}", &role))
        .await
        .unwrap();
    let wrong = |found: Vec<Finding>| {
        let wrong = found.into_iter().filter(Finding::is_bad);
        wrong.map(|one| one.name).collect::<Vec<_>>()
    };
    let found = check(&database.connector(), &database.tables).await;
    assert_eq!(
        wrong(found),
        ["rights"],
        "row-level security hides the rows"
    );
    owner
        .batch_execute(&format!("ALTER ROLE {role} BYPASSRLS"))
        .await
        .unwrap();
    let found = check(&database.connector(), &database.tables).await;
    assert_eq!(wrong(found), [""; 0]);
    let store = database.store().await;
    for number in 1..=2 {
        let batch = [send(T, "a", number, "x")];
        let applied = apply(&store, &batch).await.unwrap();
        // Numbered by the gateway, once: the triggers know it.
        let ack = ack(&applied.outcomes[0]);
        assert_eq!(u128::from(ack.sequence_number.get()), number);
        assert_eq!(u128::from(ack.revision.get()), number + 2);
    }
}
