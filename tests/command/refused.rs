//! The things that the command cannot do, and its messages then.

use crate::support::Person::{Operator, Reader};
use crate::support::{INSTALLED, run};

#[test]
fn an_error_says_what_to_do() {
    run(async {
        let it = &*INSTALLED;
        it.services("refused/web", "web", &["refused"]).await;
        for (person, words, code, advice) in [
            (Operator, "plan refused/web", 2, "Name it as shop/web:v2"),
            (Operator, "plan refused/web:v9", 1, "refused/web:v9 is not in ECR"),
            (Operator, "plan nothing/web:v1", 1, "there is no repository nothing/web"),
            (Operator, "plan refused/web:v1 --stack other", 1, "name it by --stack"),
            (Reader, "plan refused/web:v1", 1, "OperatorsPolicyArn"),
            (Operator, "plan", 2, "Usage: ecr-deploy plan"),
        ] {
            let said = it.types(person, words).ended(code);
            assert!(said.notes.contains(advice), "{words}: {}", said.notes);
            assert_eq!(said.text, "");
        }
        let said = it.types(Operator, "plan refused/web:v9 --output json").ended(1);
        let error: serde_json::Value = serde_json::from_str(&said.notes).unwrap();
        assert_eq!(error["error"], "Command.NotFound");
    });
}
