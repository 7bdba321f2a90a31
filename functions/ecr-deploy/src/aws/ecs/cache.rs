//! A cache keeps what a warm function has read of revisions, none of which ever changes its containers.

use crate::domain::arn::TaskDefinitionArn;
use crate::domain::task_definition::Outline;
use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

/// How many outlines are kept. One takes less than a kilobyte, so that they never need a tenth of the smallest function.
const KEPT: usize = 10_000;

/// The outlines that were read last. The oldest give way first.
#[derive(Debug, Default)]
pub(super) struct Cache(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    outlines: HashMap<TaskDefinitionArn, Outline>,
    /// From the one read first to the one read last.
    order: VecDeque<TaskDefinitionArn>,
}

impl Cache {
    pub(super) fn get(&self, revision: &TaskDefinitionArn) -> Option<Outline> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.outlines.get(revision).cloned()
    }

    pub(super) fn keep(&self, outline: &Outline) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.outlines.insert(outline.arn().clone(), outline.clone()).is_none() {
            kept.order.push_back(outline.arn().clone());
        }
        if kept.order.len() > KEPT
            && let Some(oldest) = kept.order.pop_front()
        {
            kept.outlines.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::task_definition::TaskDefinition;

    fn outline(revision: usize) -> Outline {
        let body = format!(
            r#"{{"taskDefinition": {{"taskDefinitionArn": "arn:aws:ecs:eu-west-1:123456789012:task-definition/web:{revision}"}}}}"#
        );
        TaskDefinition::from_response(body.as_bytes()).unwrap().outline()
    }

    #[test]
    fn only_the_outlines_that_were_read_last_are_kept() {
        let cache = Cache::default();
        for revision in 1..=KEPT + 1 {
            cache.keep(&outline(revision));
        }
        cache.keep(&outline(KEPT + 1));
        assert!(cache.get(outline(1).arn()).is_none());
        assert!(cache.get(outline(2).arn()).is_some() && cache.get(outline(KEPT + 1).arn()).is_some());
    }
}
