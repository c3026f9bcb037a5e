//! That docker/stack.yml says what the lab makes.

use super::*;
use std::collections::BTreeSet;

const FILE: &str = include_str!("../../../docker/stack.yml");

fn stack() -> Stack {
    let engine = Engine {
        docker: bollard::Docker::connect_with_http("tcp://127.0.0.1:1", 1, bollard::API_DEFAULT_VERSION).unwrap(),
        address: String::new(),
        ahead: std::sync::Arc::default(),
    };
    Stack::new(engine, "ingest-lab-swarm", "local")
}

/// The lines of a service in the file, each without its indentation and its comment.
fn lines(service: &str) -> BTreeSet<String> {
    let after = FILE.split_once(&format!("\n  {service}:\n")).expect("the file has the service").1;
    let own = after.lines().take_while(|line| line.is_empty() || line.starts_with("    "));
    own.map(|line| line.split(" #").next().unwrap_or_default().trim().to_owned()).collect()
}

/// A service as the file would say it.
fn as_file(spec: &ServiceSpec) -> BTreeSet<String> {
    let task = spec.task_template.clone().unwrap();
    let container = task.container_spec.unwrap();
    let list = |words: &[String]| format!("[{}]", words.join(", "));
    let seconds = |nanos: i64| format!("{}s", nanos / SECOND);
    let mut said = BTreeSet::from([
        format!("read_only: {}", container.read_only.unwrap()),
        format!("cap_drop: {}", list(&container.capability_drop.unwrap())),
        format!("stop_grace_period: {}", seconds(container.stop_grace_period.unwrap())),
        format!("endpoint_mode: {}", spec.endpoint_spec.clone().unwrap().mode.unwrap()),
        format!("replicas: {}", spec.mode.clone().unwrap().replicated.unwrap().replicas.unwrap()),
        format!("constraints: {}", list(&task.placement.unwrap().constraints.unwrap())),
        format!("condition: {}", task.restart_policy.unwrap().condition.unwrap()),
    ]);
    let keys = task.networks.unwrap().into_iter().map(|one| one.target.unwrap().replace("ingest-lab-swarm_", ""));
    said.insert(format!("networks: {}", list(&keys.collect::<Vec<_>>())));
    said.extend(container.args.map(|args| {
        format!(
            "command: [{}]",
            args.join(", ").replace("5432,", "5432\",").replace("db:", "\"db:").replace(" 5432", " \"5432\"")
        )
    }));
    said.extend(container.capability_add.map(|words| format!("cap_add: {}", list(&words))));
    said.extend(container.init.map(|init| format!("init: {init}")));
    said.extend(container.sysctls.into_iter().flatten().map(|(key, value)| format!("{key}: {value}")));
    for mount in container.mounts.unwrap() {
        let target = mount.target.unwrap();
        match mount.source {
            Some(source) => said.insert(format!("- {}:{target}", source.replace("ingest-lab-swarm_", ""))),
            None => match mount.tmpfs_options {
                None => said.insert(format!("- {{ type: tmpfs, target: {target} }}")),
                Some(options) => {
                    let size = options.size_bytes.unwrap();
                    said.insert(format!("- {{ type: tmpfs, target: {target}, tmpfs: {{ size: {size} }} }}"))
                }
            },
        };
    }
    if let Some(health) = container.health_check {
        said.insert(format!("test: {}", list(&health.test.unwrap())));
        said.insert(format!("interval: {}", seconds(health.interval.unwrap())));
        said.insert(format!("timeout: {}", seconds(health.timeout.unwrap())));
        said.insert(format!("retries: {}", health.retries.unwrap()));
    }
    said
}

#[test]
fn the_file_for_people_says_what_the_lab_makes() {
    let stack = stack();
    for (service, spec) in [("db", stack.db_service()), ("link", stack.link_service())] {
        let (file, made) = (lines(service), as_file(&spec));
        let missing: Vec<&String> = made.difference(&file).collect();
        assert!(missing.is_empty(), "docker/stack.yml, {service}: it does not say {missing:?}");
        assert!(file.contains(&format!("image: ingest-lab-{service}:${{INGEST_LAB_TAG:-local}}")), "{service}");
    }
    for key in NETWORKS {
        let network = stack.overlay(key);
        assert_eq!(
            (network.driver.as_deref(), network.attachable, network.internal),
            (Some("overlay"), Some(true), Some(true))
        );
        assert!(
            FILE.contains(&format!("\n  {key}: *overlay\n")) || FILE.contains(&format!("\n  {key}: &overlay\n")),
            "{key}"
        );
    }
}

#[test]
fn nothing_of_a_service_is_published_started_again_or_placed_elsewhere() {
    let stack = stack();
    for (service, spec) in [("db", stack.db_service()), ("link", stack.link_service())] {
        assert_eq!(spec.endpoint_spec.as_ref().unwrap().ports, None);
        let task = spec.task_template.as_ref().unwrap();
        let labels = task.container_spec.as_ref().unwrap().labels.as_ref().unwrap();
        assert_eq!(labels[label::PROJECT], "ingest-lab-swarm");
        assert_eq!(labels[label::SERVICE], service);
        assert_eq!(labels[label::ONE_OFF], "False");
        let task = with_image(spec, Some("sha256:00".into())).task_template.unwrap();
        assert_eq!(task.container_spec.unwrap().image.as_deref(), Some("sha256:00"));
    }
}
