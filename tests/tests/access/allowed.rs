//! Whoever may is answered: a table of refusals alone would be satisfied by a server that refuses everything.

use lethe_proto::v1::Role;
use lethe_tests::Caller;

use crate::stage::Stage;
use crate::table::{Row, TABLE};

#[tokio::test(flavor = "multi_thread")]
async fn each_role_of_a_method_is_answered_for_each_purpose_of_it() {
    let stage = Stage::set().await;
    for row in TABLE.iter() {
        for &role in row.roles {
            answered(&stage, row, &stage.bank.who_is(role), Some(role)).await;
        }
        if row.operator {
            answered(&stage, row, &stage.vault.operator(), None).await;
        }
    }
}

async fn answered(stage: &Stage, row: &Row, caller: &Caller, role: Option<Role>) {
    let who = role.unwrap_or(Role::Operator).as_str_name();
    for &purpose in row.purposes {
        let target = stage.decided(row.method, role).await;
        let answer = caller.ask_raw(&row.path(), (row.request)(&target, purpose)).await;
        match answer {
            // What streams has an answer at least.
            Ok(messages) if row.streams() => assert!(!messages.is_empty(), "{} as {who} for {purpose:?}", row.method),
            Ok(messages) => assert_eq!(messages.len(), 1, "{} as {who} for {purpose:?}", row.method),
            Err(refusal) => panic!("{} as {who} for {purpose:?}: {refusal:?}", row.method),
        }
    }
}
