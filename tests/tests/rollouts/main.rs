//! prototype
#![allow(clippy::unwrap_used, missing_docs)]
use local_aws::{LocalAws, Options, Settings};
use simulated_ecs::Seed;
use std::time::{Duration, Instant};

#[test]
fn prototype() {
    let options = Options {
        simulated_ecs: Some(simulated_ecs::Settings { speed: 20.0, throttling: true, ..Default::default() }),
        ..Options::default()
    };
    let aws = LocalAws::start(&options).unwrap();
    let stack = aws.deploy(&Settings::default().with("maxConcurrency", "40")).unwrap();
    let ecs = aws.simulated_ecs().unwrap();
    let n = std::env::var("N").map_or(20, |n| n.parse().unwrap());
    aws.push_simulated("app", "v1", None).unwrap();
    ecs.with(|s, now| s.seed(now, &Seed { services: n, families: Some(n.min(20)), ..Seed::default() })).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        for tag in ["v2", "crash"] {
            let begun = Instant::now();
            let push = aws.push_simulated("app", tag, None).unwrap();
            aws.dispatch(&push.event).unwrap();
            let is = |e: &local_aws::executions::Execution| e.input["detail"]["requestParameters"]["imageTag"] == tag;
            let ended = aws.ended_executions(&stack.deploy_image, 1, None, is, Duration::from_secs(400)).await;
            eprintln!("{tag}: {:.1} s {:#?}", begun.elapsed().as_secs_f64(), ended.map(|e| (e[0].status.clone(), e[0].output.clone(), e[0].error_message())));
            let (_, calls) = ecs.with(|s, now| s.administer(now, "GET", "calls", "", b""));
            eprintln!("{calls}");
        }
    });
}
