//! Nothing is granted that nobody needs: after all tests, each action of each statement of the template must have been needed
//! by some call, and no call may have been refused.
//!
//! Each process that hosts a local AWS, or functions, writes down which statement allowed a call, see
//! [`local_aws::roles::record`].

use crate::Failure;
use local_aws::roles::{self, Roles};
use simulated_ecs::iam::Grant;
use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;

/// The actions that AWS itself does in the name of a role and the local AWS does not, each with the reason why it is
/// granted. An entry that a test's call needs, or that the template does not have, is an error.
const BY_AWS: &[(&str, &str)] = &[
    ("kms:Decrypt", "SNS encrypts a message in the name of who sends it"),
    (
        "kms:GenerateDataKey",
        "SNS encrypts a message in the name of who sends it",
    ),
    (
        "logs:CreateLogStream",
        "Lambda begins a stream for each sandbox of a function",
    ),
    ("logs:PutLogEvents", "Lambda writes what a function says"),
    ("xray:PutTraceSegments", "Lambda and Step Functions send their traces"),
    (
        "xray:PutTelemetryRecords",
        "Lambda and Step Functions send their traces",
    ),
    ("xray:GetSamplingRules", "Step Functions asks which executions to trace"),
    (
        "xray:GetSamplingTargets",
        "Step Functions asks which executions to trace",
    ),
    (
        "logs:CreateLogDelivery",
        "Step Functions sets up the delivery of its logs",
    ),
    ("logs:GetLogDelivery", "Step Functions sets up the delivery of its logs"),
    (
        "logs:UpdateLogDelivery",
        "Step Functions sets up the delivery of its logs",
    ),
    (
        "logs:DeleteLogDelivery",
        "Step Functions sets up the delivery of its logs",
    ),
    (
        "logs:ListLogDeliveries",
        "Step Functions sets up the delivery of its logs",
    ),
    (
        "logs:PutResourcePolicy",
        "Step Functions sets up the delivery of its logs",
    ),
    (
        "logs:DescribeResourcePolicies",
        "Step Functions sets up the delivery of its logs",
    ),
    (
        "logs:DescribeLogGroups",
        "Step Functions sets up the delivery of its logs",
    ),
];

/// Forgets what was needed before.
///
/// # Errors
///
/// When the folder cannot be removed.
pub(crate) fn begin() -> Result<(), Failure> {
    match fs::remove_dir_all(roles::record()) {
        Err(problem) if problem.kind() != ErrorKind::NotFound => {
            Err(format!("removing {}: {problem}", roles::record().display()))
        }
        _ => Ok(()),
    }
}

/// Compares what was needed since with what the template grants, by default and as narrow as the settings make it.
///
/// # Errors
///
/// Names each action of a statement that no call needed, each entry of the list that is wrong, and each call that was refused.
pub(crate) fn compare() -> Result<(), Failure> {
    let (needed, refused) = recorded()?;
    let granted = |roles: Result<_, local_aws::Error>| {
        let roles: std::sync::Arc<Roles> = roles.map_err(|error| error.to_string())?;
        Ok::<_, Failure>(roles.grants())
    };
    let (wide, narrow) = (granted(Roles::by_default())?, granted(Roles::narrow())?);
    let problems: Vec<String> = refused
        .into_iter()
        .map(|refusal| format!("refused: {refusal}"))
        .chain(faults(&wide, &narrow, &needed, BY_AWS))
        .collect();
    if problems.is_empty() {
        eprintln!("each of {} grants was needed, and nothing was refused", wide.len());
        Ok(())
    } else {
        Err(format!(
            "The statements of the roles (cdk/lib/permissions.ts) and the calls of all tests do not fit:\n- {}",
            problems.join("\n- ")
        ))
    }
}

/// The faults: an action of a statement that no call needed, in a template that narrows nothing or in one that narrows
/// everything, where a statement is another one there; an entry of the list that a call needed, or that nothing grants.
fn faults(
    wide: &[(Grant, String)],
    narrow: &[(Grant, String)],
    needed: &BTreeSet<Grant>,
    by_aws: &[(&str, &str)],
) -> Vec<String> {
    let is_by_aws = |grant: &Grant| by_aws.iter().any(|(action, _)| *action == grant.action);
    let as_wide = |grant: &Grant| Grant {
        narrow: false,
        ..grant.clone()
    };
    let is_same = |grant: &Grant, text: &String| wide.contains(&(as_wide(grant), text.clone()));
    let differs = narrow.iter().filter(|(grant, text)| !is_same(grant, text));
    let unneeded = wide
        .iter()
        .chain(differs)
        .filter(|(grant, _)| !is_by_aws(grant) && !needed.contains(grant))
        .map(
            |(
                Grant {
                    narrow,
                    role,
                    statement,
                    action,
                },
                _,
            )| {
                let settings = if *narrow {
                    " with the settings that narrow it"
                } else {
                    ""
                };
                format!("{role}: no call needed {action} of the statement {statement}{settings}")
            },
        );
    let wrong = by_aws.iter().filter_map(|(action, _)| {
        if let Some(grant) = needed.iter().find(|grant| grant.action == *action) {
            return Some(format!(
                "{action} is in the list of what AWS does by itself, but {} needed it",
                grant.role
            ));
        }
        let is_granted = wide.iter().any(|(grant, _)| grant.action == *action);
        (!is_granted).then(|| format!("{action} is in the list of what AWS does by itself, but no role has it"))
    });
    unneeded.chain(wrong).collect()
}

/// The notes of every process: what was needed, and what was refused.
fn recorded() -> Result<(BTreeSet<Grant>, BTreeSet<String>), Failure> {
    let folder = roles::record();
    let problem = |problem: std::io::Error| format!("reading {}: {problem}", folder.display());
    let (mut needed, mut refused) = (BTreeSet::new(), BTreeSet::new());
    for entry in fs::read_dir(&folder).map_err(problem)? {
        let path = entry.map_err(problem)?.path();
        let text = fs::read_to_string(&path).map_err(problem)?;
        if path
            .file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with("refused"))
        {
            refused.extend(text.lines().map(str::to_owned));
        } else {
            for line in text.lines() {
                let grant = serde_json::from_str(line);
                needed.insert(grant.map_err(|error| format!("{}: {error}: {line}", path.display()))?);
            }
        }
    }
    Ok((needed, refused))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(narrow: bool, statement: &str, action: &str) -> Grant {
        Grant {
            narrow,
            role: "Role".to_owned(),
            statement: statement.to_owned(),
            action: action.to_owned(),
        }
    }

    #[test]
    fn what_no_call_needed_is_named_and_so_is_what_the_list_says_wrongly() {
        let of = |narrow, statement, action, text: &str| (grant(narrow, statement, action), text.to_owned());
        let wide = [
            of(false, "Read", "a:Get", "*"),
            of(false, "Read", "a:List", "*"),
            of(false, "Same", "a:Same", "*"),
            of(false, "Logs", "logs:Put", "*"),
        ];
        let narrow = [
            of(true, "Read", "a:Get", "one"),
            of(true, "Same", "a:Same", "*"),
            of(true, "Logs", "logs:Put", "*"),
        ];
        let all = [
            grant(false, "Read", "a:Get"),
            grant(false, "Read", "a:List"),
            grant(false, "Same", "a:Same"),
            grant(true, "Read", "a:Get"),
        ];
        let list = [("logs:Put", "Lambda")];
        let without = |missing: &Grant| all.iter().filter(|it| *it != missing).cloned().collect::<BTreeSet<_>>();
        let everything: BTreeSet<Grant> = all.iter().cloned().collect();

        assert_eq!(faults(&wide, &narrow, &everything, &list), Vec::<String>::new());
        assert_eq!(
            faults(&wide, &narrow, &without(&all[1]), &list),
            ["Role: no call needed a:List of the statement Read"]
        );
        assert_eq!(
            faults(&wide, &narrow, &without(&all[3]), &list),
            ["Role: no call needed a:Get of the statement Read with the settings that narrow it"]
        );
        assert_eq!(
            faults(&wide, &narrow, &everything, &[]),
            ["Role: no call needed logs:Put of the statement Logs"]
        );
        let seen: BTreeSet<Grant> = all.iter().cloned().chain([grant(false, "Logs", "logs:Put")]).collect();
        assert_eq!(
            faults(&wide, &narrow, &seen, &[("logs:Put", ""), ("x:Gone", "")]),
            [
                "logs:Put is in the list of what AWS does by itself, but Role needed it",
                "x:Gone is in the list of what AWS does by itself, but no role has it",
            ]
        );
    }
}
