//! The files that `--manifest` prints, read by what reads them elsewhere.

use std::collections::BTreeMap;
use std::fs;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use boon::{Compiler, Schemas};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Service;
use parse_dockerfile::Instruction;
use programs::Program;
use serde::de::{Deserialize, DeserializeOwned};
use serde_json::{Value, json};

/// No setting of a service is needed to print a file, and no secret.
fn printed(args: &[&str], env: &[(&str, &str)]) -> String {
    let ended = Program::start(env!("CARGO_BIN_EXE_commanded"), &[&["--manifest"], args].concat(), env).end();
    assert_eq!((ended.code, &ended.logged[..]), (Some(0), &[][..]), "{ended:#?}");
    ended.printed.join("\n") + "\n"
}

fn directory(test: &str) -> PathBuf {
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("manifests").join(test);
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir_all(&directory).expect("there is a place for files");
    directory
}

/// A place with a `systemctl` of this version, for `PATH`.
fn systemctl(version: u32) -> String {
    let directory = directory(&format!("systemctl-{version}"));
    let program = directory.join("systemctl");
    fs::write(&program, format!("#!/bin/sh\necho 'systemd {version} ({version}.1-1)'\n")).expect("it can be written");
    fs::set_permissions(&program, Permissions::from_mode(0o755)).expect("it is ours");
    let others = std::env::var("PATH").unwrap_or_default();
    format!("{}:{others}", directory.display())
}

/// The units in what was printed, by name.
fn units(printed: &str) -> BTreeMap<&str, &str> {
    let units = printed.split("# /etc/systemd/system/").filter(|unit| !unit.is_empty());
    units.map(|unit| unit.split_once('\n').expect("a name stands above each unit")).collect()
}

/// What `systemd-analyze verify` says of these units: nothing, if they are right.
fn said_by_systemd(test: &str, units: &BTreeMap<&str, &str>) -> (bool, String) {
    let directory = directory(test);
    for (name, unit) in units {
        fs::write(directory.join(name), unit).expect("it can be written");
    }
    let mut command = Command::new("systemd-analyze");
    command.args(["verify", "--man=no", "--recursive-errors=no"]).args(units.keys().map(|name| directory.join(name)));
    let output = command.output().expect("there is `systemd-analyze`, of the package `systemd`");
    (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// The values of a key of a unit.
fn values<'a>(unit: &'a str, key: &str) -> Vec<&'a str> {
    unit.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix('=')).collect()
}

#[test]
fn systemd_has_nothing_to_say_of_the_units() {
    let printed = printed(&["systemd"], &[("PATH", &systemctl(252))]);
    let units = units(&printed);
    assert_eq!(units.keys().collect::<Vec<_>>(), [&"commanded.service", &"commanded.socket"]);
    assert_eq!(said_by_systemd("one", &units), (true, String::new()));
    let service = units["commanded.service"];
    assert_eq!(values(service, "ExecStart"), [env!("CARGO_BIN_EXE_commanded")]);
    assert_eq!(values(service, "Environment"), ["GROUP_STOP_TIMEOUT=25s"]);
    assert_eq!(values(service, "TimeoutStopSec"), ["30s"]);
    assert_eq!(values(service, "KillMode"), ["mixed"]);
    assert_eq!(values(service, "RestartPreventExitStatus"), ["78"]);
    assert_eq!((values(service, "Type"), values(service, "WatchdogSec")), (vec!["notify"], vec!["30s"]));
    assert_eq!(values(service, "ExecReload"), ["/bin/kill -HUP $MAINPID"]);
    assert_eq!(values(units["commanded.socket"], "ListenStream"), ["127.0.0.1:50051", "127.0.0.1:8080"]);

    let wrong = units.iter().map(|(name, unit)| (*name, unit.replace("KillMode", "KilMode"))).collect::<Vec<_>>();
    let wrong = wrong.iter().map(|(name, unit)| (*name, unit.as_str())).collect();
    let (_, said) = said_by_systemd("wrong", &wrong);
    assert!(said.contains("KilMode"), "a mistake would be told: {said}");
}

#[test]
fn a_systemd_that_waits_for_reloads_is_told_of_them() {
    let printed = printed(&["systemd"], &[("PATH", &systemctl(253))]);
    let service = units(&printed)["commanded.service"];
    assert_eq!(values(service, "Type"), ["notify-reload"]);
    assert!(values(service, "ExecReload").is_empty(), "each reload would be two: {service}");
}

#[test]
fn systemd_runs_a_process_for_each_only() {
    let toml = directory("paths").join("50 % of it.toml");
    fs::write(&toml, "[group]\nstop_timeout = '1500ms'").expect("it can be written");
    let args = ["systemd", "--only", "gateway", "--only", "inventory,worker", "--config", &toml.to_string_lossy()];
    let printed = printed(&args, &[("GROUP_GATEWAY__HTTP", "0.0.0.0:80"), ("PATH", &systemctl(252))]);
    let units = units(&printed);
    let names = [
        "commanded-gateway.service",
        "commanded-gateway.socket",
        "commanded-inventory.service",
        "commanded-inventory.socket",
    ];
    assert_eq!(units.keys().copied().collect::<Vec<_>>(), names);
    assert_eq!(said_by_systemd("several", &units), (true, String::new()));
    let (gateway, inventory) = (units["commanded-gateway.service"], units["commanded-inventory.service"]);
    assert_eq!(
        values(gateway, "Environment"),
        [
            "GROUP_GATEWAY__HTTP=0.0.0.0:80",
            "GROUP_STOP_TIMEOUT=1500ms",
            "GROUP_INVENTORY__REMOTE=http://127.0.0.1:50051",
        ]
    );
    assert_eq!(values(gateway, "TimeoutStopSec"), ["7s"]);
    assert!(values(gateway, "After")[0].ends_with(" commanded-inventory.service"), "{gateway}");
    let quoted = format!("\"{}\"", toml.display()).replace('%', "%%");
    let command = format!("{} --only inventory,worker --config {quoted}", env!("CARGO_BIN_EXE_commanded"));
    assert_eq!(values(inventory, "ExecStart"), [command]);
    // Only `worker` has a `reload`.
    assert_eq!((values(gateway, "ExecReload").len(), values(inventory, "ExecReload").len()), (0, 1));
}

/// The documents of a YAML file.
fn documents(yaml: &str) -> Vec<Value> {
    let documents = serde_norway::Deserializer::from_str(yaml);
    documents.map(|document| Value::deserialize(document).expect("is YAML")).collect()
}

/// Reads an object of Kubernetes. What it does not know is lost on the way.
fn read<T: DeserializeOwned + serde::Serialize>(object: &Value) -> Value {
    let read: T = serde_json::from_value(object.clone()).expect("has the types of the schema");
    serde_json::to_value(&read).expect("can be written")
}

/// The objects of a manifest, by kind and name.
fn objects(yaml: &str) -> BTreeMap<String, Value> {
    let objects = documents(yaml).into_iter().map(|object| {
        let known = match object["kind"].as_str() {
            Some("Deployment") => read::<Deployment>(&object),
            Some("Service") => read::<Service>(&object),
            other => panic!("{other:?} is no kind that is printed"),
        };
        assert_eq!(known, object, "has a key that Kubernetes does not know");
        (format!("{}/{}", object["kind"], object["metadata"]["name"]).replace('"', ""), object)
    });
    objects.collect()
}

#[test]
fn kubernetes_knows_every_key_of_the_manifest() {
    let objects = objects(&printed(&["kubernetes"], &[]));
    let pod = &objects["Deployment/commanded"]["spec"]["template"]["spec"];
    assert_eq!((&pod["enableServiceLinks"], &pod["terminationGracePeriodSeconds"]), (&json!(false), &json!(35)));
    let container = &pod["containers"][0];
    assert_eq!(
        container["env"],
        json!([
            { "name": "GROUP_INVENTORY__GRPC", "value": "0.0.0.0:50051" },
            { "name": "GROUP_GATEWAY__HTTP", "value": "0.0.0.0:8080" },
            { "name": "GROUP_ADMIN", "value": "0.0.0.0:9900" },
            { "name": "GROUP_STOP_TIMEOUT", "value": "30s" },
            { "name": "GROUP_DRAIN_DELAY", "value": "5s" },
        ])
    );
    let names: Vec<&Value> =
        container["ports"].as_array().expect("is a list").iter().map(|port| &port["name"]).collect();
    assert_eq!(names, ["grpc-50051", "http-8080", "admin"]);
    for (probe, path) in [("startupProbe", "/startupz"), ("readinessProbe", "/readyz"), ("livenessProbe", "/livez")] {
        assert_eq!(container[probe]["httpGet"], json!({ "path": path, "port": "admin" }));
    }
    // Five services, one after the other, of which each has a minute.
    assert_eq!(container["startupProbe"]["failureThreshold"], 121);
    assert_eq!(objects["Service/commanded"]["spec"]["ports"][1]["targetPort"], "http-8080");
}

#[test]
fn a_drain_delay_of_the_groups_own_is_kept() {
    let yaml = printed(&["kubernetes"], &[("GROUP_DRAIN_DELAY", "2s"), ("GROUP_STOP_TIMEOUT", "8s")]);
    let pod = &objects(&yaml)["Deployment/commanded"]["spec"]["template"]["spec"];
    assert_eq!(pod["terminationGracePeriodSeconds"], 13);
    assert_eq!(pod["containers"][0]["env"][4], json!({ "name": "GROUP_DRAIN_DELAY", "value": "2s" }));
}

#[test]
fn one_binary_becomes_several_deployments_that_call_each_other() {
    let yaml = printed(&["kubernetes", "--only", "gateway", "--only", "inventory", "--only", "worker"], &[]);
    let objects = objects(&yaml);
    let names = [
        "Deployment/commanded-gateway",
        "Deployment/commanded-inventory",
        "Deployment/commanded-worker",
        "Service/commanded-gateway",
        "Service/commanded-inventory",
    ];
    assert_eq!(objects.keys().collect::<Vec<_>>(), names);
    let container = |name: &str| &objects[name]["spec"]["template"]["spec"]["containers"][0];
    let gateway = container("Deployment/commanded-gateway");
    assert_eq!(gateway["args"], json!(["--only", "gateway"]));
    let remote = json!({ "name": "GROUP_INVENTORY__REMOTE", "value": "http://commanded-inventory:50051" });
    assert!(gateway["env"].as_array().expect("is a list").contains(&remote), "{gateway:#}");
    // Nobody is sent to it, so it need not wait.
    let worker = container("Deployment/commanded-worker");
    let env: Vec<&Value> = worker["env"].as_array().expect("is a list").iter().map(|one| &one["name"]).collect();
    assert_eq!(env, ["GROUP_ADMIN", "GROUP_STOP_TIMEOUT"]);
    assert_eq!(worker["ports"], json!([{ "name": "admin", "containerPort": 9900 }]));
}

#[test]
fn the_file_of_the_report_stays_where_it_was_said_to_be() {
    let env = [("GROUP_REPORT_TO", "/var/log/shop.json")];
    let units = printed(&["systemd"], &env);
    assert!(values(&units, "Environment").contains(&"GROUP_REPORT_TO=/var/log/shop.json"), "{units}");
    let yaml = printed(&["kubernetes"], &env);
    assert!(yaml.contains("name: GROUP_REPORT_TO\n"), "{yaml}");
    assert!(yaml.contains("# The report goes to /var/log/shop.json: without a volume there, it is gone"), "{yaml}");
}

#[test]
fn the_admin_service_is_where_it_was_said_to_be() {
    let ports = |env: &[(&str, &str)], args: &[&str]| {
        let yaml = printed(&[&["kubernetes", "--only", "database"], args].concat(), env);
        let container = &objects(&yaml)["Deployment/commanded"]["spec"]["template"]["spec"]["containers"][0];
        (container.get("ports").cloned(), container.get("livenessProbe").is_some())
    };
    let admin = |port: u16| (Some(json!([{ "name": "admin", "containerPort": port }])), true);
    assert_eq!(ports(&[("GROUP_ADMIN", "127.0.0.1:7000")], &[]), admin(7000));
    assert_eq!(ports(&[], &["--admin", "127.0.0.1:7001"]), admin(7001));
    assert_eq!(ports(&[], &["--admin", "off"]), (None, false));

    // Processes of one machine share its ports.
    let args = ["systemd", "--only", "gateway", "--only", "inventory", "--admin", "127.0.0.1:7000"];
    let printed = printed(&args, &[]);
    let units = units(&printed);
    let admin =
        |name: &str| values(units[name], "Environment").into_iter().find(|line| line.starts_with("GROUP_ADMIN"));
    assert_eq!(admin("commanded-gateway.service"), Some("GROUP_ADMIN=127.0.0.1:7000"));
    assert_eq!(admin("commanded-inventory.service"), Some("GROUP_ADMIN=127.0.0.1:7001"));
}

#[test]
fn a_call_needs_an_address() {
    let args = ["--manifest", "kubernetes", "--only", "gateway", "--only", "inventory"];
    let env = [("GROUP_INVENTORY__GRPC", "127.0.0.1:0")];
    let ended = Program::start(env!("CARGO_BIN_EXE_commanded"), &args, &env).end();
    assert_eq!(ended.code, Some(78), "{ended:#?}");
    let told = ended.logged_with("`gateway` calls `inventory`, which has no address for other processes");
    assert!(!told.is_empty(), "{ended:#?}");
}

#[test]
fn compose_reads_its_file() {
    let mut schemas = Schemas::new();
    let mut compiler = Compiler::new();
    let schema = serde_json::from_str(include_str!("../schemas/compose.json")).expect("is JSON");
    compiler.add_resource("compose.json", schema).expect("is a schema");
    let schema = compiler.compile("compose.json", &mut schemas).expect("is a schema");
    let check = |yaml: &str| {
        let file = documents(yaml).remove(0);
        match schemas.validate(&file, schema) {
            Ok(()) => Ok(file),
            Err(error) => Err(error.to_string()),
        }
    };
    let file = check(&printed(&["compose"], &[])).expect("fits the schema");
    let service = &file["services"]["commanded"];
    assert_eq!((&service["stop_grace_period"], &service["ports"][1]), (&json!("30s"), &json!("8080:8080")));

    let yaml = printed(&["compose", "--only", "gateway", "--only", "inventory", "--log", "info,$x=debug"], &[]);
    let file = check(&yaml).expect("fits the schema");
    let gateway = &file["services"]["commanded-gateway"];
    assert_eq!(gateway["environment"]["GROUP_INVENTORY__REMOTE"], "http://commanded-inventory:50051");
    assert_eq!(gateway["depends_on"], json!(["commanded-inventory"]));
    assert_eq!(gateway["command"], json!(["--only", "gateway", "--log", "info,$$x=debug"]));

    check(&yaml.replace("stop_grace_period", "stop_grace_perid")).expect_err("a mistake would be told");
}

#[test]
fn docker_reads_its_file() {
    let text = printed(&["dockerfile", "--only", "gateway"], &[]);
    let file = parse_dockerfile::parse(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    let words: Vec<&str> = file.instructions.iter().map(word).collect();
    assert_eq!(words, ["FROM", "COPY", "ENV", "ENV", "ENV", "EXPOSE", "EXPOSE", "ENTRYPOINT", "CMD"], "{text}");
    assert!(text.contains("\nENV GROUP_GATEWAY__HTTP=\"0.0.0.0:8080\"\n"), "{text}");
    assert!(text.ends_with("\nCMD [\"--only\", \"gateway\"]\n"), "{text}");
}

fn word(instruction: &Instruction<'_>) -> &'static str {
    match instruction {
        Instruction::From(_) => "FROM",
        Instruction::Copy(_) => "COPY",
        Instruction::Env(_) => "ENV",
        Instruction::Expose(_) => "EXPOSE",
        Instruction::Entrypoint(_) => "ENTRYPOINT",
        Instruction::Cmd(_) => "CMD",
        _ => "another",
    }
}
