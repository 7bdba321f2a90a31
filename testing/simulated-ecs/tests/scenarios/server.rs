//! The server and the program around the simulation.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use simulated_ecs::{Seed, Settings, SimulatedEcs};

/// One request over a connection of its own: the status (0: the connection was cut) and the body.
fn request(url: &str, method: &str, path: &str, target: &str, body: &Value) -> (u16, Value) {
    let address = url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    let body = body.to_string();
    let length = body.len();
    let head =
        format!("{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\nx-amz-target: {target}\r\n");
    stream
        .write_all(format!("{head}content-length: {length}\r\n\r\n{body}").as_bytes())
        .unwrap();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    let Some((head, body)) = answer.split_once("\r\n\r\n") else {
        return (0, Value::Null);
    };
    (
        head.split(' ').nth(1).unwrap().parse().unwrap(),
        serde_json::from_str(body).unwrap(),
    )
}

fn ecs(url: &str, operation: &str, body: &Value) -> (u16, Value) {
    request(
        url,
        "POST",
        "/",
        &format!("AmazonEC2ContainerServiceV20141113.{operation}"),
        body,
    )
}

#[test]
fn a_server_answers_awsjson_and_counts_the_calls() {
    let server = SimulatedEcs::start(Settings {
        call_log: true,
        ..Settings::default()
    })
    .unwrap();
    server
        .with(|simulation, now| simulation.seed(now, &Seed::default()))
        .unwrap();
    let url = server.url();
    let (status, answer) = ecs(&url, "DescribeServices", &json!({"services": ["web"]}));
    assert_eq!((status, &answer["services"][0]["runningCount"]), (200, &json!(1)));
    let (status, error) = ecs(&url, "DescribeServices", &json!({"services": ["web"], "typo": 1}));
    assert_eq!((status, &error["__type"]), (400, &json!("InvalidParameterException")));
    assert_eq!(
        ecs(&url, "Nothing", &json!({})).1["__type"],
        json!("UnknownOperationException")
    );
    let (_, calls) = request(&url, "GET", "/_simulation/calls?log=true", "", &Value::Null);
    let expected = json!({"calls": 2, "succeeded": 1, "cut": 0, "errors": {"InvalidParameterException": 1}});
    assert_eq!(calls["operations"]["DescribeServices"], expected);
    assert_eq!(calls["buckets"]["serviceRead"]["taken"], json!(2));
    assert_eq!(calls["log"][0]["subject"], json!("web"));
    assert_eq!(calls["log"][1]["parameters"], json!({"typo": 1}));
    request(&url, "DELETE", "/_simulation/calls", "", &Value::Null);
    let (_, calls) = request(&url, "GET", "/_simulation/calls", "", &Value::Null);
    assert_eq!(calls["operations"], json!({}));
}

#[test]
fn everything_can_be_administered_over_http() {
    let server = SimulatedEcs::start(Settings::default()).unwrap();
    let url = server.url();
    let post = |path: &str, body: Value| request(&url, "POST", &format!("/_simulation/{path}"), "", &body);
    let (status, made) = post("services", json!({"services": 3, "serviceName": "api"}));
    assert_eq!((status, made["services"].as_array().unwrap().len()), (200, 3));
    let (_, pushed) = post(
        "images",
        json!({"repository": "app", "tag": "v2", "behaviour": "exit-early"}),
    );
    assert!(pushed["imageDigest"].as_str().unwrap().starts_with("sha256:"));
    assert_eq!(post("speed", json!({"speed": 100})).0, 200);
    assert_eq!(post("alarms", json!({"name": "errors", "inAlarm": true})).0, 200);
    assert_eq!(
        post(
            "faults",
            json!({"faults": [{"fault": "cutAfter", "operation": "CreateCluster"}]})
        )
        .0,
        200
    );
    assert_eq!(
        ecs(&url, "CreateCluster", &json!({"clusterName": "second"})).0,
        0,
        "cut"
    );
    let (_, clusters) = ecs(&url, "ListClusters", &json!({}));
    assert_eq!(
        clusters["clusterArns"].as_array().unwrap().len(),
        2,
        "applied all the same"
    );
    let (_, state) = request(&url, "GET", "/_simulation/state", "", &Value::Null);
    let image = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/app:v1";
    let revision = &state["families"]["api-3"][0];
    for (member, expected) in [
        ("revision", json!(1)),
        ("active", json!(true)),
        ("images", json!([image])),
        ("tags", json!([])),
    ] {
        assert_eq!(revision[member], expected, "{member}");
    }
    assert_eq!(revision["document"]["containerDefinitions"][0]["image"], image);
    let refused = [
        ("faults", json!({"fault": []})),
        ("speed", json!({"speed": 0})),
        ("services", json!({"services": "3"})),
        ("images", json!({})),
    ];
    for (path, body) in refused {
        let (status, answer) = post(path, body);
        assert!(status == 400 && answer["error"].is_string(), "{path}: {answer}");
    }
    assert_eq!(post("none", json!({})).0, 404);
}

#[test]
fn every_call_takes_the_latency_it_was_started_with() {
    let server = SimulatedEcs::start(Settings {
        latency_milliseconds: 30,
        ..Settings::default()
    })
    .unwrap();
    let begun = std::time::Instant::now();
    ecs(&server.url(), "ListClusters", &json!({}));
    assert!(begun.elapsed().as_millis() >= 30);
}

#[test]
fn a_slow_call_is_answered_so_much_later() {
    let weather = json!({"faults": [{"fault": "slow", "operation": "ListClusters", "milliseconds": 300}]});
    let server = SimulatedEcs::start(Settings {
        weather: serde_json::from_value(weather).unwrap(),
        ..Settings::default()
    })
    .unwrap();
    let begun = std::time::Instant::now();
    assert_eq!(ecs(&server.url(), "ListClusters", &json!({})).0, 200);
    assert!(begun.elapsed().as_millis() >= 300);
}

#[test]
fn a_server_stops_when_it_is_dropped() {
    let server = SimulatedEcs::start(Settings::default()).unwrap();
    let address = server.url().strip_prefix("http://").unwrap().to_owned();
    drop(server);
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn settings_that_make_no_sense_are_refused() {
    for speed in [0.0, -1.0, f64::NAN] {
        let error = SimulatedEcs::start(Settings {
            speed,
            ..Settings::default()
        })
        .unwrap_err();
        assert!(error.to_string().contains("speed"), "{error}");
    }
}

#[test]
fn the_program_prints_its_url_first() {
    let mut program = Command::new(env!("CARGO_BIN_EXE_simulated-ecs"))
        .args([
            "--port",
            "0",
            "--speed",
            "50",
            "--call-log",
            "true",
            "--account",
            "000000000001",
        ])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(program.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    let (status, answer) = ecs(line.trim(), "CreateCluster", &json!({}));
    program.kill().unwrap();
    program.wait().unwrap();
    assert_eq!(status, 200);
    assert_eq!(
        answer["cluster"]["clusterArn"],
        json!("arn:aws:ecs:eu-west-1:000000000001:cluster/default")
    );
}

#[test]
fn the_program_refuses_options_it_does_not_know() {
    for arguments in [
        &["--prot", "0"][..],
        &["0"],
        &["--port"],
        &["--weather", "{\"rain\": 1}"],
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_simulated-ecs"))
            .args(arguments)
            .output()
            .unwrap();
        assert!(!output.status.success() && output.stdout.is_empty(), "{arguments:?}");
        assert!(
            String::from_utf8_lossy(&output.stderr).contains("usage:"),
            "{arguments:?}"
        );
    }
}
