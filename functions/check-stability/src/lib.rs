//! One look at a rollout: stable, in progress, failed, superseded.
